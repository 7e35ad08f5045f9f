"""Merging: many segments become one, and nothing else changes."""

from __future__ import annotations

import sqlite3

import pytest
from conftest import CheapEncoder, commit, drafted
from storing import found, texts, vector

from index import store as store_module
from index.changes import Changes
from index.keyword import terms
from index.store import FANOUT, Store
from index.values import Filter

MODEL = CheapEncoder.identity


def test_few_segments_are_left_as_they_are(store: Store) -> None:
    for n in range(FANOUT - 1):
        commit(store, drafted(f"{n}", "herring"))
    assert not store.merge()


def test_many_segments_become_one_and_nothing_else_changes(store: Store) -> None:
    for n in range(FANOUT):
        commit(store, drafted(f"{n}", f"herring number{n}", f"cod {n}", headings=["Fish"]))
    commit(store, drafted("3", "plaice"))
    asked = terms("herring number5 fish")
    with store.snapshot() as before:
        ids = [hit.passage_id for hit in before.keyword(asked, None)[0]]
        near = before.semantic(vector("herring"), None)
        passages = before.fetch(ids)
    assert store.merge()
    assert not store.merge()
    with store.snapshot() as after:
        assert after.generation == FANOUT + 2
        hits, _ = after.keyword(asked, None)
        assert sorted(h.passage_id for h in hits) == sorted(ids)
        assert after.semantic(vector("herring"), None) == near
        assert after.fetch(ids) == passages
        assert after.select(Filter(phrases=("herring number5",))).count == 1
    with sqlite3.connect(store.home / "catalog.db") as db:
        assert db.execute("SELECT count(*) FROM segments").fetchone()[0] == 1
    db.close()


def test_merging_what_was_all_removed(store: Store) -> None:
    for n in range(FANOUT):
        commit(store, drafted(f"{n}", f"herring {n}"))
    store.apply(Changes(removals=range(1, FANOUT + 1)), MODEL)
    assert store.merge()
    assert found(store, "herring") == []
    commit(store, drafted("new", "herring"))
    assert texts(store, "herring") == ["herring"]


def test_what_is_removed_during_a_merge_stays_removed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(FANOUT):
        commit(store, drafted(f"{n}", f"herring {n}"))
    build = store_module.build

    def slow(*arguments):
        monkeypatch.setattr(store_module, "build", build)
        commit(store, drafted("0", "cod"))
        store.apply(Changes(removals=[2]), MODEL)
        return build(*arguments)

    monkeypatch.setattr(store_module, "build", slow)
    assert store.merge()
    assert texts(store, "herring") == [f"herring {n}" for n in range(2, FANOUT)]
    assert texts(store, "cod") == ["cod"]


def test_an_old_snapshot_outlives_a_merge(store: Store) -> None:
    for n in range(FANOUT):
        commit(store, drafted(f"{n}", f"herring {n}"))
    other = Store(store.home)  # has opened nothing yet
    with store.snapshot() as old, other.snapshot() as theirs:
        store.apply(Changes(removals=[1]), MODEL)
        store.merge()
        commit(store, drafted("x", "herring x"))
        for snapshot in (old, theirs):
            hits, total = snapshot.keyword(terms("herring"), None)
            assert total == FANOUT
            assert len(snapshot.fetch([h.passage_id for h in hits])) == FANOUT
            assert snapshot.select(Filter(phrases=("herring 0",))).count == 1
    assert len(found(other, "herring")) == FANOUT
    other.close()
