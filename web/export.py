"""Results as files: JSON lines for programs, a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Literal

from search.results import Result
from web.replies import ResultValue

MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}

_COLUMNS = (
    "passage_id document_id uri title published type heading page start end score text".split()
)


def lines(results: Iterable[Result], format: Literal["jsonl", "csv"]) -> Iterator[str]:
    """The lines of an export, each with its newline; a line of a table may hold several."""
    return _table(results) if format == "csv" else _jsonl(results)


def _jsonl(results: Iterable[Result]) -> Iterator[str]:
    for result in results:
        yield ResultValue.of(result).model_dump_json() + "\n"


def _table(results: Iterable[Result]) -> Iterator[str]:
    yield _row(_COLUMNS)
    for result in results:
        passage, of = result.passage, result.passage.document
        names = [_cell(v) for v in (of.uri, of.title, of.published or "", of.type, passage.heading)]
        numbers = [passage.page, passage.start, passage.end, result.score]
        yield _row([passage.id, of.id, *names, *numbers, _cell(passage.text)])


def _row(cells: Iterable[object]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(text: str) -> str:
    """Text that a spreadsheet takes as text: what begins like a formula gets an apostrophe."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
