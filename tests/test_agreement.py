"""Whether two answers say the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.agreement import agree


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("4.58 million", "4.62 million", False),
        ("4.62 million", "4.62 million passengers", True),
        ("40,000", "40000", True),
        ("12.50 euros", "€12.5", True),
        ("1978", "in 1978", True),
        ("28 April 2016", "28 April", True),
        ("28 April 2016", "29 April 2016", False),
        ("Vladimir Dorokhin", "Dorokhin", True),
        ("Vladimir Dorokhin", "the ambassador of Belarus", False),
        ("the harbour", "Harbours", True),
        ("12 crowns", "12 euros", False),
        ("12 crowns", "12", True),
        ("3,40", "3.40", True),
        ("12,5 million", "12.5 million", True),
        ("110 thousand", "110,000", True),
        ("two ships", "2", True),
        ("Monday", "Tuesday", False),
        ("4.62 million", "the highest figure", False),
        ("the", "The", True),
        ("", "Monday", False),
    ],
)
def test_answers_agree_or_not(one: str, other: str, same: bool) -> None:
    assert agree(one, other) is same


@given(st.text(), st.text())
def test_agreement_is_mutual(one: str, other: str) -> None:
    assert agree(one, other) == agree(other, one)
