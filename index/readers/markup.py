"""HTML to blocks: the tree of a page, walked once without recursion."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree
from lxml.html import HTMLParser, document_fromstring

from index.readers import text
from index.readers.blocks import Piece, clean
from index.values import BlockKind

# An element of lxml. Besides HTML, trafilatura's own few names are known below.
Element = Any
Kind = tuple[BlockKind, int]

_LONGEST_CELL = 500  # characters: longer ones lay out a page and are no data
_ROWS = frozenset(("tr", "row"))
_CELLS = frozenset(("td", "th", "cell"))
_VERBATIM = frozenset(("pre", "code"))
_BREAKS = frozenset(("br", "lb"))
_ITEMS = frozenset(("li", "dt", "dd", "item"))
_BLOCKS = _CELLS.union(
    "address article aside blockquote body caption center details div dl fieldset figcaption"
    " figure footer form header hr html legend list main menu nav ol option p pre quote section"
    " summary table tbody tfoot thead ul".split()
)
_UNSEEN = (
    "script",
    "style",
    "noscript",
    "template",
    "head",
    "svg",
    "iframe",
    "object",
    "button",
    "select",
    "textarea",
)
_RAW_TEXT = frozenset(("script", "style"))
_HIDDEN = (
    "//*[not(self::html or self::body)][@hidden"
    " or contains(translate(@style, ' ', ''), 'display:none')"
    " or contains(translate(@style, ' ', ''), 'visibility:hidden')]"
)
_SPACE = re.compile(r"\s+")
_BLANK_LINE = re.compile(r"\n\s*\n")
_TAG = re.compile(r"<(/?\w*)[^<>]*>")


def parse(markup: str) -> Element | None:
    """The tree of a page; None where there is none or libxml2 gave up on its depth (256)."""
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True)
    try:
        tree = document_fromstring(clean(markup).encode("utf-8"), parser=parser)
    except etree.ParserError:  # nothing but comments
        return None
    cut = any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)
    return None if cut else tree


def page(markup: str) -> list[Piece]:
    """All that a page shows, menus included."""
    tree = parse(markup)
    if tree is None:
        return text.pieces("".join(_untagged(markup)))
    drop_hidden(tree)
    return shown(tree)


def shown(tree: Element) -> list[Piece]:
    """The blocks of a tree that a browser shows; the tree loses the others."""
    etree.strip_elements(tree, *_UNSEEN, with_tail=False)
    return pieces(tree)


def drop_hidden(tree: Element) -> None:
    """Remove from the tree, in place, what a browser does not show."""
    for element in tree.xpath(_HIDDEN):
        if element.getparent() is not None:
            element.drop_tree()


def pieces(root: Element) -> list[Piece]:
    """The blocks of an element: a new one wherever a browser would begin a paragraph."""
    found: list[Piece] = []
    running: list[str] = []
    kinds: list[Kind] = [("paragraph", 0)]

    def flush() -> None:
        for part in _BLANK_LINE.split("".join(running)):
            found.append(Piece(_tidy(part), *kinds[-1]))
        running.clear()

    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        kind = _kind(element)
        if event == "start":
            whole = _whole(element)
            if kind or whole:
                flush()
            if kind:  # a paragraph in a list item is still the item
                kinds.append(kinds[-1] if kind[0] == "paragraph" else kind)
            if whole:
                found.append(whole)
                walk.skip_subtree()
            else:
                running.append("\n" if element.tag in _BREAKS else _run(element.text))
        else:
            if kind:
                flush()
                kinds.pop()
            if element is not root:
                running.append(_run(element.tail))
    flush()
    return [piece for piece in found if piece.text]


def _kind(element: Element) -> Kind | None:
    """The kind of block that an element is, None for running text."""
    tag = element.tag
    if tag in _ITEMS:
        return "item", 0
    if tag in _BLOCKS:
        return "paragraph", 0
    if tag == "head":  # trafilatura's heading; that of HTML holds no text
        tag = element.get("rend") or "h2"
    if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
        return "heading", int(tag[1])
    return None


def _whole(element: Element) -> Piece | None:
    """A table row of data, or verbatim lines: taken in one go."""
    if element.tag in _VERBATIM:
        lines = "".join(element.itertext()).strip("\n")
        return Piece(lines) if "\n" in lines else None
    if element.tag not in _ROWS or next(element.iter("table"), None) is not None:
        return None
    cells = [" ".join(piece.text for piece in pieces(c)) for c in element if c.tag in _CELLS]
    if len(cells) < 2 or max(map(len, cells)) > _LONGEST_CELL:
        return None
    return Piece(" | ".join(filter(None, cells)), "row")


def _run(characters: str | None) -> str:
    return _SPACE.sub(" ", characters) if characters else ""


def _tidy(part: str) -> str:
    return "\n".join(" ".join(line.split()) for line in part.split("\n")).strip()


def _untagged(markup: str) -> Iterator[str]:
    """The text between the tags, for a page of which there is no tree."""
    parts = iter(_TAG.split(markup))
    tag = ""
    for part in parts:
        if tag not in _RAW_TEXT:
            yield html.unescape(part)
        tag = next(parts, "").lower()
        yield "\n" if tag.strip("/") in _BLOCKS else ""
