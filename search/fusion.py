"""Two legs become one order. Pure functions over the scores of one question's candidates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

SEMANTIC = 0.8  # the weight of the semantic leg; measured by bench/quality.py
FOREIGN = 0.3  # at most that, of a question in a language that the model has not learnt
READER = 0.04  # what a passage gains for each log-odds of the reader; measured by bench/answers.py
SURE = 6.0  # log-odds beyond which it is as good as sure, either way
REACH = 0.15  # within which of the first a passage is read: of those that surely answer 97% are
NOTHING = -2.0  # log-odds: where no passage has more, as many again are read
SMOOTHING = 60  # of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)


def convex(keyword: npt.NDArray[Any], semantic: npt.NDArray[Any], weight: float) -> Scores:
    """A convex combination of the exact scores in both legs, each scaled to at most 1.

    Scaled from its theoretical minimum (BM25 0, cosine -1) by its maximum among the candidates
    (Bruch, Gai and Ingber, 2023). Both have shape ``(candidates,)``.
    """
    return weight * _scaled(semantic, -1.0) + (1 - weight) * _scaled(keyword, 0.0)


def _scaled(scores: npt.NDArray[Any], lowest: float) -> Scores:
    highest = float(scores.max(initial=lowest))
    if highest <= lowest:
        return np.zeros(len(scores))
    return np.asarray((scores - lowest) / (highest - lowest), np.float64)


def reciprocal_rank(*ranks: npt.NDArray[Any]) -> Scores:
    """Reciprocal rank fusion: the sum of ``1 / (60 + rank)``; a rank of 0 means not found."""
    total = np.zeros(len(ranks[0]))
    for leg in ranks:
        total += np.where(leg > 0, 1.0 / (SMOOTHING + np.maximum(leg, 1)), 0.0)
    return total


def answering(log_odds: npt.NDArray[Any], asks: bool) -> Scores:
    """What passages gain by the reader's log-odds that they answer: from 0 on.

    None loses, so that passages that were read stay above those that were not. A text that asks
    nothing has no answer to be pointed at, so there the reader counts for a third.
    """
    gain = READER * (np.clip(log_odds, -SURE, SURE) + SURE)
    return np.asarray(gain if asks else gain / 3, np.float64)
