"""A home examined: what is stored against its hashes, and every part against the others.

The catalog is the truth. What is derived from it, the segments and the embedding store, is built
anew where it is damaged. Damage to the catalog itself is told; a damaged document is never shown,
and is read again from its file where that is still there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from index import arrays, keyword, seals
from index.catalog import TODO
from index.errors import KhazriError
from index.home import Home
from index.indexer import Upload
from index.repair import VECTORS, passage_keys, repair, survey
from index.rows import digest, seal
from index.seals import Broken
from index.segments import Damaged, load_files, open_segment, verify
from index.store import Store
from index.values import file_of

SAME = 0.99  # cosine from which on two vectors of one text count as alike: precision differs
_ROWS = ("row ", "wrong # of entries", "non-unique", "NULL value", "TEXT value", "NUMERIC value")
_LOST = {  # rows that may go, and what goes with them
    "failures": "The next 'khazri index' notes it again.",
    "jobs": "Its history is lost.",
    "rebuilds": "The change of the model does that part again.",
    "removals": "A file that was removed by hand may come back; remove it again.",
}

Tell = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """What an examination found, in words. ``catalog`` is what only a person can mend."""

    catalog: list[str] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    documents: int = 0
    passages: int = 0
    segments: int = 0


def check(home: Home, mend: bool = True, tell: Tell = lambda words: None) -> Report:
    """Examine a home; ``mend`` says whether what is derived is repaired. Raises ``KhazriError``.

    ``tell`` hears each finding as it is made.
    """
    return _Check(home, mend, tell).run()


class _Check:
    """One examination."""

    def __init__(self, home: Home, mend: bool, tell: Tell) -> None:
        self._home = home
        self._store = home.store
        self._mend = mend
        self._tell = tell
        self._report = Report()
        self._hurt: set[int] = set()  # documents
        self._drop: dict[int, str] = {}  # segments, and why

    def run(self) -> Report:
        """All of it, each part only if it can stand on the ones before."""
        if self._structure():
            self._rows()
            self._documents()
            self._segments()
            self._embeddings()
            self._agreement()
        return self._report

    def _found(self, where: list[str], words: str) -> None:
        where.append(words)
        self._tell(words)

    def _mended(self, words: str) -> None:
        self._found(self._report.mended, words)

    # The catalog

    def _structure(self) -> bool:
        """Whether SQLite can read all of the catalog; its own indexes are made anew if not."""
        with self._store.catalog.read() as db:
            wrong = structure(db)
        if not wrong:
            return True
        self._found(self._report.catalog, f"The catalog is damaged: {'; '.join(wrong)}.")
        if not all(words.startswith(_ROWS) for words in wrong):
            self._tell(TODO)
            return False
        if not self._mend:
            return True
        with suppress(KhazriError):
            with self._store.catalog.write() as db:
                db.execute("REINDEX")
            with self._store.catalog.read() as db:
                wrong = structure(db)
            if not wrong:
                self._mended("The catalog's own indexes were made anew from its tables.")
        if wrong:
            self._tell(TODO)
        return not wrong

    def _rows(self) -> None:
        with self._store.catalog.read() as db:
            found = list(seals.broken(db))
        for row in found:
            if row.table == "documents" and row.now is not None:
                self._hurt.add(int(str(row.key)))
            elif row.table == "segments" and row.now is not None:
                self._drop[int(str(row.key))] = "its row in the catalog is damaged"
            else:
                self._row(row)

    def _row(self, row: Broken) -> None:
        said = f"{row.table} {row.key} says {row.now}, and was written as {row.copy}"
        derived = row.table in ("segments", "deletions")
        where = self._report.derived if derived else self._report.catalog
        self._found(where, f"A row of the catalog is damaged: {said}.")
        if row.table in _LOST or derived or row.now is None:
            if self._mend:
                with self._store.catalog.write() as db:
                    (seals.renew if row.now is None else seals.drop)(db, row)
                self._mended(f"The row was dropped. {_LOST.get(row.table, '')}".rstrip())
        elif row.table == "sources":
            self._tell("Compare it with 'khazri sources', and change what is wrong there.")
        elif row.table == "sqlite_sequence":
            self._number(row)
        else:
            self._tell(TODO)

    def _number(self, row: Broken) -> None:
        """Of two records of the last number given, the higher: no number is given twice."""
        if self._mend:
            with self._store.catalog.write() as db:
                seals.raise_number(db, str(row.key), int(row.copy or 0))
            self._mended("The higher number counts.")

    def _documents(self) -> None:
        with self._store.catalog.read() as db:
            ids = [row[0] for row in db.execute("SELECT id FROM documents ORDER BY id")]
            self._report.documents = len(ids)
            for id in ids:
                if why := fault(db, id):
                    self._hurt.add(id)
                elif id not in self._hurt:
                    continue
                words = f"{named(db, id)}: {why or 'what is said of it was changed'}."
                self._found(self._report.catalog, f"{words} It is not shown or quoted.")
            lost = [row[0] for row in db.execute(_ORPHANS)]
        if lost:
            words = f"{len(lost)} passages or texts of the catalog belong to no document."
            self._found(self._report.catalog, words)
        if self._mend:
            for id in sorted(self._hurt):
                self._tell(read_again(self._home, id))
            if lost:
                self._clear()

    def _clear(self) -> None:
        with self._store.catalog.write() as db:
            db.execute("DELETE FROM passages WHERE document_id NOT IN (SELECT id FROM documents)")
            db.execute("DELETE FROM texts WHERE document_id NOT IN (SELECT id FROM documents)")
        self._mended("They were dropped.")

    # What is derived from it

    def _segments(self) -> None:
        with self._store.catalog.read() as db:
            rows = db.execute("SELECT id, files FROM segments ORDER BY id").fetchall()
            self._report.segments = len(rows)
            for id, dumped in rows:
                if id not in self._drop:
                    if why := next(self._faults(db, id, dumped), ""):
                        self._drop[id] = why
        for id, why in self._drop.items():
            self._found(self._report.derived, f"Segment {id}: {why}.")

    def _faults(self, db: sqlite3.Connection, id: int, dumped: str) -> Iterator[str]:
        """What is wrong with a segment. Nothing of it is decoded before its hashes are right."""
        folder = self._store.folder(id)
        try:
            files = load_files(dumped)
            yield from verify(folder, files)
            segment = open_segment(id, folder, files)
        except Damaged as error:
            yield str(error)
            return
        written = arrays.load(folder / "postings.safetensors")
        decoded = keyword.decode(folder / "keyword")
        for name, array in decoded.items():
            if not np.array_equal(array, written[name]):
                yield f"its array of {name} is not what its postings say"
        if not np.array_equal(segment.vectors.ids, segment.ids):
            yield "its vectors are of other passages than its postings"
            return
        owners = dict(zip(segment.ids.tolist(), segment.documents.tolist(), strict=True))
        for first, last, document in db.execute("SELECT * FROM adoptions").fetchall():
            owners |= {id: document for id in range(first, last + 1) if id in owners}
        for start in range(0, len(segment), 500):
            part = segment.ids[start : start + 500].tolist()
            for passage, document in db.execute(
                f"SELECT id, document_id FROM passages WHERE id IN ({','.join('?' * len(part))})",
                part,
            ):
                if owners[passage] != document and document not in self._hurt:
                    yield f"it gives passage {passage} to another document"

    def _embeddings(self) -> None:
        store = self._store.embeddings
        try:
            wrong, damaged = store.faults()
        except KhazriError as error:
            wrong, damaged = [str(error)], 0
        if wrong:
            self._found(self._report.derived, f"The embedding store is damaged: {wrong[0]}.")
            if not self._mend:
                return
            store.renew()
            self._mended("The embedding store was begun anew.")
        if damaged:
            self._found(self._report.derived, f"{damaged} stored embeddings are damaged.")
            if self._mend:
                store.forget()
                self._mended("They were dropped.")
        self._vectors()

    def _vectors(self) -> None:
        """Compare the segments' vectors with the embedding store, and fill its gaps from them."""
        with self._store.catalog.read() as db:
            model = str(db.execute("SELECT model FROM state").fetchone()[0])
            rows = db.execute("SELECT id FROM segments ORDER BY id").fetchall()
            sound = [row[0] for row in rows if row[0] not in self._drop]
            absent = 0
            for id in sound:
                part = arrays.load(self._store.folder(id) / VECTORS)
                for start in range(0, len(part["ids"]), 5000):
                    at = slice(start, start + 5000)
                    ids, vectors = part["ids"][at].tolist(), part["rows"][at]
                    far, gaps = _compared(self._store, db, model, ids, vectors)
                    absent += len(gaps)
                    if far:
                        self._drop[id] = f"{far} of its vectors are not those of their texts"
                        self._found(self._report.derived, f"Segment {id}: {self._drop[id]}.")
                    elif gaps and self._mend:
                        self._store.embeddings.put(model, list(gaps), np.stack([*gaps.values()]))
        if absent:
            self._found(self._report.derived, f"{absent} embeddings are not in their store.")
            if self._mend:
                self._mended("They were taken from the segments.")

    def _agreement(self) -> None:
        """Every passage once in the indexes, and nothing else; mend what is not so."""
        with self._store.catalog.read() as db:
            found = survey(db, self._store, self._drop)
            self._report.passages = db.execute("SELECT count(*) FROM passages").fetchone()[0]
            hurt = {
                row[0]
                for id in self._hurt
                for row in db.execute("SELECT id FROM passages WHERE document_id = ?", [id])
            }
        for id in found.broken.keys() - self._drop.keys():
            self._found(self._report.derived, f"Segment {id}: {found.broken[id]}.")
        lost = 0 if found.broken else len(set(found.missing) - hurt)
        if lost:
            self._found(self._report.derived, f"{lost} passages stand in no index.")
        if found.unmarked:
            words = f"{len(found.unmarked)} indexed passages are not in the catalog."
            self._found(self._report.derived, words)
        if self._mend:
            for words in repair(self._store, self._drop):
                self._mended(words)


