"""The candidates of a question: what each leg says of them, and the order made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from index.snapshot import Snapshot
from index.values import Hit
from search.reader import Reading
from search.results import Rank


@dataclass(frozen=True, slots=True)
class Leg:
    """What a leg says of candidates: scores by passage id, and the places of those it proposed."""

    scores: Mapping[int, float]
    places: Mapping[int, int]

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> Leg:
        """A leg that proposes these, best first."""
        places = {hit.passage_id: place for place, hit in enumerate(hits, 1)}
        return cls({hit.passage_id: hit.score for hit in hits}, places)

    def more(self, scores: Mapping[int, float]) -> Leg:
        """The same, with the scores of candidates that it has not proposed."""
        return Leg({**self.scores, **scores}, self.places)

    def rank(self, id: int) -> Rank | None:
        """What it says of a candidate, if anything."""
        return Rank(self.places.get(id), self.scores[id]) if id in self.scores else None


NONE = Leg({}, {})


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates in their final order: passage ids, scores, and what each leg said of them."""

    ids: tuple[int, ...]
    scores: tuple[float, ...]
    keyword: Leg
    semantic: Leg
    total: int
    readings: tuple[Reading, ...] = ()  # of the first, in their order


def columns(hits: Sequence[Hit]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The ids and the scores of hits."""
    return tuple(hit.passage_id for hit in hits), tuple(hit.score for hit in hits)


def column(values: Mapping[int, float], ids: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The value of each id; 0 where there is none."""
    return np.array([values.get(id, 0.0) for id in ids.tolist()])


def by_date(snapshot: Snapshot, ranked: Ranked) -> Ranked:
    """The same candidates, newest first; undated ones last; ties in the order they had."""
    dates = snapshot.dates(ranked.ids)
    order = sorted(range(len(ranked.ids)), key=lambda i: dates[i] or "", reverse=True)
    return replace(
        ranked,
        ids=tuple(ranked.ids[i] for i in order),
        scores=tuple(ranked.scores[i] for i in order),
    )
