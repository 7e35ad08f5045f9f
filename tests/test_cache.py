"""A question that was asked before is answered from memory, until the collection changes."""

from __future__ import annotations

import pytest
from conftest import CheapEncoder
from hypothesis import given
from hypothesis import strategies as st

from index.documents import Given
from index.indexer import Indexer
from index.store import Store
from search.cache import Cache
from search.engine import Engine


@pytest.fixture
def keeping(store: Store, indexer: Indexer) -> Engine:
    """An engine that keeps replies, over one document."""
    indexer.add([Given("otters", "The wardens counted 47 otters in the Reed Lake.")])
    return Engine(store, CheapEncoder(), cache=10)


def test_a_reply_is_given_again_as_it_was(keeping: Engine) -> None:
    for ask in (keeping.search, keeping.answer):
        first, second = ask("otters in the lake"), ask("otters in the lake")
        assert first.results == second.results
        assert first.generation == second.generation
    assert (keeping.cache.hits, keeping.cache.misses) == (2, 2)


def test_what_is_asked_otherwise_is_found_anew(keeping: Engine) -> None:
    keeping.search("otters")
    keeping.search("otters", limit=3)
    keeping.search("otters", mode="keyword")
    keeping.search("otters", filter="type:pdf")
    keeping.answer("otters")
    assert keeping.cache.hits == 0


def test_a_new_generation_empties_it(keeping: Engine, indexer: Indexer) -> None:
    assert len(keeping.search("otters").results) == 1
    indexer.add([Given("more", "Seven more otters came to the Reed Lake in May.")])
    found = keeping.search("otters")
    assert len(found.results) == 2
    with keeping.store.snapshot() as snapshot:
        assert found.generation == snapshot.generation
    assert keeping.cache.hits == 0


def test_an_engine_keeps_nothing_unless_told(keeping: Engine) -> None:
    plain = Engine(keeping.store, CheapEncoder())
    plain.search("otters")
    plain.search("otters")
    assert (plain.cache.hits, plain.cache.misses) == (0, 0)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=60), st.integers(1, 4))
def test_it_never_gives_a_reply_of_another_generation_and_stays_small(
    steps: list[tuple[int, int]], size: int
) -> None:
    cache = Cache(size)
    for generation, key in steps:
        found = cache.get(generation, key)
        assert found in (None, (generation, key))
        cache.put(generation, key, (generation, key))
        assert len(cache._kept) <= size
