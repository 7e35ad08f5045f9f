"""Questions that come at once are encoded at once, and each caller gets their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Event, Thread, current_thread

import numpy as np
import pytest
from conftest import CheapEncoder

from index.bert import THREADS
from index.compute import begin, beside, compute, share
from index.embeddings import Half
from search.together import Together


class Held(CheapEncoder):
    """Keeps the first batch until it is let go, and counts batches; refuses one word."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self.go = Event(), Event()
        self.batches: list[int] = []

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        self.batches.append(len(texts))
        self.began.set()
        assert self.go.wait(10)
        if "forbidden" in texts:
            raise ValueError("no vector for this")
        return super().encode(texts)


def test_what_comes_while_a_batch_is_encoded_goes_together_in_the_next() -> None:
    encoder, together = Held(), Together()
    texts = [f"boat {number}" for number in range(20)]
    first = together.vector(encoder, texts[0])
    assert encoder.began.wait(10)
    others = [together.vector(encoder, text) for text in texts[1:]]
    encoder.go.set()
    rows = [one.result(10) for one in (first, *others)]
    assert encoder.batches[0] == 1
    assert sum(encoder.batches) == 20
    assert len(encoder.batches) <= THREADS + 1  # one that each thread took before it was let go
    assert np.array_equal(np.stack(rows), CheapEncoder().encode(texts))


def test_a_failure_reaches_who_waits_for_that_batch_and_nobody_else() -> None:
    encoder, together = Held(), Together()
    encoder.go.set()
    with pytest.raises(ValueError, match="no vector for this"):
        together.vector(encoder, "forbidden").result(10)
    assert together.vector(encoder, "allowed").result(10).shape == (CheapEncoder.dimensions,)


def test_each_model_encodes_its_own() -> None:
    one, other, together = CheapEncoder(), CheapEncoder(), Together()
    together.vector(one, "boat").result(10)
    together.vector(other, "net").result(10)
    assert (one.encoded, other.encoded) == (["boat"], ["net"])


def test_work_that_hands_in_work_does_not_wait_for_itself() -> None:
    assert compute(lambda: compute(lambda: 3)) == 3
    assert share([lambda: share([lambda: 3])]) == [[3]]
    assert share([lambda: compute(lambda: share([lambda: 3]))] * 20) == [[3]] * 20
    assert beside(lambda: beside(lambda: 1, lambda: 2), lambda: (3, 4)) == ((1, 2), (3, 4))


def test_two_things_are_done_in_two_threads_and_in_one_where_no_other_is_free() -> None:
    began, go = Event(), Event()
    here = current_thread()

    def begins() -> Thread:
        began.set()
        return current_thread()

    def after() -> Thread:
        assert began.wait(10)
        return current_thread()

    aside, mine = beside(begins, after)
    assert aside is not mine is here
    busy = [begin(lambda: go.wait(10)) for _ in range(THREADS)]
    try:
        assert beside(current_thread, current_thread) == (here, here)
    finally:
        go.set()
    assert all(one.result(10) for one in busy)


@pytest.mark.parametrize("failure", [ValueError("no room"), IndexError("no room")], ids=repr)
@pytest.mark.parametrize("at", [0, 1, 9])
def test_a_failure_of_a_shared_piece_is_told(failure: Exception, at: int) -> None:
    def breaks() -> int:
        raise failure

    pieces = [partial(int, number) for number in range(10)]
    assert share(pieces) == list(range(10))
    with pytest.raises(type(failure), match="no room"):
        share([*pieces[:at], breaks, *pieces[at:]])


def fails() -> int:
    raise ValueError("no room")


def test_a_failure_of_either_is_told() -> None:
    with pytest.raises(ValueError, match="no room"):
        beside(fails, lambda: 1)
    with pytest.raises(ValueError, match="no room"):
        beside(lambda: 1, fails)
