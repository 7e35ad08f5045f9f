"""Names of files within files, made safe to show. They name nothing on the disk."""

from __future__ import annotations

import re

from index.readers.blocks import one_line

_SEPARATORS = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"^[A-Za-z]:")
_LONGEST = 200  # characters of one part of a path


def relative(path: str) -> str:
    """``path`` below its archive: no root, drive, ``..`` or control characters; "" for none."""
    parts = _SEPARATORS.split(_DRIVE.sub("", one_line(path)))
    return "/".join(_cut(part.strip()) for part in parts if part.strip() not in ("", ".", ".."))


def single(name: str) -> str:
    """``name`` as one part of a path, whatever slashes it has; "" for none."""
    return relative(name).replace("/", "-")


def _cut(part: str) -> str:
    """A part of a path that is not too long, with its suffix."""
    if len(part) <= _LONGEST:
        return part
    stem, dot, suffix = part.rpartition(".")
    if not dot or len(suffix) > 10:
        return part[: _LONGEST - 1] + "…"
    return stem[: _LONGEST - len(suffix) - 2] + "…." + suffix
