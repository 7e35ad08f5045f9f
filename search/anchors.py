"""Finding a quote again in a text that may have changed since it was quoted.

The first way that finds it counts: word for word, then with white space alike, then with case and
typography alike. Offsets are code points of the text as it is stored.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Literal

import numpy as np
import numpy.typing as npt

from index.folding import fold

State = Literal["unchanged", "moved", "gone"]

TRIES = 1000  # places, the nearest ones, that are looked at for a quote that is only alike


@dataclass(frozen=True, slots=True)
class Quoted:
    """What was quoted: ``text[start:end]`` of the text with this hash was ``quote``."""

    text_hash: str
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a quote stands now; both offsets are None where it is gone."""

    state: State
    start: int | None
    end: int | None


def anchor(text: str, text_hash: str, quoted: Quoted) -> Anchor:
    """Where ``quoted`` stands in ``text``, whose hash is ``text_hash``.

    Of several places it is the one nearest to the old one. Where the text did not change, the old
    place counts however the quote was typed. The time is linear in the length of the text.
    """
    start, end, quote = quoted.start, quoted.end, quoted.quote
    if 0 <= start < end <= len(text):
        same = text_hash == quoted.text_hash and folded(text[start:end]) == folded(quote)
        if same or text[start:end] == quote:
            return Anchor("unchanged", start, end)
    if quote.strip():
        near = min(max(start, 0), len(text))
        for place in _places(text, quote, near):
            return Anchor("moved", place, place + len(quote))
        if span := _alike(text, quote, near):
            return Anchor("moved", *span)
    return Anchor("gone", None, None)


def folded(text: str) -> str:
    """White space, case and typography made alike: what quotes share that count as alike.

    Each character is folded for itself, so that offsets can be mapped back, and decomposed, so
    that composed letters are like decomposed ones; marks in another order are not alike.
    """
    return _Folded(text).text.strip()


def _alike(text: str, quote: str, near: int) -> tuple[int, int] | None:
    """Where a quote stands folded; a place that differs only in white space goes before others."""
    words = quote.split()
    spans = list(_Folded(text).spans(folded(quote), near))
    same = (span for span in spans if text[slice(*span)].split() == words)
    return next(same, spans[0] if spans else None)


def _places(text: str, quote: str, near: int) -> Iterator[int]:
    """Where ``quote`` stands in ``text``, the nearest to ``near`` first.

    Backwards both are reversed: ``str.find`` is linear with long quotes, ``str.rfind`` is not.
    """
    last = len(text) - len(quote)
    before = (last - at for at in _finds(text[::-1], quote[::-1], max(last - near + 1, 0)))
    yield from merge(before, _finds(text, quote, near), key=lambda at: abs(at - near))


def _finds(text: str, quote: str, at: int) -> Iterator[int]:
    while (at := text.find(quote, at)) >= 0:
        yield at
        at += 1


class _Folded:
    """A text whose characters are folded one by one, each run of white space to one space.

    ``kept`` are the characters that it is made of: all but the rest of such runs. The one at
    ``kept[i]`` became ``text[starts[i]:ends[i]]``.
    """

    def __init__(self, text: str) -> None:
        codes = _codes(text)
        size = int(codes.max(initial=0)) + 1
        width, first = np.zeros(size, np.int32), np.zeros(size, np.int32)
        glyphs = " "  # what all characters become, one after the other; white space: the first
        for character in set(text):
            if into := unicodedata.normalize("NFKD", fold(character)):
                width[ord(character)], first[ord(character)] = len(into), len(glyphs)
                glyphs += into
        space = width[codes] == 0
        space[1:] &= space[:-1]
        space[:1] = False
        self.kept = np.flatnonzero(~space).astype(np.int32)
        codes = codes[self.kept]
        widths = np.maximum(width[codes], 1)
        self.ends = np.cumsum(widths, dtype=np.int32)
        self.starts = self.ends - widths
        at = np.repeat(first[codes] - self.starts, widths)
        at += np.arange(len(at), dtype=np.int32)
        self.text = _codes(glyphs)[at].tobytes().decode("utf-32-le", "surrogatepass")

    def spans(self, quote: str, near: int) -> Iterator[tuple[int, int]]:
        """Where, before the folding, what became ``quote`` stands; the nearest to ``near`` first.

        A place that begins or ends inside what one character became is passed over. No more than
        ``TRIES`` are looked at, since each may cost the length of the quote.
        """
        kept = bisect_left(self.kept, near)
        at = int(self.starts[kept]) if kept < len(self.kept) else len(self.text)
        for start in islice(_places(self.text, quote, at), TRIES):
            end = start + len(quote)
            i, j = bisect_right(self.starts, start) - 1, bisect_left(self.ends, end)
            if self.starts[i] == start and self.ends[j] == end:
                yield int(self.kept[i]), int(self.kept[j]) + 1


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
