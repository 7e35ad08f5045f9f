"""The figures of an evaluation, by arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.figures import auc, calibration_error, ndcg


@given(st.lists(st.booleans(), max_size=15), st.integers(0, 5))
def test_ndcg_lies_between_nothing_and_perfection(hits: list[bool], more: int) -> None:
    wanted = sum(hits) + more
    if wanted:
        assert 0 <= ndcg(hits, wanted) <= 1
        best = [True] * wanted
        assert ndcg(best, wanted) == pytest.approx(1)
        assert ndcg(hits, wanted) == 0 or any(hits[:10])


def test_ndcg_is_the_sum_that_the_books_give() -> None:
    assert ndcg([False, True], 1) == pytest.approx(1 / math.log2(3))
    ideal = 1 + 1 / math.log2(3)
    assert ndcg([True, False, True], 2) == pytest.approx((1 + 1 / math.log2(4)) / ideal)
    assert ndcg([False] * 10 + [True], 1) == 0


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))))
def test_auc_is_the_share_of_pairs_in_order(told: list[tuple[bool, float]]) -> None:
    truth = np.array([true for true, _ in told], bool)
    sure = np.array([value for _, value in told])
    pairs = [(a > b) + (a == b) / 2 for a in sure[truth] for b in sure[~truth]]
    if pairs:
        assert auc(truth, sure) == pytest.approx(np.mean(pairs))
    else:
        assert math.isnan(auc(truth, sure))


def test_the_calibration_error_weighs_the_gap_of_each_bin() -> None:
    truth, told = np.array([1, 0, 1, 1]), np.array([0.52, 0.58, 1.0, 0.98])
    assert calibration_error(truth, told) == pytest.approx(
        (abs(1 / 2 - 0.55) * 2 + abs(1 - 0.99) * 2) / 4
    )
    assert calibration_error(np.array([1, 0]), np.array([1.0, 0.0])) == 0
    assert math.isnan(calibration_error(np.array([]), np.array([])))
