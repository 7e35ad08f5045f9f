"""PowerPoint presentations (PresentationML, ECMA-376-1, 19): slides with their notes."""

from __future__ import annotations

from collections.abc import Iterator

from index.readers import drawing, slides
from index.readers.blocks import Piece, assemble
from index.readers.drawing import A
from index.readers.format import Format
from index.readers.package import Element, Package, holds
from index.values import BlockKind, Content

_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_COMPATIBLE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_GROUPS = frozenset((f"{_P}grpSp", f"{_COMPATIBLE}AlternateContent", f"{_COMPATIBLE}Choice"))
_RUNNING = frozenset(("dt", "ftr", "hdr", "sldNum", "sldImg"))  # heads and feet of every slide
_TITLES = frozenset(("title", "ctrTitle"))
_LISTS = frozenset(("", "body", "obj"))  # what stands in these has bullets unless it says not
_BULLETS = (f"{A}buChar", f"{A}buAutoNum", f"{A}buBlip")
_GENERIC = ("powerpoint presentation", "powerpoint-präsentation", "slide 1", "untitled")


def recognise(data: bytes) -> bool:
    """Say whether the content is a package with the parts of a presentation."""
    return holds(data, "ppt")


def read(data: bytes) -> Content:
    """Read a presentation, a page a slide. Heads, feet and comments are left out."""
    package = Package(data)
    found: list[Piece] = []
    for page, slide in enumerate(_slides(package), 1):
        found += _slide(package, slide, page)
    stated = package.properties()
    title = "" if stated.title.lower() in _GENERIC else stated.title
    return assemble(
        "slides",
        found,
        title=title or next((p.text for p in found if p.kind == "heading" and p.text), ""),
        published=stated.published,
        language=stated.language,
        metadata=stated.metadata,
    )


def _slides(package: Package) -> Iterator[str]:
    """The parts of the slides in the order in which they are shown."""
    main = package.main("ppt/presentation.xml")
    relations, tree = package.relations(main), package.tree(main)
    for slide in () if tree is None else tree.iter(f"{_P}sldId"):
        relation = relations.get(slide.get(_ID, ""))
        if relation is not None and relation.target in package:
            yield relation.target


def _slide(package: Package, part: str, page: int) -> list[Piece]:
    tree = package.tree(part)
    if tree is None:
        return []
    # Shapes stand in the order in which they are drawn, which is that of screen readers too.
    shapes = sorted(_shapes(tree), key=lambda shape: _place(shape) not in _TITLES)
    shown = [piece for shape in shapes for piece in _shape(shape, package, part, page)]
    notes: list[Piece] = []
    for name in package.related(part, "notesSlide"):
        below = package.tree(name)
        for shape in () if below is None else _shapes(below):
            notes += _shape(shape, package, name, page)
    return slides.slide(shown, notes, page)


def _shapes(parent: Element) -> Iterator[Element]:
    """The shapes of a slide, those of groups in their place."""
    trees = parent.iter(f"{_P}spTree") if parent.tag not in _GROUPS else (parent,)
    for tree in trees:
        for child in tree:
            if child.tag in _GROUPS:
                yield from _shapes(child)
            else:
                yield child


def _place(shape: Element) -> str | None:
    """The kind of placeholder that a shape fills, None for any other shape."""
    placeholder = shape.find(f"*/{_P}nvPr/{_P}ph")
    return None if placeholder is None else placeholder.get("type", "")


def _shape(shape: Element, package: Package, part: str, page: int) -> Iterator[Piece]:
    place = _place(shape)
    if place in _RUNNING:
        return
    if shape.tag == f"{_P}graphicFrame":
        yield from drawing.table(shape, page)
        yield from drawing.graphics(shape, package, part, page)
    elif place in _TITLES:
        title = (" ".join(drawing.words(p).split()) for p in shape.iter(f"{A}p"))
        yield Piece(" ".join(filter(None, title)), "heading", 1, page)
    else:
        listed = place in _LISTS and sum(1 for p in shape.iter(f"{A}t")) > 1
        for paragraph in shape.iter(f"{A}p"):
            kind: BlockKind = "item" if _bulleted(paragraph, listed) else "paragraph"
            yield Piece(drawing.words(paragraph), kind, page=page)


def _bulleted(paragraph: Element, default: bool) -> bool:
    stated = paragraph.find(f"{A}pPr")
    if stated is None:
        return default
    if stated.find(f"{A}buNone") is not None:
        return False
    return default or any(stated.find(bullet) is not None for bullet in _BULLETS)


FORMAT = Format("slides", (".pptx", ".ppsx", ".potx", ".pptm", ".ppsm", ".potm"), recognise, read)
