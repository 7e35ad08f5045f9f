"""The files of the sources compared with what the catalog knows of them: this gives a plan.

Size and time are the quick check; where they differ, the SHA-256 of the content decides. Nothing
is changed here, and nothing is queried or opened for a file that looks the same as before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from index.catalog import Catalog
from index.changes import Failed
from index.documents import Given, given_hash, read_jsonl
from index.errors import KhazriError
from index.plan import Away, Known, Options, Part, Plan, Stamp, moves, stamp
from index.renames import renamed
from index.sources import File, file_hash, files, held_by, out_of_sight, wanted
from index.stored import Source
from index.values import file_of

FEW = 10  # documents of a source that may always go at once


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
    renames = renamed(parts, others)
    for part in parts:
        _settle(part, options)
        if not options.allow_deletions:
            _hold_back(part, options.share)
        if part.trouble and not part.withheld and not os.path.lexists(part.source.location):
            part.failures.append(Failed(part.source.id, part.source.location, part.trouble))
    return Plan(parts, renames)


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
            part.touched += moves(known, one)


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
