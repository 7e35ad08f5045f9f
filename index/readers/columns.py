"""Reading order of a PDF page: running heads out, columns one after the other."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from statistics import median

from index.readers.letters import Line, in_cells, side_by_side

_EDGE = 4  # lines at the top or the bottom of a page that may be running heads
_NEAR = 4  # pages between which a running head comes again
_PROSE = 20  # characters a line, on average: columns of text rather than cells of a table
_MOST = 1000  # runs of lines on one page that are still put in order
_LARGEST_BAND = 100  # of them, side by side
_MOST_CELLS = 12  # columns side by side
_FEWEST = 3  # lines on both sides of a gutter
_LONGEST = 300  # lines beside it
_DEEPEST = 20  # columns within columns
_NUMBER = re.compile(r"\d+")
_ONLY_NUMBER = re.compile(r"(?i)[\W_]*(?:page\s*)?(?:\d+|[ivxl]+)[\W_]*")

Box = tuple[float, float, float, float]  # left, right, bottom, top
Run = list[Line]  # lines that were drawn one below the other
Placed = tuple[int, Box, Run]  # when it was drawn, where it stands, what it is
Gutter = tuple[int, float]  # the line after its last one, its middle


# --- Running heads ---------------------------------------------------------------------------


class _Place:
    """Where lines alike stand at the edge of pages: which pages, and how far numbers are ahead."""

    def __init__(self) -> None:
        self.pages: list[int] = []
        self.ahead: Counter[int] = Counter()

    def add(self, page: int, text: str) -> None:
        self.pages.append(page)
        if (number := _first_number(text)) is not None:
            self.ahead[number - page] += 1

    def near(self, page: int) -> int:
        return bisect_right(self.pages, page + _NEAR) - bisect_left(self.pages, page - _NEAR)


def without_running_heads(pages: list[Run]) -> list[Run]:
    """The pages without what heads or foots several near ones, whatever number is in it.

    Found at the outermost lines, from outside in, at the same height; also where left and right
    pages differ. What is set large counts only where most pages bear it: it may be a title.
    """
    places: dict[tuple[str, bool, int], _Place] = defaultdict(_Place)
    for page, lines in enumerate(pages):
        for top in (True, False):
            for line in _edge(lines, top):
                places[_pattern(line.text), top, _height(line)].add(page, line.text)
    body = median([line.size for lines in pages for line in lines] or [0.0])

    def runs(line: Line, page: int, top: bool) -> bool:
        pattern, height = _pattern(line.text), _height(line)
        around = [(pattern, top, at) for at in (height - 1, height, height + 1)]
        alike = [places[key] for key in around if key in places]
        if _ONLY_NUMBER.fullmatch(line.text):
            number = _first_number(line.text)
            if number is not None:
                return sum(place.ahead[number - page] for place in alike) >= 2
            return sum(len(place.pages) for place in alike) >= 3
        if sum(len(place.pages) for place in alike) >= max(3, 0.4 * len(pages)):
            return True
        return line.size < 1.15 * body and sum(place.near(page) for place in alike) >= 3

    return [_peeled(lines, page, runs) for page, lines in enumerate(pages)]


def _edge(lines: Run, top: bool) -> Run:
    """The outermost lines, from outside in."""
    return sorted(lines, key=lambda line: line.baseline, reverse=top)[:_EDGE]


def _pattern(text: str) -> str:
    return _NUMBER.sub("#", text)


def _height(line: Line) -> int:
    return round(line.baseline / 3)


def _first_number(text: str) -> int | None:
    found = _NUMBER.search(text)
    return int(found.group()) if found and len(found.group()) <= 6 else None


def _peeled(lines: Run, page: int, runs: Callable[[Line, int, bool], bool]) -> Run:
    gone: set[int] = set()
    for top in (True, False):
        for line in _edge(lines, top):
            if not runs(line, page, top):
                break
            gone.add(id(line))
    return [line for line in lines if id(line) not in gone] if gone else lines


# --- Order -----------------------------------------------------------------------------------


def in_reading_order(lines: Run) -> Run:
    """Lines in the order they were drawn, unless that goes back up the page: then by columns."""
    runs = list(_runs(lines))
    if 1 < len(runs) <= _MOST and any(map(_goes_back, runs, runs[1:])):
        lines = side_by_side([line for run in _sorted(runs) for line in run])
    return _columns_apart(lines)


def _runs(lines: Run) -> Iterator[Run]:
    run: Run = []
    for line in lines:
        if run and not _below(run[-1], line):
            yield run
            run = []
        run.append(line)
    if run:
        yield run


def _below(last: Line, line: Line) -> bool:
    drop = last.baseline - line.baseline
    size = max(last.size, line.size)
    return -0.5 * size < drop < 4 * size and min(last.right, line.right) > max(last.left, line.left)


def _goes_back(run: Run, following: Run) -> bool:
    """Say whether the drawing goes up to the same column, or one before it."""
    first, last = following[0], run[-1]
    if first.baseline < last.baseline + 0.5 * last.size:
        return False
    left, right, _, _ = _box(run)
    return first.left < right - 0.1 * min(right - left, first.right - first.left)


def _box(run: Run) -> Box:
    return (
        min(line.left for line in run),
        max(line.right for line in run),
        min(line.baseline for line in run),
        max(line.baseline + 0.7 * line.size for line in run),
    )


def _sorted(runs: list[Run]) -> list[Run]:
    """Bands from the top down; within what shares a gutter, column after column.

    A recursive X-Y cut (Nagy and Seth 1984) over runs instead of pixels.
    """
    return [placed[2] for placed in _cut([(at, _box(run), run) for at, run in enumerate(runs)], 0)]


def _cut(placed: list[Placed], depth: int) -> list[Placed]:
    if len(placed) < 2 or depth > _DEEPEST:
        return placed
    bands = list(_bands(placed))
    ordered: list[Placed] = []
    at = 0
    while at < len(bands):
        band, at = bands[at], at + 1
        while at < len(bands) and _share_a_gutter(band, bands[at]):
            band, at = band + bands[at], at + 1
        columns = _split_across(band)
        for column in columns:
            ordered += _cut(column, depth + 1) if len(column) < len(placed) else column
    return ordered


def _bands(placed: list[Placed]) -> Iterator[list[Placed]]:
    """Groups with white space all across the page between them, from the top down."""
    band: list[Placed] = []
    bottom = 0.0
    for item in sorted(placed, key=lambda item: -item[1][3]):
        if band and item[1][3] < bottom:
            yield sorted(band, key=_as_drawn)
            band = []
        bottom = min(bottom, item[1][2]) if band else item[1][2]
        band.append(item)
    yield sorted(band, key=_as_drawn)


def _split_across(placed: list[Placed]) -> list[list[Placed]]:
    """Groups with white space all down between them, in reading direction."""
    columns: list[list[Placed]] = []
    end = 0.0
    for item in sorted(placed, key=lambda item: item[1][0]):
        if not columns or item[1][0] > end:
            columns.append([])
            end = item[1][1]
        columns[-1].append(item)
        end = max(end, item[1][1])
    return [sorted(column, key=_as_drawn) for column in columns]


def _as_drawn(item: Placed) -> int:
    return item[0]


def _share_a_gutter(above: list[Placed], below: list[Placed]) -> bool:
    """Say whether two bands go on with the same columns of prose."""
    if len(above) > _LARGEST_BAND or len(_split_across(above)) == 1:
        return False
    columns = _split_across(above + below)
    return len(columns) > 1 and all(
        _characters([line for _, _, run in column for line in run]) >= _PROSE for column in columns
    )


def _characters(lines: Run) -> float:
    return sum(len(line.text) for line in lines) / len(lines)


# --- Columns drawn line by line --------------------------------------------------------------


def _columns_apart(lines: Run) -> Run:
    """Columns that were drawn across, each line through all of them, one after the other."""
    ordered: Run = []
    tables: list[Gutter] = []
    at = 0
    while at < len(lines):
        tables = [gutter for gutter in tables if gutter[0] > at]
        gutter = _gutter(lines, at, tables) if lines[at].cells else None
        if gutter is None:
            ordered.append(lines[at])
            at += 1
            continue
        end, middle = gutter
        left = [part for line in lines[at:end] if (part := _part(line, middle, before=True))]
        right = [part for line in lines[at:end] if (part := _part(line, middle, before=False))]
        ordered += left + _columns_apart(right)
        at = end
    return ordered


def _gutter(lines: Run, start: int, tables: list[Gutter]) -> Gutter | None:
    """The gutter of columns that begin with line ``start``; ``tables`` takes those of others."""
    cells = lines[start].cells
    if len(cells) > _MOST_CELLS or len(lines[start].text) < _PROSE / 2 * len(cells):
        return None  # the row of a table
    for before, after in pairwise(cells):
        if any(before.right < middle < after.left for _, middle in tables):
            continue
        both, gutter = _followed(lines, start, before.right, after.left)
        if both >= _FEWEST and _of_prose(lines[start : gutter[0]], gutter[1]):
            return gutter
        tables.append(gutter)
    return None


def _followed(lines: Run, start: int, low: float, high: float) -> tuple[int, Gutter]:
    """How many lines stand on both sides of a gutter down from ``start``, and the gutter."""
    both, end = 1, start + 1
    for index in range(start + 1, min(len(lines), start + _LONGEST)):
        line = lines[index]
        drop = lines[index - 1].baseline - line.baseline
        gap = _gap(line, low, high)
        if not -0.5 * line.size < drop < 3 * line.size:
            break
        if gap is None or gap[1] - gap[0] < 0.5 * line.size:
            break
        low, high = gap
        if line.left < low and line.right > high:
            both, end = both + 1, index + 1
    return both, (end, (low + high) / 2)


def _gap(line: Line, low: float, high: float) -> tuple[float, float] | None:
    """What is left of the gutter beside or within ``line``."""
    if line.right <= low or line.left >= high:
        return low, high
    cells = line.cells or (line,)
    before = max((cell.right for cell in cells if cell.left < (low + high) / 2), default=low)
    after = min((cell.left for cell in cells if cell.left >= (low + high) / 2), default=high)
    low, high = max(low, before), min(high, after)
    return (low, high) if low < high else None


def _of_prose(lines: Run, middle: float) -> bool:
    """Say whether on both sides long lines fill their column, or columns."""
    for before in (True, False):
        sides = [
            [cell for cell in line.cells or (line,) if (cell.left < middle) == before]
            for line in lines
        ]
        sides = [cells for cells in sides if cells]
        if _characters([cell for cells in sides for cell in cells]) < _PROSE:
            return False
        width = max(cells[-1].right for cells in sides) - min(cells[0].left for cells in sides)
        if median(cells[-1].right - cells[0].left for cells in sides) < 0.6 * width:
            return False
    return True


def _part(line: Line, gutter: float, before: bool) -> Line | None:
    """What of a line stands before the gutter, or after it."""
    cells = [cell for cell in line.cells or (line,) if (cell.left < gutter) == before]
    return in_cells(cells) if cells else None
