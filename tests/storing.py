"""What a store holds, asked in both legs."""

from __future__ import annotations

import numpy as np
from conftest import CheapEncoder
from damage import words_found

from index.check import check
from index.home import Home
from index.indexer import Given
from index.keyword import terms
from index.store import Store
from index.values import Passage


def found(store: Store, word: str) -> list[Passage]:
    """The passages that hold a word, by both ways to them."""
    with store.snapshot() as snapshot:
        hits, total = snapshot.keyword(terms(word), None)
        assert total == len(hits)
        return snapshot.fetch([hit.passage_id for hit in hits])


def texts(store: Store, word: str) -> list[str]:
    return sorted(passage.text for passage in found(store, word))


def vector(text: str) -> np.ndarray:
    return CheapEncoder().encode([text])[0]


def add(home: Home, name: str, text: str) -> None:
    home.indexer.add([Given(name, text)])


def whole_but_note(home: Home) -> None:
    """Nothing is wrong with the home ``harbour``, whether or not its note is gone."""
    report = check(home)
    assert (report.catalog, report.derived) == ([], [])
    assert len(words_found(home.store, "herring")) == 4
