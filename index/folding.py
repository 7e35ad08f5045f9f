"""Texts made alike where they differ only in case, white space and typography."""

from __future__ import annotations

import re
import unicodedata

from index.languages import unspaced

_QUOTES = str.maketrans("‘’‚‛“”„«»‐‑–—", '\'\'\'\'"""""----')


def fold(text: str) -> str:
    """Case, white space and the shape of quotation marks and dashes made alike."""
    if text.isascii():  # which is the same, and much quicker
        return " ".join(text.lower().split())
    return " ".join(unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold().split())


def pattern(phrase: str) -> re.Pattern[str]:
    """Where a phrase stands as words of their own in a folded text."""
    sought = fold(phrase)  # words end where they end, but for scripts without spaces
    before = "" if unspaced(sought[:1]) else r"(?<!\w)"
    after = "" if unspaced(sought[-1:]) else r"(?!\w)"
    return re.compile(f"{before}{re.escape(sought)}{after}")
