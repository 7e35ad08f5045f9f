"""Suggestions: titles, headings and words of the collection that go on from what was typed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from index.folding import fold
from index.keyword import asked, terms, words
from index.languages import unspaced
from index.snapshot import Snapshot

Kind = Literal["words", "title", "heading"]

MOST = 8  # suggestions
EACH = {"words": 3, "title": 4, "heading": 3}
ENDINGS = 60  # terms that a half-typed word may become
NAMED = 100  # documents whose titles are compared, and passages with their headings
SEEN = 12  # passages in which words are looked for
ONWARDS = 2  # words after the half-typed one that make a phrase of it
LONGEST = 150  # characters of a suggestion


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question to ask, and what it is in the collection."""

    text: str
    kind: Kind


def suggestions(snapshot: Snapshot, typed: str) -> list[Suggestion]:
    """What a person may be about to type, at most ``MOST``, words before titles and headings.

    Nothing but the postings is searched: those of titles and headings are their index.
    """
    typed = typed.lstrip()
    found = list(words(typed))
    if not found or (len(fold(typed)) < 2 and not unspaced(typed)):
        return []
    at = found[-1].start
    before = [group for start, group in _groups(snapshot, typed).items() if start != at]
    stems = terms(typed[at:], snapshot.languages)  # an article at its front may be cut off
    begun = {_key(typed[at:]), *stems}
    last = {term for each in begun for term in snapshot.beginning(each, ENDINGS)}
    groups = [*before, last]
    each: tuple[tuple[Kind, Iterable[str]], ...] = (
        ("words", _onwards(snapshot, typed, at, groups)),
        ("title", _named(snapshot, typed, at, "title", groups)),
        ("heading", _named(snapshot, typed, at, "heading", groups)),
    )
    kept: dict[str, Suggestion] = {}
    for kind, texts in each:
        new = [text for text in texts if fold(text) not in {*kept, fold(typed)}]
        for text in new[: EACH[kind]]:
            kept.setdefault(fold(text), Suggestion(text, kind))
    return list(kept.values())[:MOST]


def _groups(snapshot: Snapshot, text: str) -> dict[int, list[str]]:
    """The terms of each word, of which a text must hold one, by where it stands."""
    found: dict[int, list[str]] = {}
    for word in asked(text, snapshot.languages):
        found.setdefault(word.start, []).append(word.term)
    return found


def _key(word: str) -> str:
    """A half-typed word as the beginning of a term."""
    return next(words(word, "und")).term  # of no language, so that no ending is cut off


def _named(
    snapshot: Snapshot, typed: str, at: int, field: Kind, groups: Sequence[Iterable[str]]
) -> list[str]:
    """Titles, or the last parts of headings: those that begin as typed first, short ones first."""
    every = snapshot.named_so(field, groups, NAMED)
    names = {name.rpartition(" › ")[2] if field == "heading" else name for name in every}
    begun, sought = _begun(typed[at:]), fold(typed)
    good = [name for name in names if begun.search(fold(name)) and len(name) <= LONGEST]

    def place(name: str) -> tuple[bool, bool, int, str]:
        folded = fold(name)
        return not folded.startswith(sought), sought not in folded, len(name), name

    return sorted(good, key=place)


def _begun(word: str) -> re.Pattern[str]:
    """Where a word begins so; anywhere, where words are not set apart."""
    edge = "" if unspaced(word) else r"(?<!\w)"
    return re.compile(edge + re.escape(fold(word)))


def _onwards(snapshot: Snapshot, typed: str, at: int, groups: Sequence[Iterable[str]]) -> list[str]:
    """What was typed with its last word whole, and with the words that often follow it."""
    if unspaced(typed[at:]):
        return []  # it can't be told where a word ends
    ids = snapshot.holding("text", groups, SEEN) or snapshot.holding("text", groups[-1:], SEEN)
    counted: Counter[str] = Counter()
    written: dict[str, str] = {}
    begun = re.compile(_begun(typed[at:].strip()).pattern, re.IGNORECASE)
    for passage in snapshot.fetch(ids):
        for phrase in _phrases(passage.text, begun, passage.document.language):
            counted[fold(phrase)] += 1
            written.setdefault(fold(phrase), phrase)
    sought = fold(typed[at:])
    often = [
        phrase
        for phrase, count in counted.most_common()
        if phrase.startswith(sought) and (" " not in phrase or count > 1)
    ]
    return [typed[:at] + written[phrase] for phrase in often]


def _phrases(text: str, begun: re.Pattern[str], language: str | None) -> Iterator[str]:
    """The words of a text that begin so, each alone and with those right after it."""
    for found in begun.finditer(text):
        line = re.match(rf"\w+(?:[’'-]\w+)*(?: \w+){{0,{ONWARDS}}}", text[found.start() :])
        parts = line[0].split(" ") if line else []
        for size in range(1, len(parts) + 1):
            phrase = " ".join(parts[:size])
            spoken = list(words(phrase, language))
            if spoken and not spoken[-1].stop:
                yield phrase
