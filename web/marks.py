"""Marked text: which parts of a text are to be highlighted, and which part is worth showing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from index.keyword import Word, words

LEAD = 60  # characters shown before the first matched word of an excerpt


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that is marked as a whole or not at all; ``best`` in the best sentence."""

    text: str
    marked: bool
    best: bool = False


def pieces(text: str, start: int, end: int, spans: Iterable[tuple[int, int]]) -> list[Piece]:
    """Cut ``text[start:end]`` at the ascending ``spans``, which are marked."""
    cut: list[Piece] = []
    at = start
    for first, last in spans:
        first, last = max(first, at), min(last, end)
        if first >= last:
            continue
        if at < first:
            cut.append(Piece(text[at:first], False))
        cut.append(Piece(text[first:last], True))
        at = last
    if at < end:
        cut.append(Piece(text[at:end], False))
    return cut


def matched(text: str, terms: Collection[str], language: str | None = None) -> list[Word]:
    """The words of ``text`` whose index term is among ``terms``."""
    return [word for word in words(text, language) if word.term in terms]


def excerpt(
    text: str,
    terms: Collection[str],
    width: int,
    language: str | None = None,
    sentence: tuple[int, int] | None = None,
) -> list[Piece]:
    """About ``width`` characters of ``text``, with the ``terms`` in it marked.

    They begin with the best ``sentence`` or a little before it, where one is given and does not
    fit otherwise; else they hold the most different terms.
    """
    found = matched(text, terms, language)
    start, end = 0, len(text)
    if len(text) > width * 1.2:
        lead = sentence[0] if sentence else _densest(found, width)
        start = _snapped(text, lead - LEAD)
        end = text.rfind(" ", start + width // 2, start + width)
        end = end if end > 0 else start + width
    spans = [(word.start, word.end) for word in found]
    shown = _told_apart(text, start, end, spans, sentence)
    before = [Piece("… ", False)] if start else []
    return [*before, *shown, *([Piece(" …", False)] if end < len(text) else [])]


def _told_apart(
    text: str,
    start: int,
    end: int,
    spans: Sequence[tuple[int, int]],
    sentence: tuple[int, int] | None,
) -> list[Piece]:
    """The pieces before, in and after the best sentence."""
    if not sentence:
        return pieces(text, start, end, spans)
    first, last = (min(max(at, start), end) for at in sentence)
    best = [replace(piece, best=True) for piece in pieces(text, first, last, spans)]
    return [*pieces(text, start, first, spans), *best, *pieces(text, last, end, spans)]


def _densest(found: Sequence[Word], width: int) -> int:
    """Where the window begins that holds the most different terms; the first one of these."""
    best, most = 0, 0
    for i, word in enumerate(found):
        inside = {w.term for w in found[i:] if w.end <= word.start + width - LEAD}
        if len(inside) > most:
            best, most = word.start, len(inside)
    return best


def _snapped(text: str, start: int) -> int:
    if start <= 0:
        return 0
    return text.find(" ", start, start + LEAD) + 1 or start
