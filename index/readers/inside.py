"""A file with all that is within it: a ``Part`` for each text, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from index.errors import Unreadable
from index.readers import content, kind
from index.readers.blocks import one_line
from index.readers.format import Format, Inner
from index.values import SEPARATOR, Content

DEPTH = 4  # files within files within files …
UNPACKED = 1 << 30  # bytes of all that is within one file, however deep
FILES = 100_000  # within one file, however deep


@dataclass(frozen=True, slots=True)
class Part:
    """What a file, or a file within it, gave. ``path`` leads there: empty for the file itself."""

    path: str
    content: Content | None
    reason: str = ""


class _Files:
    """A walk through one file: what was unpacked so far, and which paths are taken."""

    def __init__(self) -> None:
        self.unpacked = self.files = 0
        self.taken: dict[str, int] = {}

    def parts(self, data: bytes, name: str, path: str, depth: int) -> Iterator[Part]:
        try:
            format = kind(data, name)
        except Unreadable as error:
            yield Part(path, None, str(error))
            return
        refused = told = ""
        if format.read is not None:
            try:
                yield Part(path, content(format, data))
                told = "the rest"
            except Unreadable as error:
                refused = str(error)
                yield Part(path, None, refused)
        for part in self._inner(format, data, path, depth, told):
            if not (refused and part.path == path):  # told already
                yield part

    def _inner(
        self, format: Format, data: bytes, path: str, depth: int, rest: str
    ) -> Iterator[Part]:
        for inner in _unpacked(format, data, rest):
            at = self._free(path, inner.name) if inner.name else path
            self.unpacked += len(inner.data)
            self.files += 1
            if self.files > FILES:
                yield Part(at, None, f"too many files: over {FILES:,}; the rest was not read")
                return
            if inner.reason:
                yield Part(at, None, inner.reason)
            elif depth == DEPTH:
                yield Part(at, None, f"too deep: it lies in {DEPTH} files within each other")
            elif self.unpacked > UNPACKED:
                yield Part(at, None, f"too large: over {UNPACKED >> 30} GB when unpacked")
                return
            else:
                yield from self.parts(inner.data, inner.name, at, depth + 1)

    def _free(self, path: str, name: str) -> str:
        """A path of its own for a file within ``path``, whatever names were given there."""
        while SEPARATOR in name:
            name = name.replace(SEPARATOR, "/")
        name = one_line(name).strip("/") or "unnamed"
        at = f"{path}{SEPARATOR}{name}" if path else name
        self.taken[at] = count = self.taken.get(at, 0) + 1
        return at if count == 1 else self._free(path, f"{name} ({count})")


def parts(data: bytes, name: str) -> Generator[Part]:
    """All that a file holds, the file itself first. Raises nothing but a lack of memory."""
    yield from _Files().parts(data, name, "", 0)


def _unpacked(format: Format, data: bytes, rest: str) -> Iterator[Inner]:
    """The files within a file; where it breaks off, a last one says so.

    That one is named ``rest`` where nothing was unpacked before it: with no name it speaks of the
    file as a whole.
    """
    if format.unpack is None:
        return
    try:
        for inner in format.unpack(data):
            yield inner
            rest = "the rest"
    except MemoryError:
        raise
    except Unreadable as error:
        yield Inner(rest, b"", str(error))
    except Exception as error:  # whatever a parser fails with, the file is at fault
        reason = str(error).split("\n")[0][:120] or type(error).__name__
        yield Inner(rest, b"", f"damaged: it can't be unpacked further ({reason})")
