"""Damage that is done to a home, and what a whole home holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from conftest import TEXTS, CheapEncoder

from index.check import check
from index.home import Home
from index.keyword import terms
from index.store import Store

FILES = ("postings.safetensors", "vectors.safetensors", "keyword/_MAIN_1.toc")
DAMAGE = {
    "text": "UPDATE texts SET text = replace(text, 'cod', 'rod') WHERE document_id = 3",
    "title": "UPDATE documents SET title = 'other' WHERE id = 3",
    "date": "UPDATE documents SET published = '2020-01-01' WHERE id = 3",
    "tags": "UPDATE documents SET tags = '[' WHERE id = 3",
    "source": "UPDATE documents SET added = 'x' WHERE id = 3",
    "passage": "UPDATE passages SET start = start + 1 WHERE id = 3",
    "beyond": 'UPDATE passages SET "end" = 10000 WHERE id = 3',
    "heading": "UPDATE passages SET heading = 'x' WHERE id = 3",
    "blocks": "UPDATE texts SET blocks = '[[' WHERE document_id = 3",
    "undecodable": "UPDATE documents SET title = CAST(x'ff41' AS TEXT) WHERE id = 3",
    "a number": "UPDATE texts SET text = 5 WHERE document_id = 3",
    "gone": "DELETE FROM texts WHERE document_id = 3",
}


def words_found(store: Store, word: str) -> list[str]:
    """The texts that a word is found in, which both legs must agree to know."""
    with store.snapshot() as snapshot:
        hits, _ = snapshot.keyword(terms(word), None)
        vector = CheapEncoder().encode([word])[0]
        near = {hit.passage_id for hit in snapshot.semantic(vector, None)}
        assert {hit.passage_id for hit in hits} <= near
        return sorted(passage.text for passage in snapshot.fetch([hit.passage_id for hit in hits]))


def whole(home: Home) -> None:
    """The home holds what was put in, and its check finds nothing."""
    report = check(home)
    assert (report.catalog, report.derived) == ([], [])
    assert len(words_found(home.store, "herring")) == len(TEXTS)
    assert words_found(home.store, "keeper") == ["The lighthouse keeper wrote."]


def spoil(home: Home, statement: str, *values: object) -> None:
    """Change the catalog behind Khazri's back, its triggers and all."""
    with closing(sqlite3.connect(home.path / "catalog.db", isolation_level=None)) as db:
        triggers = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        assert db.execute(statement, values).rowcount == 1
        for _, sql in triggers:
            db.execute(sql)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(bytes(data))
