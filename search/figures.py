"""Figures of quality: pure arithmetic over rankings and probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]

BINS = 10  # of the calibration error, equally wide


def ndcg(hits: Sequence[bool], wanted: int, k: int = 10) -> float:
    """Normalised discounted cumulative gain of a ranking (Järvelin and Kekäläinen, 2002).

    ``hits`` tells of each item, best first, whether it is one of the ``wanted``; each counts 1.
    """
    gained = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits[:k]) if hit)
    return gained / sum(1 / math.log2(place + 2) for place in range(min(wanted, k)))


def success(hits: Sequence[bool], k: int) -> float:
    """Whether any of the first ``k`` is wanted."""
    return float(any(hits[:k]))


def auc(truth: Numbers, told: Numbers) -> float:
    """The area under the ROC: how often a true one is told higher than a false one; ties half.

    A sum of ranks (Mann and Whitney, 1947). NaN where all are true, or none is.
    """
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return math.nan
    _, place, counts = np.unique(told, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # those that are equal share their mean rank
    total = float(ranks[place][truth].sum())
    return (total - positive * (positive + 1) / 2) / (positive * negative)


def calibration_error(truth: Numbers, told: Numbers) -> float:
    """The expected calibration error over ``BINS`` bins (Guo and others, 2017). NaN of none."""
    if not len(told):
        return math.nan
    bins = np.minimum((told * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, weights=truth.astype(float) - told, minlength=BINS)
    return float(np.abs(gap).sum() / len(told))
