"""The rows of one commit: documents, passages and what became of them, inside one transaction."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from index.changes import Changes, Draft, Failed, Move
from index.segments import Files
from index.values import SEPARATOR, Block


def now() -> str:
    """The present time as it is stored: ISO 8601, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def dump_blocks(blocks: Iterable[Block]) -> str:
    """Blocks as compact JSON."""
    rows = [[b.start, b.end, b.kind, b.level, b.page] for b in blocks]
    return json.dumps(rows, separators=(",", ":"))


def load_blocks(dumped: str) -> tuple[Block, ...]:
    """The inverse of ``dump_blocks``."""
    return tuple(Block(*row) for row in json.loads(dumped))


# A file and what is within it, found by the index of names: see ``bounds``.
WITHIN = "source_id = ? AND (uri = ? OR (uri > ? AND uri < ?))"


def bounds(file: str) -> tuple[str, str]:
    """Between which names the documents within a file are: ``file//a`` and the like."""
    return f"{file}{SEPARATOR}", f"{file}{SEPARATOR[:-1]}{chr(ord(SEPARATOR[-1]) + 1)}"


def read_anew(
    db: sqlite3.Connection, files: Iterable[tuple[int, str]]
) -> dict[int, tuple[int, str]]:
    """The ids and names of the documents of some files, and of those within them."""
    found: dict[int, tuple[int, str]] = {}
    for source_id, file in files:
        places = [source_id, file, *bounds(file)]
        rows = db.execute(f"SELECT id, source_id, uri FROM documents WHERE {WITHIN}", places)
        found |= {row[0]: (row[1], row[2]) for row in rows}
    return found


_SEALED = "uri, title, type, published, language, tags, content_hash, text_hash"


def seal(db: sqlite3.Connection, document_id: int) -> str:
    """A hash over all that the catalog says of a document: a flipped bit in any of it shows."""
    row = db.execute(
        f"SELECT {_SEALED}, blocks FROM documents JOIN texts ON document_id = id WHERE id = ?",
        [document_id],
    ).fetchone()
    passages = db.execute(
        'SELECT id, start, "end", heading, page, hex(key) FROM passages WHERE document_id = ?'
        " ORDER BY id",
        [document_id],
    )
    if row is None:
        return ""
    # What is no text any more is damaged, and must not end in an error here.
    return digest(json.dumps([list(row), [list(p) for p in passages]], default=repr).encode())


