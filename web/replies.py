"""What the JSON interface replies, said once: JSON and documentation.

The command line prints the same replies for ``--json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from index.indexer import Outcome
from index.jobs import Job
from index.values import Block, Document
from search.anchors import State
from search.results import Answer, Citation, Found, Mode, Order, Rank, Result, Role, Why
from search.suggestions import Kind, Suggestion
from web.inputs import said


class Value(BaseModel):
    """A part of a reply."""

    model_config = ConfigDict(frozen=True)


class Reply(Value):
    """What every reply tells."""

    generation: Annotated[
        int,
        said("The state of the collection that this was read from; each change gives the next."),
    ]
    took_ms: Annotated[float, said("How long it took, in milliseconds.")]


class DocumentValue(Value):
    """A document, as results name it."""

    id: Annotated[int, said("Its number, which is never used twice.")]
    title: str
    uri: Annotated[str, said("Its path, its address, or the `id` that it was sent with.")]
    published: Annotated[str | None, said("A year, month or day, ISO 8601, where it is known.")]
    type: Annotated[str, said("What kind of file it was: `pdf`, `html`, `mail` and so on.")]
    also: Annotated[tuple[str, ...], said("Other names under which the same text is stored.")] = ()

    @classmethod
    def of(cls, document: Document) -> Self:
        """From the stored document."""
        return cls(**{name: getattr(document, name) for name in cls.model_fields})


class DocumentRow(DocumentValue):
    """A document with all of its metadata."""

    source: Annotated[str, said("The name of the folder, file or channel that it came by.")]
    language: Annotated[str | None, said("A language code, BCP 47, where one was told.")]
    tags: tuple[str, ...]
    metadata: Annotated[
        dict[str, str],
        BeforeValidator(dict),
        said("`author`, `created` and `changed`, where stated."),
    ] = Field(default_factory=dict)


class BlockValue(Value):
    """A structural piece of a document's text."""

    start: int
    end: int
    kind: Literal["heading", "paragraph", "item", "row"]
    level: Annotated[int, said("Of a heading: 1 is the highest.")]
    page: Annotated[int | None, said("The page of a PDF, from 1 on.")]

    @classmethod
    def of(cls, block: Block) -> Self:
        """From the stored block."""
        return cls(**{name: getattr(block, name) for name in cls.model_fields})


class RankValue(Value):
    """A place in one leg, 1 being the best (null: below the depth asked for), and the score."""

    rank: int | None
    score: float

    @classmethod
    def of(cls, rank: Rank | None) -> Self | None:
        """From the engine's rank, if there is one."""
        return cls(rank=rank.rank, score=rank.score) if rank else None


class MatchedValue(Value):
    """A word of the question that the passage holds, and its part of the score by words."""

    word: str
    weight: float


class WhyValue(Value):
    """Why a passage was found."""

    keyword: RankValue | None
    semantic: RankValue | None
    terms: tuple[MatchedValue, ...]
    sentence: Annotated[
        tuple[int, int] | None,
        Field(description="Where the sentence stands that shares most words with the question."),
    ]
    reader: Annotated[
        float | None,
        Field(
            description="How sure the reader is that this answers (null: not read). 0 is even;"
            " -10 where it looked hopeless and was not read to its end."
        ),
    ]

    @classmethod
    def of(cls, why: Why) -> Self:
        """From the engine's reasons."""
        return cls(
            keyword=RankValue.of(why.keyword),
            semantic=RankValue.of(why.semantic),
            terms=tuple(MatchedValue(word=m.word, weight=m.weight) for m in why.terms),
            sentence=why.sentence,
            reader=why.reader,
        )


class ResultValue(Value):
    """A passage: ``text`` is the document's text from ``start`` to ``end`` (code points)."""

    passage_id: int
    text: str
    score: Annotated[float, said("Comparable within the results of one question only.")]
    document: DocumentValue
    start: int
    end: int
    heading: Annotated[str, said("The headings above it, joined by ` › `.")]
    page: Annotated[int | None, said("The page of a PDF on which it begins, from 1 on.")]
    why: WhyValue

    @classmethod
    def of(cls, result: Result) -> Self:
        """From the engine's result."""
        passage = result.passage
        return cls(
            passage_id=passage.id,
            text=passage.text,
            score=result.score,
            document=DocumentValue.of(passage.document),
            start=passage.start,
            end=passage.end,
            heading=passage.heading,
            page=passage.page,
            why=WhyValue.of(result.why),
        )


class CitationValue(Value):
    """A verified quote: the document's text from ``start`` to ``end`` (code points).

    With ``document.id`` and ``text_hash`` it can be followed for ever: see ``/citation``.
    """

    number: Annotated[int, said("By which the answer's `text` refers to it: `[1]`.")]
    role: Annotated[
        Role,
        Field(description="Whether it answers, says the same elsewhere, or gives another value."),
    ]
    quote: Annotated[str, said("Word for word, and checked against the stored text.")]
    start: int
    end: int
    answer: Annotated[
        tuple[int, int] | None,
        Field(description="Where in the document the answer itself stands, inside the quote."),
    ]
    text_hash: Annotated[str, Field(description="SHA-256 of the document's text as quoted.")]
    passage_id: int
    document: DocumentValue

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """From the engine's citation."""
        return cls(
            number=citation.number,
            role=citation.role,
            quote=citation.quote,
            start=citation.start,
            end=citation.end,
            answer=citation.answer,
            text_hash=citation.passage.document.text_hash,
            passage_id=citation.passage.id,
            document=DocumentValue.of(citation.passage.document),
        )


