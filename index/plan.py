"""What a run has to do: the files of the sources compared with what the catalog knows of them.

Size and time are the quick check; where they differ, the SHA-256 of the content decides. Nothing
is changed here, and nothing is queried or opened for a file that looks the same as before.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from index.catalog import Catalog
from index.changes import Changes, Failed, Move
from index.documents import Given, given_hash, read_jsonl
from index.errors import KhazriError
from index.sources import File, file_hash, files, held_by, out_of_sight, wanted
from index.stored import Source
from index.values import file_of

FEW = 10  # documents of a source that may always go at once
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
            moves=[move for rename in self.renames for move in _moves(rename.known, rename.file)],
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


def compare(
    catalog: Catalog, sources: Sequence[Source], every: Sequence[Source], options: Options
) -> Plan:
    """Compare ``sources``, of ``every`` one that there is, with what the catalog knows of them."""
    run = {source.id for source in sources}
    with catalog.read() as db:
        parts = [_recorded(db, source) for source in sources]
        others = [
            one
            for source in every
            if source.id not in run and source.kind != "jsonl"
            for one in _known(db, source.id, source.kind).values()
        ]
    for part in parts:
        _look(part, options, [s for s in every if s.location != part.source.location], run)
    renames = _renamed(parts, others)
    for part in parts:
        _settle(part, options)
        if not options.allow_deletions:
            _hold_back(part, options.share)
        if part.trouble and not part.withheld and not os.path.lexists(part.source.location):
            part.failures.append(Failed(part.source.id, part.source.location, part.trouble))
    return Plan(parts, renames)


def stamp(file: File) -> tuple[int, int]:
    """The size and time to record of a file that is read now.

    No time is recorded where it could be written again within the same tick of the clock: the
    next run then compares the content (what git calls racy).
    """
    return file.size, file.mtime_ns if time.time_ns() - file.mtime_ns > RACY else 0


def _moves(known: Known, file: File) -> list[Move]:
    """The documents of a file under the name and time that it has now."""
    return [
        Move(id, file.uri + uri.removeprefix(known.uri), *stamp(file))
        for id, uri in known.documents
    ]


# What the catalog knows: a fixed number of queries for a source


def _recorded(db: sqlite3.Connection, source: Source) -> Part:
    failed = db.execute(
        "SELECT source_id, uri, reason, size, mtime_ns FROM failures WHERE source_id = ?",
        [source.id],
    )
    removed = db.execute(
        "SELECT uri, content_hash, removed FROM removals WHERE source_id = ?", [source.id]
    )
    away = {row["uri"]: Away(row["content_hash"], _nanoseconds(row["removed"])) for row in removed}
    emptied: dict[str, set[str]] = {}
    for uri, one in away.items():
        if (file := _name(source, uri)) != uri:
            emptied.setdefault(file, set()).add(one.content_hash)
    recorded = {row["uri"]: Failed(*row) for row in failed}
    inner: dict[str, list[Failed]] = {}
    for failure in recorded.values():
        if (file := _name(source, failure.uri)) != failure.uri:
            inner.setdefault(file, []).append(failure)
    return Part(
        source,
        _known(db, source.id, source.kind),
        recorded,
        inner,
        away,
        emptied,
    )


def _known(db: sqlite3.Connection, source_id: int, kind: str) -> dict[str, Known]:
    rows = db.execute(
        "SELECT id, source_id, uri, content_hash, size, mtime_ns FROM documents"
        " WHERE source_id = ? ORDER BY uri",
        [source_id],
    )
    found: dict[str, Known] = {}
    for id, source_id, uri, *rest in rows:
        file = uri if kind == "jsonl" else file_of(uri)
        before = found[file].documents if file in found else ()
        found[file] = Known((*before, (id, uri)), source_id, file, *rest)
    return found


def _nanoseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp()) * 1_000_000_000


# What lies on the disk


def _look(part: Part, options: Options, others: Sequence[Source], run: Collection[int]) -> None:
    """Compare one source with the disk."""
    source = part.source
    if source.kind == "jsonl" and not options.settled(source.location, _stamp_at(source.location)):
        part.later = 1
        return
    part.trouble = out_of_sight(source)
    if part.trouble and part.known and not options.allow_deletions:
        part.hidden = list(part.known.values())
        return
    seen: set[str] = set()

    def refuse(uri: str, reason: str) -> None:
        seen.add(uri)
        part.failures.append(Failed(source.id, uri, reason))

    for one in _found(source, others, refuse):
        seen.add(one.uri)
        if not _stays_away(one, part, options):
            _sort(one, part)
    _missing(part, seen, [s for s in others if s.id not in run])


def _found(
    source: Source, others: Sequence[Source], refuse: Callable[[str, str], None]
) -> Iterable[File | Given]:
    if source.kind == "jsonl":
        try:
            yield from read_jsonl(Path(source.location), refuse)
        except KhazriError as error:
            refuse(source.location, str(error))
    elif os.path.lexists(source.location):
        yield from files(source, refuse, {other.location for other in others})


def _stays_away(one: File | Given, part: Part, options: Options) -> bool:
    """Whether a person removed this very content, and did not ask for it again."""
    away = part.away.get(one.uri)
    if away is None or one.uri in options.asked:
        return False
    if isinstance(one, Given):
        return given_hash(one) == away.content_hash
    return one.ctime_ns < away.removed_ns or file_hash(one) == away.content_hash


def _sort(one: File | Given, part: Part) -> None:
    """Put one found document where it belongs."""
    known = part.known.get(one.uri)
    if isinstance(one, Given):
        if known and known.content_hash == given_hash(one):
            part.unchanged += 1
        else:
            (part.changed if known else part.new).append(one)
        return
    failed = part.recorded.get(one.uri)
    if known is None:
        if failed and (failed.size, failed.mtime_ns) == (one.size, one.mtime_ns):
            part.failures += [failed, *part.inner.get(one.uri, ())]
        elif (gone := part.emptied.get(one.uri)) and file_hash(one) in gone:
            part.unchanged += 1  # all that it holds was removed by hand
        else:
            part.new.append(one)
    elif (known.size, known.mtime_ns) == (one.size, one.mtime_ns):
        part.unchanged += 1
        part.failures += part.inner.get(one.uri, ())
    else:
        hash = part.hashes[one.uri] = file_hash(one)
        if hash != known.content_hash:
            part.changed.append(one)
            return
        part.unchanged += 1
        part.failures += part.inner.get(one.uri, ())
        if (known.size, known.mtime_ns) != stamp(one):
            part.touched += _moves(known, one)


def _missing(part: Part, seen: Collection[str], others: Sequence[Source]) -> None:
    """Documents without a file. Nothing under a folder that can't be read counts as gone, nor
    what lies in one of ``others``, which are not looked at in this run."""
    source = part.source
    blind = tuple(f"{failed.uri}{os.sep}" for failed in part.failures)
    for uri, known in part.known.items():
        if uri in seen or uri.startswith(blind):
            continue
        if source.kind == "jsonl" or wanted(source, uri):
            if not held_by(others, uri):
                part.gone.append(known)
        else:
            part.dropped.append(known)
    part.cleared = [
        uri for uri in part.recorded if _name(source, uri) not in seen and not uri.startswith(blind)
    ]


def _name(source: Source, uri: str) -> str:
    return uri if source.kind == "jsonl" else file_of(uri)


def _stamp_at(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _settle(part: Part, options: Options) -> None:
    """Leave for a later run what is perhaps still being written, or replaced by its writer."""
    before = len(part.new) + len(part.changed) + len(part.gone)

    def final(one: File | Given) -> bool:
        return isinstance(one, Given) or options.settled(one.uri, (one.size, one.mtime_ns))

    part.new = [one for one in part.new if final(one)]
    part.changed = [one for one in part.changed if final(one)]
    part.gone = [one for one in part.gone if options.settled(one.uri, None)]
    part.later += before - len(part.new) - len(part.changed) - len(part.gone)


def _hold_back(part: Part, share: float) -> None:
    """Remove nothing where suspiciously much would go at once, or the source is out of sight."""
    many = len(part.gone)
    if part.hidden:
        part.withheld = len(part.hidden)
        what = f"{part.trouble}; its {part.withheld} documents are kept"
        part.failures.append(_kept(part.source, what))
    elif many > FEW and many > share * len(part.known):
        part.gone, part.withheld = [], many
        what = f"{many} of its {len(part.known)} documents are gone at once, so none was removed"
        part.failures.append(_kept(part.source, what))


def _kept(source: Source, what: str) -> Failed:
    mend = "If they are gone for good: khazri index --allow-deletions"
    return Failed(source.id, source.location, f"{what}. {mend}")


# Renames

Key = tuple[int, str]  # the id of a source and a name in it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold the content of a document under a new name."""

    part: Part
    file: File
    hash: str


