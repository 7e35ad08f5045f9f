"""Damage, found and mended: nothing damaged is ever shown, and nothing derived is ever lost."""

from __future__ import annotations

import gc
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import TEXTS, commit, drafted
from damage import DAMAGE, FILES, flip, spoil, whole, words_found

from index import arrays
from index.check import check
from index.errors import KhazriError
from index.home import Home
from index.patrol import Patrol
from index.repair import repair
from index.segments import build
from index.store import Store
from index.values import Filter
from khazri import main

# --- Derived indexes -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Whoosh's file
@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["missing", "short", "header"])
def test_a_segment_that_is_not_whole_is_rebuilt_at_opening(
    home: Home, file: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = home.store.folder(1) / file
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "short":
        path.write_bytes(data[:-1])
    else:
        path.write_bytes(b"\xff" * 64 + data[64:])
    home.close()
    again = Home(home.path)
    assert words_found(again.store, "ferry") == sorted(TEXTS.values())
    header_of_whoosh = damage == "header" and "keyword" in file
    if not header_of_whoosh:  # whose header is its own affair, until a hash is asked for
        assert "Segment 1 was dropped" in caplog.text
    assert again.encoder.encoded == []
    with again.store.snapshot() as snapshot:
        assert snapshot.select(Filter(phrases=("met cod",))).count == len(TEXTS)
    gc.collect()
    check(again)
    whole(again)
    again.close()


def test_a_folder_that_is_gone_is_rebuilt(home: Home) -> None:
    shutil.rmtree(home.path / "segments")
    home.close()
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == len(TEXTS)
    whole(again)
    again.close()


def test_vectors_that_are_nowhere_else_are_taken_from_what_is_left(home: Home) -> None:
    home.close()
    (home.path / "embeddings.db").unlink()
    (home.store.folder(1) / "postings.safetensors").unlink()
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == len(TEXTS)
    assert again.encoder.encoded == []
    again.close()


def test_vectors_that_are_nowhere_at_all_are_embedded_again(home: Home) -> None:
    home.close()
    (home.path / "embeddings.db").unlink()
    (home.store.folder(1) / "vectors.safetensors").unlink()
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == len(TEXTS)
    assert len(again.encoder.encoded) == len(TEXTS)
    again.close()


def test_without_a_model_it_is_said_what_to_do(home: Home) -> None:
    home.close()
    (home.path / "embeddings.db").unlink()
    (home.store.folder(1) / "vectors.safetensors").unlink()
    store = Store(home.path)
    with pytest.raises(KhazriError, match="embedded again by cheap@1.*khazri check"):
        words_found(store, "herring")
    store.close()


def test_a_merge_repairs_what_it_can_not_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.store.FANOUT", 2)
    for name in "ab":
        commit(store, drafted(name, f"herring {name}"))
    (store.folder(1) / "postings.safetensors").unlink()
    while store.merge():
        pass
    assert words_found(store, "herring") == ["herring a", "herring b"]


def test_a_question_with_a_phrase_is_answered_over_damaged_postings(home: Home) -> None:
    with home.store.snapshot() as snapshot:
        shutil.rmtree(home.store.folder(1) / "keyword")
        assert snapshot.select(Filter(phrases=("number3 met",))).count == 1
        assert snapshot.select(Filter(phrases=("met number3",))).count == 0


def test_repair_keeps_what_is_deleted_meanwhile_deleted(home: Home) -> None:
    build_, done = build, []

    def removing(*arguments):  # between the survey and the switch
        if not done:
            done.append(home.indexer.remove(home.indexer.find("note")))
        return build_(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index.store.build", removing)
        repair(home.store, {2: "for a test"})
    assert done
    assert words_found(home.store, "fog") == []
    whole(home)


def test_passages_in_no_index_and_indexed_ones_without_a_document(home: Home) -> None:
    spoil(home, "DELETE FROM segments WHERE id = 2")
    with home.store.catalog.write() as db:
        db.execute("INSERT INTO deletions VALUES (1, 1)")
    report = check(home)
    assert report.catalog == []
    assert any("hides passages" in words for words in report.derived)
    assert any("again from the catalog" in words for words in report.mended)
    whole(home)


def test_no_repair_changes_nothing(home: Home) -> None:
    path = home.store.folder(1) / FILES[0]
    path.write_bytes(b"x")
    before = {p: p.read_bytes() for p in home.path.rglob("*") if p.is_file() and "-" not in p.name}
    report = check(home, mend=False)
    assert report.derived
    assert report.mended == []
    assert before == {p: p.read_bytes() for p in before}


def test_vectors_that_are_not_those_of_their_texts(home: Home) -> None:
    """As a fault of a program would leave them, with hashes that are right."""
    folder = home.store.folder(1)
    part = arrays.load(folder / "vectors.safetensors")
    arrays.save(folder / "new", {"ids": part["ids"], "rows": np.roll(part["rows"], 1, axis=0)})
    (folder / "new").replace(folder / "vectors.safetensors")
    files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    import json

    from index.rows import digest

    summed = {name: (p.stat().st_size, digest(p.read_bytes())) for name, p in files.items()}
    with home.store.catalog.write() as db:
        db.execute("UPDATE segments SET files = ? WHERE id = 1", [json.dumps(summed)])
    report = check(home)
    assert any("not those of their texts" in words for words in report.derived)
    whole(home)


def test_the_embedding_store_is_begun_anew_from_the_segments(home: Home) -> None:
    home.close()
    (home.path / "embeddings.db").write_bytes(b"not a database" * 400)
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == len(TEXTS)
    report = check(again)
    assert any("begun anew" in words for words in report.mended)
    whole(again)
    assert again.encoder.encoded == []
    again.close()


# --- Flipped bits ----------------------------------------------------------------------------


def quoted(home: Home) -> set[str]:
    """Every passage that can be shown, and every text."""
    with home.store.snapshot() as snapshot:
        shown = set()
        for document in snapshot.documents(limit=100)[1]:
            shown |= {p.text for p in snapshot.passages(document.id)}
            try:
                shown.add(snapshot.text(document.id)[0])
            except KhazriError as error:
                assert "khazri check" in str(error)
        return shown


@pytest.mark.parametrize("file", ["keyword", *FILES[:2]])
def test_flipped_bits_of_an_index_are_found(home: Home, file: str) -> None:
    true = quoted(home)
    chance = random.Random(file)
    for _ in range(20):
        with home.store.catalog.read() as db:
            (id,) = db.execute("SELECT min(id) FROM segments").fetchone()
        folder = home.store.folder(id)
        path = folder / file
        if file == "keyword":
            path = chance.choice(sorted(p for p in path.iterdir() if p.stat().st_size))
        flip(path, chance.randrange(path.stat().st_size * 8))
        report = check(home)
        assert report.derived, path
        assert report.catalog == []
        assert quoted(home) == true
    whole(home)


def logical(path: Path) -> list[str] | None:
    """All that a database says, or None where it can't be read."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = bytes
            version = db.execute("PRAGMA user_version").fetchone()
            tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            rows = [db.execute(f'SELECT * FROM "{t[0].decode()}"').fetchall() for t in tables]
            schema = db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
            return [repr(version), repr(schema), *map(repr, rows)]
    except (sqlite3.Error, UnicodeDecodeError):
        return None


@pytest.mark.parametrize("name", ["catalog.db", "embeddings.db"])
def test_flipped_bits_of_a_database_are_found(home: Home, name: str) -> None:
    """Every flip that changes anything it says, or keeps it from being read, is found."""
    true = quoted(home)
    home.close()
    path = home.path / name
    data, said = path.read_bytes(), logical(path)
    chance = random.Random(name)
    found = meant = 0
    while meant < 20:
        flip(path, chance.randrange(len(data) * 8))
        changes = logical(path) != said
        meant += changes
        try:
            again = Home(home.path)
        except KhazriError as error:
            assert "damaged" in str(error) or "newer" in str(error) or "version" in str(error)
            found += changes
        else:
            try:
                report = check(again, mend=False)
                found += changes and bool(report.catalog or report.derived)
                assert quoted(again) <= true
            except KhazriError as error:
                assert "damaged" in str(error)
                found += changes
            finally:
                again.close()
        for end in ("-wal", "-shm"):
            path.with_name(name + end).unlink(missing_ok=True)
        path.write_bytes(data)
    assert found == meant


# --- The background --------------------------------------------------------------------------


def test_the_background_pass_repairs_and_tells(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    flip(home.store.folder(1) / "vectors.safetensors", 4000)
    spoil(home, DAMAGE["text"])
    patrol = Patrol(home, pause=0, every=0, after=0)
    patrol.start()
    told = ("Segment 1 was dropped", "Document 3, “")
    for _ in range(1200):  # it is of low priority: on a busy machine it has to wait
        if all(words in caplog.text for words in told):
            break
        patrol._stopped.wait(0.05)
    patrol.stop()
    assert all(words in caplog.text for words in told)
    assert not patrol._thread.is_alive()


# --- The command -----------------------------------------------------------------------------


def run(home: Home, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["--home", str(home.path), *arguments])
    return result.exit_code, result.output


def test_the_command_and_its_exit_status(home: Home) -> None:
    assert run(home, "check") == (0, "All is well: 10 documents, 10 passages in 2 segments.\n")
    (home.store.folder(1) / FILES[1]).write_bytes(b"short")
    status, output = run(home, "check", "--no-repair")
    assert status == 0
    assert "Segment 1" in output
    status, output = run(home, "check")
    assert status == 0
    assert "indexed again from the catalog" in output
    spoil(home, "UPDATE texts SET text = 'x' WHERE document_id = 1")
    status, output = run(home, "check")
    assert status == 1
    assert "Document 1" in output
    status, output = run(home, "search", "herring number0")
    assert status == 0
    assert "number1" in output
    assert "number0 met" not in output


def test_a_truncated_catalog_at_the_command(home: Home) -> None:
    home.close()
    path = home.path / "catalog.db"
    path.write_bytes(path.read_bytes()[:5000])
    status, output = run(home, "check")
    assert status == 1
    assert "khazri restore FILE" in output
