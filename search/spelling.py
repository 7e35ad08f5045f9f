"""Spelling: the words of a question that no document has, and the nearest that one has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from index.keyword import asked, words
from index.snapshot import Snapshot
from index.vocabulary import edits

SHORT, LONG = 4, 8  # letters from which one slip is looked for, and two
TRIED = 6  # terms that are near, of which a written word is looked for
SEEN = 8  # passages in which the word is looked for


@dataclass(frozen=True, slots=True)
class Spelling:
    """What of a question no document has, as it was typed, and what may have been meant."""

    unknown: tuple[str, ...] = ()
    meant: Mapping[str, str] | None = None

    def corrected(self, query: str) -> str:
        """``query`` with the words that were meant; empty where it stays as it is."""
        if not self.meant:
            return ""
        spelt = "|".join(map(re.escape, sorted(self.meant, key=len, reverse=True)))
        meant = self.meant
        # Not what stands in a filter, or is to be left out.
        return re.sub(rf"(?<![\w:-])(?:{spelt})(?!\w)", lambda found: meant[found[0]], query)


def spelling(snapshot: Snapshot, text: str) -> Spelling:
    """Look up the words of a question; ``text`` is without its filters."""
    terms: dict[str, list[str]] = {}
    for word in asked(text, snapshot.languages):
        terms.setdefault(text[word.start : word.end], []).append(word.term)
    unknown = [typed for typed, stems in terms.items() if not any(snapshot.frequencies(stems))]
    meant = {typed: near for typed in unknown if (near := _nearest(snapshot, typed, terms[typed]))}
    return Spelling(tuple(unknown), meant)


def _nearest(snapshot: Snapshot, typed: str, stems: list[str]) -> str:
    """The word of the collection that is most like one that it does not know; or nothing."""
    if len(typed) < SHORT or any(letter.isdigit() for letter in typed):
        return ""
    slips = 1 if len(typed) < LONG else 2
    sought = dict.fromkeys([typed.lower(), *stems])  # its end may be what was mistyped
    terms = {term: None for each in sought for term in snapshot.near(each, slips)}
    forms = {form for term in list(terms)[:TRIED] for form in _forms(snapshot, term)}
    near = [(edits(typed.lower(), form.lower(), slips + 1), form) for form in forms]
    best = min(((far, form) for far, form in near if far <= slips), default=(0, ""))[1]
    return best.lower() if typed.islower() else best


def _forms(snapshot: Snapshot, term: str) -> list[str]:
    """How a term is written in the first passages that hold it, the most frequent first."""
    found: Counter[str] = Counter()
    for passage in snapshot.fetch(snapshot.holding("text", [[term]], SEEN)):
        text, title = passage.text, passage.document.title
        for place in (text, passage.heading, title):
            every = words(place, passage.document.language)
            found.update(place[word.start : word.end] for word in every if word.term == term)
    return [form for form in found if form.lower() not in found or form.islower()]
