"""A run of paragraphs in a Rich Text file: text runs up, and becomes blocks and rows of tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from index.readers.blocks import Piece

_NUMBER = re.compile(r".*\d|.*[^\W_].*[.):]", re.DOTALL)  # is read; a list's bullet is not


class Look(NamedTuple):
    """How a paragraph looks: as a heading of some level (0: none), in a list, in a table."""

    level: int
    listed: bool
    in_table: bool


@dataclass(slots=True)
class Flow:
    """The body, or an aside within it."""

    running: list[str] = field(default_factory=list)
    number: str | None = None  # of the list item that is running
    cell: list[Piece] = field(default_factory=list)
    row: list[list[Piece]] = field(default_factory=list)
    asides: list[Piece] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def end_paragraph(self, look: Look) -> None:
        """Make the text that has run up so far a block, of its cell or of the whole."""
        if look.in_table:
            self._paragraph(self.cell, look)
        else:
            self.finish(look)

    def end_cell(self, look: Look) -> None:
        """Go on to the next cell."""
        self._paragraph(self.cell, look)
        self.row.append(self.cell)
        self.cell = []

    def end_row(self, look: Look) -> None:
        """A row a block; one cell alone is a frame around ordinary blocks."""
        if look.in_table and (self.cell or self.running):
            self.end_cell(look)  # it lacks its end
        if not self.row:
            return
        cells = [cell for cell in self.row if cell]
        if len(self.row) == 1:
            self.pieces += [piece for cell in cells for piece in cell]
        elif cells:
            texts = (" ".join(piece.text for piece in cell) for cell in cells)
            self.pieces.append(Piece(" | ".join(" ".join(text.split()) for text in texts), "row"))
        self.row = []
        self._put_asides()

    def finish(self, look: Look) -> list[Piece]:
        """All blocks, the running row and paragraph among them."""
        self.end_row(look)
        self._paragraph(self.pieces, look)
        self._put_asides()
        return self.pieces

    def _paragraph(self, into: list[Piece], look: Look) -> None:
        text, number = _joined(self.running).strip(), (self.number or "").strip()
        listed = look.listed or self.number is not None
        self.running, self.number = [], None
        if not text:
            return
        if _NUMBER.match(number):
            text = f"{number} {text}"
        if look.level:
            into.append(Piece(text, "heading", look.level))
        else:
            into.append(Piece(text, "item" if listed else "paragraph"))

    def _put_asides(self) -> None:
        self.pieces += self.asides
        self.asides = []


def _joined(running: list[str]) -> str:
    r"""The text; two \\u may make one character beyond the first 65,536."""
    return "".join(running).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
