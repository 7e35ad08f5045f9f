"""Documents in JSON, many in one file: one a line (JSON Lines), or all in one array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from index.readers.format import Format, Inner
from index.readers.json_document import is_document, parsed

_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*\{")
_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_LINE = re.compile(rb"[^\n]+")
_LOOKED_AT = 3  # lines that must be documents
_LONGEST = 64 * 1024 * 1024  # bytes of an array, which is parsed as a whole


def recognise(data: bytes) -> bool:
    """Say whether the first lines, of at least two, are documents, or the content an array of them.

    A file of one line is one document.
    """
    if b'"text"' not in data:
        return False
    if _ARRAY.match(data):
        return _array(data) is not None
    if not _OBJECT.match(data):
        return False
    first = [parsed(line) for _, line in islice(_lines(data), _LOOKED_AT)]
    return len(first) > 1 and all(map(is_document, first))


def unpack(data: bytes) -> Iterator[Inner]:
    """Each document as a file of its own, named by its id, else by its line or place."""
    array = _array(data) if _ARRAY.match(data) else None
    if array is not None:
        for number, value in enumerate(array, 1):
            yield _inner(value, f"document {number}", json.dumps(value).encode())
        return
    for number, line in _lines(data):
        value = parsed(line)
        if value is None:
            yield Inner(f"line {number}", b"", "damaged: not a line of JSON")
        else:
            yield _inner(value, f"line {number}", line)


def _lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, by number from 1."""
    number, end = 1, 0
    for match in _LINE.finditer(data):
        number += data.count(b"\n", end, match.start())
        end = match.start()
        if line := match.group().removeprefix(b"\xef\xbb\xbf").strip():
            yield number, line


def _array(data: bytes) -> list[Any] | None:
    """The array that the content is, where its first elements are documents."""
    value = parsed(data) if len(data) <= _LONGEST else None
    if isinstance(value, list) and value and all(map(is_document, value[:_LOOKED_AT])):
        return value
    return None


def _inner(value: Any, place: str, data: bytes) -> Inner:
    if not is_document(value):
        return Inner(place, b"", 'no document: expected an object like {"text": …}')
    id = value.get("id", value.get("_id"))
    named = isinstance(id, str | int) and not isinstance(id, bool) and str(id).strip()
    return Inner(str(id) if named else place, data)


FORMAT = Format("json", (".jsonl", ".ndjson"), recognise, None, unpack=unpack)
