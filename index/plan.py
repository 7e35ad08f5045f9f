"""What a run has to do for the sources: values and what follows from them; nothing is looked up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from index.changes import Changes, Failed, Move
from index.documents import Given
from index.sources import File
from index.stored import Source

RACY = 2_000_000_000  # nanoseconds: what was written so shortly before may be written again unseen

Stamp = tuple[int, int] | None  # the size and time of a file; None where there is none
Settled = Callable[[str, Stamp], bool]


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a file, or of a document that came as JSON, for comparing.

    ``documents`` are the ids and names of all that was read from it; ``uri`` is its own name.
    """

    documents: tuple[tuple[int, str], ...]
    source_id: int
    uri: str
    content_hash: str
    size: int
    mtime_ns: int

    @property
    def ids(self) -> list[int]:
        """The documents that were read from it."""
        return [id for id, _ in self.documents]


@dataclass(frozen=True, slots=True)
class Away:
    """A document that a person removed: the hash of its content, and when (nanoseconds)."""

    content_hash: str
    removed_ns: int


@dataclass(frozen=True, slots=True)
class Rename:
    """A document whose content lies in another file now, perhaps of another source."""

    known: Known
    file: File
    source: Source


@dataclass(frozen=True, slots=True)
class Options:
    """How a run compares.

    ``asked`` are files that come back even if they were removed by hand. Without
    ``allow_deletions``, at most the part ``share`` of a source may go at once. ``settled`` says
    of the state of a file whether it is final.
    """

    asked: frozenset[str] = frozenset()
    allow_deletions: bool = False
    share: float = 0.5
    settled: Settled = lambda uri, stamp: True


@dataclass
class Part:
    """What one source needs. ``new`` and ``changed`` are to be read, ``gone`` to be removed."""

    source: Source
    known: dict[str, Known] = field(default_factory=dict)
    recorded: dict[str, Failed] = field(default_factory=dict)  # failures told before
    inner: dict[str, list[Failed]] = field(default_factory=dict)  # those within a file
    away: dict[str, Away] = field(default_factory=dict)
    emptied: dict[str, set[str]] = field(default_factory=dict)  # files of what was removed within
    new: list[File | Given] = field(default_factory=list)
    changed: list[File | Given] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)  # of the files whose hash was needed
    touched: list[Move] = field(default_factory=list)  # another time, the same content
    gone: list[Known] = field(default_factory=list)
    dropped: list[Known] = field(default_factory=list)  # gone too, and never held back
    trouble: str = ""  # why its files may be out of sight rather than deleted
    hidden: list[Known] = field(default_factory=list)  # its documents, while that is so
    follow: list[tuple[str, str]] = field(default_factory=list)  # removed by hand, then renamed
    failures: list[Failed] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)
    unchanged: int = 0
    later: int = 0  # files that are not finished yet
    withheld: int = 0  # documents that were not removed, because too many would go

    @property
    def fresh(self) -> list[Failed]:
        """The failures that were not told before."""
        return [one for one in self.failures if self.recorded.get(one.uri) != one]


@dataclass
class Plan:
    """What a run has to do."""

    parts: list[Part]
    renames: list[Rename]

    @property
    def changes(self) -> Changes:
        """What is done before anything is read."""
        parts = self.parts
        return Changes(
            removals=[id for p in parts for known in (*p.gone, *p.dropped) for id in known.ids],
            moves=[move for rename in self.renames for move in moves(rename.known, rename.file)],
            failures=[one for p in parts for one in p.fresh] + self._followed(),
            cleared=[(p.source.id, uri) for p in parts for uri in p.cleared],
        )

    def _followed(self) -> list[Failed]:
        """What could not be read within renamed files, under the names that these have now."""
        inner = {p.source.id: p.inner for p in self.parts}
        return [
            replace(one, source_id=r.source.id, uri=r.file.uri + one.uri.removeprefix(r.known.uri))
            for r in self.renames
            for one in inner.get(r.known.source_id, {}).get(r.known.uri, ())
        ]

    @property
    def crossing(self) -> list[Rename]:
        """The renames from one source to another."""
        return [r for r in self.renames if r.known.source_id != r.source.id]

    @property
    def empty(self) -> bool:
        """True when a reader of the collection will see no change."""
        return not self.changes and not any(part.new or part.changed for part in self.parts)


def stamp(file: File) -> tuple[int, int]:
    """The size and time to record of a file that is read now.

    No time is recorded where it could be written again within the same tick of the clock: the
    next run then compares the content (what git calls racy).
    """
    return file.size, file.mtime_ns if time.time_ns() - file.mtime_ns > RACY else 0


def moves(known: Known, file: File) -> list[Move]:
    """The documents of a file under the name and time that it has now."""
    return [
        Move(id, file.uri + uri.removeprefix(known.uri), *stamp(file))
        for id, uri in known.documents
    ]
