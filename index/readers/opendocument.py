"""OpenDocument (ODF 1.3, part 3): texts, presentations and drawings, and the rows of sheets."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import repeat
from zipfile import BadZipFile

from index.errors import Unreadable
from index.readers import slides, tables
from index.readers.blocks import Piece, assemble, one_line
from index.readers.dates import iso_date
from index.readers.format import Format
from index.readers.package import Element, Package, Properties, facts, opened
from index.values import BlockKind, Content

_ODF = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _DRAW, _OFFICE, _META, _SHOW = (
    f"{{{_ODF}{name}:1.0}}"
    for name in ("text", "table", "drawing", "office", "meta", "presentation")
)
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_MEDIA = "application/vnd.oasis.opendocument."
_LOCK = b"encryption-data"  # part 2, 4.4, in the manifest; also of a package within the package

# Not read: what was deleted, comments, forms, and the readings of ruby.
_SKIPPED = frozenset(
    (
        *(f"{_TEXT}{n}" for n in ("tracked-changes", "ruby-text", "sequence-decls", "hidden-text")),
        *(f"{_OFFICE}{name}" for name in ("annotation", "forms", "event-listeners")),
        "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}title",
        "{urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0}desc",
    )
)
_PARAGRAPHS = frozenset((f"{_TEXT}p", f"{_TEXT}h"))
_APART = frozenset((f"{_TEXT}note", f"{_DRAW}frame", f"{_DRAW}custom-shape", f"{_DRAW}g"))
_RUNNING = frozenset(("header", "footer", "date-time", "page-number"))
_REPEATED = 1000  # as often as a filled row or cell is said to repeat; more are no data


def is_sheet(data: bytes) -> bool:
    """Say whether the content is an OpenDocument spreadsheet."""
    return _kind(data).startswith("spreadsheet")


def sheets(package: Package) -> Iterator[Piece]:
    """The rows of a spreadsheet, as they are shown there; a page a sheet."""
    body = _body(package)
    for page, sheet in enumerate(body.iter(f"{_TABLE}table"), 1):
        yield from tables.sheet(sheet.get(f"{_TABLE}name", ""), tables.pieces(_sheet(sheet), page))


def properties(package: Package) -> Properties:
    """What meta.xml states (part 3, 4)."""
    tree = package.tree("meta.xml")
    if tree is None:
        return Properties("", None, None, {})

    def stated(*names: str) -> str:
        found = (next(tree.iter(name), None) for name in names)
        return next((one_line(e.text) for e in found if e is not None and e.text), "")

    created = iso_date(stated(f"{_META}creation-date"))
    author = stated(f"{_META}initial-creator", f"{_DUBLIN}creator")
    changed = iso_date(stated(f"{_DUBLIN}date"))
    return Properties(
        stated(f"{_DUBLIN}title"),
        created,
        stated(f"{_DUBLIN}language") or None,
        facts(author, created, changed),
    )


def _recognise_text(data: bytes) -> bool:
    return _kind(data).startswith("text")


def _recognise_slides(data: bytes) -> bool:
    return _kind(data).startswith(("presentation", "graphics"))


def _read_text(data: bytes) -> Content:
    """Read a text document. Headers, footers, comments and deletions are left out."""
    package = Package(data)
    return _content("odt", package, _blocks(_body(package)))


def _read_slides(data: bytes) -> Content:
    """Read a presentation or a drawing, a page a slide, with its notes."""
    package = Package(data)
    pages = enumerate(_body(package).iter(f"{_DRAW}page"), 1)
    return _content("slides", package, (piece for n, page in pages for piece in _slide(page, n)))


def _content(type: str, package: Package, pieces: Iterator[Piece]) -> Content:
    found, stated = list(pieces), properties(package)
    top = next((one_line(p.text) for p in found if p.level == 1 and p.text.strip()), "")
    return assemble(
        type,
        found,
        title=stated.title or top,
        published=stated.published,
        language=stated.language,
        metadata=stated.metadata,
    )


def _kind(data: bytes) -> str:
    """The last word of the media type that the package states, empty for another package."""
    package = opened(data)
    if package is None or "content.xml" not in package:
        return ""
    return next((stated for stated in _stated(package) if stated), "")


def _stated(package: Package) -> Iterator[str]:
    """What the two places say in which the media type may stand, and may be damaged."""
    for place in (_first, _listed):
        with suppress(BadZipFile, zlib.error, Unreadable, EOFError, NotImplementedError):
            stated = place(package).strip()
            yield stated.removeprefix(_MEDIA) if stated.startswith(_MEDIA) else ""


def _first(package: Package) -> str:
    return package.part("mimetype").decode("ascii", "replace")


def _listed(package: Package) -> str:
    manifest = package.tree("META-INF/manifest.xml")
    for entry in () if manifest is None else manifest:
        named = {name.rpartition("}")[2]: value for name, value in entry.attrib.items()}
        if named.get("full-path") == "/":
            return str(named.get("media-type", ""))
    return ""


def _body(package: Package) -> Element:
    if _LOCK in package.part("META-INF/manifest.xml"):
        raise Unreadable("encrypted: save it without a password")
    tree = package.tree("content.xml")
    body = None if tree is None else tree.find(f"{_OFFICE}body")
    if body is None:
        raise Unreadable("damaged: the part with its text is missing")
    return body


def _blocks(parent: Element, kind: BlockKind = "paragraph") -> Iterator[Piece]:
    for child in parent:
        if child.tag in _PARAGRAPHS:
            level = _number(child, f"{_TEXT}outline-level", 1) if child.tag == f"{_TEXT}h" else 0
            yield Piece(_words(child), "heading" if level else kind, level)
            for apart in _hung(child):
                yield from _blocks(apart)
        elif child.tag == f"{_TABLE}table":
            yield from _table(child)
        elif child.tag == f"{_TEXT}list":
            yield from _blocks(child, "item")
        elif child.tag == f"{_TEXT}note-citation":
            continue
        elif child.tag not in _SKIPPED:
            yield from _blocks(child, kind)


def _words(element: Element) -> str:
    """The text of a paragraph, without what hangs on it (part 3, 6.1)."""
    parts = [_run(element.text)]
    for child in element:
        if child.tag == f"{_TEXT}s":
            parts.append(" " * min(_number(child, f"{_TEXT}c", 1), _REPEATED))
        elif child.tag == f"{_TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{_TEXT}line-break":
            parts.append("\n")
        elif child.tag not in _SKIPPED and child.tag not in _APART:
            parts.append(_words(child))
        parts.append(_run(child.tail))
    return "".join(parts)


def _hung(element: Element) -> Iterator[Element]:
    """The notes and boxes that hang on a paragraph, outermost only."""
    for child in element:
        if child.tag in _APART:
            yield child
        elif child.tag not in _SKIPPED:
            yield from _hung(child)


def _table(table: Element) -> Iterator[Piece]:
    """A row a block, its notes after it; a table of one column is a frame around blocks."""
    rows = [[*_cells(row)] for row in _rows(table)]
    if all(len(cells) < 2 for cells in rows):
        for cells in rows:
            for cell in cells:
                yield from _blocks(cell)
        return
    for cells in rows:
        texts = (" ".join(_words_of(cell)) for cell in cells)
        yield Piece(" | ".join(filter(None, texts)), "row")
        for cell in cells:
            for note in cell.iter(f"{_TEXT}note"):
                yield from _blocks(note)


def _words_of(cell: Element) -> Iterator[str]:
    """The lines of a cell, without its notes."""
    for child in cell:
        if child.tag in _PARAGRAPHS:
            yield " ".join(_words(child).split())
            for apart in _hung(child):
                if apart.tag != f"{_TEXT}note":
                    yield from _words_of(apart)
        elif child.tag not in _SKIPPED:
            yield from _words_of(child)


def _rows(table: Element) -> Iterator[Element]:
    """The rows, also those in groups and heads."""
    for child in table:
        if child.tag == f"{_TABLE}table-row":
            yield child
        elif child.tag != f"{_TABLE}table" and child.tag not in _SKIPPED:
            yield from _rows(child)


def _cells(row: Element) -> Iterator[Element]:
    yield from row.iterchildren(f"{_TABLE}table-cell")


def _sheet(sheet: Element) -> Iterator[tables.Row]:
    for row in _rows(sheet):
        cells: dict[int, str] = {}
        column = 0
        for cell in row.iterchildren(f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
            times = _number(cell, f"{_TABLE}number-columns-repeated", 1)
            if text := " ".join(filter(None, _words_of(cell))):
                cells |= dict.fromkeys(range(column, column + min(times, _REPEATED)), text)
            column += times
        times = _number(row, f"{_TABLE}number-rows-repeated", 1)
        yield from repeat(cells, min(times, _REPEATED) if cells else 1)


def _slide(page: Element, number: int) -> list[Piece]:
    """The title first, then the other shapes in their order, then the notes."""
    shown: list[Piece] = []
    notes: list[Piece] = []
    for shape in sorted(page, key=lambda shape: _class(shape) != "title"):
        if _class(shape) == "title":
            title = " ".join(filter(None, _words_of(shape)))
            shown.append(Piece(title, "heading", 1, number))
        elif shape.tag == f"{_SHOW}notes":
            notes += (p for part in shape if _class(part) not in _RUNNING for p in _blocks(part))
        elif shape.tag not in _SKIPPED and _class(shape) not in _RUNNING:
            shown += (replace(piece, page=number) for piece in _blocks(shape))
    return slides.slide(shown, notes, number)


def _class(shape: Element) -> str:
    """What a shape is for: ``title``, ``outline``, ``notes`` …"""
    return str(shape.get(f"{_SHOW}class", ""))


def _number(element: Element, name: str, default: int) -> int:
    stated = element.get(name, "")
    return int(stated) if stated.isdecimal() and 0 < int(stated) < 1 << 31 else default


def _run(characters: str | None) -> str:
    """White space counts once (part 3, 6.1.2)."""
    if not characters:
        return ""
    inner = " ".join(characters.split())
    before = " " if characters[0].isspace() else ""
    after = " " if inner and characters[-1].isspace() else ""
    return f"{before}{inner}{after}"


TEXT = Format("odt", (".odt", ".ott"), _recognise_text, _read_text)
SLIDES = Format("slides", (".odp", ".otp", ".odg", ".otg"), _recognise_slides, _read_slides)
