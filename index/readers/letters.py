"""The letters of a PDF page, put together to lines: what stands where, in reading direction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ctypes import c_double, c_ushort, create_string_buffer
from dataclasses import dataclass, replace
from itertools import pairwise
from math import atan2, inf, pi
from statistics import median
from unicodedata import normalize

import pypdfium2 as pdfium
from pypdfium2 import raw

from index.readers.blocks import clean

_LINE = re.compile("([^\r\n\x02\ufffe]+)([\x02\ufffe]?)")  # PDFium ends a divided line with U+0002
_WORD = re.compile(r"\S+")
_FORMS = re.compile("[\ufb00-\ufb4f\ufb50-\ufdff\ufe70-\ufefc]")  # ligatures, Arabic forms
_PRIVATE = re.compile("[\ue000-\uf8ff]+")
_LEADER = re.compile(r"(?: ?[.·_…]){5,}(?: |$)")  # dots that lead the eye to a number
_ODD = re.compile(  # what ``_readable`` has work with
    "[\x00\x01\x03-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\xad\u2028\u2029\ud800-\uf8ff\ufb00-\ufdff\ufe70-\ufeff"
    r"\uffff]|[.·_…] ?[.·_…] ?[.·_…]"
)
_RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LETTER = re.compile(r"[^\W\d_]")
_BOLD = re.compile(rb"(?i)bold|black|heavy|demi|cmbx|sfbx|-bd\b")
_APART = 0.9  # times the height of the letters: wider than most spaces between words
_SPREAD = 2.5  # times the narrowest space of a line that is set to fill its column

Word = tuple[str, float, float]  # its text, its left, its right
Place = tuple[float, float, float]  # the left, the right, the height of a word


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was set: where it stands and how tall its letters are, in points.

    Coordinates are those of its reader: x grows in reading direction (also from right to left,
    also where the page is turned), y grows upwards. ``cells`` are its parts where there are wide
    gaps; ``row`` says that they belong to a table.
    """

    text: str
    page: int
    left: float
    right: float
    baseline: float
    size: float
    hyphenated: bool = False
    bold: bool = False
    cells: tuple[Line, ...] = ()
    row: bool = False
    turn: int | None = 0  # by how many right angles it was turned, None for any other angle


def sheets(letters: pdfium.PdfTextPage, page: int) -> list[list[Line]]:
    """The lines of a page in the order they were drawn, one list for each direction of text.

    The direction of most letters comes first: what is set sideways stands beside the text.
    """
    found = _Letters(letters, page)
    turned: dict[int | None, list[Line]] = {}
    for line in found.lines():
        turned.setdefault(line.turn, []).append(line)
    by_size = sorted(turned.values(), key=lambda lines: -sum(len(line.text) for line in lines))
    return [side_by_side(lines) for lines in by_size]


def side_by_side(lines: list[Line]) -> list[Line]:
    """Put together what follows on the same height: raised letters, cells of a table."""
    joined: list[Line] = []
    for right in lines:
        left = joined[-1] if joined else right
        size = max(left.size, right.size)
        gap = right.left - left.right
        beside = abs(left.baseline - right.baseline) < 0.55 * size and gap > -0.5 * size
        if not joined or not beside:
            joined.append(right)
        elif gap > _APART * size:
            joined[-1] = in_cells([*(left.cells or [left]), *(right.cells or [right])])
        else:
            joined[-1] = _run_on(left, right, " " if gap > 0.15 * size else "")
    return joined


def in_cells(cells: list[Line]) -> Line:
    """One line of parts that stand side by side."""
    main = max(cells, key=lambda cell: len(cell.text))
    return replace(
        main,
        text=" ".join(cell.text for cell in cells),
        left=cells[0].left,
        right=cells[-1].right,
        hyphenated=cells[-1].hyphenated,
        bold=all(cell.bold for cell in cells),
        cells=tuple(cells) if len(cells) > 1 else (),
    )


