"""The cells of an Excel workbook (SpreadsheetML, ECMA-376-1, 18), a row at a time.

Only what is filled is held: a cell in the last corner of a sheet costs no more than any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO

from lxml import etree

from index.readers import drawing, numerals
from index.readers.blocks import Piece
from index.readers.package import Element, Package, transitional
from index.readers.tables import Row

_S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_PLACE = re.compile(r"([A-Z]{1,3})\d+")
_PHONETIC = f"{_S}rPh"
_BOOLEANS = {"0": "FALSE", "1": "TRUE"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook: its name, its rows, and what is drawn on it."""

    name: str
    rows: Iterator[Row]
    drawn: Iterator[Piece]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all sheets of a workbook share: its strings, its number formats, its first year."""

    strings: Sequence[str]
    formats: Sequence[str]
    since_1904: bool


def sheets(package: Package) -> Iterator[Sheet]:
    """The sheets of a workbook in their order; each is unpacked when its rows are asked for."""
    main = package.main("xl/workbook.xml")
    tree, relations = package.tree(main), package.relations(main)
    if tree is None:
        return
    year = tree.find(f"{_S}workbookPr")
    since_1904 = year is not None and year.get("date1904") in ("1", "true")
    shared = _Shared(_strings(package, main), _formats(package, main), since_1904)
    for page, sheet in enumerate(tree.iter(f"{_S}sheet"), 1):
        relation = relations.get(sheet.get(_ID, ""))
        if relation is not None:
            part = relation.target
            yield Sheet(
                sheet.get("name", ""), _rows(package, part, shared), _drawn(package, part, page)
            )


def _rows(package: Package, part: str, shared: _Shared) -> Iterator[Row]:
    """The rows; an empty one stands for any number of them."""
    last = 0
    for row in _each(package.part(part), f"{_S}row"):
        number = int(row.get("r") or last + 1)
        if number > last + 1:
            yield {}
        last = number
        yield dict(_cells(row, shared))


def _cells(row: Element, shared: _Shared) -> Iterator[tuple[int, str]]:
    column = -1
    for cell in row.iter(f"{_S}c"):
        place = _PLACE.match(cell.get("r") or "")
        column = _column(place.group(1)) if place else column + 1
        if text := _text(cell, shared):
            yield column, text


def _text(cell: Element, shared: _Shared) -> str:
    """What a cell shows (18.18.11 lists the types)."""
    type, value = cell.get("t", "n"), cell.findtext(f"{_S}v") or ""
    if type == "inlineStr":
        return "".join(_runs(cell))
    if type == "s":
        place = int(value or -1)
        return shared.strings[place] if 0 <= place < len(shared.strings) else ""
    if type == "b":
        return _BOOLEANS.get(value, value)
    if type != "n" or not value:  # a formula's text, an error, an ISO date
        return value
    style = int(cell.get("s") or 0)
    code = shared.formats[style] if style < len(shared.formats) else ""
    try:
        return numerals.shown(float(value), code, since_1904=shared.since_1904)
    except (ValueError, OverflowError):
        return value


def _strings(package: Package, main: str) -> list[str]:
    """The shared strings, without the readings that help to pronounce them."""
    return [
        "".join(_runs(item))
        for part in package.related(main, "sharedStrings")
        for item in _each(package.part(part), f"{_S}si")
    ]


def _formats(package: Package, main: str) -> list[str]:
    """The format code of each cell style."""
    found: list[str] = []
    for part in package.related(main, "styles"):
        tree = package.tree(part)
        styles = () if tree is None else tree.iterfind(f"{_S}cellXfs/{_S}xf")
        codes: Mapping[int, str] = numerals.BUILT_IN | {
            int(format.get("numFmtId", "0")): format.get("formatCode", "")
            for format in (() if tree is None else tree.iter(f"{_S}numFmt"))
        }
        found += (codes.get(int(style.get("numFmtId") or 0), "") for style in styles)
    return found


def _runs(item: Element) -> Iterator[str]:
    for text in item.iter(f"{_S}t"):
        if text.getparent().tag != _PHONETIC:
            yield text.text or ""


def _each(source: bytes, tag: str) -> Iterator[Element]:
    """The elements so named, one at a time, each forgotten after it."""
    walk = etree.iterparse(
        BytesIO(transitional(source)),
        tag=tag,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    for _, element in walk:
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _drawn(package: Package, part: str, page: int) -> Iterator[Piece]:
    """The text boxes, charts and schemes on a sheet."""
    for name in package.related(part, "drawing"):
        tree = package.tree(name)
        if tree is not None:
            yield from drawing.paragraphs(tree, page)
            yield from drawing.graphics(tree, package, name, page)
