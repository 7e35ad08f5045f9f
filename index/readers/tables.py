"""Rows of cells become blocks, each with the names of its columns where a header gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice

from index.readers.blocks import Piece

Row = Mapping[int, str]  # the text of each cell that has any, by its column from 0

_LIMIT = 2_000_000  # characters: some thousand passages, more than anybody asks questions of
_SAMPLE = 30  # rows that are looked at to tell whether there is a header
_TITLES = 5  # rows that may stand above it
_NAME = 60  # characters, the most that still name a column
_REST = "(The table goes on: it is too large to be read to its end.)"


def pieces(rows: Iterable[Row], page: int | None = None) -> Iterator[Piece]:
    """One block a row: ``Seats: 400 | Doors: 6`` below a header, else ``400 | 6``.

    An empty row ends a table, so that the next may have a header of its own.
    """
    for filled, table in groupby(map(_tidy, rows), key=bool):
        if filled:
            yield from _table(table, page)


def sheet(name: str, found: Iterable[Piece]) -> Iterator[Piece]:
    """The blocks of a sheet below its name; an empty sheet gives none."""
    for number, piece in enumerate(found):
        if number == 0:
            yield Piece(name, "heading", 1, piece.page)
        yield piece


def capped(found: Iterable[Piece]) -> Iterator[Piece]:
    """The blocks up to a limit, with a note where they do not end there."""
    left = _LIMIT
    for piece in found:
        if len(piece.text) > left:
            yield Piece(_REST, page=piece.page)
            return
        left -= len(piece.text) + 1
        yield piece


def _table(rows: Iterator[Row], page: int | None) -> Iterator[Piece]:
    sample = list(islice(rows, _SAMPLE))
    at = next((n for n, row in enumerate(sample[:_TITLES]) if len(row) > 1), 0)
    header = sample[at] if _is_header(sample[at], sample[at + 1 :]) else {}
    for number, row in enumerate(chain(sample, rows)):
        yield Piece(_line(row, header if number > at else {}), "row", page=page)


def _line(row: Row, header: Row) -> str:
    if len(row) == 1 and len(header) > 2:  # a line across the table
        header = {}
    names = {column: name.rstrip(": ") for column, name in header.items()}
    return " | ".join(
        f"{names[column]}: {cell}" if names.get(column) else cell for column, cell in row.items()
    )


def _is_header(row: Row, below: Sequence[Row]) -> bool:
    """Short, different words over all columns, of which at least one holds figures below.

    Where all is words nothing tells names from values, and bare cells are never wrong.
    """
    names = list(row.values())
    if len(names) < 2 or len(set(names)) < len(names) or not below:
        return False
    if any(len(name) > _NAME or _is_figure(name) for name in names):
        return False
    if any(column not in row for line in below if len(line) > 1 for column in line if column):
        return False
    columns = ([line[column] for line in below if column in line] for column in row)
    return any(cells and sum(map(_is_figure, cells)) * 2 > len(cells) for cells in columns)


def _is_figure(cell: str) -> bool:
    """A number, date, time, amount or code, rather than words."""
    letters = sum(character.isalpha() for character in cell)
    return sum(character.isdigit() for character in cell) > letters


def _tidy(row: Row) -> Row:
    texts = ((column, " ".join(cell.split())) for column, cell in sorted(row.items()))
    return {column: text for column, text in texts if text}
