"""Files that hold the content of a document under a new name: it keeps its id and its passages."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.documents import Given
from index.plan import Known, Part, Rename
from index.sources import File, file_hash
from index.values import file_of

Key = tuple[int, str]  # the id of a source and a name in it


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold the content of a document under a new name."""

    part: Part
    file: File
    hash: str


def renamed(parts: Sequence[Part], others: Sequence[Known]) -> list[Rename]:
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
