"""Whether two answers say the same."""

from __future__ import annotations

import re

from index.keyword import words

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_GROUPED = re.compile(r"(?<=\d)[,  ](?=\d{3}(?!\d))")


def agree(one: str, other: str) -> bool:
    """Whether two short answers say the same.

    Where both hold numbers, these decide. Else the words of one must be among those of the other.
    """
    numbers, others = _numbers(one), _numbers(other)
    if numbers and others:
        return numbers <= others or others <= numbers
    held, holds = _terms(one), _terms(other)
    return bool(held and holds) and (held <= holds or holds <= held)


def _numbers(text: str) -> set[str]:
    return {n.rstrip("0").rstrip(".") if "." in n else n for n in _NUMBER.findall(_plain(text))}


def _plain(text: str) -> str:
    """The digits of grouped numbers stand together: 40,000 is 40000."""
    return _GROUPED.sub("", text)


def _terms(text: str) -> set[str]:
    found = list(words(text))
    return {w.term for w in found if not w.stop} or {w.term for w in found}
