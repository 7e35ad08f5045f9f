"""The values that the rooms hand to each other: frozen, and free of any storage.

All offsets count Unicode code points into the stored text of a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

BlockKind = Literal["heading", "paragraph", "item", "row"]

SEPARATOR = "//"  # between a file and what is within it; it stands in no path of a file


@dataclass(frozen=True, slots=True)
class Block:
    """A structural piece of a document: ``text[start:end]``.

    ``level`` is the depth of a heading (1 is the top) and 0 for everything else;
    ``page`` counts from 1 where the format has pages or slides.
    """

    start: int
    end: int
    kind: BlockKind = "paragraph"
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader makes of one file.

    ``text`` is what a person would read; ``blocks`` are in order, do not overlap, and hold
    every character of ``text`` that is not white space. ``published`` is an ISO 8601 date
    (``2016-04-28``), ``language`` a BCP 47 code (``en``); both only where the format states them.
    ``metadata`` are further facts in words: ``author`` (several with commas between them),
    ``created`` and ``changed`` (ISO 8601 dates).
    """

    type: str
    text: str
    blocks: tuple[Block, ...]
    title: str = ""
    published: str | None = None
    language: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A passage before it has an identity: ``text[start:end]``, what it stands under, its page."""

    start: int
    end: int
    heading: str = ""
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document. ``source`` is the name of the source that it came from.

    ``metadata`` is that of its ``Content``; ``also`` are the names under which the very same text
    is stored too, where that was looked up.
    """

    id: int
    source: str
    uri: str
    title: str
    type: str
    published: str | None
    language: str | None
    tags: tuple[str, ...]
    text_hash: str
    metadata: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stored passage: ``text`` is the document's text from ``start`` to ``end``, always."""

    id: int
    document: Document
    start: int
    end: int
    text: str
    heading: str
    page: int | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found by one leg, and its score there."""

    passage_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Filter:
    """What a passage must meet. Values of one field are alternatives; fields add up.

    ``before`` and ``after`` are ISO dates and both exclusive of the day itself before, inclusive
    after. ``without`` are words that must not occur, as they are typed; ``phrases`` must stand
    word for word.
    """

    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    before: str | None = None
    after: str | None = None
    without: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """True when every passage meets it."""
        return self == Filter()


def embedding_text(title: str, heading: str, text: str) -> str:
    """A passage with what it stands under: the exact text that both legs are given for it."""
    above = [part for part in (title, heading) if part and not text.startswith(part)]
    return "\n".join([*above, text])


def within(uri: str, path: str) -> str:
    """The name of a document within the file ``uri``."""
    return f"{uri}{SEPARATOR}{path}" if path else uri


def file_of(uri: str) -> str:
    """The file that a document lies in, which may be its own."""
    at = uri.find(SEPARATOR, 1)
    return uri if at < 0 else uri[:at]
