"""Word documents (ECMA-376): paragraphs, lists and tables in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

import docx
from docx.document import Document
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn

from index.errors import Unreadable
from index.readers.blocks import Piece, assemble
from index.readers.format import Format
from index.values import BlockKind, Content

Element = Any  # of lxml
Kind = tuple[BlockKind, int]

_LARGEST = 200 * 1024 * 1024  # bytes unpacked; beyond it is a bomb, not a document
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_WRAPPERS = frozenset(map(qn, ("w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo")))
_SKIPPED = frozenset(
    [
        *map(qn, ("w:del", "w:moveFrom", "w:txbxContent", "w:pPr", "w:rPr")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    ]
)
_MARKS = {
    qn("w:tab"): "\t",
    qn("w:br"): "\n",
    qn("w:cr"): "\n",
    qn("w:noBreakHyphen"): "-",
}


def recognise(data: bytes) -> bool:
    """Say whether the content is a ZIP with the parts of a Word document."""
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        with ZipFile(BytesIO(data)) as archive:
            return any(name.lower().startswith("word/") for name in archive.namelist())
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return False


def read(data: bytes) -> Content:
    """Read a Word document. Text that was deleted, headers and comments are left out."""
    with ZipFile(BytesIO(data)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
            raise Unreadable("too large: it unpacks to more than 200 MB")
    document = docx.Document(BytesIO(data))
    kinds = _kinds(document)
    found = [*_blocks(document.element.body, kinds), *_notes(document, kinds)]
    title, published, language = _properties(document)
    top = next((piece.text for piece in found if piece.level == 1), "")
    return assemble("docx", found, title=title or top, published=published, language=language)


def _blocks(parent: Element, kinds: dict[str, Kind]) -> Iterator[Piece]:
    for child in parent:
        if child.tag == qn("w:p"):
            yield Piece(_text(child), *_kind(child, kinds))
            for box in _boxes(child):
                yield from _blocks(box, kinds)
        elif child.tag == qn("w:tbl"):
            yield from _table(child, kinds)
        elif child.tag in _WRAPPERS:
            yield from _blocks(child, kinds)


def _text(paragraph: Element) -> str:
    """The text of a paragraph with its tabs and line breaks, as the reader sees it."""
    parts: list[str] = []
    for child in paragraph:
        if child.tag == qn("w:t"):
            parts.append(child.text or "")
        elif child.tag in _MARKS:
            parts.append(_MARKS[child.tag])
        elif child.tag not in _SKIPPED:
            parts.append(_text(child))
    return "".join(parts)


def _boxes(paragraph: Element) -> list[Element]:
    """Text boxes that hang on a paragraph, outermost only, not their copies for old programs."""
    return [box for box in paragraph.iter(qn("w:txbxContent")) if not _inside(box, paragraph)]


def _inside(box: Element, paragraph: Element) -> bool:
    for parent in box.iterancestors():
        if parent is paragraph:
            return False
        if parent.tag in _SKIPPED:
            return True
    return False


def _table(table: Element, kinds: dict[str, Kind]) -> Iterator[Piece]:
    """A row a block; a table of one column is a frame around ordinary blocks."""
    rows = [list(_unwrapped(row, "w:tc")) for row in _unwrapped(table, "w:tr")]
    if all(len(cells) < 2 for cells in rows):
        for cells in rows:
            for cell in cells:
                yield from _blocks(cell, kinds)
        return
    for cells in rows:
        texts = (" ".join(piece.text for piece in _blocks(cell, kinds)) for cell in cells)
        yield Piece(" | ".join(filter(None, (" ".join(text.split()) for text in texts))), "row")


def _unwrapped(parent: Element, name: str) -> Iterator[Element]:
    """The children so named, also those within content controls and revisions."""
    for child in parent:
        if child.tag == qn(name):
            yield child
        elif child.tag in _WRAPPERS:
            yield from _unwrapped(child, name)


def _kind(paragraph: Element, kinds: dict[str, Kind]) -> Kind:
    """Headings by style, list items by style or by their own numbering."""
    properties = paragraph.find(qn("w:pPr"))
    if properties is None:
        return "paragraph", 0
    kind = kinds.get(_value(properties, "w:pStyle"), ("paragraph", 0))
    if kind[0] == "paragraph" and properties.find(qn("w:numPr")) is not None:
        return "item", 0
    return kind


def _kinds(document: Document) -> dict[str, Kind]:
    """What each style, by its id, makes of a paragraph; a style inherits from the one it names."""
    styles = {style.get(qn("w:styleId"), ""): style for style in document.styles.element}
    kinds: dict[str, Kind] = {}
    for name in styles:
        kind, seen, ancestor = None, set[str](), name
        while kind is None and ancestor in styles and ancestor not in seen:
            seen.add(ancestor)
            kind = _style_kind(styles[ancestor])
            ancestor = _value(styles[ancestor], "w:basedOn")
        kinds[name] = kind or ("paragraph", 0)
    return kinds


def _style_kind(style: Element) -> Kind | None:
    """Built-in styles have their English names in every language; others state their level."""
    name = _value(style, "w:name")
    if match := _HEADING.match(name):
        return "heading", int(match.group(1))
    if name.lower() == "title":
        return "heading", 1
    properties = style.find(qn("w:pPr"))
    if properties is None:
        return ("item", 0) if name.lower().startswith("list ") else None
    level = _value(properties, "w:outlineLvl")
    if level.isdigit() and int(level) < 9:  # 9 is body text
        return "heading", int(level) + 1
    numbered = properties.find(qn("w:numPr")) is not None
    return ("item", 0) if numbered or name.lower().startswith("list ") else None


def _value(parent: Element, name: str) -> str:
    child = parent.find(qn(name))
    return "" if child is None else child.get(qn("w:val"), "")


def _notes(document: Document, kinds: dict[str, Kind]) -> Iterator[Piece]:
    """Footnotes and endnotes, which stand in parts of their own."""
    for relation in document.part.rels.values():
        if relation.reltype in (RELATIONSHIP_TYPE.FOOTNOTES, RELATIONSHIP_TYPE.ENDNOTES):
            for note in parse_xml(relation.target_part.blob):
                yield from _blocks(note, kinds)


def _properties(document: Document) -> tuple[str, str | None, str | None]:
    """Title, day of creation and language as stated; python-docx would invent missing ones."""
    relations = document.part.package.rels.values()
    if all(relation.reltype != RELATIONSHIP_TYPE.CORE_PROPERTIES for relation in relations):
        return "", None, None
    stated = document.core_properties
    created = stated.created.date().isoformat() if stated.created else None
    return stated.title, created, stated.language or None


FORMAT = Format("docx", (".docx",), recognise, read)
