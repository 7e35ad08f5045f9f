"""The small language of questions. This is the one place where it is described.

========================  ====================================================================
``"quoted phrase"``       must stand in the passage word for word (case and spacing aside)
``-word``                 must not occur in the passage, its heading or its title
``source:NAME``           from that source; also ``source:"two words"``
``type:pdf``              of that type: text, markdown, html, pdf, docx, slides, sheet, mail …
``tag:NAME``              with that tag
``before:2024-05-01``     published before that day; also ``before:2024-05`` and ``before:2024``
``after:2024-05-01``      published on that day or later
anything else             the question, however long
========================  ====================================================================

The same field twice means either value (``type:pdf type:docx``), of two dates the last counts;
different fields add up.
What looks like a filter and is none is searched as words, and a note says so; so are phrases
beyond the twentieth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice, pairwise

from index.keyword import words
from index.values import Filter

PARTS = 3  # questions that are answered at once, at most
PHRASES = 20  # each is looked for by itself, which takes time
LEAST = 3  # words of a question that stands for itself
LONGEST = 20_000  # characters of a question; far beyond what the model reads

_PIECE = re.compile(
    r"(?P<field>source|type|tag|before|after):(?:[\"“](?P<quoted>[^\"“”]*)[\"”]|(?P<plain>[^\s\"“”]+))"
    r"|[\"“](?P<phrase>[^\"“”]+)[\"”]"
    r"|(?<!\S)-(?P<without>\w[^\s\"“”]*)"
    r"|(?P<word>\S+?)(?=[\"“]|\s|$)|.",
    re.IGNORECASE | re.DOTALL,
)
_SURROGATE = re.compile("[\ud800-\udfff]")  # from bytes of the command line that are no UTF-8
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True, slots=True)
class Question:
    """A parsed question: what is asked, what passages must meet, and notes for the person."""

    text: str
    filter: Filter
    notes: tuple[str, ...] = ()


def parse(query: str, more: str = "") -> Question:
    """Parse a question, and ``more`` filters in the same language (its words are asked too)."""
    asked: list[str] = []
    notes: list[str] = []
    lists: dict[str, list[str]] = {name: [] for name in ("source", "type", "tag")}
    dates: dict[str, str] = {}
    without: list[str] = []
    phrases: list[str] = []
    query, more = (_SURROGATE.sub("\ufffd", part) for part in (query, more))
    for match in chain(_PIECE.finditer(query), _PIECE.finditer(f" {more}")):
        field = (match["field"] or "").lower()
        value = match["quoted"] if match["quoted"] is not None else match["plain"]
        if field in lists and value and value.strip():
            lists[field].append(value.strip())
        elif field and (day := _day(value or "")):
            dates[field] = day
        elif field:
            asked.append(match.group())
            notes.append(f"“{match.group()}” is no filter, so it was searched as words.")
        elif match["phrase"] and any(True for _ in words(match["phrase"])):
            phrases.append(match["phrase"])
            asked.append(match["phrase"])
        elif match["without"]:
            without.append(match["without"])
        else:
            asked.append(match.group())
    distinct = tuple(dict.fromkeys(phrases))
    if len(distinct) > PHRASES:
        notes.append(f"Phrases beyond the first {PHRASES} were searched as words.")
    text = " ".join("".join(part if part.isspace() else f" {part} " for part in asked).split())
    filter = Filter(
        tuple(lists["source"]),
        tuple(lists["type"]),
        tuple(lists["tag"]),
        dates.get("before"),
        dates.get("after"),
        tuple(dict.fromkeys(without)),
        distinct[:PHRASES],
    )
    return Question(text, filter, tuple(notes))


_MARK = re.compile(r"(?:\?+(?![^\s\"”’)?])|[？؟]+)[\"”’)]*")  # one within an address ends nothing

_ASKING = frozenset(
    """who whom whose what which when where why how is are was were do does did can could will would
    should has have had may must""".split()
)


def asks(text: str) -> bool:
    """Whether a text asks something: by its mark, or by the word that it begins with."""
    first = next(iter(text.lower().split()), "")
    return bool(set(text) & set("?？؟")) or first.partition("'")[0] in _ASKING


def parts(text: str) -> tuple[str, ...]:
    """The questions that a text asks, one after the other; the text itself where it is but one."""
    ends = [match.end() for match in _MARK.finditer(text)]
    found = [text[start:end].strip() for start, end in pairwise([0, *ends])]
    found = [part for part in found if sum(1 for _ in islice(words(part), LEAST)) == LEAST]
    return tuple(found) if len(found) > 1 else (text,)


def _day(value: str) -> str | None:
    """The first day of a date, a month or a year, in ISO 8601; None for what is none."""
    match = _DATE.fullmatch(value)
    if not match:
        return None
    try:
        return date(*(int(part or 1) for part in match.groups())).isoformat()
    except ValueError:
        return None