class Rows:
    """Writes the rows of one commit into an open transaction."""

    def __init__(self, db: sqlite3.Connection, generation: int) -> None:
        self._db = db
        self._generation = generation

    def store(self, draft: Draft, document_id: int, first: int) -> None:
        """Store a document under its id, in place of an older one; its passages count up."""
        text = draft.text.encode()
        stays = (digest(text), draft.title, draft.type, draft.published, draft.language)
        self._drop_passages(document_id, unless=stays)
        time = now()
        self._db.execute(
            "INSERT INTO documents (id, source_id, uri, title, type, published, language, tags,"
            " content_hash, size, mtime_ns, text_hash, seal, passages, added, changed, generation,"
            " metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET title = excluded.title, type = excluded.type,"
            " published = excluded.published, language = excluded.language, tags = excluded.tags,"
            " content_hash = excluded.content_hash, size = excluded.size,"
            " mtime_ns = excluded.mtime_ns, text_hash = excluded.text_hash,"
            " passages = excluded.passages, changed = excluded.changed,"
            " generation = excluded.generation, metadata = excluded.metadata",
            [
                document_id,
                draft.source_id,
                draft.uri,
                draft.title,
                draft.type,
                draft.published,
                draft.language,
                json.dumps(draft.tags),
                draft.content_hash,
                draft.size,
                draft.mtime_ns,
                digest(text),
                len(draft.spans),
                time,
                time,
                self._generation,
                json.dumps(dict(draft.metadata)),
            ],
        )
        self._db.execute(
            "INSERT OR REPLACE INTO texts VALUES (?, ?, ?)",
            [document_id, text, dump_blocks(draft.blocks)],
        )
        self._db.executemany(
            "INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (first + i, document_id, span.start, span.end, span.heading, span.page, key)
                for i, (span, key) in enumerate(zip(draft.spans, draft.keys, strict=True))
            ],
        )
        self._seal(document_id)
        self.clear([(draft.source_id, draft.uri)])

    def remove(self, ids: Sequence[int], by_hand: bool) -> None:
        """Remove documents; ``by_hand`` also remembers to leave their files alone."""
        for id in ids:
            if by_hand:
                self._db.execute(
                    "INSERT OR REPLACE INTO removals SELECT source_id, uri, content_hash, ?"
                    " FROM documents WHERE id = ?",
                    [now(), id],
                )
            self._drop_passages(id)
            self._db.execute("DELETE FROM texts WHERE document_id = ?", [id])
            self._db.execute("DELETE FROM documents WHERE id = ?", [id])

    def move(self, moves: Sequence[Move]) -> None:
        """Give documents the names and times that their files have now, even if names swapped."""
        sound = [move for move in moves if self._sound(move.document_id)]
        for move in moves:
            self._db.execute(
                "UPDATE documents SET uri = ? WHERE id = ?",
                [f"\0{move.document_id}", move.document_id],
            )
        for move in moves:
            self._db.execute(
                "UPDATE documents SET uri = ?, size = ?, mtime_ns = ? WHERE id = ?",
                [move.uri, move.size, move.mtime_ns, move.document_id],
            )
        for move in sound:
            self._seal(move.document_id)

    def fail(self, failed: Failed) -> None:
        """Remember a file that gave no document."""
        self._db.execute(
            "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?)",
            [failed.source_id, failed.uri, failed.reason, failed.size, failed.mtime_ns, now()],
        )

    def clear(self, names: Iterable[tuple[int, str]]) -> None:
        """Forget failures and removals by hand of these names."""
        for name in names:
            self._db.execute("DELETE FROM failures WHERE source_id = ? AND uri = ?", name)
            self._db.execute("DELETE FROM removals WHERE source_id = ? AND uri = ?", name)

    def tell_language(self, document_id: int, language: str) -> None:
        """Note the language of a document; a damaged one is left alone."""
        if self._sound(document_id):
            self._db.execute(
                "UPDATE documents SET language = ? WHERE id = ?", [language, document_id]
            )
            self._seal(document_id)

    def segment(self, id: int, passages: int, files: Files) -> None:
        """Name a segment, so that it counts from this generation on."""
        self._db.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?)",
            [id, passages, json.dumps(files), self._generation],
        )

    def apply(self, changes: Changes) -> None:
        """All of the changes but the drafts, which need ids."""
        self.remove(changes.removals, changes.by_hand)
        self.move(changes.moves)
        stored = {(draft.source_id, draft.uri) for draft in changes.drafts}
        known = read_anew(self._db, changes.read)
        self.remove([id for id, name in known.items() if name not in stored], by_hand=False)
        for source_id, file in changes.read:
            places = [source_id, file, *bounds(file)]
            self._db.execute(f"DELETE FROM failures WHERE {WITHIN}", places)
        for failed in changes.failures:
            self.fail(failed)
        self.clear(changes.cleared)

    def _drop_passages(self, document_id: int, unless: tuple[str | None, ...] = ()) -> None:
        """Drop the passages of a document, or give them to one that holds the same text.

        They are dropped all the same where the document stays what it is searched by: ``unless``
        is its text's hash, title, type, date and language from now on.
        """
        row = self._db.execute(
            "SELECT text_hash, title, type, published, language, passages FROM documents"
            " WHERE id = ?",
            [document_id],
        ).fetchone()
        if row is not None and row["passages"] and tuple(row)[:5] != unless:
            twins = self._db.execute(
                "SELECT id, title, passages FROM documents WHERE text_hash = ? AND id != ?"
                " ORDER BY title != ?, id",
                [row["text_hash"], document_id, row["title"]],
            ).fetchall()
            heir = next((twin for twin in twins if not twin["passages"]), None)
            # Indexed already under the same title, or for an heir of another title: enough.
            served = {twin["title"] for twin in twins if twin["passages"]}
            alike = heir is not None and heir["title"] == row["title"]
            if heir is not None and (row["title"] not in served if alike else not served):
                self._adopt(document_id, int(heir["id"]))
                return
        self._db.execute(
            "INSERT OR IGNORE INTO deletions SELECT id, ? FROM passages WHERE document_id = ?",
            [self._generation, document_id],
        )
        self._db.execute("DELETE FROM passages WHERE document_id = ?", [document_id])

    def _adopt(self, former: int, present: int) -> None:
        """Give the passages of a document to its twin, though segments go on naming the former."""
        sound = self._sound(former) and self._sound(present)
        self._db.execute(
            "INSERT OR REPLACE INTO adoptions SELECT min(id), max(id), ? FROM passages"
            " WHERE document_id = ?",
            [present, former],
        )
        self._db.execute(
            "UPDATE passages SET document_id = ? WHERE document_id = ?", [present, former]
        )
        self._db.execute(
            "UPDATE documents SET passages = (SELECT passages FROM documents WHERE id = ?)"
            " WHERE id = ?",
            [former, present],
        )
        self._db.execute("UPDATE documents SET passages = 0 WHERE id = ?", [former])
        if sound:
            self._seal(present)

    def _sound(self, document_id: int) -> bool:
        """Whether a document is what was sealed: a new seal must not hide damage."""
        row = self._db.execute("SELECT seal FROM documents WHERE id = ?", [document_id]).fetchone()
        return row is not None and row[0] == seal(self._db, document_id)

    def _seal(self, document_id: int) -> None:
        self._db.execute(
            "UPDATE documents SET seal = ? WHERE id = ?", [seal(self._db, document_id), document_id]
        )
