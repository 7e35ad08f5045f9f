"""What the slides of all programs have in common: a heading each, and notes below them."""

from __future__ import annotations

from collections.abc import Iterable

from index.readers.blocks import Piece

_LONGEST = 120  # characters, the most that still read like a title
_NOTES = "Notes"  # the name that programs give to what a speaker wrote below a slide


def slide(shown: Iterable[Piece], notes: Iterable[Piece], page: int) -> list[Piece]:
    """A slide with its notes.

    One without a title is headed by its first line, so that none stands under another's title.
    """
    found = [piece for piece in shown if piece.text.strip()]
    said = [Piece(piece.text, page=page) for piece in notes if piece.text.strip()]
    if said:
        said = [Piece(_NOTES, "heading", 2, page), *said]
    first = found[0] if found else Piece("")
    if first.kind == "heading" or not found + said:
        return found + said
    if first.text and first.kind == "paragraph" and len(first.text) <= _LONGEST:
        return [Piece(first.text, "heading", 1, page), *found[1:], *said]
    return [Piece(f"Slide {page}", "heading", 1, page), *found, *said]
