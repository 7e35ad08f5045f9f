"""Word documents (WordprocessingML, ECMA-376-1, 17): paragraphs, lists and tables in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from index.errors import Unreadable
from index.readers import drawing, html, markup, mhtml
from index.readers.blocks import Piece, assemble
from index.readers.encoding import decode
from index.readers.format import Format
from index.readers.package import Element, Package, holds
from index.values import BlockKind, Content

Kind = tuple[BlockKind, int]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)


def _named(*names: str) -> frozenset[str]:
    return frozenset(f"{_W}{name}" for name in names)


_WRAPPERS = _named("sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo")
_SKIPPED = _named("del", "moveFrom", "txbxContent", "pPr", "rPr", "rt") | {
    "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
}
_REFERENCES = {f"{_W}footnoteReference": "footnotes", f"{_W}endnoteReference": "endnotes"}
_MARKS = {
    f"{_W}tab": "\t",
    f"{_W}br": "\n",
    f"{_W}cr": "\n",
    f"{_W}noBreakHyphen": "-",
}
_TEXTS = frozenset((f"{_W}t", f"{_M}t"))
_BEFORE = {f"{_M}den": "/", f"{_M}sup": "^", f"{_M}sub": "_"}  # in a formula


@dataclass(frozen=True, slots=True)
class _Story:
    """What is needed beside the body: styles, notes by kind and id, drawings in other parts."""

    package: Package
    part: str
    kinds: dict[str, Kind]
    notes: dict[tuple[str, str], Element] = field(default_factory=dict)


def recognise(data: bytes) -> bool:
    """Say whether the content is a package with the parts of a Word document."""
    return holds(data, "word")


def read(data: bytes) -> Content:
    """Read a Word document. Text that was deleted or is hidden, headers and comments are left out.

    Notes follow the paragraph or the row that calls them.
    """
    package = Package(data)
    part = package.main("word/document.xml")
    tree = package.tree(part)
    body = None if tree is None else tree.find(f"{_W}body")
    if body is None:
        raise Unreadable("damaged: the part with its text is missing")
    story = _Story(package, part, _kinds(package, part), _notes(package, part))
    found = list(_blocks(body, story))
    stated = package.properties()
    top = next((piece.text for piece in found if piece.level == 1 and piece.text.strip()), "")
    return assemble(
        "docx",
        found,
        title=stated.title or top,
        published=stated.published,
        language=stated.language,
        metadata=stated.metadata,
    )


def _blocks(parent: Element, story: _Story) -> Iterator[Piece]:
    for child in parent:
        if child.tag == f"{_W}p":
            yield from _shown(child, story)
            yield from _called(child, story)
        elif child.tag == f"{_W}tbl":
            yield from _table(child, story)
        elif child.tag == f"{_W}altChunk":
            yield from _chunk(child, story)
        elif child.tag in _WRAPPERS:
            yield from _blocks(child, story)


def _chunk(element: Element, story: _Story) -> Iterator[Piece]:
    """A web page that stands within the document (17.17.2); chunks of other kinds are rare."""
    relation = story.package.relations(story.part).get(element.get(_ID, ""))
    data = story.package.part(relation.target) if relation else b""
    if mhtml.FORMAT.recognise(data):
        page = mhtml.read(data)
        for block in page.blocks:
            yield Piece(page.text[block.start : block.end], block.kind, block.level)
    elif html.recognise(data):
        yield from markup.page(decode(data))


def _shown(paragraph: Element, story: _Story) -> Iterator[Piece]:
    """A paragraph and what is drawn on it, without the notes that it calls."""
    yield Piece(_text(paragraph), *_kind(paragraph, story.kinds))
    for box in _boxes(paragraph):
        yield from _blocks(box, story)
    yield from drawing.graphics(paragraph, story.package, story.part)


def _called(element: Element, story: _Story) -> Iterator[Piece]:
    """The notes that an element calls, each once."""
    for reference in element.iter(*_REFERENCES):
        if not _inside(reference, element):
            key = _REFERENCES[reference.tag], reference.get(f"{_W}id", "")
            note = story.notes.pop(key, None)
            yield from () if note is None else _blocks(note, story)


def _text(paragraph: Element) -> str:
    """The text of a paragraph with its tabs and line breaks, as the reader sees it."""
    parts: list[str] = []
    for child in paragraph:
        if child.tag in _TEXTS:
            parts.append(child.text or "")
        elif child.tag in _MARKS:
            parts.append(_MARKS[child.tag])
        elif child.tag not in _SKIPPED and not _hidden(child):
            parts += (_BEFORE.get(child.tag, ""), _text(child))
    return "".join(parts)


def _hidden(run: Element) -> bool:
    """Say whether a run is marked as not shown (17.3.2.41)."""
    mark = run.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(f"{_W}val", "1") not in ("0", "false", "off")


def _boxes(paragraph: Element) -> list[Element]:
    """Text boxes that hang on a paragraph, outermost only, not their copies for old programs."""
    return [box for box in paragraph.iter(f"{_W}txbxContent") if not _inside(box, paragraph)]


def _inside(box: Element, paragraph: Element) -> bool:
    for parent in box.iterancestors():
        if parent is paragraph:
            return False
        if parent.tag in _SKIPPED:
            return True
    return False


def _table(table: Element, story: _Story) -> Iterator[Piece]:
    """A row a block; a table of one column is a frame around ordinary blocks."""
    rows = [list(_unwrapped(row, f"{_W}tc")) for row in _unwrapped(table, f"{_W}tr")]
    if all(len(cells) < 2 for cells in rows):
        for cells in rows:
            for cell in cells:
                yield from _blocks(cell, story)
        return
    for cells in rows:
        yield Piece(" | ".join(filter(None, (_cell(cell, story) for cell in cells))), "row")
        for cell in cells:
            yield from _called(cell, story)


def _cell(cell: Element, story: _Story) -> str:
    """The text of a cell on one line; its notes are left to the row."""
    without = replace(story, notes={})
    return " ".join(" ".join(piece.text for piece in _blocks(cell, without)).split())


def _unwrapped(parent: Element, name: str) -> Iterator[Element]:
    """The children so named, also those within content controls and revisions."""
    for child in parent:
        if child.tag == name:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _unwrapped(child, name)


def _kind(paragraph: Element, kinds: dict[str, Kind]) -> Kind:
    """Headings by style, list items by style or by their own numbering."""
    properties = paragraph.find(f"{_W}pPr")
    if properties is None:
        return "paragraph", 0
    kind = kinds.get(_value(properties, "pStyle"), ("paragraph", 0))
    if kind[0] == "paragraph" and properties.find(f"{_W}numPr") is not None:
        return "item", 0
    return kind


def _kinds(package: Package, part: str) -> dict[str, Kind]:
    """What each style, by its id, makes of a paragraph; a style inherits from the one it names."""
    styles: dict[str, Element] = {}
    for name in package.related(part, "styles"):
        tree = package.tree(name)
        for style in () if tree is None else tree.iterchildren(f"{_W}style"):
            styles[style.get(f"{_W}styleId", "")] = style
    kinds: dict[str, Kind] = {}
    for name in styles:
        kind, seen, ancestor = None, set[str](), name
        while kind is None and ancestor in styles and ancestor not in seen:
            seen.add(ancestor)
            kind = _style_kind(styles[ancestor])
            ancestor = _value(styles[ancestor], "basedOn")
        kinds[name] = kind or ("paragraph", 0)
    return kinds


def _style_kind(style: Element) -> Kind | None:
    """Built-in styles have their English names in every language; others state their level."""
    name = _value(style, "name")
    if match := _HEADING.match(name):
        return "heading", int(match.group(1))
    if name.lower() == "title":
        return "heading", 1
    properties = style.find(f"{_W}pPr")
    if properties is None:
        return ("item", 0) if name.lower().startswith("list ") else None
    level = _value(properties, "outlineLvl")
    if level.isdigit() and int(level) < 9:  # 9 is body text
        return "heading", int(level) + 1
    numbered = properties.find(f"{_W}numPr") is not None
    return ("item", 0) if numbered or name.lower().startswith("list ") else None


def _value(parent: Element, name: str) -> str:
    child = parent.find(f"{_W}{name}")
    return "" if child is None else child.get(f"{_W}val", "")


def _notes(package: Package, part: str) -> dict[tuple[str, str], Element]:
    """Footnotes and endnotes, which stand in parts of their own, by kind and id."""
    return {
        (kind, note.get(f"{_W}id", "")): note
        for kind in _REFERENCES.values()
        for name in package.related(part, kind)
        for tree in [package.tree(name)]
        for note in (() if tree is None else tree)
    }


FORMAT = Format("docx", (".docx", ".docm", ".dotx", ".dotm"), recognise, read)
