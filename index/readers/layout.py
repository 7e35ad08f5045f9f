"""Lines of a PDF become headings, paragraphs, list items and rows of tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import pairwise
from statistics import median

from index.readers.blocks import Piece
from index.readers.letters import Line

_BULLET = re.compile(r"(?:[•‣▪◦●○■□❑➢✓·–—*]|\d{1,3}\.|\(?(?:\d{1,2}|[a-z])\))(?:\s+\S|$)")
_ONLY_BULLET = re.compile(r"[•‣▪◦●○■□❑➢✓·–—*]|\(?(?:\d{1,3}|[a-z])[.)]")
_SENTENCE_END = re.compile(r"[.!?:…。！？؟۔][\"'”’»)\]]*$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_A_WORD = re.compile(r"[^\W\d_]{3}|[^\W\d_]*[\u2e80-\uffef]")  # large formulas are no headings
_CJK = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")  # written without spaces
_NUMBERING = re.compile(r"^(?:(?:chapter|section|part)\s+)?[\divxl]+(?:\.\w+)*[.:)]?\s+", re.I)
_LED = re.compile(r"(?:^|\s)… ?[\dIVXLivxl.-]+$")  # a line of a table of contents
_APART = 3  # fewer lines are from one row of a table to the next
_ENOUGH = 6  # gaps to compare
_LARGER = 1.15  # times the size of the body: a heading
_LONGEST_HEADING = 200  # characters
_LONGEST_BOLD = 100

Outline = Mapping[int, Mapping[str, int]]  # by page: the titles that begin there, and their level


def pieces(pages: list[list[Line]], outline: Outline) -> list[Piece]:
    """Put together what belongs together. ``outline`` has titles as ``plain`` gives them."""
    lines = [line for page in pages for line in in_rows(page)]
    return _Layout(lines, outline).pieces()


def plain(title: str) -> str:
    """A title without its number, its case and its spaces: how it is found again on the page."""
    return "".join(_NUMBERING.sub("", title.strip()).casefold().split())


# --- Tables ----------------------------------------------------------------------------------


def in_rows(lines: list[Line]) -> list[Line]:
    """Mark the rows of tables: neighbours whose parts stand below each other.

    What is wrapped within a cell joins it.
    """
    in_table = _in_table(lines)
    rows: list[Line] = []
    for index, line in enumerate(lines):
        if index in in_table:
            line = replace(line, row=True)
        if rows and rows[-1].row and _wrapped(rows[-1], line):
            rows[-1] = _with_wrapped(rows[-1], line)
        else:
            rows.append(line)
    return rows


def _in_table(lines: list[Line]) -> set[int]:
    """Which lines have parts below those of the one before, at most one plain line between."""
    found: set[int] = set()
    above = -_APART
    for index, line in enumerate(lines):
        if not line.cells or _ONLY_BULLET.fullmatch(line.cells[0].text):
            continue
        if index - above < _APART and _like(lines[above], line):
            found |= {above, index}
        above = index
    return found


def _like(line: Line, below: Line) -> bool:
    """Say whether most gaps of the line with fewer stand over gaps of the other, at an edge."""
    size = max(line.size, below.size)
    if abs(line.baseline - below.baseline) > 3.5 * size:
        return False
    few, many = sorted(([*pairwise(line.cells)], [*pairwise(below.cells)]), key=len)
    few = few[:_ENOUGH]
    return 2 * sum(any(_over(gap, under, 0.8 * size) for under in many) for gap in few) > len(few)


def _over(gap: tuple[Line, Line], under: tuple[Line, Line], least: float) -> bool:
    (a, b), (c, d) = gap, under
    if b.left - c.right < least or d.left - a.right < least:
        return False
    if b.left - a.right < least or d.left - c.right < least:
        return False
    middles = b.left + b.right - d.left - d.right
    return min(abs(b.left - d.left), abs(b.right - d.right), abs(middles)) < 0.6 * least


def _wrapped(row: Line, line: Line) -> bool:
    """Say whether ``line`` only goes on with cells of ``row`` other than the first."""
    last = min(cell.baseline for cell in row.cells)
    if not 0.5 * line.size < last - line.baseline < 1.3 * line.size:
        return False
    return all(_cell_of(row, part) > 0 for part in line.cells or (line,))


def _cell_of(row: Line, part: Line) -> int:
    """Which cell of the row stands above, -1 for none."""
    for number, cell in enumerate(row.cells):
        if abs(cell.left - part.left) < 0.5 * part.size:
            return number
    return -1


def _with_wrapped(row: Line, line: Line) -> Line:
    cells = list(row.cells)
    for part in line.cells or (line,):
        at = _cell_of(row, part)
        cells[at] = replace(
            part, text=f"{cells[at].text} {part.text}", right=max(part.right, cells[at].right)
        )
    return replace(row, cells=tuple(cells))


# --- Paragraphs ------------------------------------------------------------------------------


class _Layout:
    """All lines of a document, and what is usual in it."""

    def __init__(self, lines: list[Line], outline: Outline) -> None:
        self.lines = lines
        self.outline = outline
        self.body = _usual_size(lines)
        self.leading = _usual_leading(lines)
        self.words = {word.lower() for line in lines for word in _WORD.findall(line.text)}
        bold = sum(len(line.text) for line in lines if line.bold)
        self.bold_is_rare = bold < 0.3 * sum(len(line.text) for line in lines)

    def pieces(self) -> list[Piece]:
        groups: list[list[Line]] = []
        for line in self.lines:
            if groups and self._continues(groups[-1], line):
                groups[-1].append(line)
            else:
                groups.append([line])
        return [self._piece(group, after) for group, after in pairwise([*groups, []])]

    def _continues(self, group: list[Line], line: Line) -> bool:
        """Say whether ``line`` goes on with the paragraph that ``group`` has begun."""
        first, last = group[0], group[-1]
        size = last.size or 1.0
        drop = last.baseline - line.baseline
        if line.row or last.row or line.turn != last.turn or not 0.88 < line.size / size < 1.14:
            return False
        if (
            _LED.search(last.text)
            or _BULLET.match(line.text)
            or self._titled(line)
            or self._titled(last)
        ):
            return False
        unfinished = last.hyphenated or not _SENTENCE_END.search(last.text)
        flows = unfinished and line.text[0].islower()
        if line.page != last.page or drop < -0.5 * size:  # the next column or page
            return flows
        if drop > 1.3 * self.leading * size:
            return False
        if line.bold != last.bold and self.bold_is_rare:
            return flows
        if line.size > _LARGER * self.body:
            return True
        indent = line.left - last.left
        if indent > 0.8 * size and not _BULLET.match(last.text):
            return flows
        hanging = len(group) > 1 and last.left - first.left > 0.8 * size
        if hanging and abs(line.left - first.left) < 0.3 * size:
            return flows
        margin = max(line.right, *(other.right for other in group[-50:]))
        short = margin - last.right > 0.15 * (margin - first.left)
        return not short or unfinished

    def _titled(self, line: Line) -> int:
        """The level that the outline gives a line, 0 for none."""
        titles = self.outline.get(line.page)
        return titles.get(plain(line.text), 0) if titles else 0

    def _piece(self, group: list[Line], following: list[Line]) -> Piece:
        page = group[0].page
        if group[0].row:
            return Piece(
                " | ".join(cell.text.removesuffix(" …") for cell in group[0].cells),
                "row",
                page=page,
            )
        text = _join(group, self.words)
        if level := self._level(group, text, following):
            return Piece(text, "heading", level, page)
        return Piece(text, "item" if _BULLET.match(text) else "paragraph", page=page)

    def _level(self, group: list[Line], text: str, following: list[Line]) -> int:
        """The level of a heading, 0 for text: by the outline, by its size, by being bold."""
        titles = self.outline.get(group[0].page, {})
        if level := titles.get(plain(text), 0):
            return level
        if len(text) > _LONGEST_HEADING or not _A_WORD.search(text):
            return 0
        scale = max(line.size for line in group) / (self.body or 1.0)
        if scale > _LARGER:
            return 1 if scale > 1.7 else 2 if scale > 1.35 else 3
        return 4 if self._bold_heading(group, text, following) else 0

    def _bold_heading(self, group: list[Line], text: str, following: list[Line]) -> bool:
        if not self.bold_is_rare or not following or following[0].bold:
            return False
        if len(text) > _LONGEST_BOLD or re.search(r"[.,;:!?]$", text) or group[0].cells:
            return False
        return all(line.bold for line in group) and group[-1].size > 0.95 * self.body


def _usual_size(lines: list[Line]) -> float:
    """The size of most letters, to half a point."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _usual_leading(lines: list[Line]) -> float:
    """The usual distance between lines, in sizes of their letters."""
    pairs = pairwise(lines)
    drops = [(a.baseline - b.baseline) / a.size for a, b in pairs if a.size and a.page == b.page]
    return median([drop for drop in drops if 0.5 < drop < 3] or [1.2])


def _join(group: list[Line], words: Collection[str]) -> str:
    """One text from wrapped lines, words divided at line ends made whole."""
    parts = [group[0].text]
    for last, line in pairwise(group):
        if not last.hyphenated:
            close = _CJK.match(last.text[-1]) and _CJK.match(line.text[0])
            parts.append(line.text if close else " " + line.text)
            continue
        before = parts[-1].removesuffix("-").removesuffix("\u2010")
        divided = _divided(before, line.text, words)
        parts[-1:] = [before, line.text if divided else "-" + line.text]
    return "".join(parts)


def _divided(before: str, after: str, words: Collection[str]) -> bool:
    """Say whether a hyphen at a line end only divides a word, by the document's other words."""
    start, end = re.search(r"[^\W\d_]+$", before), re.match(r"[^\W\d_]+", after)
    if not start or not end or not after[0].islower():
        return False
    whole = (start.group() + end.group()).lower()
    return whole in words or f"{start.group()}-{end.group()}".lower() not in words
