"""The vectors of one segment: half-precision rows, compared with a question's vector.

A few ten thousand rows are compared exactly, each with two bytes a dimension. Beyond that the
codes of large segments propose rows, and these are compared exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numkong
import numpy as np
import numpy.typing as npt

from index import codes
from index.codes import Codes
from index.compute import beside

EXACT = 32_768  # rows up to which each is compared: a millisecond
DEPTH, LEAST = 4, 1_000  # times as many rows as are wanted, or so many, are proposed by codes
SOME = 256  # rows that each segment is asked for at least
ALONE = 1 << 17  # rows whose codes one thread looks through: a millisecond
SPARSE = 3  # rows picked out one by one cost this many times what they cost in a row

Half = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The opened vectors of one segment: ``rows[i]`` is the unit vector of passage ``ids[i]``.

    ``rows`` has shape ``(passages, dimensions)``; ``ids`` ascend. Small segments, and those of an
    older Khazri, have no codes.
    """

    ids: Ints
    rows: Half
    codes: Codes | None = None

    @classmethod
    def of(cls, stored: Mapping[str, npt.NDArray[Any]]) -> Vectors:
        """What ``arrays_of`` gave. Raises ``KeyError`` where something is missing."""
        short = Codes(stored["codes"], stored["centroids"]) if "codes" in stored else None
        return cls(stored["ids"], stored["rows"], short)

    def __len__(self) -> int:
        return len(self.ids)

    def scores(self, vector: npt.NDArray[Any], numbers: Ints | None = None) -> Scores:
        """The cosine of rows (None: all) with a unit ``vector``, exactly."""
        if numbers is None:
            return cosines(vector, self.rows)
        if len(numbers) * SPARSE > len(self):
            return cosines(vector, self.rows)[numbers]
        return cosines(vector, self.rows[numbers])


Part = tuple[Vectors, Mask | None]
Proposed = tuple[Ints, npt.NDArray[np.float32]]  # rows of a segment, and estimates of their cosines


def cosines(vector: npt.NDArray[Any], rows: Half) -> Scores:
    """Dot products of a unit vector with unit rows, accumulated in single precision."""
    if not len(rows):
        return np.empty(0)
    one = np.ascontiguousarray(vector, np.float16)[None]
    return np.asarray(numkong.cdist(one, rows, "dot"), np.float64).reshape(-1)


def arrays_of(ids: npt.NDArray[Any], rows: Half) -> dict[str, npt.NDArray[Any]]:
    """What a segment stores of its vectors."""
    return {"ids": ids, "rows": rows, **codes.encode(rows)}


def gathered(parts: Sequence[Half], places: Ints) -> Half:
    """The rows at ``places`` of all parts one after the other, copied once."""
    rows = np.empty((len(places), parts[0].shape[1]), np.float16)
    start = 0
    for part in parts:
        here = (start <= places) & (places < start + len(part))
        rows[here] = part[places[here] - start]
        start += len(part)
    return rows


def nearest(parts: Sequence[Part], vector: npt.NDArray[Any], k: int | None) -> tuple[Ints, Scores]:
    """The ``k`` passages (None: all) with the highest cosines, and these; ties by passage id.

    ``parts`` are segments, each with a mask of the rows that count (None: all). Up to ``EXACT``
    such rows, all are compared; beyond that, those of small segments and the proposed ones.
    """
    counts = [len(v) if mask is None else int(np.count_nonzero(mask)) for v, mask in parts]
    if k is None or sum(counts) <= EXACT or not codes.available():
        chosen = [_standing(mask) for _, mask in parts]
    else:
        chosen = _proposed(parts, counts, vector, max(k * DEPTH, LEAST))
    ids, scores = [np.empty(0, np.int64)], [np.empty(0)]
    for (vectors, _), numbers in zip(parts, chosen, strict=True):
        ids.append(vectors.ids if numbers is None else vectors.ids[numbers])
        scores.append(vectors.scores(vector, numbers))
    return _highest(np.concatenate(ids), np.concatenate(scores), k)


def _standing(mask: Mask | None) -> Ints | None:
    return None if mask is None else np.flatnonzero(mask)


def _proposed(
    parts: Sequence[Part], counts: Sequence[int], vector: npt.NDArray[Any], most: int
) -> list[Ints | None]:
    """The rows of each segment to compare: of all that have codes, the ``most`` best by these.

    A segment is asked for twice its share of them, and for all where even the last of those counts.
    """
    coded = {n: short for n, (vectors, _) in enumerate(parts) if (short := vectors.codes)}
    wanted = {n: min(most, 2 * most * counts[n] // sum(counts) + SOME) for n in coded}
    found: dict[int, Proposed] = {}
    floor = -np.inf
    while wanted:
        found |= _searched(parts, coded, vector, wanted)
        floor = _least(np.concatenate([estimates for _, estimates in found.values()]), most)
        wanted = {
            n: most
            for n, limit in wanted.items()
            if limit < most and len(found[n][1]) == limit and found[n][1].min() >= floor
        }
    return [
        np.sort(found[n][0][found[n][1] >= floor]) if n in found else _standing(mask)
        for n, (_, mask) in enumerate(parts)
    ]


def _searched(
    parts: Sequence[Part],
    coded: Mapping[int, Codes],
    vector: npt.NDArray[Any],
    wanted: Mapping[int, int],
) -> dict[int, Proposed]:
    """What the codes of some segments propose, so many of each; of many rows in two threads."""

    def search(numbers: Sequence[int]) -> dict[int, Proposed]:
        return {n: coded[n].nearest(vector, wanted[n], parts[n][1]) for n in numbers}

    sizes = {n: len(parts[n][0]) for n in wanted}
    if len(sizes) == 1 or sum(sizes.values()) < ALONE:
        return search(list(sizes))
    sides: tuple[list[int], list[int]] = [], []
    for n in sorted(sizes, key=lambda n: -sizes[n]):  # each to the side that has less so far
        min(sides, key=lambda side: sum(sizes[n] for n in side)).append(n)
    one, other = beside(*(partial(search, side) for side in sides))
    return one | other


def _least(scores: npt.NDArray[Any], k: int) -> float:
    """The ``k``-th highest score; below all where there are fewer."""
    place = len(scores) - k
    return float(np.partition(scores, place)[place]) if place >= 0 else -np.inf


def _highest(ids: Ints, scores: Scores, k: int | None) -> tuple[Ints, Scores]:
    """The ``k`` highest scores in their order; ties by passage id."""
    if k is not None and len(scores) > k:
        kept = np.flatnonzero(scores >= _least(scores, k))  # ties are decided below
        ids, scores = ids[kept], scores[kept]
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
