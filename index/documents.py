"""What was read becomes a draft: titled, split into passages, each with its embedding key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any, Protocol

from index.changes import Draft
from index.embeddings import text_key
from index.errors import KhazriError, Unreadable
from index.languages import detect
from index.paragraphs import split
from index.readers.blocks import assemble, clean, one_line
from index.readers.dates import iso_date
from index.readers.text import pieces
from index.rows import digest
from index.values import Content, Span, embedding_text

_PARTIAL = re.compile(r"\d{4}(?:-\d{2})?")  # a year, or a month of a year
HEADING = 32  # tokens of the model's window that are kept for the heading of a passage


class Ruler(Protocol):
    """What splitting needs to know of an encoder."""

    @property
    def window(self) -> int:
        """How many tokens the model reads."""

    def measure(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text."""


@dataclass(frozen=True, slots=True)
class Given:
    """A document that comes with its text, from JSON, rather than in a file."""

    uri: str
    text: str
    title: str = ""
    type: str = "text"
    published: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()


def draft(source_id: int, uri: str, content: Content, content_hash: str, ruler: Ruler) -> Draft:
    """Make a draft of what a reader read. A document without a title is called by its name."""
    title = content.title or named_by(uri)
    language = detect(content.text, content.language)
    headed = any(block.kind == "heading" for block in content.blocks[1:])
    above = ruler.measure([title])[0] + (HEADING if headed else 0)
    limit = max(ruler.window // 2, ruler.window - above)
    spans = [
        replace(span, heading=_below(title, span.heading))
        for span in split(content.text, content.blocks, ruler.measure, limit, language)
    ]
    return Draft(
        source_id,
        uri,
        title,
        content.type,
        content.text,
        content.blocks,
        tuple(spans),
        tuple(_key(title, span, content.text) for span in spans),
        content_hash,
        published=content.published,
        language=language,
        metadata=content.metadata,
    )


def _key(title: str, span: Span, text: str) -> bytes:
    return text_key(embedding_text(title, span.heading, text[span.start : span.end]))


def embedding_texts(drafts: Sequence[Draft]) -> dict[bytes, str]:
    """The texts to encode for some drafts, by key."""
    return {
        key: embedding_text(d.title, span.heading, d.text[span.start : span.end])
        for d in drafts
        for span, key in zip(d.spans, d.keys, strict=True)
    }


def _below(title: str, heading: str) -> str:
    """The path of headings without the title of the document, where it begins with that."""
    return "" if heading == title else heading.removeprefix(f"{title} › ")


def named_by(uri: str) -> str:
    """The title of a document that has none but its name."""
    return PurePath(uri).stem.replace("-", " ").replace("_", " ").strip() or uri


def given_draft(source_id: int, given: Given, ruler: Ruler) -> Draft:
    """Make a draft of a document that came with its text."""
    content = assemble(
        given.type,
        pieces(given.text),
        title=given.title,
        published=given.published,
        language=given.language,
    )
    made = draft(source_id, given.uri, content, given_hash(given), ruler)
    return replace(made, tags=given.tags)


def given_hash(given: Given) -> str:
    """The content hash of a document that came with its text."""
    fields = [given.uri, given.title, given.type, given.published, given.language, given.tags]
    return digest(json.dumps([*fields, given.text]).encode())


def parse_given(value: Any, fallback: str) -> Given:
    """Read one JSON document: ``{"id", "title", "text"}`` and metadata.

    ``fallback`` is its name where it has no ``id``. Raises ``Unreadable`` with the field at fault.
    """
    if not isinstance(value, dict):
        raise Unreadable('not a document: expected an object like {"id": …, "text": …}')
    text = value.get("text")
    if not isinstance(text, str):
        raise Unreadable("the field 'text' is missing or not a string")
    fields: dict[str, str] = {}
    for name in ("title", "type", "published", "language"):
        field = value.get(name)
        if field is not None and not isinstance(field, str):
            raise Unreadable(f"the field '{name}' is not a string")
        if field:
            fields[name] = one_line(field)
    published = fields.pop("published", "")
    if day := published if _PARTIAL.fullmatch(published) else iso_date(published):
        fields["published"] = day
    tags = value.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise Unreadable("the field 'tags' is not a list of strings")
    id = value.get("id", value.get("_id", fallback))
    if not isinstance(id, str | int) or id == "":
        raise Unreadable("the field 'id' is not a string")
    return Given(clean(str(id)), text, tags=tuple(one_line(tag) for tag in tags), **fields)


def read_jsonl(path: Path, refuse: Callable[[str, str], None]) -> Iterator[Given]:
    """Read a file of one JSON document a line; ``refuse`` is told of each bad line and why."""
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise KhazriError(f"{path} can't be read: {error.strerror}.") from error
    seen: set[str] = set()
    with file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            name = f"line {number}"
            try:
                given = parse_given(json.loads(line), name)
                if given.uri in seen:
                    raise Unreadable(f"the id {given.uri!r} stands on an earlier line too")
            except (ValueError, RecursionError):
                refuse(name, "not a line of JSON")
            except Unreadable as error:
                refuse(name, str(error))
            else:
                seen.add(given.uri)
                yield given
