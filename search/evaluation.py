"""Evaluation: questions are asked, and what comes is held against what should."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from search.engine import Engine
from search.figures import Numbers, auc, calibration_error, ndcg, success
from search.judgements import Judgement, names
from search.results import Result

TOP = 10  # places of a ranking that count
DEEP = 60  # passages that are looked at to find as many documents


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one question. ``hits`` tells which places of the ranking are right.

    A ranking is of documents, each at its best passage, where documents should be found, else of
    passages. ``quoted`` tells if the first quote holds the answer; None where none is known.
    """

    judgement: Judgement
    hits: tuple[bool, ...]
    answered: bool
    confidence: float
    right: bool
    quoted: bool | None
    first: str
    quote: str

    @property
    def ndcg(self) -> float:
        """nDCG@10 of the ranking."""
        return gain(self.judgement, self.hits)

    @property
    def fault(self) -> str:
        """What is wrong, in words; empty where nothing is."""
        if not self.judgement.found:
            return "answered, and nothing should be found" if self.answered else ""
        if not self.answered:
            return "not answered"
        if not self.right:
            return "something else is quoted"
        return "" if success(self.hits, 5) else "not among the first five"

    @property
    def sureness(self) -> float:
        """How sure the engine was of what it did."""
        return self.confidence if self.answered else 1 - self.confidence


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of quality: what each question gives to it (None: nothing), and its value.

    Whether a question gives something depends on what is expected of it alone, so that two
    evaluations of the same questions can be compared one by one. ``value`` takes an array of
    shape ``(questions, what each gives)``.
    """

    name: str
    of: Callable[[Outcome], tuple[float, ...] | None]
    value: Callable[[Numbers], float]

    def rows(self, outcomes: Iterable[Outcome]) -> Numbers:
        """What the questions give, one a row."""
        given = [row for one in outcomes if (row := self.of(one)) is not None]
        return np.array(given) if given else np.empty((0, 2))


def _mean(rows: Numbers) -> float:
    return float(rows[:, 0].mean()) if len(rows) else math.nan


def _if_found(value: Callable[[Outcome], float]) -> Callable[[Outcome], tuple[float] | None]:
    return lambda one: (value(one),) if one.judgement.found else None


def _sure(one: Outcome) -> tuple[float, float]:
    return float(one.judgement.found), one.confidence


FIGURES = (
    Figure("nDCG@10", _if_found(lambda one: one.ndcg), _mean),
    Figure("success@1", _if_found(lambda one: success(one.hits, 1)), _mean),
    Figure("success@5", _if_found(lambda one: success(one.hits, 5)), _mean),
    Figure("answer in quote", lambda o: None if o.quoted is None else (float(o.quoted),), _mean),
    Figure("answered", _if_found(lambda one: float(one.answered)), _mean),
    Figure("refused", lambda o: None if o.judgement.found else (float(not o.answered),), _mean),
    Figure("AUC", _sure, lambda rows: auc(rows[:, 0] > 0, rows[:, 1])),
    Figure("calibration error", _sure, lambda rows: calibration_error(rows[:, 0], rows[:, 1])),
)


def evaluate(engine: Engine, judgements: Iterable[Judgement]) -> list[Outcome]:
    """Ask each question. Raises ``KhazriError`` like the engine."""
    return [_asked(engine, judged) for judged in judgements]


def figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """All figures by name; NaN where there is no question to take one over."""
    return {figure.name: figure.value(figure.rows(outcomes)) for figure in FIGURES}


def failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """What went wrong, the most confident first."""
    return sorted((one for one in outcomes if one.fault), key=lambda one: -one.sureness)


def gain(judged: Judgement, right: Sequence[bool]) -> float:
    """nDCG@10 of a ranking, of which ``right`` tells what ``hits`` does."""
    return ndcg(right, len(judged.documents) or 1, TOP)


def deep(judged: Judgement) -> int:
    """How many passages to look at."""
    return DEEP if judged.documents else TOP


def hits(judged: Judgement, results: Sequence[Result]) -> tuple[bool, ...]:
    """Which places of the ranking are right; what was met above is not met again."""
    if judged.documents:
        left = list(judged.documents)
        found = []
        for document in {r.passage.document.id: r.passage.document for r in results}.values():
            name = next((name for name in left if names(name, document)), None)
            found.append(name is not None)
            if name is not None:
                left.remove(name)
        return tuple(found)
    right = [judged.found and judged.relevant(result.passage) for result in results]
    first = right.index(True) if any(right) else -1
    return tuple(place == first for place in range(len(right)))


def _asked(engine: Engine, judged: Judgement) -> Outcome:
    found = engine.search(
        judged.question, filter=judged.filter, limit=deep(judged), read=True
    ).results
    answer = engine.answer(judged.question, filter=judged.filter)
    cited = answer.citations[0] if answer.citations else None
    quoted = bool(cited and judged.holding(cited.quote)) if judged.answers else None
    right = quoted if quoted is not None else bool(cited and judged.relevant(cited.passage))
    return Outcome(
        judged,
        hits(judged, found),
        answer.answered,
        answer.confidence,
        judged.found and right,
        quoted,
        found[0].passage.document.title if found else "",
        cited.quote if cited else "",
    )
