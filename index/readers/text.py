"""Plain text: paragraphs, lists and plain headings, by blank lines and line lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator

from index.readers.blocks import Piece, assemble, clean
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

_WRAP = 100  # characters: hardly any text is wrapped wider, so longer lines are paragraphs
_TITLE = 120  # characters, the most that still read like a title
_HEADING = 80  # characters, likewise for a heading
_FINAL = re.compile(r"[.!?…:;,。！？；：、؟۔।][\"'”’»)\]]*$")
_ITEM = re.compile(r"\s*(?:[-*+•‣▪◦·–—]|\(?(?:\d{1,3}|[a-z])[.)])\s+\S")
_LETTER = re.compile(r"[^\W\d_]")


def read(data: bytes) -> Content:
    """Read plain text in any encoding. The title is the first line where it reads like one."""
    found = _with_headings(pieces(decode(data)))
    title = found[0].text if found and found[0].kind == "heading" else ""
    return assemble("text", found, title=title)


def pieces(text: str) -> list[Piece]:
    """Split plain text into blocks; lines wrapped within a paragraph keep their breaks."""
    parts = [part for group in _groups(clean(text)) for part in _split(group)]
    return [Piece(part, "item" if _ITEM.match(part) else "paragraph") for part in parts]


def _groups(text: str) -> Iterator[list[str]]:
    """Runs of lines between blank lines."""
    group: list[str] = []
    for line in text.split("\n"):
        if line and not line.isspace():
            group.append(line)
        elif group:
            yield group
            group = []
    if group:
        yield group


def _split(group: list[str]) -> list[str]:
    if len(group) > 1 and _line_is_paragraph(group):
        return group
    items = [number for number, line in enumerate(group) if _ITEM.match(line)]
    if len(items) < 2 and items[:1] != [0]:  # one alone may be a dash or a date within prose
        return ["\n".join(group)]
    starts = sorted({0, *items})
    return ["\n".join(group[a:b]) for a, b in zip(starts, [*starts[1:], None], strict=True)]


def _line_is_paragraph(group: list[str]) -> bool:
    """Wrapped lines are short and break within sentences; paragraphs are long or end them."""
    if sum(len(line) > _WRAP for line in group) * 2 >= len(group):
        return True
    return len(group) > 2 and sum(map(_ends, group)) >= 0.8 * len(group)


def _ends(line: str) -> bool:
    return _FINAL.search(line.rstrip()[-4:]) is not None


def _with_headings(plain: list[Piece]) -> list[Piece]:
    """Mark the lines that stand above what they name: the first, and clear ones further down."""
    following = [*plain[1:], Piece("")]
    return [
        Piece(piece.text, "heading", 1 if number == 0 else 2)
        if piece.kind == "paragraph" and _is_heading(piece.text, below, first=number == 0)
        else piece
        for number, (piece, below) in enumerate(zip(plain, following, strict=True))
    ]


def _is_heading(text: str, below: Piece, *, first: bool) -> bool:
    """A short line without a final mark, above prose clearly longer (the first: above anything)."""
    if len(text) > (_TITLE if first else _HEADING) or "\n" in text or _ends(text):
        return False
    if not _LETTER.search(text) or text.lstrip()[0].islower():
        return False
    return bool(below.text) if first else len(below.text) > _WRAP and below.kind == "paragraph"


FORMAT = Format("text", (".txt", ".text", ".log"), lambda data: False, read, textual=True)
