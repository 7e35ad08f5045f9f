"""A document in JSON: an object with a ``text``, and with a title, a date and more if it has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from index.errors import Unreadable
from index.readers.blocks import assemble, one_line
from index.readers.dates import stated_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.readers.text import pieces
from index.values import Content

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*(?:\"|$)")
_NAMES = ("title", "published", "language", "author")


def recognise(data: bytes) -> bool:
    """Say whether the content is one JSON object with a text."""
    return _START.match(data) is not None and b'"text"' in data and is_document(parsed(data))


def read(data: bytes) -> Content:
    """Read a document. Fields of another type than text are passed over."""
    value = parsed(data)
    if not is_document(value):
        raise Unreadable('no document: expected an object like {"text": …}')
    stated = {name: one_line(field) for name in _NAMES if (field := _words(value, name))}
    author = stated.get("author")
    return assemble(
        "json",
        pieces(value["text"]),
        title=stated.get("title", ""),
        published=stated_date(stated.get("published", "")),
        language=stated.get("language"),
        metadata={"author": author} if author else {},
    )


def is_document(value: Any) -> bool:
    """Say whether a JSON value is an object with a text."""
    return isinstance(value, dict) and isinstance(value.get("text"), str)


def parsed(data: bytes) -> Any:
    """The JSON value of some bytes, None where there is none."""
    try:
        return json.loads(decode(data))
    except (ValueError, RecursionError):
        return None


def _words(value: Mapping[str, Any], name: str) -> str:
    """A field that is text, or a list of texts (several authors), with commas between them."""
    field = value.get(name)
    parts = field if isinstance(field, list) else [field]
    return ", ".join(part for part in parts if isinstance(part, str) and part)


FORMAT = Format("json", (".json",), recognise, read, textual=False)
