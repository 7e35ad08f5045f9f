"""What a client may ask of the JSON interface, said once: validation and documentation."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from index.errors import KhazriError
from index.keyword import words
from search.anchors import Quoted
from search.engine import ask
from search.question import LONGEST
from search.results import Mode, Order

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
