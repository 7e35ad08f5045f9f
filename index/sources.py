"""Sources: the folders and files that documents come from, and what lies in them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from index.errors import KhazriError
from index.rows import now
from index.snapshot import Source

Refuse = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was found: its time is in nanoseconds, its size in bytes."""

    path: Path
    uri: str
    size: int
    mtime_ns: int


def place(path: Path) -> tuple[str, str]:
    """The kind and location of the source for a path. Raises ``KhazriError``."""
    try:
        location = path.expanduser().resolve(strict=True)
        kind = "folder" if location.is_dir() else "file"
        os.listdir(location) if kind == "folder" else location.open("rb").close()
    except FileNotFoundError:
        raise KhazriError(f"{path} does not exist. Check the path.") from None
    except PermissionError:
        raise KhazriError(f"{path} may not be read. Check its permissions.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise KhazriError(f"{path} can't be read: {error}.") from error
    return kind, clean_path(str(location))


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


def covering(sources: list[Source], location: str) -> Source | None:
    """The folder among ``sources`` that a path lies in, if any."""
    for source in sources:
        if source.kind == "folder" and Path(location).is_relative_to(source.location):
            return source
    return None


def files(source: Source, wanted: Callable[[str], bool], refuse: Refuse) -> Iterator[File]:
    """The files of a source, by name; ``refuse`` is told of what may not be read.

    In folders, hidden files, links and files whose kind is not ``wanted`` are passed over.
    """
    if source.kind == "file":
        found = _file(Path(source.location), refuse)
        if found:
            yield found
    else:
        yield from _walk(Path(source.location), source, wanted, refuse)


def _walk(
    folder: Path, source: Source, wanted: Callable[[str], bool], refuse: Refuse
) -> Iterator[File]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        refuse(clean_path(str(folder)), f"the folder can't be read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, source, wanted, refuse)
        elif entry.is_file(follow_symlinks=False) and wanted(entry.name):
            if _included(os.path.relpath(path, source.location), source):
                found = _file(path, refuse)
                if found:
                    yield found


def _file(path: Path, refuse: Refuse) -> File | None:
    uri = clean_path(str(path))
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        refuse(uri, f"can't be read: {error.strerror}")
        return None
    return File(path, uri, stat.st_size, stat.st_mtime_ns)


def _included(relative: str, source: Source) -> bool:
    if any(fnmatch(relative, pattern) for pattern in source.exclude):
        return False
    return not source.include or any(fnmatch(relative, p) for p in source.include)


def clean_path(path: str) -> str:
    """A path as text: bytes that are no UTF-8 are shown as question marks."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def dump(values: tuple[str, ...]) -> str:
    """A list of patterns or tags as it is stored."""
    return json.dumps(list(values))
