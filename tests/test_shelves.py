"""A store through anything, in any order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from conftest import CheapEncoder, commit, drafted
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from storing import vector

from index import store as store_module
from index.changes import Changes, Move
from index.snapshot import Snapshot
from index.store import Store
from index.values import Filter

MODEL = CheapEncoder.identity


class Shelves(RuleBasedStateMachine):
    """Whatever is stored, replaced, removed, moved, merged and reopened: the model agrees."""

    names = st.sampled_from("abcdefgh")

    @initialize()
    def open(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(store_module, "FANOUT", 3)
        self.home = Path(mkdtemp())
        self.store = Store(self.home)
        self.count = 0
        self.model: dict[str, list[str]] = {}  # name: the words of its passages
        self.dead: set[str] = set()
        self.ids: dict[str, int] = {}  # word: the passage id it was first found with
        self.documents: dict[str, int] = {}
        self.held: list[tuple[Iterator, Snapshot, dict[str, int]]] = []

    def word(self) -> str:
        self.count += 1
        return f"rare{self.count}"

    @rule(put=st.dictionaries(names, st.integers(1, 3), min_size=1, max_size=4))
    def add(self, put: dict[str, int]) -> None:
        drafts = []
        for name, size in put.items():
            listed = [self.word() for _ in range(size)]
            self.dead.update(self.model.get(name, []))
            self.model[name] = listed
            drafts.append(drafted(name, *(f"common {word} ü😀" for word in listed), title=name))
        commit(self.store, *drafts)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), by_hand=st.booleans())
    def remove(self, data: st.DataObject, by_hand: bool) -> None:
        names = data.draw(st.sets(st.sampled_from(sorted(self.model)), min_size=1))
        self.store.apply(
            Changes(removals=[self.documents[name] for name in names], by_hand=by_hand), MODEL
        )
        for name in names:
            self.dead.update(self.model.pop(name))
            del self.documents[name]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), new=names)
    def move(self, data: st.DataObject, new: str) -> None:
        if new in self.model:
            return
        old = data.draw(st.sampled_from(sorted(self.model)))
        self.store.apply(Changes(moves=[Move(self.documents[old], new, 1, 1)]), MODEL)
        self.model[new] = self.model.pop(old)
        self.documents[new] = self.documents.pop(old)

    @rule()
    def merge(self) -> None:
        while self.store.merge():
            pass

    @precondition(lambda self: not self.held)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.home)

    @precondition(lambda self: len(self.held) < 2)
    @rule()
    def hold(self) -> None:
        manager = self.store.snapshot()
        alive = {word: self.ids[word] for words in self.model.values() for word in words}
        self.held.append((manager, manager.__enter__(), alive))

    @precondition(lambda self: self.held)
    @rule()
    def release(self) -> None:
        manager, _, _ = self.held.pop(0)
        manager.__exit__(None, None, None)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.snapshot() as snapshot:
            listed = {d.uri: d for d in snapshot.documents(limit=100)[1]}
            assert listed.keys() == self.model.keys()
            assert snapshot.count().passages == sum(map(len, self.model.values()))
            for name, words in self.model.items():
                document = listed[name]
                assert self.documents.setdefault(name, document.id) == document.id
                text, _ = snapshot.text(document.id)
                for word in words:
                    self._found_once(snapshot, word, document.id, text)
            for word in self.dead:
                assert snapshot.keyword([word], None) == ([], 0)
            self._legs_agree(snapshot, {self.ids[w] for ws in self.model.values() for w in ws})
        for _, old, alive in self.held:
            self._legs_agree(old, set(alive.values()))
            for word, id in alive.items():
                assert [h.passage_id for h in old.keyword([word], None)[0]] == [id]
                assert word in old.fetch([id])[0].text

    def _found_once(self, snapshot: Snapshot, word: str, document: int, text: str) -> None:
        (hit,), total = snapshot.keyword([word], None)
        assert total == 1
        if word not in self.ids:
            assert hit.passage_id not in self.ids.values(), "an id was used again"
            self.ids[word] = hit.passage_id
        assert hit.passage_id == self.ids[word]
        (passage,) = snapshot.fetch([hit.passage_id])
        assert passage.document.id == document
        assert text[passage.start : passage.end] == passage.text
        assert word in passage.text.split()

    def _legs_agree(self, snapshot: Snapshot, ids: set[int]) -> None:
        assert set(snapshot.selected(snapshot.select(Filter()))) == ids
        assert {h.passage_id for h in snapshot.semantic(vector("common"), None)} == ids
        assert {h.passage_id for h in snapshot.keyword(["common"], None)[0]} == ids

    def teardown(self) -> None:
        if hasattr(self, "store"):
            while self.held:
                self.release()
            self.store.close()
            shutil.rmtree(self.home)
            self.patch.undo()


TestShelves = Shelves.TestCase
TestShelves.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
