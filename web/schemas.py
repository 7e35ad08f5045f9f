"""Every request and reply of the JSON interface, said once: validation, JSON and documentation.

The command line prints the same replies for ``--json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
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


def said(description: str, example: Any = None, **rules: Any) -> Any:
    """A field with its description, an example where one helps, and its bounds."""
    if example is not None:
        rules["json_schema_extra"] = {"example": example}
    return Field(description=description, **rules)


# The length is looked at by ``short_question``, which has a status and a sentence of its own.
_LONGEST = WithJsonSchema({"type": "string", "maxLength": LONGEST})
Question = Annotated[
    str,
    AfterValidator(short_question),
    _LONGEST,
    said(
        f"The question, as typed: at most {MAX_WORDS:,} words. It may be empty where `filter` is"
        " not.",
        "How fast was the strongest gust?",
    ),
]
Filter = Annotated[
    str,
    AfterValidator(short_question),
    _LONGEST,
    said(
        "Only what meets this is looked at. Filters are written as in a question:"
        ' `type:pdf`, `after:2024`, `before:2025-06`, `tag:press`, `source:reports`, `"a phrase"`,'
        " `-word`.",
        "type:text",
    ),
]
Limit = Annotated[int, said("How many to reply, at most.", ge=1, le=MAX_LIMIT)]
Offset = Annotated[
    int,
    said("How many to pass over: the next page begins at `offset + limit`.", ge=0, le=MAX_OFFSET),
]
Id = Annotated[int, said("Its number, which is never used twice.", ge=1, le=(1 << 63) - 1)]


def _printable(name: object) -> str:
    """A name that a client made up, short and without half surrogates."""
    return str(name)[:100].encode("utf-8", "replace").decode()


class Strict(BaseModel):
    """What a client says. A misspelt name is an error that tells the nearest one."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """As of any model; the plain one is made once, since it is looked at for each request."""
        return super().model_json_schema(*args, **options) if args or options else cls._plain()

    @classmethod
    @cache
    def _plain(cls) -> dict[str, Any]:
        return super().model_json_schema()

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
    mode: Annotated[
        Mode,
        said("By words and meaning (`hybrid`), by words alone, or by meaning alone."),
    ] = "hybrid"
    order: Annotated[Order, said("The best first, or the newest.")] = "relevance"
    read: Annotated[
        bool, said("Let the reader take part in the order of the first, which takes time.")
    ] = False


class AnswerQuery(Asking):
    """A question, and how many passages to show with its answer."""

    limit: Limit = 5


class SuggestQuery(Strict):
    """The beginning of a question."""

    q: Annotated[str, said("What was typed so far.", "metro pas", max_length=200)]


class CitationQuery(Strict):
    """A citation as it was once given, to be found again."""

    document: Annotated[Id, said("Its `document.id`.", 1)]
    text_hash: Annotated[str, said("Its `text_hash`.", "0" * 64, pattern="^[0-9a-f]{64}$")]
    start: Annotated[int, said("Its `start`.", 0, ge=0)]
    end: Annotated[int, said("Its `end`.", 31, ge=0)]
    quote: Annotated[
        str,
        said("Its `quote`.", "The strongest gust was 154 km/h", min_length=1, max_length=LONGEST),
    ]
    uri: Annotated[
        str, said("Its `document.uri`, to learn since when a removed document is gone.")
    ] = ""

    @property
    def quoted(self) -> Quoted:
        """What the document is searched for."""
        return Quoted(self.text_hash, self.start, self.end, self.quote)


class ExportQuery(Asking):
    """What to export: all that matches the words of ``q``, or all that ``filter`` leaves."""

    format: Annotated[
        Literal["jsonl", "csv"], said("JSON, a result a line; or a table for spreadsheets.")
    ] = "jsonl"


class DocumentsQuery(Strict):
    """Which page of the collection."""

    limit: Limit = 50
    offset: Annotated[int, said("How many to pass over.", ge=0, le=10**9)] = 0
    q: Annotated[
        str, said("Only those with this in their title or name.", "metro", max_length=500)
    ] = ""


class JobsQuery(Strict):
    """How many of the newest jobs."""

    limit: Limit = 50


class ById(BaseModel):
    """A path that ends in a number."""

    id: Annotated[Id, said("Its `id`.", 1)]


class DocumentBody(Strict):
    """A document whose text is given."""

    id: Annotated[
        Annotated[str, Field(min_length=1, max_length=1000)] | None,
        said("Your name for it, kept as `uri`; the same one again replaces it.", "heron-1"),
    ] = None
    title: Annotated[str, said("Its title.", "A heron", max_length=1000)] = ""
    text: Annotated[
        str, said("Its text.", "The grey heron nests in tall trees by the canal.", min_length=1)
    ]
    type: Annotated[str, said("What `type:` finds it by.", min_length=1, max_length=50)] = "text"
    published: Annotated[
        Annotated[str, Field(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")] | None,
        said("A year, month or day, ISO 8601.", "2016-04-28"),
    ] = None
    language: Annotated[
        Annotated[str, Field(max_length=35)] | None,
        said("A language code, BCP 47; told from the text where there is none.", "en"),
    ] = None
    tags: Annotated[
        list[Annotated[str, Field(max_length=100)]],
        said("What `tag:` finds it by.", ["birds"], max_length=100),
    ] = []


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