def _renamed(parts: Sequence[Part], others: Sequence[Known]) -> list[Rename]:
    """Find the files that hold the content of a document whose own file is gone or was replaced.

    A document follows its content when its own name is free, or when another document takes
    that over in the same way: so chains and swaps of names are followed, but a copy of a
    document that is then changed in place is a new document.
    """
    replaced = {
        (part.source.id, one.uri): part.known[one.uri]
        for part in parts
        for one in part.changed
        if isinstance(one, File)
    }
    homeless = [known for part in parts for known in (*part.gone, *part.hidden)]
    homeless += replaced.values()
    sizes = {known.size for known in (*homeless, *others)}
    for part in parts:
        _follow_removed(part)
    found = {
        (part.source.id, file.uri): Candidate(part, file, hash)
        for part in parts
        for file in (*part.new, *part.changed)
        if isinstance(file, File) and file.size in sizes
        if (hash := part.hashes.get(file.uri) or file_hash(file))
    }
    hashes = {one.hash for one in found.values()}
    names = {one.file.uri for one in found.values()}
    homeless += [
        known
        for known in others
        if known.content_hash in hashes and (known.uri in names or not os.path.lexists(known.uri))
    ]
    matches = _matched(found, homeless)
    while broken := [
        key
        for key, known in matches.items()
        if (old := (known.source_id, known.uri)) in replaced and old not in matches
    ]:
        for key in broken:
            del matches[key]
    _take_out(parts, matches, replaced)
    renames = [
        Rename(known, found[key].file, found[key].part.source) for key, known in matches.items()
    ]
    for part in parts:
        _follow_inner(part, renames)
    return renames


