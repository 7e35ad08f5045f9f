"""Sources: the folders and files that documents come from, and what lies in them."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from io import BufferedReader
from pathlib import Path, PurePath

from index.disk import open_within
from index.errors import KhazriError
from index.locks import locked
from index.rows import Rows, now, seal
from index.store import Store
from index.stored import Source

Refuse = Callable[[str, str], None]

KINDS = ("folder", "file", "jsonl")  # the sources that lie on a disk
WAIT = 10  # seconds that a change of the sources waits for an indexing run


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was found: its times are in nanoseconds, its size in bytes.

    ``folder`` is where its source begins.
    """

    path: Path
    folder: Path
    uri: str
    size: int
    mtime_ns: int
    ctime_ns: int = 0

    def open(self) -> BufferedReader:
        """Open it, unless a link has taken its place. Raises ``OSError``."""
        return open_within(self.folder, self.path)


# Their rows


def place(path: Path, kind: str = "") -> tuple[str, str]:
    """The kind and location of the source for a path. Raises ``KhazriError``.

    ``kind`` is the kind that is wanted, if it is not to be told from the path.
    """
    try:
        location = path.expanduser().resolve(strict=True)
        found = "folder" if location.is_dir() else "file"
        if found == "folder":
            os.listdir(location)
        else:
            open_within(location.parent, location).close()
    except FileNotFoundError:
        raise KhazriError(f"{path} does not exist. Check the path.") from None
    except PermissionError:
        raise KhazriError(f"{path} may not be read. Check its permissions.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise KhazriError(f"{path} can't be read: {error}.") from error
    if kind == "jsonl" and found == "folder":
        raise KhazriError(f"{path} can't be read: it is a folder, not a file of JSON lines.")
    return kind or found, clean_path(str(location))


def listed(db: sqlite3.Connection) -> list[Source]:
    """The sources that lie on a disk. Their documents are not counted, which takes longer."""
    rows = db.execute("SELECT * FROM sources WHERE kind IN (?, ?, ?) ORDER BY id", KINDS)
    return [_source(row) for row in rows]


def _source(row: sqlite3.Row) -> Source:
    include, exclude, tags = (tuple(json.loads(row[n])) for n in ("include", "exclude", "tags"))
    return Source(
        row["id"], row["name"], row["kind"], row["location"], include, exclude, tags, documents=0
    )


def register(db: sqlite3.Connection, kind: str, location: str, name: str = "") -> int:
    """The id of a source, added if it is not known yet, inside a write transaction."""
    row = db.execute(
        "SELECT id FROM sources WHERE kind = ? AND location = ?", [kind, location]
    ).fetchone()
    if row:
        return int(row[0])
    wanted = name or Path(location).name or "root"
    taken = {row[0] for row in db.execute("SELECT name FROM sources")}
    free = (f"{wanted}-{n}" if n > 1 else wanted for n in range(1, len(taken) + 2))
    cursor = db.execute(
        "INSERT INTO sources (name, kind, location, added) VALUES (?, ?, ?, ?)",
        [next(name for name in free if name not in taken), kind, location, now()],
    )
    return int(cursor.lastrowid or 0)


def add(
    store: Store,
    path: Path,
    name: str = "",
    jsonl: bool = False,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Source:
    """Make a source known; nothing is read yet. Raises ``KhazriError`` if it is known already."""
    kind, location = place(path, "jsonl" if jsonl else "")
    with store.catalog.write() as db:
        if any((s.kind, s.location) == (kind, location) for s in listed(db)):
            raise KhazriError(f"{path} is a source already. 'khazri sources' lists them all.")
        if name:
            _check_free(db, name)
        id = register(db, kind, location, name)
        _describe(db, id, include=include, exclude=exclude, tags=tags)
        return _source(db.execute("SELECT * FROM sources WHERE id = ?", [id]).fetchone())


def change(
    store: Store,
    name: str,
    *,
    rename: str | None = None,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
) -> int:
    """Change what is given; return how many documents have other tags now.

    Nothing is read or embedded; other patterns count from the next run on. Raises ``KhazriError``.
    """
    with _quiet(store), amending(store) as (db, _):
        source = find(db, name)
        if rename and rename != source.name:
            _check_free(db, rename)
            db.execute("UPDATE sources SET name = ? WHERE id = ?", [rename, source.id])
        _describe(db, source.id, include=include, exclude=exclude, tags=tags)
        fresh = find(db, str(rename or name))
        if fresh.tags == source.tags:
            return 0
        ids = [r[0] for r in db.execute("SELECT id FROM documents WHERE source_id = ?", [fresh.id])]
        for id in ids:
            retag(db, id, source, fresh)
        return len(ids)


def _describe(db: sqlite3.Connection, id: int, **lists: Sequence[str] | None) -> None:
    for column, values in lists.items():
        if values is not None:
            given = dump(tuple(dict.fromkeys(filter(None, map(str.strip, values)))))
            db.execute(f"UPDATE sources SET {column} = ? WHERE id = ?", [given, id])


def remove(store: Store, name: str) -> int:
    """Forget a source and remove its documents; return how many those were."""
    with _quiet(store), amending(store) as (db, rows):
        source = find(db, name)
        ids = [
            r[0] for r in db.execute("SELECT id FROM documents WHERE source_id = ?", [source.id])
        ]
        rows.remove(ids, by_hand=False)
        for table in ("failures", "removals"):
            db.execute(f"DELETE FROM {table} WHERE source_id = ?", [source.id])
        db.execute("DELETE FROM sources WHERE id = ?", [source.id])
        return len(ids)


def find(db: sqlite3.Connection, name: str) -> Source:
    """The source of this name or location. Raises ``KhazriError``."""
    rows = [_source(row) for row in db.execute("SELECT * FROM sources ORDER BY id")]
    for source in rows:
        if name == source.name or (source.kind in KINDS and _same_path(name, source.location)):
            return source
    near = get_close_matches(name, [source.name for source in rows], 1, 0.5)
    hint = f"Did you mean {near[0]}?" if near else "'khazri sources' lists them all."
    raise KhazriError(f"There is no source {name}. {hint}")


def _same_path(name: str, location: str) -> bool:
    return clean_path(str(Path(name).expanduser().absolute())) == location


def _check_free(db: sqlite3.Connection, name: str) -> None:
    if db.execute("SELECT 1 FROM sources WHERE name = ?", [name]).fetchone():
        raise KhazriError(f"There is a source {name} already. Choose another name.")


def retag(db: sqlite3.Connection, document_id: int, old: Source, new: Source) -> None:
    """Give a document the tags of its source as it is now; those of its own stay.

    A damaged document is not sealed anew, so that the damage still shows.
    """
    row = db.execute("SELECT tags, seal FROM documents WHERE id = ?", [document_id]).fetchone()
    sound = row["seal"] == seal(db, document_id)
    own = [tag for tag in json.loads(row["tags"]) if tag not in old.tags]
    tags = dump(tuple(dict.fromkeys([*own, *new.tags])))
    db.execute("UPDATE documents SET tags = ? WHERE id = ?", [tags, document_id])
    if sound:
        fresh = seal(db, document_id)
        db.execute("UPDATE documents SET seal = ? WHERE id = ?", [fresh, document_id])


@contextmanager
def amending(store: Store) -> Iterator[tuple[sqlite3.Connection, Rows]]:
    """A commit that adds no passage: a write transaction that advances the generation."""
    with locked(store.home / "write.lock", "a commit"), store.catalog.write() as db:
        row = db.execute("UPDATE state SET generation = generation + 1 RETURNING generation")
        yield db, Rows(db, int(row.fetchone()[0]))


@contextmanager
def _quiet(store: Store) -> Iterator[None]:
    """While no indexing run works with the sources as they were."""
    with locked(store.home / "index.lock", "khazri sources", WAIT):
        yield


# What lies in them


def covering(sources: Sequence[Source], location: str) -> Source | None:
    """The innermost folder among ``sources`` that finds what lies at a path, if any."""
    is_file = os.path.isfile(location)
    held = [
        source
        for source in sources
        if source.kind == "folder" and Path(location).is_relative_to(source.location)
        if wanted(source, location) or (not is_file and _entered(source, location))
    ]
    return max(held, key=lambda source: len(source.location), default=None)


def held_by(sources: Sequence[Source], uri: str) -> bool:
    """Whether a path lies in one of the sources."""
    return any(uri == s.location or uri.startswith(os.path.join(s.location, "")) for s in sources)


def out_of_sight(source: Source) -> str:
    """Why the files of a source may be hidden rather than deleted, or nothing.

    A share that is not mounted is a folder that is missing, or an empty one.
    """
    location = source.location
    folder = location if source.kind == "folder" else os.path.dirname(location)
    try:
        if source.kind == "jsonl":
            os.stat(location)
        with os.scandir(folder) as entries:
            return "" if any(True for _ in entries) else f"the folder {folder} is empty"
    except OSError as error:
        what = "file" if source.kind == "jsonl" else "folder"
        return f"the {what} can't be read: {error.strerror}"


def files(source: Source, refuse: Refuse, elsewhere: Collection[str] = ()) -> Iterator[File]:
    """The files of a source, by name; ``refuse`` is told of what may not be read.

    In folders, hidden files, links, temporary files, and the locations ``elsewhere``, which are
    sources of their own, are passed over. The kind of a file is told later, by its content.
    """
    if source.kind == "file":
        path = Path(source.location)
        found = _file(path, path.parent, refuse)
        if found:
            yield found
    else:
        yield from _walk(Path(source.location), "", source, refuse, elsewhere)


def _walk(
    folder: Path,
    below: str,
    source: Source,
    refuse: Refuse,
    elsewhere: Collection[str],
) -> Iterator[File]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        refuse(clean_path(str(folder)), f"the folder can't be read: {error.strerror}")
        return
    for entry in entries:
        if temporary(entry.name) or entry.is_symlink() or entry.path in elsewhere:
            continue
        relative = below + entry.name
        if entry.is_dir(follow_symlinks=False):
            if not _matches(relative, source.exclude):
                path = Path(entry.path)
                yield from _walk(path, f"{relative}/", source, refuse, elsewhere)
        elif entry.is_file(follow_symlinks=False):
            if _admitted(relative, source):
                found = _file(Path(entry.path), Path(source.location), refuse)
                if found:
                    yield found


def _file(path: Path, folder: Path, refuse: Refuse) -> File | None:
    uri = clean_path(str(path))
    try:
        stat = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        refuse(uri, f"can't be read: {error.strerror}")
        return None
    return File(path, folder, uri, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def file_hash(file: File) -> str:
    """The SHA-256 of a file's content, or nothing where it can't be read."""
    try:
        with file.open() as data:
            return hashlib.file_digest(data, "sha256").hexdigest()
    except OSError:
        return ""


_UNFINISHED = ("~", ".part", ".partial", ".crdownload", ".download", ".tmp", ".swp")


def temporary(name: str) -> bool:
    """Whether a file or folder is hidden, or kept by a program only while it works."""
    return name.startswith((".", "~$")) or name.lower().endswith(_UNFINISHED)


def wanted(source: Source, path: str) -> bool:
    """Whether a source, by its patterns, takes in a file at ``path``."""
    return _entered(source, path) and (
        source.kind == "file" or _admitted(_relative(source, path), source)
    )


def _entered(source: Source, path: str) -> bool:
    """Whether nothing on the way from the source to ``path`` is passed over."""
    relative = _relative(source, path)
    hidden = any(temporary(part) for part in PurePath(relative).parts)
    return not hidden and not _matches(relative, source.exclude)


def _relative(source: Source, path: str) -> str:
    relative = PurePath(path).relative_to(source.location).as_posix()
    return "" if relative == "." else relative


def _admitted(relative: str, source: Source) -> bool:
    if _matches(relative, source.exclude):
        return False
    return not source.include or _matches(relative, source.include)


def _matches(relative: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern names the path or a folder that it lies in.

    A pattern without a slash is compared with each name on the way, so that ``drafts`` stands
    for all folders of that name; another one with the path from the source on.
    """
    if not patterns:
        return False
    names = relative.split("/")
    paths = ["/".join(names[:n]) for n in range(1, len(names) + 1)]
    return any(
        fnmatch(path, bare) or ("/" not in bare and fnmatch(name, bare))
        for pattern in patterns
        if (bare := pattern.strip("/"))
        for name, path in zip(names, paths, strict=True)
    )


def clean_path(path: str) -> str:
    """A path as text: bytes that are no UTF-8 are shown as question marks."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def dump(values: tuple[str, ...]) -> str:
    """A list of patterns or tags as it is stored."""
    return json.dumps(list(values))
