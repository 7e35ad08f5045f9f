"""Where sentences begin and end."""

from __future__ import annotations

import sentencex


def sentences(text: str, language: str | None = None) -> list[tuple[int, int]]:
    """Return ``(start, end)`` of each sentence of ``text``, white space at both ends left out.

    The sentences are in order and do not overlap; what is outside them is white space.
    """
    spans = []
    for boundary in sentencex.get_sentence_boundaries(language or "en", text):
        start, end = boundary["start_index"], boundary["end_index"]
        piece = text[start:end]
        if body := piece.strip():
            start += len(piece) - len(piece.lstrip())
            spans.append((start, start + len(body)))
    return spans
