"""Whether two answers say the same."""

from __future__ import annotations

import re
from decimal import Decimal

from index.keyword import words

_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u202f ](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)(?:\s*(thousand|million|billion|trillion|bn|m)\b)?", re.I)
_SCALES = {"thousand": 3, "million": 6, "m": 6, "billion": 9, "bn": 9, "trillion": 12}
_UNITS = frozenset(  # what is counted: the same number of another one is another value
    word.term
    for word in words(
        "crowns euros dollars pounds yen francs marks roubles percent degrees metres meters feet"
        " kilometres kilometers km miles grams kilograms kg tonnes tons litres liters gallons"
        " seconds minutes hours days weeks months years"
    )
)


def agree(one: str, other: str) -> bool:
    """Whether two short answers say the same.

    Where both hold numbers, these decide, and what they count. Else the words of one must be
    among those of the other.
    """
    numbers, others = _numbers(one), _numbers(other)
    held, holds = _terms(one), _terms(other)
    if numbers and others:
        units, theirs = held & _UNITS, holds & _UNITS
        same = not units or not theirs or bool(units & theirs)
        return same and (numbers <= others or others <= numbers)
    return bool(held and holds) and (held <= holds or holds <= held)


def _numbers(text: str) -> set[Decimal]:
    """The numbers of a text, those in words too: 40,000 is 40 thousand, 3,40 is 3.4."""
    plain = _GROUPED.sub("", text)
    found = {
        Decimal(number.replace(",", ".")).scaleb(_SCALES.get(scale.lower(), 0))
        for number, scale in _NUMBER.findall(plain)
    }
    written = (word for word in words(plain) if plain[word.start].isalpha())
    return found | {Decimal(word.term) for word in written if word.term.isdecimal()}


def _terms(text: str) -> set[str]:
    found = list(words(text))
    return {w.term for w in found if not w.stop} or {w.term for w in found}
