"""The catalog and the home around it: what is opened, and what is refused with a clear message."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from index.catalog import VERSION, Catalog
from index.errors import KhazriError
from index.home import Home


@pytest.fixture
def catalog(tmp_path: Path):
    opened = Catalog(tmp_path / "catalog.db")
    yield opened
    opened.close()


def add(db: sqlite3.Connection, name: str) -> None:
    db.execute(
        "INSERT INTO sources (name, kind, location, added) VALUES (?, 'folder', ?, '')",
        [name, name],
    )


def add_all(db: sqlite3.Connection, *names: str) -> None:
    for name in names:
        add(db, name)


def names(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT name FROM sources ORDER BY id")]


def test_a_transaction_is_kept_at_its_end(catalog: Catalog) -> None:
    with catalog.write() as db:
        add(db, "one")
    again = Catalog(catalog.path)
    with again.read() as db:
        assert names(db) == ["one"]
    again.close()


def test_a_transaction_that_fails_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(KhazriError, match="UNIQUE"), catalog.write() as db:
        add_all(db, "one", "one")
    with pytest.raises(KeyError), catalog.write() as db:
        add_all(db, "two", {}["three"])
    with catalog.read() as db:
        assert names(db) == []


def test_a_reader_sees_one_moment(catalog: Catalog) -> None:
    with catalog.read() as before:
        assert names(before) == []
        with catalog.write() as db:
            add(db, "one")
        assert names(before) == []
        with catalog.read() as after:
            assert names(after) == ["one"]


def test_many_threads_read_and_write(catalog: Catalog) -> None:
    def work(number: int) -> None:
        for n in range(5):
            with catalog.write() as db:
                add(db, f"{number}-{n}")
            with catalog.read() as db:
                names(db)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalog.read() as db:
        assert len(names(db)) == 30


def test_what_is_committed_is_on_the_disk(catalog: Catalog) -> None:
    with catalog.read() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
        assert db.execute("PRAGMA foreign_keys").fetchone()[0] == 1


# --- What is refused -------------------------------------------------------------------------


def refusal(path: Path, **options: str) -> str:
    with pytest.raises(KhazriError) as caught:
        Home(path, **options)
    return str(caught.value)


def test_a_home_is_made_with_its_parents_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    assert home.status()["documents"] == 0
    assert home.path.stat().st_mode & 0o077 == 0
    home.close()
    Home(tmp_path / "a" / "b").close()


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "is a file, not a folder" in refusal(tmp_path / "file")
    assert "can't be made" in refusal(tmp_path / "file" / "home")


def test_a_home_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    Home(tmp_path / "home").close()
    path = tmp_path / "home" / "catalog.db"
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version={VERSION + 1}")
    db.close()
    before = path.read_bytes()
    assert "newer Khazri" in refusal(tmp_path / "home")
    assert "Upgrade Khazri" in refusal(tmp_path / "home")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "junk", [b"not a database, but a text of some length\n" * 50, b"\0" * 4096]
)
def test_a_catalog_that_is_no_database_is_left_as_it_is(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / "catalog.db"
    path.write_bytes(junk)
    said = refusal(tmp_path / "home")
    assert f"{path} is damaged" in said
    assert "Restore a backup" in said
    assert path.read_bytes() == junk


def test_a_catalog_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home" / "catalog.db").mkdir(parents=True)
    assert "catalog.db can't be opened" in refusal(tmp_path / "home")


def test_a_catalog_that_is_cut_is_refused(tmp_path: Path) -> None:
    Home(tmp_path / "home").close()
    path = tmp_path / "home" / "catalog.db"
    path.write_bytes(path.read_bytes()[: 2 * 4096])
    assert "is damaged" in refusal(tmp_path / "home")


def test_embeddings_that_are_no_database_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "embeddings.db").write_bytes(b"not a database " * 300)
    assert "embeddings.db" in refusal(tmp_path / "home")


def test_a_home_stays_with_the_model_that_it_was_made_with(tmp_path: Path) -> None:
    """Vectors of two models are never mixed: the wanted one is for ``renew`` to bring in."""
    home = Home(tmp_path / "home")
    with home.store.catalog.write() as db:
        db.execute("UPDATE state SET model = 'other/model@0123456789abcdef'")
    home.close()
    home = Home(tmp_path / "home")
    assert home.encoder.name == home.indexer.encoder.name == "other/model"
    assert home.wanted.name == "all-MiniLM-L6-v2"
    home.close()


def test_another_model_is_wanted_and_not_yet_used(sample_home: Home) -> None:
    home = Home(sample_home.path, model="other/model")
    assert home.encoder.identity == sample_home.encoder.identity
    assert home.wanted.name == "other/model"
    home.close()


def test_what_a_home_says_of_itself(sample_home: Home) -> None:
    status = sample_home.status()
    assert status["home"] == str(sample_home.path)
    assert status["documents"] == 13
    assert status["passages"] > 100
    assert status["failed"] == 0
    assert status["bytes"] > 100_000
    assert status["model"] == sample_home.encoder.identity
    (source,) = status["sources"]
    assert source.endswith("samples")