def _run_on(left: Line, right: Line, space: str) -> Line:
    """One line of two without a wide gap between."""
    if left.cells or right.cells:
        before, after = list(left.cells or [left]), list(right.cells or [right])
        return in_cells([*before[:-1], _run_on(before[-1], after[0], space), *after[1:]])
    main = max(left, right, key=lambda line: (line.size, len(line.text)))
    return replace(
        main,
        text=left.text + space + right.text,
        left=left.left,
        right=right.right,
        hyphenated=right.hyphenated,
        bold=left.bold and right.bold,
    )


class _Letters:
    """A text page of PDFium. The calls into it are what reading costs: two a word, six a line."""

    def __init__(self, letters: pdfium.PdfTextPage, page: int) -> None:
        self.page = page
        self._handle = letters.raw
        self._box = raw.FS_RECTF()
        self._matrix = raw.FS_MATRIX()
        self._font = create_string_buffer(128)
        self._x, self._y = c_double(), c_double()
        self._bold_fonts: dict[bytes, bool] = {}
        self.text = _text(letters)
        self._mirrored = _mostly_rtl(self.text)
        self._readable = _readable if _ODD.search(self.text) else _joined

    def lines(self) -> Iterator[Line]:
        """The lines as PDFium breaks them, each split where there are wide gaps."""
        for match in _LINE.finditer(self.text):
            start = match.start()
            words = [(w.start() + start, w.end() + start) for w in _WORD.finditer(match.group(1))]
            line = self._line(words) if words else None
            if line:
                yield replace(line, hyphenated=True) if match.group(2) else line

    def _line(self, spans: list[tuple[int, int]]) -> Line | None:
        first, last = spans[0][0], spans[-1][1] - 1
        turn = self._turn(first)
        raw.FPDFText_GetCharOrigin(self._handle, first, self._x, self._y)
        baseline = _turned(self._x.value, self._y.value, turn)[1]
        if turn == 0 and not self._mirrored:
            places = [self._upright(start, end) for start, end in spans]
        else:
            places = [self._turned(start, end, turn) for start, end in spans]
        size = sorted([place[2] for place in places])[len(places) // 2]
        words = [
            (self.text[start:end], left, right)
            for (start, end), (left, right, _) in zip(spans, places, strict=True)
        ]
        bold = self._bold(first) and self._bold(last)
        cells = []
        for part in _parts(words, size):
            text = self._readable(part)
            if text:
                left, right = part[0][1], part[-1][2]
                divided = text[-1] in "-\u2010" and len(text) > 1
                cells.append(
                    Line(text, self.page, left, right, baseline, size, divided, bold, turn=turn)
                )
        return (in_cells(cells) if len(cells) > 1 else cells[0]) if cells else None

    def _turn(self, index: int) -> int | None:
        if not raw.FPDFText_GetMatrix(self._handle, index, self._matrix):
            return 0
        a, b = self._matrix.a, self._matrix.b
        if not b and a >= 0:  # as nearly all are
            return 0
        turn = atan2(b, a) / (pi / 2)
        return round(turn) % 4 if abs(turn - round(turn)) < 0.1 else None

    def _upright(self, start: int, end: int) -> Place:
        """Where a word stands that is not turned."""
        box = self._box
        raw.FPDFText_GetLooseCharBox(self._handle, start, box)
        left, right, height = box.left, box.right, box.top - box.bottom
        if end - start > 1:
            raw.FPDFText_GetLooseCharBox(self._handle, end - 1, box)
            if box.right >= right:
                return left, box.right, height
            left = min(left, box.left)  # a word from right to left
        return left, right, height

    def _turned(self, start: int, end: int, turn: int | None) -> Place:
        """Where a word stands that is turned, or on a page from right to left."""
        xs, ys = [], []
        for index in (start, end - 1):
            raw.FPDFText_GetLooseCharBox(self._handle, index, self._box)
            for corner in ((self._box.left, self._box.bottom), (self._box.right, self._box.top)):
                x, y = _turned(*corner, turn)
                xs.append(-x if self._mirrored else x)
                ys.append(y)
        return min(xs), max(xs), abs(ys[0] - ys[1])

    def _bold(self, index: int) -> bool:
        raw.FPDFText_GetFontInfo(self._handle, index, self._font, 128, None)
        font = self._font.value
        if font not in self._bold_fonts:
            self._bold_fonts[font] = _BOLD.search(font) is not None
        return self._bold_fonts[font]


def _text(letters: pdfium.PdfTextPage) -> str:
    """All letters of a page, each at its index: those beyond U+FFFF are two, as in UTF-16."""
    count = letters.count_chars()
    buffer = (c_ushort * (count + 1))()
    units = raw.FPDFText_GetText(letters, 0, count, buffer) - 1
    if units == count:
        text = bytes(buffer)[:-2].decode("utf-16-le", "surrogatepass")
        return text if len(text) == count else "".join(map(chr, buffer[:count]))
    # PDFium leaves out letters that it knows no character for.
    codes = (raw.FPDFText_GetUnicode(letters, index) for index in range(count))
    return "".join(chr(code) if code < 0x110000 else "\ufffd" for code in codes)


def _mostly_rtl(text: str) -> bool:
    if not _RTL.search(text):
        return False
    return 2 * len(_RTL.findall(text)) > len(_LETTER.findall(text))


def _turned(x: float, y: float, turn: int | None) -> tuple[float, float]:
    """A point as it is seen with the page turned so that the text is upright."""
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn or 0]