class CitationReply(Reply):
    """What became of a quote: it stands where it stood, elsewhere (or typed otherwise), or is gone.

    ``quote`` is the document's text from ``start`` to ``end`` (code points) as it is now.
    """

    state: Annotated[
        State, said("`unchanged`: it stands where it stood; `moved`: elsewhere now; or `gone`.")
    ]
    start: int | None
    end: int | None
    quote: str | None
    text_hash: Annotated[
        str | None, Field(description="Of the document's text now; null: the document is gone.")
    ]
    changed: Annotated[
        str | None, Field(description="When the document last changed, ISO 8601.")
    ] = None
    removed: Annotated[
        str | None, Field(description="When the document was removed, where that is known.")
    ] = None


class SearchReply(Reply):
    """One page of results. ``total`` is the same on every page; ``notes`` are for people."""

    query: str
    mode: Mode
    order: Order
    total: Annotated[int, said("How many there are to page through.")]
    limit: int
    offset: int
    results: tuple[ResultValue, ...]
    notes: Annotated[tuple[str, ...], said("What was understood otherwise than it was typed.")]

    @classmethod
    def of(cls, found: Found) -> Self:
        """From what the engine found."""
        return cls(
            query=found.query,
            mode=found.mode,
            order=found.order,
            total=found.total,
            limit=found.limit,
            offset=found.offset,
            results=tuple(map(ResultValue.of, found.results)),
            notes=found.notes,
            generation=found.generation,
            took_ms=found.took_ms,
        )


class AnswerReply(Reply):
    """What the collection says to a question; ``reason`` tells why where it does not answer."""

    question: str
    answered: Annotated[bool, said("False: the documents do not say it, as far as can be told.")]
    text: Annotated[str, said("The quotes with their numbers; empty where it is not answered.")]
    citations: tuple[CitationValue, ...]
    results: Annotated[tuple[ResultValue, ...], said("The nearest passages, answered or not.")]
    reason: Annotated[str, said("Why it is not answered, in words; empty where it is.")]
    confidence: Annotated[float, said("How likely the answer is right, from 0 to 1.")]
    notes: Annotated[tuple[str, ...], said("What was understood otherwise than it was typed.")]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """From the engine's answer."""
        return cls(
            question=answer.question,
            answered=answer.answered,
            text=answer.text,
            citations=tuple(map(CitationValue.of, answer.citations)),
            results=tuple(map(ResultValue.of, answer.results)),
            reason=answer.reason,
            confidence=answer.confidence,
            notes=answer.notes,
            generation=answer.generation,
            took_ms=answer.took_ms,
        )


class SuggestionValue(Value):
    """A question that may be meant: words, a title or a heading of the collection."""

    text: str
    kind: Kind


class SuggestReply(Reply):
    """What may be meant by the beginning of a question, the likeliest first."""

    suggestions: tuple[SuggestionValue, ...]

    @classmethod
    def of(cls, found: Sequence[Suggestion], generation: int, took_ms: float) -> Self:
        """From what was found."""
        values = tuple(SuggestionValue(text=each.text, kind=each.kind) for each in found)
        return cls(suggestions=values, generation=generation, took_ms=took_ms)


class DocumentsReply(Reply):
    """A page of the collection, newest change first."""

    total: int
    limit: int
    offset: int
    documents: tuple[DocumentRow, ...]


class DocumentReply(DocumentRow, Reply):
    """A document with its text; offsets of blocks and passages count its code points."""

    text: str
    blocks: tuple[BlockValue, ...]


class OutcomeValue(Value):
    """What became of one document: ``reason`` says why where it is not stored."""

    uri: str
    stored: bool
    id: int | None
    generation: Annotated[int, Field(description="The generation from which it is searchable.")]
    reason: Annotated[str, said("Why it is not stored; empty where it is.")]


class UploadReply(Reply):
    """What became of each document that was sent."""

    documents: tuple[OutcomeValue, ...]

    @classmethod
    def of(cls, outcomes: Sequence[Outcome], generation: int, took_ms: float) -> Self:
        """From the indexer's outcomes."""
        values = tuple(
            OutcomeValue(
                uri=outcome.uri,
                stored=outcome.stored,
                id=outcome.document_id,
                generation=outcome.generation,
                reason=outcome.reason,
            )
            for outcome in outcomes
        )
        return cls(documents=values, generation=generation, took_ms=took_ms)


class RemovalReply(Reply):
    """A document is gone from ``generation`` on."""


class JobValue(Value):
    """Work in the background. ``progress`` counts documents and passages while it runs."""

    id: int
    kind: Annotated[str, said("`index` or `reindex`.")]
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: dict[str, Any]
    error: Annotated[str | None, said("Why it failed, in words.")]
    created: Annotated[str, said("When it was asked for, ISO 8601.")]
    started: str | None
    finished: str | None

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the stored job."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class JobReply(JobValue, Reply):
    """One job."""


class JobsReply(Reply):
    """The newest jobs first."""

    jobs: tuple[JobValue, ...]


class HealthReply(Reply):
    """The service is alive, or ready."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """Why a request failed (RFC 9457). ``detail`` is a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    request_id: str | None = Field(
        None, description="As in `X-Request-ID`, and in the log of the service."
    )
