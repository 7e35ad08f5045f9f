"""Where sentences begin and end."""

from __future__ import annotations

import re
from typing import Any

import sentencex

# White space that takes several bytes in UTF-8: sentencex 1.0 cuts it in two, and panics.
_WIDE_SPACE = re.compile(r"[^\S\n ]")
_PARAGRAPH = re.compile(r"\S(?:.*?\S)?(?=\s*\n\s*\n|\s*\Z)", re.DOTALL)


def sentences(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of each sentence of ``text``, white space at both ends left out.

    The sentences are in order and do not overlap; what is outside them is white space. None
    reaches over a blank line.
    """
    spans = []
    for paragraph in _PARAGRAPH.finditer(text):
        for boundary in _boundaries(paragraph.group(), language or "en"):
            piece = paragraph.group()[boundary["start_index"] : boundary["end_index"]]
            if body := piece.strip():
                start = paragraph.start() + boundary["start_index"]
                start += len(piece) - len(piece.lstrip())
                spans.append((start, start + len(body)))
    return spans


def _boundaries(paragraph: str, language: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = sentencex.get_sentence_boundaries(
            language, _WIDE_SPACE.sub(" ", paragraph)
        )
        return found
    except BaseException as error:
        # A panic in Rust is no Exception, and would end whoever reads the text.
        if type(error).__name__ != "PanicException":
            raise
        return [{"start_index": 0, "end_index": len(paragraph)}]
