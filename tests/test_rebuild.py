"""A home changes its model or its analyzer while it serves; an older home is upgraded."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import CheapEncoder, quiet

from index import catalog, rebuild, store
from index.embeddings import Half, text_key
from index.errors import KhazriError
from index.home import Home
from index.indexer import Indexer
from index.keyword import terms
from index.progress import Cancelled
from index.rows import seal
from index.store import Store
from index.values import Filter, embedding_text
from search.engine import Engine

Write = Callable[[str, str], Path]


class OtherEncoder(CheapEncoder):
    """Another model: the same words give other vectors, of another length."""

    identity = "other@1"

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        rows = super().encode(texts, batch)
        return rows[:, ::-2] / (rows[:, ::-2] ** 2).sum(axis=1, keepdims=True) ** 0.5


def ignore(passages: int) -> None:
    """Told of progress, and does nothing."""


@pytest.fixture
def filled(indexer: Indexer, write: Write) -> Store:
    """A store of three commits, with a changed and a removed document."""
    for round, name in enumerate(["first", "second", "third"]):
        path = write(f"{name}.txt", f"The {name} report of the harbour, in its round {round}.")
        indexer.index([path.parent], quiet)
    write("second.txt", "The second report was rewritten about the lighthouse.")
    (path.parent / "third.txt").unlink()
    indexer.index([path.parent], quiet)
    return indexer.store


def agrees(opened: Store, encoder: CheapEncoder) -> None:
    """Each passage is found by its own vector and has the model's vector in its segment."""
    with opened.snapshot() as snapshot:
        assert snapshot.model == encoder.identity
        ids = snapshot.selected(snapshot.select(Filter()))
        for passage in snapshot.fetch(ids):
            text = embedding_text(passage.document.title, passage.heading, passage.text)
            own = encoder.encode([text])[0]
            assert snapshot.semantic(own, 1)[0].passage_id == passage.id
            assert snapshot.semantic_scores(own, [passage.id])[0] == pytest.approx(1, abs=0.01)
        assert len(ids) == snapshot.count().passages


def test_a_change_of_model_is_one_commit_and_reads_no_file(filled: Store, write: Write) -> None:
    """The switch advances the generation once; the old vectors serve until then."""
    other = OtherEncoder()
    with filled.snapshot() as before:
        assert rebuild.outdated(filled, other)
        for path in (write("x", "").parent).glob("*.txt"):
            path.unlink()
        rebuild.rebuild(filled, other, ignore)
        assert before.model == "cheap@1"
        assert before.semantic(CheapEncoder().encode(["lighthouse"])[0], 1)
    with filled.snapshot() as after:
        assert after.generation == before.generation + 1
    agrees(filled, other)
    assert not rebuild.outdated(filled, other)


def test_an_interrupted_change_goes_on_where_it_stopped(filled: Store) -> None:
    """Stopped after the first segment, the change embeds only the rest when it is resumed."""
    first, second = OtherEncoder(), OtherEncoder()

    def stop(passages: int) -> None:
        if len(first.encoded) >= 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        rebuild.rebuild(filled, first, stop)
    with filled.snapshot() as snapshot:
        assert snapshot.model == "cheap@1"
    rebuild.rebuild(filled, second, ignore)
    assert not set(first.encoded) & set(second.encoded)
    agrees(filled, second)


def test_what_is_committed_meanwhile_is_taken_along(
    filled: Store, cheap: CheapEncoder, write: Write
) -> None:
    """A document added with the old model during the change is there with the new one after."""
    other, added = OtherEncoder(), []

    def add(passages: int) -> None:
        if not added:
            added.append(write("meanwhile.txt", "Written while the model changed: a turbine."))
            Indexer(filled, cheap).sync(quiet)

    rebuild.rebuild(filled, other, add)
    agrees(filled, other)
    found = Engine(filled, other).search("turbine", mode="keyword")
    assert [r.passage.document.uri for r in found.results] == [str(added[0])]


def test_a_commit_for_the_old_model_is_refused_after_the_change(
    filled: Store, cheap: CheapEncoder, write: Write
) -> None:
    """Vectors of two models are never mixed."""
    rebuild.rebuild(filled, OtherEncoder(), ignore)
    write("late.txt", "Too late for the old model.")
    with pytest.raises(KhazriError, match="other@1"):
        Indexer(filled, cheap).sync(quiet)
    agrees(filled, OtherEncoder())


def test_a_change_of_analyzer_keeps_the_vectors(
    filled: Store, cheap: CheapEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keyword part is made anew, and nothing is embedded."""
    for module in (rebuild, store):
        monkeypatch.setattr(module, "ANALYZER", "english-next")
    encoded = len(cheap.encoded)
    assert rebuild.outdated(filled, cheap)
    rebuild.rebuild(filled, cheap, ignore)
    assert len(cheap.encoded) == encoded
    assert not rebuild.outdated(filled, cheap)
    agrees(filled, cheap)


def test_a_home_of_the_first_version_is_upgraded_after_a_copy(tmp_path: Path) -> None:
    """The catalog as version 1 made it opens as it was, and a copy of it is kept."""
    path = tmp_path / "catalog.db"
    old = sqlite3.connect(path)
    old.executescript(catalog._SCHEMA)
    old.execute("INSERT INTO state VALUES (1, 7, 'cheap@1', 'english-1')")
    old.execute("PRAGMA user_version=1")
    old.commit()
    old.close()
    opened = Store(tmp_path)
    with opened.snapshot() as snapshot:
        assert snapshot.generation == 7
    opened.close()
    kept = sqlite3.connect(tmp_path / "catalog.v1.db")
    assert kept.execute("SELECT generation FROM state").fetchone() == (7,)
    assert kept.execute("PRAGMA user_version").fetchone() == (1,)
    kept.close()


def test_an_upgrade_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upgrading is one transaction."""
    test_a_home_of_the_first_version_is_upgraded_after_a_copy(tmp_path)
    path = tmp_path / "catalog.db"
    (tmp_path / "catalog.v1.db").replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(f"catalog.db{suffix}").unlink(missing_ok=True)
    broken = {1: f"{catalog._UPGRADES[1]};\nSELECT * FROM nowhere"}
    monkeypatch.setattr(catalog, "_UPGRADES", broken)
    with pytest.raises(KhazriError):
        Store(tmp_path)
    monkeypatch.undo()
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'rebuilds'").fetchone()
    db.close()
    Store(tmp_path).close()


def test_keys_do_not_depend_on_the_model() -> None:
    """The key of a passage is that of its text, so that a change of model finds it."""
    assert text_key("a") == text_key("a") != text_key("b")


def test_a_home_of_before_is_told_its_languages(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text(
        "Die Häuser am Hafen wurden im vorigen Jahrhundert für die Arbeiter der Werft gebaut."
    )
    home = Home(tmp_path / "home")
    home.index([tmp_path / "files"], quiet)
    with home.store.catalog.write() as db:
        db.execute("UPDATE documents SET language = NULL")
        db.execute("UPDATE documents SET seal = ?", [seal(db, 1)])
        db.execute("UPDATE state SET analyzer = 'english-4'")
    assert home.outgrown
    home.renew(quiet)
    assert not home.outgrown
    with home.store.snapshot() as snapshot:
        assert snapshot.languages == ("de",)
        assert snapshot.keyword(terms("Haus", snapshot.languages), None)[1] == 1
        assert snapshot.fetch([1])[0].document.language == "de"
    home.close()
