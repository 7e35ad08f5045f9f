"""A quote to be copied: with its title, its date and a link, as plain text or as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass

from search.results import Citation

_SYNTAX = re.compile(r"([\\`*_\[\]<>#|~&])")
_STARTS = re.compile(r"^([+=-]|\d+(?=[.)]))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Copied:
    """A quote in both forms."""

    plain: str
    markdown: str


def copied(citation: Citation, day: str, link: str) -> Copied:
    """What is copied of a citation; ``day`` is the date in words, or empty."""
    passage, quote = citation.passage, " ".join(citation.quote.split())
    title = " ".join(passage.document.title.split())
    facts = "".join(
        f", {fact}" for fact in (day, f"page {passage.page}" if passage.page else "") if fact
    )
    return Copied(
        f"“{quote}”\n{title}{facts}\n{link}",
        f"> {_escaped(quote)}\n>\n> — [{_escaped(title)}](<{link}>){_escaped(facts)}",
    )


def _escaped(text: str) -> str:
    """Text in which nothing is markup to Markdown."""
    return _STARTS.sub(r"\\\1", _SYNTAX.sub(r"\\\1", text))
