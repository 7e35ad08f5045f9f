"""Originals: the files that documents were read from, where they still are what was read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from index.disk import of_disk, open_within
from index.documents import Given, read_jsonl
from index.errors import KhazriError
from index.sources import find
from index.store import Store
from index.stored import Source
from index.values import file_of

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Original:
    """A file: its name for people, where it lies, and the SHA-256 that it had when it was read.

    ``folder`` is where its source begins.
    """

    name: str
    folder: Path
    path: Path
    content_hash: str

    def open(self) -> BufferedReader:
        """Open the file, from its beginning. Raises ``KhazriError`` where it is another one now."""
        try:
            file = open_within(self.folder, self.path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise KhazriError(
                    f"{self.name} is not where it was read. Read its folder again."
                ) from None
            raise KhazriError(f"{self.name} can't be read: {error.strerror}.") from error
        if hashlib.file_digest(file, "sha256").hexdigest() == self.content_hash:
            file.seek(0)
            return file
        file.close()
        raise KhazriError(
            f"{self.name} is no longer the file that was read. Have its folder read again."
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """A document that a person removed, and which may be brought back."""

    source: Source
    uri: str
    content_hash: str


def keep(home: Path, data: bytes, hash: str) -> None:
    """Keep the original of an upload under a name of our own, its ``hash``."""
    folder = home / "uploads"
    part = folder / f"{hash}.part"
    try:
        folder.mkdir(exist_ok=True)
        part.write_bytes(data)
        part.replace(folder / hash)
    except OSError as error:
        raise of_disk(error, folder) from error


def original(store: Store, document_id: int) -> Original | None:
    """The file of a document, for one within an archive that archive.

    None for a document that came with its text, and where the file is gone or of another size.
    Its content is compared when it is opened.
    """
    with store.catalog.read() as db:
        row = db.execute(
            "SELECT kind, location, uri, content_hash, size FROM documents"
            " JOIN sources ON sources.id = source_id WHERE documents.id = ?",
            [document_id],
        ).fetchone()
    if row is None or (found := _placed(store, *row[:4])) is None:
        return None
    return found if _size(found.path) == row["size"] else None


def removal(store: Store, source: str, uri: str) -> Removal | None:
    """The removal by hand of the document of this name, from the source of this name."""
    with store.catalog.read() as db:
        row = db.execute(
            "SELECT content_hash FROM removals JOIN sources ON id = source_id"
            " WHERE name = ? AND uri = ?",
            [source, uri],
        ).fetchone()
        return Removal(find(db, source), uri, str(row[0])) if row else None


def restorable(store: Store, removed: Removal) -> bool:
    """Whether there is something to bring a removed document back from."""
    if removed.source.kind == "jsonl":
        return os.path.isfile(removed.source.location)
    found = kept_file(store, removed)
    return found is not None and _size(found.path) is not None


def kept_file(store: Store, removed: Removal) -> Original | None:
    """Where the file of a removed document should lie, if it came from one."""
    source = removed.source
    return _placed(store, source.kind, source.location, removed.uri, removed.content_hash)


def given_again(removed: Removal) -> Given | None:
    """The document of a file of JSON lines, read from there again."""
    found = read_jsonl(Path(removed.source.location), lambda uri, reason: None)
    return next((one for one in found if one.uri == removed.uri), None)


def _placed(store: Store, kind: str, location: str, uri: str, content_hash: str) -> Original | None:
    file = file_of(uri)
    name = file.rpartition("/")[2]
    if kind == "uploads" and _HASH.fullmatch(content_hash):
        folder = store.home / "uploads"
        return Original(name, folder, folder / content_hash, content_hash)
    if kind in ("folder", "file"):
        folder = Path(location) if kind == "folder" else Path(location).parent
        return Original(name, folder, Path(file), content_hash)
    return None


def _size(path: Path) -> int | None:
    """The size of a regular file; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
