"""Delimited text (RFC 4180 and its kin): a block for each row, with the names of its columns."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from index.readers import tables
from index.readers.blocks import assemble, clean
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

_DELIMITERS = "\t,;|"
_SAMPLE = 200  # rows that are looked at to tell the delimiter
_START = 200_000  # characters within which they are looked for
_FIELD = 10_000_000  # characters in one cell, where an unclosed quote takes the rest of the file

csv.field_size_limit(_FIELD)


def read(data: bytes) -> Content:
    """Read delimited text in any encoding. The delimiter is the one that gives even rows."""
    text = clean(decode(data))
    first, _, rest = text.partition("\n")
    if len(first) == 5 and first.lower().startswith("sep="):  # how Excel is told the delimiter
        delimiter, text = first[4], rest
    else:
        delimiter = max(_DELIMITERS, key=lambda mark: _evenness(text, mark))
    return assemble("csv", tables.capped(tables.pieces(_rows(text, delimiter))))


def _rows(text: str, delimiter: str) -> Iterator[tables.Row]:
    lines = iter(text.splitlines(keepends=True))
    for cells in csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter != "\t"):
        yield dict(enumerate(cells))


def _evenness(text: str, delimiter: str) -> tuple[int, int]:
    """How many rows have the most common width over one cell, and that width."""
    sample = islice(_rows(text[:_START], delimiter), _SAMPLE)
    widths = Counter(len(row) for row in sample if len(row) > 1)
    width, rows = max(widths.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
    return rows, width


FORMAT = Format("csv", (".csv", ".tsv", ".tab"), lambda data: False, read, textual=True)
