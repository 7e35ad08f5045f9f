"""``catalog.db``: the one store of truth. Everything else in a home can be rebuilt from it.

A commit is one transaction that advances the generation. Readers each hold a read transaction,
which SQLite's write-ahead log keeps on one generation while writers go on.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from index import seals
from index.errors import KhazriError

VERSION = 3
TODO = (
    "Restore a backup with 'khazri restore FILE', or move the home away and index your sources"
    " again."
)

_SCHEMA = """
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL, model TEXT NOT NULL, analyzer TEXT NOT NULL
);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    location TEXT NOT NULL, include TEXT NOT NULL DEFAULT '[]', exclude TEXT NOT NULL DEFAULT '[]',
    tags TEXT NOT NULL DEFAULT '[]', added TEXT NOT NULL, UNIQUE (kind, location)
);
CREATE TABLE documents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER NOT NULL REFERENCES sources (id),
    uri TEXT NOT NULL, title TEXT NOT NULL, type TEXT NOT NULL, published TEXT, language TEXT,
    tags TEXT NOT NULL, content_hash TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, text_hash TEXT NOT NULL, seal TEXT NOT NULL,
    passages INTEGER NOT NULL, added TEXT NOT NULL, changed TEXT NOT NULL,
    generation INTEGER NOT NULL, UNIQUE (source_id, uri)
);
CREATE INDEX documents_by_hash ON documents (content_hash);
CREATE INDEX documents_by_uri ON documents (uri);
CREATE TABLE texts (
    document_id INTEGER PRIMARY KEY REFERENCES documents (id),
    text BLOB NOT NULL, blocks TEXT NOT NULL
);
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents (id), start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, heading TEXT NOT NULL, page INTEGER, key BLOB NOT NULL
);
CREATE INDEX passages_by_document ON passages (document_id);
CREATE TABLE segments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, passages INTEGER NOT NULL, files TEXT NOT NULL,
    generation INTEGER NOT NULL
);
CREATE TABLE deletions (passage_id INTEGER PRIMARY KEY, generation INTEGER NOT NULL);
CREATE TABLE failures (
    source_id INTEGER NOT NULL REFERENCES sources (id), uri TEXT NOT NULL, reason TEXT NOT NULL,
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, seen TEXT NOT NULL,
    PRIMARY KEY (source_id, uri)
);
CREATE TABLE removals (
    source_id INTEGER NOT NULL REFERENCES sources (id), uri TEXT NOT NULL,
    content_hash TEXT NOT NULL, removed TEXT NOT NULL, PRIMARY KEY (source_id, uri)
);
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, arguments TEXT NOT NULL,
    status TEXT NOT NULL, progress TEXT NOT NULL DEFAULT '{}', error TEXT,
    pid INTEGER, cancel INTEGER NOT NULL DEFAULT 0,
    created TEXT NOT NULL, started TEXT, finished TEXT
);
"""

# What brings a catalog of one version to the next, all in one transaction.
_UPGRADES = {
    1: """
CREATE TABLE rebuilds (
    replaced INTEGER PRIMARY KEY, model TEXT NOT NULL, analyzer TEXT NOT NULL,
    id INTEGER NOT NULL, passages INTEGER NOT NULL, files TEXT NOT NULL
)
""",
    2: """
