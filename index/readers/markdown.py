"""Markdown (CommonMark with tables): the words that a person reads, without the marks."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from index.readers import markup, text
from index.readers.blocks import Piece, assemble, clean
from index.readers.dates import iso_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import BlockKind, Content

_FRONT_MATTER = re.compile(
    r"\A\s*---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", re.DOTALL | re.MULTILINE
)
_FIELD = re.compile(r"^(\w+)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read(data: bytes) -> Content:
    """Read Markdown; title, date and language from front matter, else the first heading."""
    source = clean(decode(data))
    front = _FRONT_MATTER.match(source)
    stated = _fields(front.group(1)) if front else {}
    body = source[front.end() :] if front else source
    found = pieces(body) or text.pieces(body)  # the parser drops what is nested absurdly deep
    top = next((piece.text for piece in found if piece.level == 1), "")
    return assemble(
        "markdown",
        found,
        title=stated.get("title") or top,
        published=iso_date(stated.get("date", "")),
        language=stated.get("lang") or stated.get("language"),
    )


def pieces(source: str) -> list[Piece]:
    """The blocks of a Markdown text."""
    found: list[Piece] = []
    heading = 0
    items = 0
    row: list[str] | None = None
    for token in _PARSER.parse(source):
        match token.type:
            case "heading_open":
                heading = int(token.tag[1])
            case "heading_close":
                heading = 0
            case "list_item_open":
                items += 1
            case "list_item_close":
                items -= 1
            case "tr_open":
                row = []
            case "tr_close":
                found.append(Piece(" | ".join(filter(None, row or [])), "row"))
                row = None
            case "inline" if row is not None:
                row.append(" ".join(_inline(token).split()))
            case "inline":
                kind: BlockKind = "heading" if heading else "item" if items else "paragraph"
                found.append(Piece(_inline(token), kind, heading))
            case "fence" | "code_block":
                found.append(Piece(token.content, "item" if items else "paragraph"))
            case "html_block":
                found.extend(markup.page(token.content))
    return [piece for piece in found if piece.text.strip()]


def _inline(token: Token) -> str:
    """The text of a paragraph: links and emphasis without marks, pictures by their text."""
    parts: list[str] = []
    for child in token.children or []:
        if child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak" or _LINE_BREAK.fullmatch(child.content):
            parts.append("\n")
        elif child.type == "image":
            parts.append(_inline(child))
        elif child.type != "html_inline":
            parts.append(child.content)
    return "".join(parts)


def _fields(front_matter: str) -> dict[str, str]:
    """Plain ``key: value`` lines of YAML, which is all that title, date and language need."""
    return {
        name.lower(): value.strip("\"'") for name, value in reversed(_FIELD.findall(front_matter))
    }


FORMAT = Format(
    "markdown", (".md", ".markdown", ".mdown", ".mkd"), lambda data: False, read, textual=True
)
