"""Failures that a person can act on. The message says what happened, to what, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path


class KhazriError(Exception):
    """Something a person can mend; its message is shown as it stands, never a traceback."""


class Unreadable(KhazriError):
    """A file that gives no text: empty, damaged, encrypted, or of an unsupported kind.

    The message is the reason alone (``encrypted: save it without a password``); the caller
    adds the name of the file.
    """


def of_disk(error: OSError, path: Path) -> KhazriError:
    """What a person can do about an error of the system in writing to ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KhazriError(f"The disk that holds {path} is full. Make room and try again.")
    why = error.strerror or str(error)
    return KhazriError(f"{path} can't be written: {why}. Check its permissions.")
