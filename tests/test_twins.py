"""The same text under two names: indexed once, found under both, and never lost with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import commit, drafted, quiet
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.changes import Changes
from index.check import check
from index.home import Home
from index.indexer import Indexer
from index.sources import add
from index.store import Store
from index.values import Filter
from search.engine import Engine

TEXT = "The herring quota is 28,500 tonnes this year."
OTHER = "The cod quota was left at 9,000 tonnes."


def found(engine: Engine, query: str = "quota", filter: str = "") -> list[str]:
    """The names of the documents whose passages are found, one for each passage."""
    results = engine.search(query, mode="keyword", filter=filter, limit=100).results
    return sorted(result.passage.document.uri for result in results)


def test_one_text_is_indexed_once_and_knows_its_names(store: Store, engine: Engine) -> None:
    commit(store, drafted("a", TEXT), drafted("b", TEXT), drafted("c", OTHER))
    commit(store, drafted("d", TEXT))
    assert found(engine) == ["a", "c"]
    with store.snapshot() as snapshot:
        (first,) = snapshot.fetch([1])
        assert first.document.also == ("b", "d")
        assert snapshot.count().passages == 2


def test_the_text_stays_when_the_name_it_was_indexed_under_goes(
    store: Store, engine: Engine
) -> None:
    commit(store, drafted("a", TEXT), drafted("b", TEXT))
    store.apply(Changes(removals=[1]), store.model)
    assert found(engine) == ["b"]
    store.apply(Changes(removals=[2]), store.model)
    assert found(engine) == []


def test_the_text_stays_when_its_document_changes(store: Store, engine: Engine) -> None:
    commit(store, drafted("a", TEXT), drafted("b", TEXT))
    commit(store, drafted("a", OTHER))
    assert found(engine) == ["a", "b"]
    commit(store, drafted("b", OTHER))
    assert found(engine) == ["a"]
    commit(store, drafted("a", TEXT), drafted("b", TEXT))
    assert found(engine) == ["a"]


def test_a_filter_finds_what_is_indexed_under_another_name(
    indexer: Indexer, store: Store, engine: Engine, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(TEXT)
        add(store, tmp_path / name)
    indexer.sync(quiet)
    assert len(found(engine)) == len(found(engine, filter="source:two")) == 1
    (tmp_path / "one" / "a.txt").write_text(OTHER)
    indexer.sync(quiet)
    assert [uri[-9:] for uri in found(engine, filter="source:one")] == ["one/a.txt"]
    assert [uri[-9:] for uri in found(engine, filter="source:two")] == ["two/a.txt"]


def test_one_text_under_two_titles_is_two(store: Store, engine: Engine) -> None:
    commit(store, drafted("1", "Yes.", title="Can I bring a dog?"))
    commit(store, drafted("2", "Yes.", title="Is parking free at the harbour?"))
    assert found(engine, "parking harbour") == ["2"]
    commit(store, drafted("3", "Yes.", title="Can I bring a dog?"))
    assert found(engine, "dog") == ["1"]


def test_a_title_stays_searchable_when_its_twin_gets_another(store: Store, engine: Engine) -> None:
    for uri in ("1", "2"):
        commit(store, drafted(uri, "Yes.", title="Can I bring a dog?"))
    commit(store, drafted("1", "Yes.", title="Is parking free at the harbour?"))
    assert found(engine, "dog") == ["2"]
    assert found(engine, "parking") == ["1"]


Step = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["", TEXT, OTHER, "Port."])),
    max_size=3,
    unique_by=lambda one: one[0],
)


@settings(max_examples=60)
@given(st.lists(Step, max_size=8))
@example([[("c", TEXT)], [("a", TEXT), ("b", TEXT), ("c", OTHER)]])
@example([[("a", TEXT), ("b", TEXT)], [("c", TEXT), ("a", TEXT)]])
def test_every_text_is_found_once_whatever_comes_and_goes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[str, str]]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    store = Store(home)
    held: dict[str, str] = {}
    for step in steps:
        with store.snapshot() as snapshot:
            ids = {d.uri: d.id for d in snapshot.documents(limit=9)[1]}
        stored = [drafted(name, text) for name, text in step if text]
        gone = [ids[name] for name, text in step if not text and name in held]
        if stored:
            commit(store, *stored)
        if gone:
            store.apply(Changes(removals=gone), store.model)
        held |= {draft.uri: draft.text for draft in stored}
        for name, text in step:
            if not text:
                held.pop(name, None)
    with store.snapshot() as snapshot:
        passages = snapshot.fetch(snapshot.selected(snapshot.select(Filter())))
        assert sorted(p.text for p in passages) == sorted(set(held.values()))
        assert all(held[p.document.uri] == p.text for p in passages)
    store.close()


def test_an_examination_finds_adopted_passages_in_order(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for name in ("a.txt", "b.txt"):
        (files / name).write_text(TEXT)
    home = Home(tmp_path / "home")
    home.index([files], quiet)
    home.indexer.remove(1)
    report = check(home, mend=False)
    assert (report.catalog, report.derived, report.passages) == ([], [], 1)
    home.close()