def _matched(found: Mapping[Key, Candidate], documents: Sequence[Known]) -> dict[Key, Known]:
    """Pair files with documents of the same hash, those of the same name first."""
    matches: dict[Key, Known] = {}
    taken: set[tuple[int, str]] = set()
    for named in (True, False):
        pool: dict[tuple[str, str], list[Known]] = defaultdict(list)
        for known in reversed(documents):
            if known.documents[0] not in taken:
                pool[_likeness(known.content_hash, known.uri, named)].append(known)
        for key, one in found.items():
            alike = pool[_likeness(one.hash, one.file.uri, named)]
            if alike and key not in matches:
                matches[key] = alike.pop()
                taken.add(matches[key].documents[0])
    return matches


def _likeness(hash: str, uri: str, named: bool) -> tuple[str, str]:
    return hash, os.path.basename(uri) if named else ""


def _take_out(
    parts: Sequence[Part], matches: Mapping[Key, Known], replaced: Mapping[Key, Known]
) -> None:
    """Take what was renamed out of the parts. A document that lost its name to it is dropped."""
    moved = {known.documents[0] for known in matches.values()}
    for part in parts:
        id = part.source.id
        for one in part.changed:
            if (id, one.uri) in matches and replaced[id, one.uri].documents[0] not in moved:
                part.dropped.append(replaced[id, one.uri])
        part.gone = [known for known in part.gone if known.documents[0] not in moved]
        part.hidden = [known for known in part.hidden if known.documents[0] not in moved]
        part.new = [one for one in part.new if (id, one.uri) not in matches]
        part.changed = [one for one in part.changed if (id, one.uri) not in matches]


def _follow_inner(part: Part, renames: Sequence[Rename]) -> None:
    """What was removed by hand from within a file stays away when the file has a new name."""
    moved = {
        r.known.uri: r.file.uri
        for r in renames
        if r.known.source_id == r.source.id == part.source.id
    }
    for uri in part.away if moved else ():
        if (file := file_of(uri)) in moved:
            part.follow.append((uri, moved[file] + uri.removeprefix(file)))


def _follow_removed(part: Part) -> None:
    """A file that was removed by hand stays away under a new name too."""
    lost = {
        a.content_hash: uri
        for uri, a in part.away.items()
        if file_of(uri) == uri and uri not in part.known and not os.path.lexists(uri)
    }
    if not lost or part.source.kind == "jsonl":
        return
    kept: list[File | Given] = []
    for one in part.new:
        old = lost.pop(file_hash(one), None) if isinstance(one, File) else None
        if old is None:
            kept.append(one)
        else:
            part.follow.append((old, one.uri))
    part.new = kept