_ORPHANS = (
    "SELECT id FROM passages WHERE document_id NOT IN (SELECT id FROM documents)"
    " UNION ALL SELECT document_id FROM texts WHERE document_id NOT IN (SELECT id FROM documents)"
)


def structure(db: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the pages and indexes of a catalog."""
    return [row[0] for row in db.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]


def fault(db: sqlite3.Connection, id: int) -> str:
    """What is wrong with a document, or nothing."""
    row = db.execute("SELECT text_hash, seal, passages FROM documents WHERE id = ?", [id])
    text_hash, sealed, count = row.fetchone()
    stored = db.execute("SELECT text FROM texts WHERE document_id = ?", [id]).fetchone()
    if stored is None:
        return "its text is gone"
    if not isinstance(stored[0], bytes) or digest(stored[0]) != text_hash:
        return "its text is not what was stored"
    if sealed != seal(db, id):
        return "its title, its passages or what else is said of it is not what was stored"
    length = len(stored[0].decode())
    inside = db.execute(
        'SELECT count(*) FROM passages WHERE document_id = ? AND 0 <= start AND start < "end"'
        ' AND "end" <= ?',
        [id, length],
    )
    return "" if inside.fetchone()[0] == count else "its passages are not within its text"


def named(db: sqlite3.Connection, id: int) -> str:
    """A document, for a person: its number, title and name, as far as they can be read."""
    row = db.execute("SELECT title, uri FROM documents WHERE id = ?", [id]).fetchone()
    return f"Document {id}, “{row[0]}” ({row[1]})"


def read_again(home: Home, id: int) -> str:
    """Have a damaged document read again, and say how; or say what else can be done."""
    with home.store.catalog.read() as db:
        row = db.execute(
            "SELECT kind, location, uri, content_hash FROM documents JOIN sources"
            " ON sources.id = source_id WHERE documents.id = ?",
            [id],
        ).fetchone()
        words = named(db, id)
    kind, location, uri, content_hash = row or ("", "", "", "")
    original = home.path / "uploads" / str(content_hash)
    if kind == "uploads" and original.is_file():
        data = original.read_bytes()
        if (
            digest(data) == content_hash
            and home.indexer.add([Upload(file_of(uri), data)])[0].stored
        ):
            return f"{words} was read again from its original."
    file = {"folder": file_of(uri), "file": file_of(uri), "jsonl": location}.get(kind)
    if file and Path(file).is_file():
        with home.store.catalog.write() as db:
            db.execute(
                "UPDATE documents SET size = -1, mtime_ns = 0, content_hash = 'damaged'"
                " WHERE id = ?",
                [id],
            )
        return f"{words} is read again from its file by the next 'khazri index'."
    return f"{words}: add it again, remove it with 'khazri remove {id}', or restore a backup."


def _compared(
    store: Store, db: sqlite3.Connection, model: str, ids: Sequence[int], rows: np.ndarray
) -> tuple[int, dict[bytes, np.ndarray]]:
    """How many rows are far from the stored embeddings, and those that have none there."""
    keys = passage_keys(db, ids)
    stored = store.embeddings.get(model, list(set(keys.values())))
    far, gaps = 0, {}
    for id, row in zip(ids, rows, strict=True):
        if id not in keys:
            continue
        paid = stored.get(keys[id])
        if paid is None:
            gaps[keys[id]] = row
        elif paid.shape != row.shape or (
            not np.array_equal(paid, row) and _cosine(paid, row) < SAME
        ):
            far += 1
    return far, gaps


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a.astype(np.float32) @ b.astype(np.float32))
