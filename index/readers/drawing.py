"""What drawings in office files say (DrawingML, ECMA-376-1, 21): words, tables, charts, schemes."""

from __future__ import annotations

from collections.abc import Iterator

from index.readers import numerals
from index.readers.blocks import Piece
from index.readers.package import Element, Package

_URL = "http://schemas.openxmlformats.org/drawingml/2006"
A = f"{{{_URL}/main}}"
_CHART = f"{{{_URL}/chart}}"
_SCHEME = f"{{{_URL}/diagram}}"
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_MOST = 10_000  # points of a series: 16,000 columns are the most that a sheet has
_BEFORE = {f"{_MATH}den": "/", f"{_MATH}sup": "^", f"{_MATH}sub": "_"}


def words(paragraph: Element) -> str:
    """The text of a paragraph; the number of the slide and the copy for old programs are none."""
    parts: list[str] = []
    for child in paragraph:
        if child.tag in (f"{A}t", f"{_MATH}t"):
            parts.append(child.text or "")
        elif child.tag == f"{A}br":
            parts.append("\n")
        elif child.tag != _FALLBACK and child.get("type") != "slidenum":
            parts += (_BEFORE.get(child.tag, ""), words(child))
    return "".join(parts)


def paragraphs(element: Element, page: int | None = None) -> Iterator[Piece]:
    """A block for each paragraph within an element."""
    for paragraph in element.iter(f"{A}p"):
        if not any(parent.tag == _FALLBACK for parent in paragraph.iterancestors()):
            yield Piece(words(paragraph), page=page)


def table(element: Element, page: int | None = None) -> Iterator[Piece]:
    """A block for each row of a table."""
    for row in element.iter(f"{A}tr"):
        cells = (
            " ".join(" ".join(piece.text.split()) for piece in paragraphs(cell)).strip()
            for cell in row.iter(f"{A}tc")
        )
        yield Piece(" | ".join(filter(None, cells)), "row", page=page)


def graphics(
    element: Element, package: Package, part: str, page: int | None = None
) -> Iterator[Piece]:
    """The charts and schemes that an element of a part shows, which stand in parts of their own."""
    relations = None
    for shown in element.iter(f"{_CHART}chart", f"{_SCHEME}relIds"):
        relations = package.relations(part) if relations is None else relations
        name = shown.get(f"{_ID}id") or shown.get(f"{_ID}dm") or ""
        tree = package.tree(relations[name].target) if name in relations else None
        if tree is not None:
            read = _chart if shown.tag.startswith(_CHART) else _scheme
            yield from read(tree, page)


def _scheme(tree: Element, page: int | None) -> Iterator[Piece]:
    for point in tree.iter(f"{_SCHEME}pt"):
        text = " ".join(piece.text for piece in paragraphs(point))
        yield Piece(text, "item", page=page)


def _chart(tree: Element, page: int | None) -> Iterator[Piece]:
    """The titles, then a row for each category with the value of each series."""
    for title in tree.iter(f"{_CHART}title"):
        yield from paragraphs(title, page)
    rows: dict[int, list[str]] = {}
    for series in tree.iter(f"{_CHART}ser"):
        name = " ".join(_points(series, "tx").values())
        for place, category in _points(series, "cat", "xVal").items():
            rows.setdefault(place, [category])
        for place, value in _points(series, "val", "yVal").items():
            rows.setdefault(place, []).append(f"{name}: {value}" if name and value else value)
    for place in sorted(rows):
        yield Piece(" | ".join(filter(None, rows[place])), "row", page=page)


def _points(series: Element, *kinds: str) -> dict[int, str]:
    """The values that a chart keeps of its sheet, by their place; levels of names are joined."""
    found: dict[int, str] = {}
    for kind in kinds:
        for child in series.findall(f"{_CHART}{kind}"):
            code = next((e.text or "" for e in child.iter(f"{_CHART}formatCode")), None)
            for point in list(child.iter(f"{_CHART}pt"))[:_MOST]:
                place = int(point.get("idx", "0"))
                value = _value(point.findtext(f"{_CHART}v") or "", code)
                found[place] = f"{value} {found[place]}" if place in found else value
            if not found:
                found[0] = child.findtext(f"{_CHART}v") or ""
    return found


def _value(stated: str, code: str | None) -> str:
    """A value as its sheet shows it where it is a number, for which a format is given."""
    try:
        return stated if code is None else numerals.shown(float(stated), code)
    except (ValueError, OverflowError):
        return stated
