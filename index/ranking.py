"""The best passages by BM25: the weights of a question's terms are added up and the highest taken.

The passages of all segments stand in one row, which is cut into stretches whose sums fit the
processor's cache. The ``k``-th best score so far is the floor: only what reaches it is looked at
again. Where a filter leaves few passages of a stretch, these are looked up in the postings instead
of adding up all. Either way a score is the same sum in the same order.

Leaving out frequent terms as MaxScore does was measured, and gains nothing here: the hundredth best
passage has about a quarter of what a question could score at most, so that little can be left out,
and looking up a passage takes as long as adding ten postings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.postings import Floats, Ints, Part, Run, Statistics
from index.values import Hit

STRETCH = 1 << 17  # passages whose scores are added up at a time: a megabyte of them
LONG = 1 << 11  # postings from which on those of a term are added up by themselves
LOOKUP = 10  # postings that are added up in the time that one passage is looked up
_LEAST = 1e-300  # below every score, but above that of a passage which holds none of the terms

Mask = npt.NDArray[np.bool_]


def rank(
    statistics: Statistics, masks: Sequence[Mask | None], runs: Sequence[Run], k: int | None
) -> list[Hit]:
    """The ``k`` best (None: all) of the passages in ``masks`` that stand in any of the runs."""
    places, scores, floor = np.zeros(0, np.int64), np.zeros(0), _LEAST
    for stretch in _stretches(statistics, masks, runs):
        found, sums = stretch.reaching(floor, k)
        places, scores = np.concatenate([places, found]), np.concatenate([scores, sums])
        if k and len(scores) > k:
            floor = float(np.partition(scores, -k)[-k])
            kept = scores >= floor  # all that tie with the last one, so that ids decide below
            places, scores = places[kept], scores[kept]
    ids = statistics.ids(places)
    order = np.lexsort((ids, -scores))[:k]
    return list(map(Hit, ids[order].tolist(), scores[order].tolist()))


def count(statistics: Statistics, masks: Sequence[Mask | None], runs: Sequence[Run]) -> int:
    """How many of the passages in ``masks`` stand in any of the runs."""
    found = 0
    for i, (segment, mask) in enumerate(zip(statistics.segments, masks, strict=True)):
        holding = np.zeros(len(segment), bool)
        for run in runs:
            if part := run.parts[i]:
                holding[part.docs] = True
        found += int(np.count_nonzero(holding if mask is None else holding & mask))
    return found


class Stretch:
    """Some passages that follow each other, counted from 0 here, and what they hold of the runs.

    ``start`` is the place of the first in the row of all.
    """

    def __init__(self, statistics: Statistics, start: int, stop: int) -> None:
        self.start, self._size = start, stop - start
        self._statistics = statistics
        self._held: list[tuple[Run, int, Part]] = []
        self._mask: Mask | None = None

    def hold(self, run: Run, shift: int, part: Part) -> None:
        """Take in postings of a run; document 0 of their segment would stand at ``shift``."""
        if len(part.docs):
            self._held.append((run, shift, part))

    def leave(self, first: int, mask: Mask) -> None:
        """Of the passages from ``first`` on, only those in ``mask`` count."""
        if self._mask is None:
            self._mask = np.ones(self._size, bool)
        self._mask[first : first + len(mask)] = mask

    def reaching(self, floor: float, k: int | None) -> tuple[Ints, Floats]:
        """Places and scores of passages: those of the ``k`` best here that reach ``floor``.

        There may be others with them.
        """
        sums, mask = np.zeros(self._size), self._mask
        if mask is not None and self._few(mask):
            numbers = np.flatnonzero(mask)
            self._look_up(sums, numbers)
            numbers = numbers[sums[numbers] >= floor]
        else:
            self._add_up(sums)
            reached = sums >= max(floor, self._floor(sums, k))
            numbers = np.flatnonzero(reached if mask is None else reached & mask)
        return numbers + self.start, sums[numbers]

    def _few(self, mask: Mask) -> bool:
        postings = sum(len(part.docs) for _, _, part in self._held)
        return LOOKUP * int(np.count_nonzero(mask)) * len(self._held) < postings

    def _look_up(self, sums: Floats, numbers: Ints) -> None:
        """Add up the scores of some passages alone."""
        for run, shift, part in self._held:
            hits, codes = part.look_up(numbers - shift)
            sums[numbers[hits]] += self._statistics.weigh(run, codes)

    def _add_up(self, sums: Floats) -> None:
        """Add up the scores of all passages."""
        short: list[tuple[Run, int, Part]] = []
        for run, shift, part in self._held:
            if len(part.docs) < LONG:
                short.append((run, shift, part))
                continue
            self._add_short(sums, short)
            short = []
            docs = part.docs + np.uint32(shift % (1 << 32))
            np.add.at(sums, docs, self._statistics.weigh(run, part.codes))
        self._add_short(sums, short)

    def _add_short(self, sums: Floats, held: Sequence[tuple[Run, int, Part]]) -> None:
        """Add several at once: a call for each would take longer than the adding."""
        if not held:
            return
        sizes = [len(part.docs) for _, _, part in held]
        shifts = np.array([shift for _, shift, _ in held]).astype(np.uint32)  # may wrap
        docs = np.concatenate([part.docs for _, _, part in held]) + np.repeat(shifts, sizes)
        fields = np.repeat(np.array([run.shift for run, _, _ in held], np.uint32), sizes)
        codes = np.concatenate([part.codes for _, _, part in held]) + fields
        weights = np.repeat([run.idf for run, _, _ in held], sizes)
        weights *= self._statistics.weights.take(codes, mode="clip")
        np.add.at(sums, docs, weights)

    def _floor(self, sums: Floats, k: int | None) -> float:
        """A score that ``k`` passages reach: the ``k``-th best of a rare term that so many hold."""
        enough = [each for each in self._held if k and len(each[2].docs) >= k]
        if not k or not enough:
            return _LEAST
        _, shift, part = max(enough, key=lambda each: each[0].idf)
        numbers = part.docs.astype(np.int64) + shift
        scores = sums[numbers if self._mask is None else numbers[self._mask[numbers]]]
        return float(np.partition(scores, -k)[-k]) if len(scores) >= k else _LEAST


def _stretches(
    statistics: Statistics, masks: Sequence[Mask | None], runs: Sequence[Run]
) -> Sequence[Stretch]:
    """The row of all passages in stretches."""
    edges = [*range(0, statistics.passages, STRETCH), statistics.passages]
    found = [Stretch(statistics, start, stop) for start, stop in pairwise(edges)]
    for i, (segment, base) in enumerate(zip(statistics.segments, statistics.bases, strict=True)):
        if not len(segment):
            continue
        within = found[bisect_right(edges, base) - 1 : bisect_right(edges, base + len(segment) - 1)]
        cuts = [stretch.start - base for stretch in within[1:]]
        if (mask := masks[i]) is not None:
            for stretch, (first, last) in zip(
                within, pairwise([0, *cuts, len(segment)]), strict=True
            ):
                stretch.leave(base + first - stretch.start, mask[first:last])
        for run in runs:
            if part := run.parts[i]:
                for stretch, piece in zip(within, part.cut(cuts), strict=True):
                    stretch.hold(run, base - stretch.start, piece)
    return found
