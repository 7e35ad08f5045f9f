"""The one place where ``Content`` is assembled, so that every span is exact."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from index.errors import Unreadable
from index.values import Block, BlockKind, Content

_LONGEST_TITLE = 300  # characters
_CLOSE = ("item", "row")  # neighbours of these kinds stand on lines of their own, not apart

# What nobody reads: terminal colours, controls, soft hyphens, byte order marks, non-characters.
_UNSEEN = re.compile(
    "\x1b\\[[0-9;]*[A-Za-z]|[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff]"
)
_NEWLINE = re.compile("\r\n?|[\x0b\x85\u2028]")
_PARAGRAPH_END = re.compile("[\x0c\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNCLEAN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]"
)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A block before it has a place: the fields are those of ``Block``."""

    text: str
    kind: BlockKind = "paragraph"
    level: int = 0
    page: int | None = None


def clean(text: str) -> str:
    """Normalise newlines, drop what nobody sees, and replace lone surrogates (U+FFFD)."""
    if not _UNCLEAN.search(text):  # as nearly all are, and the one search is quick
        return text
    text = _PARAGRAPH_END.sub("\n\n", _NEWLINE.sub("\n", text))
    return _SURROGATE.sub("\ufffd", _UNSEEN.sub("", text))


def one_line(text: str) -> str:
    """Clean ``text`` and put it on one line, for titles and names."""
    return " ".join(clean(text).split())


def assemble(
    type: str,
    pieces: Iterable[Piece],
    *,
    title: str = "",
    published: str | None = None,
    language: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Content:
    """Join ``pieces`` to a ``Content`` and clean its fields; empty pieces vanish.

    Raises ``Unreadable`` where nothing is left.
    """
    parts: list[str] = []
    blocks: list[Block] = []
    end = 0
    for piece in pieces:
        text = clean(piece.text).strip()
        if not text:
            continue
        if blocks:
            close = piece.kind in _CLOSE and blocks[-1].kind == piece.kind
            gap = "\n" if close else "\n\n"
            parts.append(gap)
            end += len(gap)
        parts.append(text)
        blocks.append(Block(end, end + len(text), piece.kind, piece.level, piece.page))
        end += len(text)
    if not blocks:
        raise Unreadable("no text: there is nothing to read in it")
    return Content(
        type=type,
        text="".join(parts),
        blocks=tuple(blocks),
        title=_title(title),
        published=published,
        language=_code(language),
        metadata=dict(metadata or {}),
    )


def _title(stated: str) -> str:
    title = one_line(stated)
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rstrip() + "…"


def _code(stated: str | None) -> str | None:
    """A BCP 47 code; what is none is left out."""
    stated = (stated or "").strip()
    return stated.replace("_", "-") if _LANGUAGE.fullmatch(stated) else None
