"""The best passages by BM25, without adding up what can't matter: MaxScore, a stretch at a time.

The passages of all segments stand in one row, which is looked at in stretches. The first is added
up whole. From then on the ``k``-th best score so far is the floor: the terms of least weight that
can't reach it even together are left out, the others are added up, and the few passages that may
still reach the floor are looked up in the terms that were left out. So the frequent terms, which
own most postings, are hardly touched in a large collection.

Each score is the same sum in the same order however it comes about, so that nothing but time
depends on what is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from index.postings import Floats, Ints, Part, Run, Statistics
from index.values import Hit

STRETCH = 1 << 17  # passages whose scores are added up at a time: a megabyte of them
LOOKUP = 8  # postings that are added up in the time that one passage is looked up
_LEAST = 5e-324  # no score is lower, but that of a passage which holds none of the terms
_SLACK = 1e-9  # for bounds, which are sums in another order than scores

Mask = npt.NDArray[np.bool_]


def rank(
    statistics: Statistics, masks: Sequence[Mask | None], terms: Sequence[str], k: int | None
) -> list[Hit]:
    """The ``k`` best (None: all) of the passages in ``masks`` that hold any of the terms."""
    runs = statistics.runs(terms)
    places, scores, floor = np.zeros(0, np.int64), np.zeros(0), _LEAST
    for start in range(0, statistics.passages, STRETCH):
        stretch = Stretch(statistics, masks, start, min(start + STRETCH, statistics.passages))
        found, sums = stretch.reaching(floor, runs)
        places, scores = np.concatenate([places, found + start]), np.concatenate([scores, sums])
        if k is not None and len(scores) > k:
            floor = float(np.partition(scores, -k)[-k])
            kept = scores >= floor  # all that tie with the last one, so that ids decide below
            places, scores = places[kept], scores[kept]
    ids = statistics.ids(places)
    order = np.lexsort((ids, -scores))[:k]
    return list(map(Hit, ids[order].tolist(), scores[order].tolist()))


def count(statistics: Statistics, masks: Sequence[Mask | None], terms: Sequence[str]) -> int:
    """How many of the passages in ``masks`` hold any of the terms."""
    runs = statistics.runs(terms)
    found = 0
    for i, (segment, mask) in enumerate(zip(statistics.segments, masks, strict=True)):
        holding = np.zeros(len(segment), bool)
        for run in runs:
            if part := run.parts[i]:
                holding[part.docs] = True
        found += int(np.count_nonzero(holding if mask is None else holding & mask))
    return found


@dataclass(frozen=True, slots=True)
class Stretch:
    """The passages from place ``start`` to ``stop`` in the row of all; they count from 0 here."""

    statistics: Statistics
    masks: Sequence[Mask | None]
    start: int
    stop: int

    def reaching(self, floor: float, runs: Sequence[Run]) -> tuple[Ints, Floats]:
        """The passages whose scores reach ``floor``, ascending, and these scores.

        ``runs`` are in the order of the sum, the weightiest first.
        """
        floor *= 1 - _SLACK
        # What the runs from each on can add to a score at most.
        rests = [*accumulate((run.bound for run in reversed(runs)), initial=0.0)][::-1]
        added = next(i for i, rest in enumerate(rests) if rest < floor)
        mask = self._mask()
        held = None if mask is None else np.flatnonzero(mask)
        if held is not None and LOOKUP * len(held) * len(runs) < sum(run.count for run in runs):
            added, numbers, scores = 0, held, np.zeros(len(held))
        else:
            sums = self._sums(runs[:added])
            numbers = np.flatnonzero(sums >= floor - rests[added])
            if mask is not None:
                numbers = numbers[mask[numbers]]
            scores = sums[numbers]
        for run, rest in zip(runs[added:], rests[added + 1 :], strict=True):
            self._look_up(run, numbers, scores)
            kept = scores >= floor - rest
            numbers, scores = numbers[kept], scores[kept]
        return numbers, scores

    def _sums(self, runs: Sequence[Run]) -> Floats:
        """The scores of all passages by some runs alone."""
        parts = [(run, base, part) for run in runs for base, part in self._parts(run)]
        if not parts:
            return np.zeros(self.stop - self.start)
        sizes = [len(part.docs) for _, _, part in parts]
        shifts = np.array([base - self.start for _, base, _ in parts], np.int64).astype(np.uint32)
        docs = np.concatenate([part.docs for _, _, part in parts]) + np.repeat(shifts, sizes)
        fields = np.repeat(np.array([run.field << 16 for run, _, _ in parts], np.uint32), sizes)
        codes = np.concatenate([part.codes for _, _, part in parts]) + fields
        idfs = np.repeat([run.idf for run, _, _ in parts], sizes)
        weights = idfs * self.statistics.weights.take(codes, mode="clip")
        return np.bincount(docs, weights, self.stop - self.start).astype(np.float64, copy=False)

    def _look_up(self, run: Run, numbers: Ints, scores: Floats) -> None:
        """Add to the scores of some passages what a run says of them."""
        for base, part in self._parts(run):
            sought = numbers + (self.start - base)
            hits, codes = part.look_up(sought)
            scores[hits] += run.idf * self.statistics.of(run.field, codes)

    def _parts(self, run: Run) -> Iterator[tuple[int, Part]]:
        """The postings of a run within the stretch, by segment; and the segment's first place."""
        for base, segment, part in zip(
            self.statistics.bases, self.statistics.segments, run.parts, strict=True
        ):
            first, last = self.start - base, self.stop - base
            if part is None or last <= 0 or first >= len(segment):
                continue
            if first > 0 or last < len(segment):
                part = part.between(max(first, 0), min(last, len(segment)))
            if len(part.docs):
                yield base, part

    def _mask(self) -> Mask | None:
        """Which passages count; None: all."""
        parts = []
        for base, segment, mask in zip(
            self.statistics.bases, self.statistics.segments, self.masks, strict=True
        ):
            first, last = max(self.start - base, 0), min(self.stop - base, len(segment))
            if first < last:
                parts.append((last - first, None if mask is None else mask[first:last]))
        if all(mask is None for _, mask in parts):
            return None
        return np.concatenate([np.ones(n, bool) if mask is None else mask for n, mask in parts])
