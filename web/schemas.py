"""Every request and reply of the JSON interface, said once: validation, JSON and documentation.

The command line prints the same replies for ``--json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    model_validator,
)
from pydantic_core import PydanticCustomError

from index.errors import KhazriError
from index.indexer import Outcome
from index.jobs import Job
from index.keyword import words
from index.values import Block, Document
from search.anchors import Quoted, State
from search.engine import ask
from search.question import LONGEST
from search.results import Answer, Citation, Found, Mode, Order, Rank, Result, Role, Why
from search.suggestions import Kind, Suggestion

MAX_WORDS = 2_000  # of a question
MAX_LIMIT, MAX_OFFSET = 100, 10_000  # of a page of results
TOO_LONG = "question_too_long"


def short_question(question: str) -> str:
    """Refuse a question of more words or characters than can be asked at once."""
    asked = islice(words(question), MAX_WORDS + 1)
    if len(question) > LONGEST or sum(1 for _ in asked) > MAX_WORDS:
        raise PydanticCustomError(
            TOO_LONG,
            f"The question is too long: at most {MAX_WORDS:,} words and {LONGEST:,}"
            " characters can be asked at once. Ask for what matters most in it.",
        )
    return question


def says_something(question: str, filter: str) -> None:
    """Refuse a question in which the engine finds nothing to look for."""
    try:
        ask(question, filter)
    except KhazriError as error:
        raise PydanticCustomError("nothing_asked", "{said}", {"said": str(error)}) from None


Question = Annotated[
    str, AfterValidator(short_question), Field(description="The question, as typed.")
]
Filter = Annotated[
    str,
    AfterValidator(short_question),
    Field(description='The grammar of questions: `type:pdf after:2024 tag:press "a phrase" -word`'),
]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]


def _printable(name: object) -> str:
    """A name that a client made up, short and without half surrogates."""
    return str(name)[:100].encode("utf-8", "replace").decode()


class Strict(BaseModel):
    """What a client says. A misspelt name is an error that tells the nearest one."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        names = list(cls.model_fields)
        for name in data if isinstance(data, dict) else ():
            if name not in names:
                near = get_close_matches(str(name), names, 1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
                raise PydanticCustomError(
                    "unknown_name",
                    "There is no '{name}' here. {hint}",
                    {"name": _printable(name), "hint": hint},
                )
        return data


class Asking(Strict):
    """A question and a filter, of which one at least must say something."""

    q: Question = ""
    filter: Filter = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        says_something(self.q, self.filter)
        return self


class SearchQuery(Asking):
    """What to search for, and which page of the results."""

    limit: Limit = 10
    offset: Offset = 0
    mode: Mode = "hybrid"
    order: Order = "relevance"
    read: bool = Field(
        False, description="Let the reader take part in the order of the first, which takes time."
    )


class AnswerQuery(Asking):
    """A question, and how many passages to show with its answer."""

    limit: Limit = 5


class SuggestQuery(Strict):
    """The beginning of a question."""

    q: Annotated[str, Field(max_length=200, description="What was typed so far.")]


class CitationQuery(Strict):
    """A citation as it was once given, to be found again."""

    document: Annotated[int, Field(ge=1, lt=1 << 63, description="Its `document.id`.")]
    text_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    quote: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    uri: str = Field(
        "", description="Its `document.uri`, to learn since when a removed document is gone."
    )

    @property
    def quoted(self) -> Quoted:
        """What the document is searched for."""
        return Quoted(self.text_hash, self.start, self.end, self.quote)


class ExportQuery(Asking):
    """What to export: all that matches the words of ``q``, or all that ``filter`` leaves."""

    format: Literal["jsonl", "csv"] = "jsonl"


class DocumentsQuery(Strict):
    """Which page of the collection."""

    limit: Limit = 50
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0
    q: Annotated[str, Field(max_length=500, description="Part of a title or name.")] = ""


class JobsQuery(Strict):
    """How many of the newest jobs."""

    limit: Limit = 50


class ById(BaseModel):
    """A path that ends in a number."""

    id: int


class DocumentBody(Strict):
    """A document whose text is given."""

    id: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="Your name for it, kept as `uri`; the same one again replaces it."
    )
    title: Annotated[str, Field(max_length=1000)] = ""
    text: Annotated[str, Field(min_length=1)]
    type: Annotated[str, Field(min_length=1, max_length=50)] = "text"
    published: Annotated[str, Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")] | None = Field(
        None, description="A date, ISO 8601: `2016-04-28`"
    )
    language: Annotated[str, Field(max_length=35)] | None = Field(
        None, description="A language code, BCP 47: `en`"
    )
    tags: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)] = []


class DocumentList(Strict):
    """Many documents."""

    documents: Annotated[list[DocumentBody], Field(min_length=1)]


class DocumentsBody(RootModel[DocumentList | DocumentBody | list[DocumentBody]]):
    """One document, a list of them, or ``{"documents": [...]}``."""

    @classmethod
    def parse(cls, data: Any) -> list[DocumentBody]:
        """The documents of a JSON body. Raises pydantic's ``ValidationError``."""
        if isinstance(data, dict) and "documents" in data:
            return DocumentList.model_validate(data).documents
        if isinstance(data, list):
            return DocumentList(documents=data).documents
        return [DocumentBody.model_validate(data)]


class Value(BaseModel):
    """A part of a reply."""

    model_config = ConfigDict(frozen=True)


class Reply(Value):
    """What every reply tells."""

    generation: Annotated[int, Field(description="The state of the collection it was read from.")]
    took_ms: float


class DocumentValue(Value):
    """A document, as results name it."""

    id: int
    title: str
    uri: str
    published: str | None
    type: str
    also: tuple[str, ...] = Field((), description="Other names under which the same text is stored")

    @classmethod
    def of(cls, document: Document) -> Self:
        """From the stored document."""
        return cls(**{name: getattr(document, name) for name in cls.model_fields})


class DocumentRow(DocumentValue):
    """A document with all of its metadata."""

    source: str
    language: str | None
    tags: tuple[str, ...]
    metadata: Annotated[dict[str, str], BeforeValidator(dict)] = Field(
        default_factory=dict, description="`author`, `created` and `changed`, where stated"
    )


class BlockValue(Value):
    """A structural piece of a document's text."""

    start: int
    end: int
    kind: Literal["heading", "paragraph", "item", "row"]
    level: int
    page: int | None

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
        Field(description="How sure the reader is that this answers (null: not read). 0 is even."),
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
    score: float
    document: DocumentValue
    start: int
    end: int
    heading: str
    page: int | None
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

    number: int
    role: Annotated[
        Role,
        Field(description="Whether it answers, says the same elsewhere, or gives another value."),
    ]
    quote: str
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

    state: State
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
    total: int
    limit: int
    offset: int
    results: tuple[ResultValue, ...]
    notes: tuple[str, ...]

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
    answered: bool
    text: str
    citations: tuple[CitationValue, ...]
    results: tuple[ResultValue, ...]
    reason: str
    confidence: float
    notes: tuple[str, ...]

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
    reason: str


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
    kind: str
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    progress: dict[str, Any]
    error: str | None
    created: str
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
    """The service is alive."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """Why a request failed (RFC 9457). ``detail`` is a sentence for people."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
