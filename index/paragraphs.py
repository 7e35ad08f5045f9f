"""Documents become passages: paragraphs that fit the embedding model, with what they stand under.

A passage is a run of blocks. Headings open one, short blocks (a list line, a table row, a line
of a few words) stay with what they follow, and a block longer than the limit is cut between its
sentences, into parts of about the same length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from index.sentences import sentences
from index.values import Block, Span

Measure = Callable[[Sequence[str]], list[int]]

_SPACE = re.compile(r"\s")

SHORT = 20  # tokens: below this a paragraph says too little to be found by itself


def split(
    text: str, blocks: Iterable[Block], measure: Measure, limit: int, language: str | None = None
) -> list[Span]:
    """Split ``text`` into passages of at most ``limit`` tokens each, as ``measure`` counts them.

    Every character outside the returned spans is white space. Only a single word longer than
    the limit is cut inside.
    """
    spans: list[Span] = []
    headings: list[tuple[int, str]] = []
    run: list[Block] = []  # the passage under construction
    sizes: list[int] = []

    def close() -> None:
        if run:
            spans.append(Span(run[0].start, run[-1].end, _path(headings), _page(run)))
            run.clear()
            sizes.clear()

    for block, size in _fitting(text, blocks, measure, limit, language):
        if block.kind == "heading":
            if not all(b.kind == "heading" for b in run):
                close()
            name = " ".join(text[block.start : block.end].split())
            headings = [(lvl, h) for lvl, h in headings if lvl < block.level] + [
                (block.level, name)
            ]
        if run and (sum(sizes) + size > limit or not _belongs(block, size, run, sizes)):
            close()
        run.append(block)
        sizes.append(size)
    close()
    return spans


def _belongs(block: Block, size: int, run: Sequence[Block], sizes: Sequence[int]) -> bool:
    if run[-1].kind == "heading":
        return True
    if block.page != run[-1].page:
        return False
    short = size < SHORT or sum(sizes) < SHORT
    return short or block.kind in ("item", "row")


def _path(headings: Sequence[tuple[int, str]]) -> str:
    return " › ".join(name for _, name in headings)


def _page(run: Sequence[Block]) -> int | None:
    body = [block for block in run if block.kind != "heading"]
    return (body or run)[0].page


def _fitting(
    text: str, blocks: Iterable[Block], measure: Measure, limit: int, language: str | None
) -> Iterable[tuple[Block, int]]:
    """The blocks with their sizes, those over the limit cut into parts that are not."""
    listed = list(blocks)
    for block, size in zip(listed, measure([text[b.start : b.end] for b in listed]), strict=True):
        if size <= limit:
            yield block, size
            continue
        kind = block.kind if block.kind != "heading" else "paragraph"
        for start, end, part in _parts(text, block, measure, limit, language):
            yield replace(block, start=start, end=end, kind=kind, level=0), part


def _parts(
    text: str, block: Block, measure: Measure, limit: int, language: str | None
) -> Iterable[tuple[int, int, int]]:
    """Cut one long block into ``(start, end, size)`` parts of about equal size."""
    body = text[block.start : block.end]
    pieces = [(block.start + s, block.start + e) for s, e in sentences(body, language)]
    sized = list(_words(text, pieces, measure, limit))
    total = sum(size for _, _, size in sized)
    target = total / -(-total // limit)
    start, end, size = sized[0]
    for s, e, n in sized[1:]:
        if size + n > limit or size + n / 2 > target:
            yield start, end, size
            start, size = s, 0
        end, size = e, size + n
    yield start, end, size


def _words(
    text: str, pieces: Sequence[tuple[int, int]], measure: Measure, limit: int
) -> Iterable[tuple[int, int, int]]:
    """The pieces with their sizes; one that alone is over the limit is halved until it is not."""
    for (start, end), size in zip(pieces, measure([text[s:e] for s, e in pieces]), strict=True):
        if size <= limit or end - start < 2:
            yield start, end, size
            continue
        middle = (start + end) // 2
        spaces = (match.start() for match in _SPACE.finditer(text, start, end))
        cut = min(spaces, key=lambda at: abs(at - middle), default=middle)
        halves = [_trim(text, start, cut), _trim(text, cut, end)]
        yield from _words(text, [h for h in halves if h[0] < h[1]], measure, limit)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
