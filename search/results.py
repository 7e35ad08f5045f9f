"""The values that an answer is made of: frozen, and the same for every way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.values import Passage

Mode = Literal["hybrid", "keyword", "semantic"]
Order = Literal["relevance", "date"]


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of a passage in one leg (1 is the best) and its exact score there.

    ``rank`` is None where the passage is below the depth that the leg was asked for.
    """

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Why:
    """Why a passage was found: its place in each leg, and the words of the question it holds."""

    keyword: Rank | None
    semantic: Rank | None
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A passage, its score (comparable within one question only) and why it was found."""

    passage: Passage
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results. ``total`` is the same on every page; ``notes`` are for people."""

    query: str
    mode: Mode
    order: Order
    total: int
    limit: int
    offset: int
    results: tuple[Result, ...]
    notes: tuple[str, ...]
    generation: int
    took_ms: float


@dataclass(frozen=True, slots=True)
class Citation:
    """A verified quote: ``quote`` is the document's text from ``start`` to ``end``."""

    number: int
    passage: Passage
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collection says to a question.

    ``text`` joins the quotes with their numbers, ``[1]``; it is empty where ``answered`` is
    false, and ``reason`` then says why in words. ``confidence`` is a probability from 0 to 1.
    """

    question: str
    answered: bool
    text: str
    citations: tuple[Citation, ...]
    results: tuple[Result, ...]
    reason: str
    confidence: float
    notes: tuple[str, ...]
    generation: int
    took_ms: float
