"""Comparison: the same questions under two settings, and whether they differ by more than noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from index.errors import KhazriError
from index.settings import Settings, parse, typed
from search.evaluation import FIGURES, Outcome
from search.figures import Numbers

CHOSEN = ("fusion", "semantic_weight", "reader", "read", "threshold")  # what search is set by
FEWEST = 10  # questions from which a difference can be told from noise
RESAMPLES = 2000
SEED = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """Second less first, its 95% interval, and over how many questions."""

    value: float
    low: float
    high: float
    questions: int

    @property
    def real(self) -> bool:
        """Whether it is more than noise."""
        return self.questions >= FEWEST and (self.low > 0 or self.high < 0)


def compare(first: Sequence[Outcome], second: Sequence[Outcome]) -> dict[str, Difference]:
    """The difference in every figure between two evaluations of the same questions."""
    return {f.name: paired(f.rows(first), f.rows(second), f.value) for f in FIGURES}


def paired(first: Numbers, second: Numbers, value: Callable[[Numbers], float]) -> Difference:
    """A paired bootstrap over questions (Efron and Tibshirani, 1993, chapter 13).

    Row for row both are of the same question; ``value`` makes one figure of rows, or NaN.
    """
    count = len(first)
    told = value(second) - value(first)
    chance = np.random.default_rng(SEED)
    drawn = np.array(
        [
            value(second[rows]) - value(first[rows])
            for rows in chance.integers(max(count, 1), size=(RESAMPLES, count))
        ]
    )
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return Difference(told, float(low), float(high), count)


def changed(settings: Settings, given: Sequence[str]) -> Settings:
    """Settings with others for search, each given as ``name=value``. Raises ``KhazriError``."""
    values: dict[str, Any] = asdict(settings)
    for one in given:
        name, _, value = (part.strip() for part in one.partition("="))
        if name not in CHOSEN:
            raise KhazriError(
                f"'{one}' changes no setting of search. Write name=value, with one of these"
                f" names: {', '.join(CHOSEN)}."
            )
        values[name] = typed(name, value)
    return parse(values, "--against")
