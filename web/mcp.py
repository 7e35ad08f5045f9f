"""The collection as tools for language models: the Model Context Protocol on standard streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from index.errors import KhazriError
from index.home import Home
from index.values import Document, Passage
from search.engine import Engine
from search.question import LONGEST
from search.results import Citation, Role

try:
    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.exceptions import ToolError
    from mcp.types import ToolAnnotations
except ModuleNotFoundError as error:
    raise KhazriError(
        f"'khazri mcp' needs a package that is not installed: {error.name}."
        " Install it beside khazri: .venv/bin/python -m pip install 'mcp>=2,<3'"
    ) from error

READ_AT_ONCE = 20_000  # characters of a document, at most
ABOUT = """\
Khazri holds a person's own documents. Use `answer` for a question: its quotes are verbatim and
verified, so repeat them word for word and name the document of each. Where `answered` is false the
documents do not say it, as far as can be told: say so, and do not answer from general knowledge as
if it stood in them. Use `search` to look around, and `read` to see what stands around a quote."""

Question = Annotated[
    str,
    Field(
        description="A question or words, in the language of the documents. It may hold filters:"
        ' type:pdf, after:2024, before:2025-06, tag:press, source:reports, "an exact phrase",'
        " -word.",
        min_length=1,
        max_length=LONGEST,
    ),
]


class Source(BaseModel):
    """Where something stands: a document, and a part of its text."""

    document_id: int
    title: str
    uri: str
    published: Annotated[str | None, Field(description="A year, month or day, where known.")]
    page: Annotated[int | None, Field(description="The page of a PDF, from 1 on.")] = None
    start: Annotated[int, Field(description="Offset of its first character in the document.")]
    end: Annotated[int, Field(description="Offset after its last character.")]


class Quote(Source):
    """A verified quote of a document's text."""

    number: Annotated[int, Field(description="By which the answer's text refers to it, as [1].")]
    role: Annotated[
        Role,
        Field(description="It answers, supports (says the same elsewhere) or differs from that."),
    ]
    quote: Annotated[str, Field(description="Word for word.")]

    @classmethod
    def of(cls, citation: Citation) -> Self:
        """From the engine's citation."""
        return cls(
            **_source(citation.passage.document, citation.start, citation.end),
            page=citation.passage.page,
            number=citation.number,
            role=citation.role,
            quote=citation.quote,
        )


class Excerpt(Source):
    """A passage of a document."""

    heading: Annotated[str, Field(description="The headings above it, joined by ' › '.")]
    text: str

    @classmethod
    def of(cls, passage: Passage) -> Self:
        """From the stored passage."""
        return cls(
            **_source(passage.document, passage.start, passage.end),
            page=passage.page,
            heading=passage.heading,
            text=passage.text,
        )


class Answered(BaseModel):
    """What the documents say to a question."""

    answered: bool
    text: Annotated[str, Field(description="The quotes that answer, each with its number.")]
    quotes: list[Quote]
    confidence: Annotated[float, Field(description="How likely the answer is right, 0 to 1.")]
    reason: Annotated[str, Field(description="Why it is not answered.")]
    nearest: Annotated[
        list[Excerpt], Field(description="Where it is not answered, what comes nearest.")
    ]
    notes: list[str]


class Passages(BaseModel):
    """A page of the passages that were found, the best first."""

    total: int
    passages: list[Excerpt]
    notes: list[str]


class Part(Source):
    """A part of a document's text."""

    length: Annotated[int, Field(description="Characters of the whole document.")]
    text: str


class Tools:
    """What a model may do with a collection: read of it, and nothing else."""

    def __init__(self, home: Home, engine: Engine) -> None:
        self._home = home
        self._engine = engine

    def answer(self, question: Question) -> Answered:
        """Answer a question from the documents with verified, verbatim quotes.

        `answered: false` is an honest "not in the documents": report it as that. Ask one thing at
        a time, in full words ("How many passengers did the metro carry in March?").
        """
        with _told():
            found = self._engine.answer(question)
        return Answered(
            answered=found.answered,
            text=found.text,
            quotes=[Quote.of(citation) for citation in found.citations],
            confidence=found.confidence,
            reason=found.reason,
            nearest=[]
            if found.answered
            else [Excerpt.of(result.passage) for result in found.results],
            notes=list(found.notes),
        )

    def search(
        self,
        query: Question,
        limit: Annotated[int, Field(ge=1, le=50)] = 10,
        offset: Annotated[int, Field(description="How many to pass over.", ge=0, le=10_000)] = 0,
    ) -> Passages:
        """Find passages by words and meaning, to see what the documents hold about something.

        Passages are what comes nearest, not answers: judge each by its text.
        """
        with _told():
            found = self._engine.search(query, limit=limit, offset=offset)
        return Passages(
            total=found.total,
            passages=[Excerpt.of(result.passage) for result in found.results],
            notes=list(found.notes),
        )

    def read(
        self,
        document: Annotated[
            str, Field(description="Its `document_id` or `uri`, as other tools name it.")
        ],
        start: Annotated[int, Field(description="Offset to begin at.", ge=0)] = 0,
        length: Annotated[int, Field(description="Characters.", ge=1, le=READ_AT_ONCE)] = 5_000,
    ) -> Part:
        """Read a document, or a part of it, such as what stands before and after a quote.

        Read on with `start` set to the `end` of the part before, until that is `length`.
        """
        with _told():
            id = self._home.indexer.find(document)
            with self._home.store.snapshot() as snapshot:
                found = snapshot.document(id)
                text, _ = snapshot.text(id)
        if found is None:  # it went between the two
            raise ToolError(f"There is no document {document} any more. Search again.")
        if start >= len(text):
            raise ToolError(f"The document ends at {len(text)}. Begin before that.")
        part = text[start : start + length]
        return Part(**_source(found, start, start + len(part)), length=len(text), text=part)


def serve(home: Home, engine: Engine) -> None:
    """Serve a collection to the client at the other end of standard input and output.

    The client is answered at once; the models are loaded meanwhile.
    """
    tools = Tools(home, engine)
    server = MCPServer("khazri", title="Khazri", instructions=ABOUT, log_level="WARNING")
    for tool in (tools.answer, tools.search, tools.read):
        server.add_tool(
            tool, annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False)
        )
    Thread(target=_load, args=(home, engine), daemon=True).start()
    server.run("stdio")


def _load(home: Home, engine: Engine) -> None:
    with suppress(KhazriError):  # whoever asks first is told
        home.encoder.load()
        if engine.reader:
            engine.reader.load()


@contextmanager
def _told() -> Iterator[None]:
    """Tell a model why something failed, in words that it can act on."""
    try:
        yield
    except KhazriError as error:
        raise ToolError(str(error)) from error


def _source(document: Document, start: int, end: int) -> dict[str, Any]:
    return {
        "document_id": document.id,
        "title": document.title,
        "uri": document.uri,
        "published": document.published,
        "start": start,
        "end": end,
    }