ALTER TABLE documents ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
CREATE INDEX documents_by_text ON documents (text_hash);
CREATE INDEX documents_by_language ON documents (language);
DELETE FROM failures;
CREATE TABLE adoptions (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, document_id INTEGER NOT NULL
)
""",
}


class Catalog:
    """The connections to ``catalog.db`` of one process."""

    def __init__(self, path: Path) -> None:
        """Open the catalog, or make an empty one. Raises ``KhazriError`` when it can't be used."""
        self.path = path
        _refuse_lost(path)
        self._idle: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        self._closed = False
        connection = self._connect()
        try:
            _prepare(connection, path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            connection.close()
            raise explained(error, path) from error
        except KhazriError:
            connection.close()
            raise
        self._file = _file(path)
        self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = connect(self.path)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA mmap_size=268435456")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise explained(error, self.path) from error
        connection.row_factory = sqlite3.Row
        # A damaged letter must not fail a query; its document fails its seal and is not shown.
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        return connection

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own, returned to the pool afterwards."""
        if _file(self.path) != self._file:
            raise KhazriError(
                f"{self.path} was replaced while it was open. Start this program again."
            )
        with self._guard:
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise explained(error, self.path) from error
        finally:
            if connection.in_transaction:
                connection.rollback()
            with self._guard:
                if self._closed:
                    connection.close()
                else:
                    self._idle.append(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction: every query sees the same generation."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a write transaction: committed at the end, rolled back on error."""
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close the idle connections; those in use close when they are returned."""
        with self._guard:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    found, tables = connection.execute(
        "SELECT user_version, (SELECT count(*) FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    if tables and not found:
        raise sqlite3.DatabaseError("malformed: it has no version")
    if found > VERSION:
        raise KhazriError(
            f"{path.parent} was made by a newer Khazri (its version is {found}, this one reads"
            f" up to {VERSION}). Upgrade Khazri, or name another home with --home."
        )
    if found == VERSION:
        return
    if found:
        _keep(connection, path.with_name(f"catalog.v{found}.db"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found < VERSION:  # nobody else was quicker
        if found == 0:
            _run(connection, _SCHEMA)
            connection.execute("INSERT INTO state VALUES (1, 0, '', '')")
        for version in range(max(found, 1), VERSION):
            _run(connection, _UPGRADES[version])
        connection.execute(f"PRAGMA user_version={VERSION}")
        seals.install(connection)
    connection.execute("COMMIT")


def _run(connection: sqlite3.Connection, statements: str) -> None:
    for statement in statements.split(";\n"):
        connection.execute(statement)


def _keep(connection: sqlite3.Connection, copy: Path) -> None:
    """Copy the catalog before it is upgraded, whole or not at all."""
    part = copy.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(part)) as target:
        connection.backup(target)
    part.replace(copy)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a database, read-only where its folder can't be written."""
    connection = _raw(str(path), uri=False)
    try:
        connection.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if os.access(path.parent, os.W_OK) or (log.exists() and log.stat().st_size):
            raise
        # Its log can't be made, so nobody writes from here: the file is all there is to read.
        connection = _raw(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    return connection


def _raw(name: str, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=60, isolation_level=None, check_same_thread=False, uri=uri)


def _refuse_lost(path: Path) -> None:
    """Refuse a home whose catalog is gone, rather than begin an empty one in its place."""
    if path.is_dir():
        raise KhazriError(f"{path} can't be opened: it is a folder.")
    others = path.with_name("embeddings.db").exists()
    if others and not (path.exists() and path.stat().st_size):
        raise KhazriError(
            f"{path} is missing or empty, though embeddings.db lies beside it. Nothing was changed."
            f" {TODO}"
        )


def _file(path: Path) -> tuple[int, int]:
    """Which file it is, so that one that takes its place is noticed."""
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_dev, stat.st_ino


def explained(error: Exception, path: Path, todo: str = TODO) -> KhazriError:
    """What a person can do about an error of SQLite; ``todo`` is said of a damaged file."""
    said = str(error)
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes what it can't read
        said = "its schema is malformed"
    if any(
        words in said for words in ("malformed", "not a database", "corrupt", "no such", "syntax")
    ):
        return KhazriError(f"{path} is damaged ({said}). Nothing was changed. {todo}")
    if "readonly" in said:
        return KhazriError(f"{path} can't be written: {said}. Check its permissions.")
    if "full" in said:
        return KhazriError(f"The disk that holds {path} is full. Make room and try again.")
    if "locked" in said or "busy" in said:
        return KhazriError(f"{path} has been busy for a minute. Try again later.")
    if "unable to open" in said:
        return KhazriError(f"{path} can't be opened. Check the folder and its permissions.")
    return KhazriError(f"{path}: {said}")
