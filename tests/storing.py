"""What a store holds, asked in both legs."""

from __future__ import annotations

import numpy as np
from conftest import CheapEncoder

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