def _parts(words: list[Word], size: float) -> list[list[Word]]:
    """The words of a line between wide gaps."""
    gaps = [b[1] - a[2] if b[1] >= a[1] else a[1] - b[2] for a, b in pairwise(words)]
    if not gaps or max(gaps) <= _APART * size:  # as in most
        return [words]
    wide = _wide(words, gaps, size)
    parts = [words[:1]]
    for gap, word in zip(gaps, words[1:], strict=True):
        if gap > wide:
            parts.append([])
        parts[-1].append(word)
    return parts


def _wide(words: list[Word], gaps: list[float], size: float) -> float:
    """From where on a gap is no space between words, also in a line spread to fill its column."""
    wide = _APART * size
    narrow = min(gaps, default=0.0)
    if narrow < wide:
        return max(wide, _SPREAD * narrow)
    even = len(gaps) > 1 and narrow < 3 * size and max(gaps) < 1.35 * narrow
    return inf if even and sum(word[0][0].isalpha() for word in words) > len(words) / 2 else wide


def _joined(words: list[Word]) -> str:
    text = " ".join([word[0] for word in words])
    spaced = len(words) > 4 and len(text) < 2.2 * len(words)
    return " ".join(_unspaced(words)) if spaced else text


def _readable(words: list[Word]) -> str:
    """The words as text: ligatures and letters of private use made plain, leaders short."""
    text = _joined(words).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _FORMS.sub(lambda match: normalize("NFKC", match.group()), text)
    text = _LEADER.sub(" … ", _PRIVATE.sub(_public, text))
    return " ".join(clean(text).split())


def _unspaced(words: list[Word]) -> Iterator[str]:
    """W o r d s set with spaces between letters: those as wide as most are none."""
    if sum(len(text) == 1 and text.isalpha() for text, _, _ in words) < 0.8 * len(words):
        yield from (text for text, _, _ in words)
        return
    gaps = [after[1] - before[2] for before, after in pairwise(words)]
    usual = median(gaps)
    joined = words[0][0]
    for gap, (text, _, _) in zip(gaps, words[1:], strict=True):
        if gap > 1.5 * max(usual, 0.1):
            yield joined
            joined = ""
        joined += text
    yield joined


def _public(match: re.Match[str]) -> str:
    """Symbol fonts lay their letters from U+F020 on; a single one is a bullet or a picture."""
    found = match.group()
    if len(found) == 1:
        return "•" if match.start() == 0 else " "
    return "".join(chr(ord(c) - 0xF000) if 0xF020 <= ord(c) < 0xF07F else " " for c in found)
