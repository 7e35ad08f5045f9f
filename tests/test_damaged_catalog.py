"""A damaged catalog: every row is sealed, and what is wrong is never shown, and mended or told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import TEXTS, commit, drafted, quiet
from damage import DAMAGE, spoil, whole, words_found

from index import seals
from index.catalog import Catalog
from index.changes import Changes, Move
from index.check import check
from index.errors import KhazriError
from index.home import Home
from index.store import Store
from index.values import Filter

# --- The catalog -----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_document_is_named_never_shown_and_read_again(home: Home, damage: str) -> None:
    spoil(home, DAMAGE[damage])
    with home.store.snapshot() as snapshot:
        (shown,) = {p.document.id for p in snapshot.fetch([3])} or {None}
        assert shown is None or damage == "source"
        snapshot.documents()
        snapshot.select(Filter(tags=("x",)))
    said: list[str] = []
    report = check(home, tell=said.append)
    (words,) = report.catalog
    assert words.startswith("Document 3, ")
    assert "is not shown or quoted" in words
    assert any("read again from its file by the next 'khazri index'" in words for words in said)
    home.indexer.sync(quiet)
    whole(home)


def test_a_damaged_upload_is_read_again_from_its_original(home: Home) -> None:
    id = home.indexer.find("letter.txt")
    spoil(home, "UPDATE texts SET text = 'x' WHERE document_id = ?", id)
    said: list[str] = []
    assert len(check(home, tell=said.append).catalog) == 1
    assert any("read again from its original" in words for words in said)
    whole(home)


def test_a_damaged_document_without_a_file_is_left_to_the_person(home: Home) -> None:
    id = home.indexer.find("note")
    spoil(home, "UPDATE texts SET text = 'x' WHERE document_id = ?", id)
    said: list[str] = []
    check(home, tell=said.append)
    assert any(f"khazri remove {id}" in words for words in said)
    assert len(check(home).catalog) == 1
    home.indexer.remove(id)
    whole(home)


def test_a_renamed_document_keeps_its_damage(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    with closing(sqlite3.connect(store.home / "catalog.db")) as db:
        db.execute("UPDATE documents SET title = 'wrong'")
        db.commit()
    store.apply(Changes(moves=[Move(1, "b", 1, 1)]), "cheap@1")
    with store.snapshot() as snapshot:
        assert snapshot.fetch([1]) == []


def test_a_merge_goes_on_without_a_damaged_document(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.store.FANOUT", 2)
    for name in "ab":
        commit(store, drafted(name, f"herring {name}"))
    with closing(sqlite3.connect(store.home / "catalog.db")) as db:
        db.execute("UPDATE texts SET text = 'x' WHERE document_id = 1")
        db.commit()
    while store.merge():
        pass
    assert words_found(store, "herring") == ["herring b"]
    commit(store, drafted("a", "herring again"))
    assert words_found(store, "herring") == ["herring again", "herring b"]


ROWS = {
    "jobs": "INSERT INTO jobs (kind, arguments, status, created) VALUES ('i', '{}', 'done', '')",
    "failures": "INSERT INTO failures VALUES (1, 'bad.pdf', 'empty', 1, 1, '')",
    "removals": "INSERT INTO removals VALUES (1, 'gone.txt', 'hash', '')",
    "deletions": "INSERT INTO deletions VALUES (99999, 1)",
}
CHANGED = {
    "jobs": "UPDATE jobs SET kind = 'xndex'",
    "failures": "UPDATE failures SET reason = 'emptx'",
    "removals": "UPDATE removals SET uri = 'gonf.txt'",
    "deletions": "UPDATE deletions SET passage_id = 99998 WHERE passage_id = 99999",
}


@pytest.mark.parametrize("table", ROWS)
def test_a_damaged_row_that_may_go_is_told_and_dropped(home: Home, table: str) -> None:
    with home.store.catalog.write() as db:
        db.execute(ROWS[table])
    assert check(home).catalog == []
    spoil(home, CHANGED[table])
    report = check(home)
    assert any(f"{table} " in words for words in report.catalog + report.derived)
    assert any("dropped" in words for words in report.mended)
    whole(home)


@pytest.mark.parametrize(
    ("statement", "advice"),
    [
        ("UPDATE sources SET location = '/elsewhere' WHERE id = 1", "khazri sources"),
        ("UPDATE state SET analyzer = 'other'", "khazri restore FILE"),
        ("UPDATE seals SET row = 'x' WHERE name = 'sources' AND key = 1", "khazri sources"),
    ],
)
def test_a_damaged_row_that_only_a_person_can_mend(home: Home, statement: str, advice: str) -> None:
    spoil(home, statement)
    said: list[str] = []
    assert len(check(home, tell=said.append).catalog) == 1
    assert advice in said[-1]
    assert len(check(home).catalog) == 1


@pytest.mark.parametrize("change", ["seq - 1", "seq + 1"])
def test_numbers_are_not_given_twice_after_damage(home: Home, change: str) -> None:
    spoil(home, f"UPDATE sqlite_sequence SET seq = {change} WHERE name = 'passages'")
    assert len(check(home).catalog) == 1
    whole(home)


def test_a_damaged_row_of_a_segment_means_that_it_is_rebuilt(home: Home) -> None:
    spoil(home, "UPDATE segments SET files = replace(files, '\"', '''') WHERE id = 1")
    home.close()
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == len(TEXTS)
    check(again)
    whole(again)
    again.close()


def test_an_index_of_the_catalog_is_made_anew(home: Home) -> None:
    with closing(sqlite3.connect(home.path / "catalog.db", isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema=ON")
        sql = "CREATE INDEX documents_by_hash ON documents (uri)"
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'documents_by_hash'", [sql])
    home.close()
    with closing(sqlite3.connect(home.path / "catalog.db", isolation_level=None)) as db:
        db.execute("PRAGMA writable_schema=ON")
        db.execute("INSERT INTO removals VALUES (1, 'a', 'b', 'c')")
        db.execute("UPDATE documents SET content_hash = content_hash WHERE id = 1")
        sql = "CREATE INDEX documents_by_hash ON documents (content_hash)"
        db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'documents_by_hash'", [sql])
    again = Home(home.path)
    report = check(again)
    if report.catalog:
        assert any("made anew" in words for words in report.mended)
    assert check(again).catalog == []
    again.close()


@pytest.mark.parametrize("keep", [0, 100, 4096, 20000])
def test_a_catalog_that_is_cut_is_refused_and_left_as_it_is(home: Home, keep: int) -> None:
    home.close()
    path = home.path / "catalog.db"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(KhazriError, match="khazri restore FILE"):
        again = Home(home.path)
        try:
            check(again)
        finally:
            again.close()
    assert len(path.read_bytes()) == keep


def test_a_catalog_that_is_gone_is_not_begun_anew(home: Home) -> None:
    home.close()
    (home.path / "catalog.db").unlink()
    with pytest.raises(KhazriError, match="missing or empty.*khazri restore FILE"):
        Home(home.path)
    assert not (home.path / "catalog.db").exists()


# --- Seals -----------------------------------------------------------------------------------


def test_every_row_of_every_table_is_sealed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "catalog.db")
    with catalog.read() as db:
        tables = {
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        sealed = {
            row[0].split("_", 2)[2]
            for row in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'seal_insert%'"
            )
        }
        assert tables - sealed == {"seals", "texts", "passages", "sqlite_sequence"}
        assert list(seals.broken(db)) == []
    catalog.close()


def test_a_catalog_of_before_the_seals_gets_them(home: Home) -> None:
    home.close()
    with closing(sqlite3.connect(home.path / "catalog.db", isolation_level=None)) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("DROP TABLE seals")
        db.execute("DROP TABLE rebuilds")
        db.execute("DROP TABLE adoptions")
        db.execute("DROP INDEX documents_by_text")
        db.execute("DROP INDEX documents_by_language")
        db.execute("ALTER TABLE documents DROP COLUMN metadata")
        db.execute("PRAGMA user_version=1")
    again = Home(home.path)
    whole(again)
    again.close()


def test_embeddings_of_an_older_version_are_kept(home: Home) -> None:
    import zlib

    home.close()
    with closing(sqlite3.connect(home.path / "embeddings.db", isolation_level=None)) as db:
        db.create_function("crc32", 1, zlib.crc32)
        db.execute("UPDATE embeddings SET crc = crc32(vector)")
        db.execute("PRAGMA user_version=0")
    again = Home(home.path)
    whole(again)
    again.close()
