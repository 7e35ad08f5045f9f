"""Where sentences begin and end."""

from __future__ import annotations

import re

import sentencex

_PARAGRAPH = re.compile(r"\S(?:.*?\S)?(?=\s*\n\s*\n|\s*\Z)", re.DOTALL)


def sentences(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of each sentence of ``text``, white space at both ends left out.

    The sentences are in order and do not overlap; what is outside them is white space. None
    reaches over a blank line.
    """
    spans = []
    for paragraph in _PARAGRAPH.finditer(text):
        for boundary in sentencex.get_sentence_boundaries(language or "en", paragraph.group()):
            piece = paragraph.group()[boundary["start_index"] : boundary["end_index"]]
            if body := piece.strip():
                start = paragraph.start() + boundary["start_index"]
                start += len(piece) - len(piece.lstrip())
                spans.append((start, start + len(body)))
    return spans
