"""What the catalog stores, read back and verified: documents, their texts, where they come from."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.errors import KhazriError
from index.folding import fold
from index.languages import ENGLISH, code
from index.rows import bounds, digest, load_blocks, seal
from index.values import Block, Document, Passage, file_of

log = logging.getLogger("khazri.stored")

WITHIN = 20  # documents of one file that are told beside each other, at most
TWINS = 20  # names of one text that are told, at most
ORDERS = {  # in which documents can be listed
    "changed": "changed DESC",
    "changed-asc": "changed",
    "title": "lower(title)",
    "title-desc": "lower(title) DESC",
    "date": "published IS NULL, published DESC",
    "date-asc": "published IS NULL, published",
}
LANGUAGES = 50  # for which the words of a question are stemmed, at most

_DOCUMENT = (
    "SELECT documents.id, sources.name, uri, title, type, published, language, documents.tags,"
    " text_hash, seal, content_hash, changed, documents.metadata FROM documents"
    " JOIN sources ON sources.id = source_id"
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a generation holds."""

    documents: int
    passages: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where documents come from: a folder, a file, a JSON lines file, uploads."""

    id: int
    name: str
    kind: str
    location: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    tags: tuple[str, ...]
    documents: int


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that gave no document."""

    source: str
    uri: str
    reason: str
    seen: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a document stands in the collection.

    ``same_as`` is the document under which its text is found, where it has no passages of its
    own; ``lasting`` says whether it came from a file, and not with its text alone.
    """

    passages: int
    changed: str
    same_as: int | None
    lasting: bool


class Stored:
    """What a store held at one moment, as far as the catalog tells."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """``db`` is inside a read transaction."""
        self._db = db

    def fetch(self, ids: Sequence[int]) -> list[Passage]:
        """The passages, in the order asked for, without those of damaged documents.

        Each document is verified: its text against its hash, the rest against its seal.
        """
        return fetch(self._db, ids)

    def standing_in(self, ids: Sequence[int], sought: re.Pattern[str]) -> list[int]:
        """Those of the passages in whose folded text, verified, a pattern is found."""
        found: list[int] = []
        document, text = 0, ""
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            rows = self._db.execute(
                f'SELECT id, document_id, start, "end" FROM passages WHERE id IN ({marks(part)})'
                " ORDER BY document_id",
                list(part),
            ).fetchall()
            for row in rows:
                if row["document_id"] != document:
                    document, text = row["document_id"], self._intact(row["document_id"])
                if sought.search(fold(text[row["start"] : row["end"]])):
                    found.append(int(row["id"]))
        return found

    def _intact(self, id: int) -> str:
        """A document's text; empty where it is damaged."""
        row = self._db.execute(
            "SELECT text, text_hash FROM texts JOIN documents ON id = document_id WHERE id = ?",
            [id],
        ).fetchone()
        try:
            return _verified(row["text"], row["text_hash"], id) if row else ""
        except KhazriError:
            return ""

    def dates(self, ids: Sequence[int]) -> list[str | None]:
        """When the document of each passage was published."""
        found: dict[int, str | None] = {}
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            rows = self._db.execute(
                "SELECT passages.id, published FROM passages JOIN documents"
                f" ON documents.id = document_id WHERE passages.id IN ({marks(part)})",
                list(part),
            )
            found |= {row[0]: row[1] for row in rows}
        return [found[id] for id in ids]

    def count(self) -> Counts:
        """Documents and passages."""
        row = self._db.execute("SELECT count(*), coalesce(sum(passages), 0) FROM documents")
        return Counts(*row.fetchone())

    def document(self, id: int) -> Document | None:
        """A document, or None."""
        row = self._db.execute(f"{_DOCUMENT} WHERE documents.id = ?", [id]).fetchone()
        return _with_twins(self._db, _document(row)) if row else None

    def documents(
        self,
        offset: int = 0,
        limit: int = 50,
        text: str = "",
        *,
        order: str = "changed",
        source: str = "",
        type: str = "",
    ) -> tuple[int, list[Document]]:
        """How many documents have ``text`` in their title or name, and a page of them.

        ``order`` is one of ``ORDERS``; ``source`` and ``type``, where given, narrow.
        """
        where = "WHERE (instr(lower(title), lower(?)) OR instr(lower(uri), lower(?)))"
        values = [text, text]
        for column, wanted in (("sources.name", source), ("type", type)):
            if wanted:
                where += f" AND {column} = ?"
                values.append(wanted)
        total = self._db.execute(
            "SELECT count(*) FROM documents JOIN sources ON sources.id = source_id " + where, values
        )
        rows = self._db.execute(
            f"{_DOCUMENT} {where} ORDER BY {ORDERS[order]}, documents.id DESC LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        return total.fetchone()[0], [_document(row) for row in rows]

    def standings(self, ids: Sequence[int]) -> dict[int, Standing]:
        """How each of some documents stands in the collection."""
        rows = self._db.execute(
            "SELECT id, passages, changed, CASE WHEN passages = 0 THEN"
            " (SELECT min(d.id) FROM documents d WHERE d.text_hash = documents.text_hash"
            " AND d.passages > 0) END, (SELECT kind FROM sources WHERE sources.id = source_id)"
            f" FROM documents WHERE id IN ({marks(ids)})",
            list(ids),
        )
        return {row[0]: Standing(row[1], row[2], row[3], row[4] != "api") for row in rows}

    def types(self) -> dict[str, int]:
        """How many documents there are of each type, the most frequent first."""
        rows = self._db.execute(
            "SELECT type, count(*) FROM documents GROUP BY type ORDER BY count(*) DESC, type"
        )
        return {row[0]: row[1] for row in rows}

    def named(self, uri: str) -> list[int]:
        """The ids of the documents of this name; there is at most one in a source."""
        rows = self._db.execute("SELECT id FROM documents WHERE uri = ? ORDER BY id", [uri])
        return [row[0] for row in rows]

    def around(self, document: Document) -> list[Document]:
        """What else came from the same file: the mail of an attachment, its attachments.

        The file itself first, then what is within it by name; at most ``WITHIN`` of it.
        """
        file = file_of(document.uri)
        rows = self._db.execute(
            f"{_DOCUMENT} WHERE sources.name = ? AND (uri = ? OR (uri > ? AND uri < ?))"
            " AND documents.id != ? ORDER BY uri LIMIT ?",
            [document.source, file, *bounds(file), document.id, WITHIN],
        )
        return [_document(row) for row in rows]

    def changed(self, id: int) -> str | None:
        """When a document last changed, ISO 8601; None where there is none with this id."""
        row = self._db.execute("SELECT changed FROM documents WHERE id = ?", [id]).fetchone()
        return str(row[0]) if row else None

    def last_change(self) -> str | None:
        """When a document was last added, changed or removed by hand, ISO 8601; None for never."""
        row = self._db.execute(
            "SELECT max(at) FROM (SELECT max(changed) AS at FROM documents"
            " UNION ALL SELECT max(removed) FROM removals)"
        ).fetchone()
        return None if row[0] is None else str(row[0])

    def had(self, id: int) -> bool:
        """Whether there is, or ever was, a document with this id."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'documents'")
        return 1 <= id <= (row.fetchone() or (0,))[0]

    def removed(self, uri: str) -> str | None:
        """When a person removed the document of this name, ISO 8601; None where none is known.

        Only the name is remembered, not the id; nor that a file went and its document with it.
        """
        rows = self._db.execute("SELECT removed FROM removals WHERE uri = ?", [uri]).fetchall()
        return str(rows[0][0]) if len(rows) == 1 else None  # more: of several sources

    def removed_from(self, source: str, uri: str) -> str | None:
        """When a person removed the document of this name from the source of this name."""
        row = self._db.execute(
            "SELECT removed FROM removals JOIN sources ON id = source_id"
            " WHERE name = ? AND uri = ?",
            [source, uri],
        ).fetchone()
        return str(row[0]) if row else None

    def text(self, id: int) -> tuple[str, tuple[Block, ...]]:
        """A document's text, verified, and its blocks. Raises ``KhazriError`` for an unknown id."""
        row = self._db.execute(
            "SELECT text, blocks, text_hash, seal FROM texts JOIN documents ON id = document_id"
            " WHERE id = ?",
            [id],
        ).fetchone()
        if row is None:
            raise KhazriError(f"There is no document {id}. It may have been removed.")
        if row["seal"] != seal(self._db, id):
            raise _damaged(id)
        return _verified(row["text"], row["text_hash"], id), load_blocks(row["blocks"])

    def passages(self, document_id: int) -> list[Passage]:
        """The passages of a document, in order."""
        rows = self._db.execute(
            "SELECT id FROM passages WHERE document_id = ? ORDER BY id", [document_id]
        )
        return self.fetch([row[0] for row in rows])

    def sources(self) -> list[Source]:
        """Where documents come from."""
        rows = self._db.execute(
            "SELECT *, (SELECT count(*) FROM documents WHERE source_id = sources.id) AS documents"
            " FROM sources ORDER BY id"
        )
        return [
            Source(
                r["id"],
                r["name"],
                r["kind"],
                r["location"],
                include=tuple(json.loads(r["include"])),
                exclude=tuple(json.loads(r["exclude"])),
                tags=tuple(json.loads(r["tags"])),
                documents=r["documents"],
            )
            for r in rows
        ]

    def failures(self) -> list[Failure]:
        """The files that gave no document, newest first."""
        rows = self._db.execute(
            "SELECT name, uri, reason, seen FROM failures JOIN sources ON id = source_id"
            " ORDER BY seen DESC, uri"
        )
        return [Failure(*row) for row in rows]


def spoken(db: sqlite3.Connection) -> tuple[str, ...]:
    """The languages of all documents, the most frequent first."""
    counted: Counter[str] = Counter()
    for language, count in db.execute("SELECT language, count(*) FROM documents GROUP BY language"):
        counted[code(language)] += count
    return tuple(name for name, _ in counted.most_common(LANGUAGES)) or (ENGLISH,)


def fetch(db: sqlite3.Connection, ids: Sequence[int]) -> list[Passage]:
    """Read passages by id, each document's text once, without those of damaged documents."""
    found: dict[int, Passage] = {}
    documents: dict[int, tuple[Document, str] | None] = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        rows = db.execute(
            f"SELECT * FROM passages WHERE id IN ({marks(part)})", list(part)
        ).fetchall()
        for row in rows:
            id = row["document_id"]
            if id not in documents:
                documents[id] = _sound(db, id)
            sound = documents[id]
            if sound is None:
                continue
            document, text = sound
            found[row["id"]] = Passage(
                row["id"],
                document,
                row["start"],
                row["end"],
                text[row["start"] : row["end"]],
                row["heading"],
                row["page"],
            )
    return [found[id] for id in ids if id in found]


def _sound(db: sqlite3.Connection, id: int) -> tuple[Document, str] | None:
    """A document and its text; None, and a word in the log, where either is damaged."""
    row = db.execute(f"{_DOCUMENT} WHERE documents.id = ?", [id]).fetchone()
    stored = db.execute("SELECT text FROM texts WHERE document_id = ?", [id]).fetchone()
    try:
        if row is None or stored is None or row["seal"] != seal(db, id):
            raise _damaged(id)
        document = _with_twins(db, _document(row))
        return document, _verified(stored["text"], row["text_hash"], id)
    except KhazriError as error:
        log.error("%s", error)
        return None


def _damaged(id: int) -> KhazriError:
    return KhazriError(
        f"What is stored of document {id} is damaged and is not shown. Run 'khazri check'."
    )


def _verified(text: bytes, text_hash: str, id: int) -> str:
    if not isinstance(text, bytes) or digest(text) != text_hash:
        raise _damaged(id)
    return text.decode()


def _document(row: sqlite3.Row) -> Document:
    return Document(
        row["id"],
        row["name"],
        row["uri"],
        row["title"],
        row["type"],
        row["published"],
        row["language"],
        _tags(row["tags"]),
        row["text_hash"],
        _facts(row["metadata"]),
    )


def _with_twins(db: sqlite3.Connection, document: Document) -> Document:
    """The document with the names of those that hold the very same text."""
    rows = db.execute(
        "SELECT uri FROM documents WHERE text_hash = ? AND id != ? ORDER BY id LIMIT ?",
        [document.text_hash, document.id, TWINS],
    ).fetchall()
    return replace(document, also=tuple(row[0] for row in rows)) if rows else document


def _facts(dumped: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(k), str(v)) for k, v in json.loads(dumped).items())
    except (ValueError, TypeError, AttributeError):
        return ()


def _tags(dumped: str) -> tuple[str, ...]:
    try:
        return tuple(json.loads(dumped))
    except (ValueError, TypeError):
        return ()  # damaged: a list of documents shows the rest


def marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
