"""Dates as file formats state them."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.utils import parsedate_to_datetime

# ISO 8601 in full or basic form, also with slashes, and the D:20160428... of PDF (7.9.4).
_NUMERIC = re.compile(r"(?:D:)?(\d{4})([-/]?)(\d{2})\2(\d{2})(?!\d{7})")
_PARTIAL = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2]))?")  # a year, or a month of a year
_SPELT = ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y")


def iso_date(stated: str) -> str | None:
    """Return the day of ``stated`` as ISO 8601 (``2016-04-28``), or None where it is not plain.

    Orders that could be read in two ways (``04/05/2016``) are not guessed.
    """
    stated = stated.strip()[:80]
    if match := _NUMERIC.match(stated):
        year, _, month, day = match.groups()
        return _valid(int(year), int(month), int(day))
    for form in _SPELT:
        try:
            return datetime.strptime(stated, form).date().isoformat()
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(stated).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def stated_date(stated: str) -> str | None:
    """Like ``iso_date``, but a year or a month (``2016``, ``2016-04``) stands as it is."""
    stated = stated.strip()
    return stated if _PARTIAL.fullmatch(stated) else iso_date(stated)


def _valid(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat() if year >= 1000 else None
    except ValueError:
        return None
