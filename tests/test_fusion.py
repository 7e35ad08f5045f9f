"""Fusion, by arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.fusion import convex, reciprocal_rank


def test_reciprocal_rank_adds_one_over_sixty_and_the_rank() -> None:
    fused = reciprocal_rank(np.array([1, 2, 0, 0]), np.array([2, 0, 1, 0]))
    assert fused.tolist() == pytest.approx([1 / 61 + 1 / 62, 1 / 62, 1 / 61, 0])


def test_reciprocal_rank_of_one_leg_keeps_its_order() -> None:
    fused = reciprocal_rank(np.array([3, 1, 2]))
    assert fused.tolist() == pytest.approx([1 / 63, 1 / 61, 1 / 62])


def test_convex_scales_from_the_lowest_possible_score_to_the_highest_found() -> None:
    keyword = np.array([8.0, 4.0, 0.0])  # from 0: 1, 1/2, 0
    semantic = np.array([-1.0, 0.2, 0.6])  # from -1: 0, 1.2/1.6, 1
    assert convex(keyword, semantic, 0.75).tolist() == pytest.approx(
        [0.25 * 1 + 0.75 * 0, 0.25 / 2 + 0.75 * 1.2 / 1.6, 0.25 * 0 + 0.75 * 1]
    )


@pytest.mark.parametrize(("weight", "expected"), [(0.0, [1.0, 0.5]), (1.0, [0.8, 1.0])])
def test_convex_with_all_weight_on_one_leg_is_that_leg(weight: float, expected: list) -> None:
    fused = convex(np.array([2.0, 1.0]), np.array([0.2, 0.5]), weight)
    assert fused.tolist() == pytest.approx(expected)


def test_a_leg_without_any_score_adds_nothing() -> None:
    assert convex(np.zeros(2), np.array([0.0, 1.0]), 0.5).tolist() == [0.25, 0.5]
    assert convex(np.zeros(2), np.array([-1.0, -1.0]), 0.5).tolist() == [0, 0]


def test_nothing_is_fused_to_nothing() -> None:
    assert convex(np.empty(0), np.empty(0), 0.5).tolist() == []
    assert reciprocal_rank(np.empty(0, int), np.empty(0, int)).tolist() == []


scores = st.floats(0, 50, allow_subnormal=False)
cosines = st.floats(-1, 1, allow_subnormal=False)


@given(st.lists(st.tuples(scores, cosines), min_size=1), st.floats(0, 1))
def test_convex_is_bounded_and_follows_who_leads_in_both_legs(pairs: list, weight: float) -> None:
    keyword, semantic = np.array(pairs).T
    fused = convex(keyword, semantic, weight)
    assert (fused >= 0).all()
    assert (fused <= 1 + 1e-9).all()
    for i, (k, s) in enumerate(pairs):
        behind = (keyword <= k) & (semantic <= s)
        assert (fused[behind] <= fused[i] + 1e-9).all()
