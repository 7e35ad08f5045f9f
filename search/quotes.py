"""From passages to quotes: the sentences that fit a question best, verified word for word."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.embeddings import Encoder, Half
from index.keyword import words
from index.sentences import sentences
from index.snapshot import Snapshot
from index.values import Passage
from search.results import Citation

log = logging.getLogger("khazri.quotes")

SHORTEST = 3  # words: less is a heading or a label, not a sentence


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage, with offsets into its document.

    ``cosine`` is its likeness with the question; ``shared`` the part of the question's weight
    whose words it holds, from 0 to 1.
    """

    passage: Passage
    start: int
    end: int
    text: str
    cosine: float
    shared: float

    @property
    def score(self) -> float:
        """Likeness by meaning and by words; each counts the same."""
        return self.cosine + self.shared


def best_sentences(
    encoder: Encoder, vector: Half, weights: Mapping[str, float], passages: Sequence[Passage]
) -> list[Sentence]:
    """The sentences of some passages, the best for the question first.

    ``weights`` tells how much each term of the question matters.
    """
    found = [(p, start, end) for p in passages for start, end in _sentences(p)]
    if not found:
        return []
    texts = [p.text[start:end] for p, start, end in found]
    cosines = encoder.encode(texts).astype(np.float32) @ vector.astype(np.float32)
    scored = [
        Sentence(p, p.start + start, p.start + end, text, float(cosine), share(weights, text))
        for (p, start, end), text, cosine in zip(found, texts, cosines, strict=True)
    ]
    return sorted(scored, key=lambda sentence: -sentence.score)


def _sentences(passage: Passage) -> list[tuple[int, int]]:
    """Where the sentences of a passage are, without the headings that it begins with."""
    every = sentences(passage.text, passage.document.language)
    above = {*passage.heading.split(" › "), passage.document.title}
    return [
        (start, end)
        for start, end in every
        if " ".join(passage.text[start:end].split()) not in above
        and sum(1 for _ in words(passage.text[start:end])) >= SHORTEST
    ] or every


def share(weights: Mapping[str, float], text: str) -> float:
    """The part of the weight of a question's terms that a text holds, from 0 to 1."""
    total = sum(weights.values())
    held = {word.term for word in words(text)}
    return sum(weights[term] for term in weights.keys() & held) / total if total else 0.0


def verified(snapshot: Snapshot, citations: Sequence[Citation]) -> list[Citation]:
    """The citations whose quote stands in the stored text just where it says, numbered from 1."""
    kept: list[Citation] = []
    for citation in citations:
        text, _ = snapshot.text(citation.passage.document.id)
        if citation.quote and text[citation.start : citation.end] == citation.quote:
            kept.append(
                Citation(
                    len(kept) + 1, citation.passage, citation.start, citation.end, citation.quote
                )
            )
        else:
            log.error("a quote of passage %d does not stand there", citation.passage.id)
    return kept
