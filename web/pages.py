"""What all pages share: their addresses, and how dates, names, quotes and links are shown.

The pages themselves stand in ``asking``, ``reading``, ``collection`` and ``indexing``. All of it
works without scripts.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Blueprint, Flask, url_for

from index.values import SEPARATOR, Document, Passage
from search.results import Citation
from web.languages import language_name
from web.marks import Piece
from web.marks import pieces as cut

QUOTED = 120  # characters of a passage that its link carries, to find it again
ID = "<int(max=9223372036854775807):id>"

TYPES = {
    "text": "Text",
    "markdown": "Markdown",
    "rst": "reStructuredText",
    "html": "Web page",
    "pdf": "PDF",
    "docx": "Word",
    "odt": "OpenDocument",
    "rtf": "Rich text",
    "slides": "Slides",
    "sheet": "Spreadsheet",
    "csv": "Table",
    "epub": "E-book",
    "mail": "Mail",
    "json": "JSON",
}

pages = Blueprint("pages", __name__)


def register(app: Flask) -> None:
    """Add the pages to ``app``."""
    # They add their routes.
    from web import asking, collection, indexing, manual, reading, sessions  # noqa: F401

    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(day=day_in_words, moment=_moment, type_name=type_name, short=_name)
    app.jinja_env.filters.update(duration=_duration, date=day_of, language_name=language_name)
    app.jinja_env.globals.update(passage_link=_passage_link, quote_link=quote_link, quoted=_quoted)
    app.register_blueprint(pages)


def _quoted(citation: Citation) -> list[Piece]:
    """A quote with the answer in it marked."""
    spans = [citation.answer] if citation.answer else []
    own = [(start - citation.start, end - citation.start) for start, end in spans]
    return cut(citation.quote, 0, len(citation.quote), own)


def _passage_link(passage: Passage, **more: Any) -> str:
    return _link(passage.document, passage.start, passage.end, passage.text[:QUOTED], **more)


def quote_link(citation: Citation, **more: Any) -> str:
    """A link to a quote in its document."""
    return _link(citation.passage.document, citation.start, citation.end, citation.quote, **more)


def _link(document: Document, start: int, end: int, quote: str, **more: Any) -> str:
    """A link that lasts: it holds what is needed to find the quote again, or to tell of its end."""
    return url_for(
        "pages.document",
        id=document.id,
        text_hash=document.text_hash,
        start=start,
        end=end,
        quote=quote,
        uri=document.uri,
        _anchor="cited",
        **more,
    )


def day_in_words(published: str) -> str:
    """``2016-04-28`` as ``28 April 2016``; anything else as it is."""
    try:
        day = date.fromisoformat(published[:10])
    except ValueError:
        return published
    return f"{day.day} {day:%B %Y}"


def day_of(stored: str) -> str:
    """The day of a stored time, in the time zone of this machine."""
    return day_in_words(datetime.fromisoformat(stored).astimezone().date().isoformat())


def _moment(stored: str) -> str:
    """A stored time, in the time zone of this machine."""
    return f"{datetime.fromisoformat(stored).astimezone():%d %b %Y, %H:%M}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min"


def type_name(type: str) -> str:
    """The name of a type of document."""
    return TYPES.get(type, type)


def _name(uri: str) -> str:
    """The last part of a path or address; before that of a file within another, that file's."""
    outer, _, inner = uri.rpartition(SEPARATOR)
    within = _last(outer) if outer and not outer.endswith(":") else ""  # as in https://
    return f"{within} › {_last(inner)}" if within else _last(uri)


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
