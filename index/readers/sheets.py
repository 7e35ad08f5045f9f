"""Spreadsheets: Excel's of all ages, and OpenDocument's; a page a sheet, a block a row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from io import BytesIO
from itertools import chain

from python_calamine import CalamineWorkbook

from index.errors import Unreadable
from index.readers import compound, numerals, opendocument, tables, xlsx
from index.readers.blocks import Piece, assemble
from index.readers.format import Format
from index.readers.package import Package, holds, opened
from index.values import Content

_BINARY = "xl/workbook.bin"


def recognise(data: bytes) -> bool:
    """Say whether the content is a workbook: of either ZIP kind, or [MS-XLS] in its OLE file."""
    return compound.kind(data) == "xls" or holds(data, "xl") or opendocument.is_sheet(data)


def read(data: bytes) -> Content:
    """Read a workbook, each sheet below its name. Comments and empty sheets are left out."""
    package = opened(data)
    if package is None:
        compound.refuse_encrypted(data)
        found, stated = _calamine(data), compound.properties(data)
    elif opendocument.is_sheet(data):
        found, stated = opendocument.sheets(package), opendocument.properties(package)
    elif _BINARY in package:
        found, stated = _calamine(data), package.properties()
    else:
        found, stated = _xlsx(package), package.properties()
    return assemble(
        "sheet",
        tables.capped(found),
        title=stated.title,
        published=stated.published,
        language=stated.language,
        metadata=stated.metadata,
    )


def _xlsx(package: Package) -> Iterator[Piece]:
    for page, sheet in enumerate(xlsx.sheets(package), 1):
        filled = filter(_filled, chain(tables.pieces(sheet.rows, page), sheet.drawn))
        yield from tables.sheet(sheet.name, filled)


def _calamine(data: bytes) -> Iterator[Piece]:
    """[MS-XLS] and [MS-XLSB]."""
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
    except BaseException as error:  # where Rust panics it raises what is no Exception
        raise _damaged(error) from error
    for page, name in enumerate(book.sheet_names, 1):
        yield from tables.sheet(name, tables.pieces(_rows(book, page - 1), page))


def _rows(book: CalamineWorkbook, number: int) -> Iterator[tables.Row]:
    try:
        for row in book.get_sheet_by_index(number).iter_rows():
            yield {column: _shown(value) for column, value in enumerate(row) if value != ""}
    except GeneratorExit:
        raise
    except BaseException as error:
        raise _damaged(error) from error


def _damaged(error: BaseException) -> BaseException:
    if isinstance(error, (KeyboardInterrupt, SystemExit, MemoryError)):
        return error
    return Unreadable(f"damaged: it cannot be read as sheet ({str(error)[:120]})")


def _filled(piece: Piece) -> bool:
    return bool(piece.text.strip())


def _shown(value: str | float | bool | date | time | timedelta) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        return numerals.plain(value)
    if isinstance(value, datetime):
        return numerals.moment(value)
    if isinstance(value, timedelta):
        return numerals.span(value)
    return value.isoformat() if isinstance(value, (date, time)) else value


FORMAT = Format(
    "sheet",
    (".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".xlt", ".ods", ".ots"),
    recognise,
    read,
)
