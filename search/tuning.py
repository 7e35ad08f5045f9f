"""Tuning: settings fitted to judgements by cross-validation, and whether the gain is real."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np

from index.errors import KhazriError
from index.settings import Settings
from search.comparison import FEWEST, SEED, Difference, paired
from search.engine import Engine
from search.evaluation import Outcome, deep, gain, hits
from search.figures import Numbers

FOLDS = 5
WEIGHTS = tuple(step / 20 for step in range(21))
THRESHOLDS = tuple(step / 100 for step in range(101))


@dataclass(frozen=True, slots=True)
class Tuning:
    """What fitting a setting came to.

    ``before`` is the figure of the present setting and ``after`` that of the fitted one, each
    question held out of its own fitting; ``proposed`` is fitted to all questions, and None where
    no other value is better than the present one.
    """

    setting: str
    figure: str
    before: float
    after: float
    gain: Difference
    proposed: float | None
    lines: tuple[str, ...]  # to write in khazri.toml, should it be taken

    @property
    def better(self) -> bool:
        """Whether the proposed value is better by more than noise."""
        return self.proposed is not None and self.gain.real and self.gain.value > 0


@dataclass(frozen=True, slots=True)
class Untuned:
    """A setting that these questions can't tell anything about, and why."""

    setting: str
    reason: str


def tune(
    engine: Engine, outcomes: Sequence[Outcome], settings: Settings
) -> tuple[Tuning | Untuned, ...]:
    """Fit the fusion weight and the threshold. Raises ``KhazriError`` for too few questions.

    ``outcomes`` are those of ``engine``, under ``settings``.
    """
    if len(outcomes) < FEWEST:
        raise KhazriError(
            f"Tuning needs at least {FEWEST} questions; the file holds {len(outcomes)}. Add some."
        )
    return _weight(engine, outcomes, settings), _threshold(outcomes)


def _weight(engine: Engine, outcomes: Sequence[Outcome], settings: Settings) -> Tuning | Untuned:
    """The semantic weight of the convex fusion, by nDCG@10 of the order before any reading."""
    sought = [one for one in outcomes if one.judgement.found]
    if len(sought) < FEWEST:
        return Untuned(
            "semantic_weight",
            f"it needs {FEWEST} questions with something to be found; there are {len(sought)}",
        )
    engines = [engine]
    for weight in WEIGHTS:
        other = copy(engine)  # shares the remembered vectors of questions
        other.fusion, other.weight = "convex", weight
        engines.append(other)
    values = np.array([[_ranked(one, outcome) for one in engines] for outcome in sought])
    switch = () if settings.fusion == "convex" else ('fusion = "convex"',)
    return _fitted(
        "semantic_weight", "nDCG@10 before reading", values, np.zeros(len(sought)), WEIGHTS, switch
    )


def _ranked(engine: Engine, outcome: Outcome) -> float:
    judged = outcome.judgement
    found = engine.search(judged.question, filter=judged.filter, limit=deep(judged))
    return gain(judged, hits(judged, found.results))


def _threshold(outcomes: Sequence[Outcome]) -> Tuning | Untuned:
    """The least probability of an answer, by balanced accuracy of answering and refusing."""
    found = np.array([one.judgement.found for one in outcomes])
    least = min(int(found.sum()), int((~found).sum()))
    if least < FOLDS:
        return Untuned(
            "threshold",
            f"it needs {FOLDS} questions with something to be found and {FOLDS} with nothing;"
            f" there are {int(found.sum())} and {int((~found).sum())}",
        )
    sure = np.array([one.confidence for one in outcomes])
    answered = [np.array([one.answered for one in outcomes])]
    answered += [sure >= threshold for threshold in THRESHOLDS]
    values = (np.stack(answered, axis=1) == found[:, None]).astype(float)
    return _fitted("threshold", "balanced accuracy", values, found, THRESHOLDS)


def _fitted(
    setting: str,
    figure: str,
    values: Numbers,
    kinds: Numbers,
    choices: Sequence[float],
    switch: tuple[str, ...] = (),
) -> Tuning:
    """Choose by ``values``: a row a question, a column a choice, the first the present setting.

    Questions of each kind count the same together.
    """
    held = np.empty(len(values))
    folds = _folds(kinds)
    for fold in range(FOLDS):
        rest = folds != fold
        held[~rest] = values[~rest, _best(values[rest], kinds[rest])]
    before, after = np.stack([values[:, 0], kinds], 1), np.stack([held, kinds], 1)
    best = _best(values, kinds)
    proposed = choices[best - 1] if best else None
    return Tuning(
        setting,
        figure,
        _balanced(before),
        _balanced(after),
        paired(before, after, _balanced),
        proposed,
        () if proposed is None else (*switch, f"{setting} = {proposed:g}"),
    )


def _folds(kinds: Numbers) -> Numbers:
    """A fold for each question, dealt so that every fold has its part of each kind."""
    chance = np.random.default_rng(SEED)
    folds = np.empty(len(kinds), int)
    for kind in np.unique(kinds):
        at = chance.permutation(np.flatnonzero(kinds == kind))
        folds[at] = np.arange(len(at)) % FOLDS
    return folds


def _best(values: Numbers, kinds: Numbers) -> int:
    """The present setting where none is better, else the middle one of the best."""
    scores = np.mean([values[kinds == kind].mean(axis=0) for kind in np.unique(kinds)], axis=0)
    best = np.flatnonzero(np.isclose(scores, scores.max(), rtol=0, atol=1e-9))
    return 0 if best[0] == 0 else int(best[len(best) // 2])


def _balanced(rows: Numbers) -> float:
    """The mean over the kinds of questions of the mean figure of each: ``(figure, kind)``."""
    return float(np.mean([rows[rows[:, 1] == k, 0].mean() for k in np.unique(rows[:, 1])]))
