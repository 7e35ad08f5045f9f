"""What is done behind, while the next item is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.batches import behind


@given(st.lists(st.integers()))
def test_each_item_comes_with_its_result_in_order(items: list[int]) -> None:
    assert list(behind(lambda item: item * 2, items)) == [(item, item * 2) for item in items]


def test_the_next_item_is_made_meanwhile() -> None:
    made = Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    assert list(behind(lambda item: made.wait(10), items())) == [(1, True), (2, True)]


def test_after_a_failure_nothing_further_is_done() -> None:
    done = []

    def work(item: int) -> None:
        done.append(item)
        if item == 2:
            raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        list(behind(work, [1, 2, 3, 4]))
    assert done == [1, 2]


def test_what_is_under_way_is_waited_for_where_an_item_can_not_be_made() -> None:
    go, done = Event(), []

    def items() -> Iterator[int]:
        yield 1
        go.set()
        raise ValueError("no second")

    def work(item: int) -> None:
        assert go.wait(10)
        done.append(item)

    with pytest.raises(ValueError, match="no second"), closing(behind(work, items())) as results:
        next(results)
    assert done == [1]
