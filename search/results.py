"""The values that an answer is made of: frozen, and the same for every way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from index.facets import Facets
from index.values import Passage

CERTAIN = 0.85  # a probability: below it an answer is shown as a possible one

Mode = Literal["hybrid", "keyword", "semantic"]
Order = Literal["relevance", "date"]
Role = Literal["answers", "supports", "differs"]


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of a passage in one leg (1 is the best) and its exact score there.

    ``rank`` is None where the passage is below the depth that the leg was asked for.
    """

    rank: int | None
    score: float


@dataclass(frozen=True, slots=True)
class Matched:
    """A word of the question that a passage holds, as it was asked, and its part of the BM25."""

    word: str
    weight: float


@dataclass(frozen=True, slots=True)
class Why:
    """Why a passage was found.

    Its place in each leg, the words of the question that it holds, the sentence that holds the
    most of them (offsets into the document; None where it holds none), and how sure the reader
    is that it answers the question (None where it was not read): above 0 it sooner does.
    """

    keyword: Rank | None
    semantic: Rank | None
    terms: tuple[Matched, ...]
    sentence: tuple[int, int] | None = None
    reader: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A passage, its score (comparable within one question only) and why it was found."""

    passage: Passage
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class Found:
    """One page of results. ``total`` is the same on every page; ``notes`` are for people.

    ``facets`` count all that was found, where they were asked for.
    """

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
    facets: Facets | None = None


@dataclass(frozen=True, slots=True)
class Citation:
    """A verified quote: ``quote`` is the document's text from ``start`` to ``end``.

    ``answer`` is where the answer itself stands, inside the quote, as the reader points at it
    (offsets into the document). ``role`` says how the quote stands to the answer: it gives it,
    says the same elsewhere, or gives another value.
    """

    number: int
    passage: Passage
    start: int
    end: int
    quote: str
    answer: tuple[int, int] | None = None
    role: Role = "answers"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the collection says to a question.

    ``text`` joins the quotes that answer with their numbers, ``[1]``; it is empty where
    ``answered`` is false, and ``reason`` then says why in words. ``confidence`` is a
    probability from 0 to 1.
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

    @property
    def certain(self) -> bool:
        """Whether the answer is likely enough to be given without a word of caution."""
        return self.confidence >= CERTAIN
