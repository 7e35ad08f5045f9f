"""From passages to quotes: the sentences that fit a question best, verified word for word."""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.embeddings import Encoder, Half
from index.keyword import Word, words
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
    found = [(p, *place) for p in passages for place, _ in _sentences(p)]
    if not found:
        return []
    texts = [p.text[start:end] for p, start, end in found]
    cosines = encoder.encode(texts).astype(np.float32) @ vector.astype(np.float32)
    shares = [share(weights, p.text[a:b], p.document.language) for p, a, b in found]
    scored = [
        Sentence(p, p.start + start, p.start + end, text, float(cosine), shared)
        for (p, start, end), text, cosine, shared in zip(found, texts, cosines, shares, strict=True)
    ]
    return sorted(scored, key=lambda sentence: -sentence.score)


def around(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """The whole sentence, or sentences, that hold a span of a passage; document offsets."""
    first, last = start - passage.start, end - passage.start
    held = [
        (at, to)
        for at, to in sentences(passage.text, passage.document.language)
        if at < last and first < to
    ]
    if not held:
        return start, end
    return passage.start + min(held[0][0], first), passage.start + max(held[-1][1], last)


def most_shared(passage: Passage, weights: Mapping[str, float]) -> tuple[int, int] | None:
    """The sentence of a passage that holds most of the terms' weight; None where none does."""
    most, place = 0.0, None
    for (start, end), held in _sentences(passage):
        shared = sum(weights[term] for term in weights.keys() & {word.term for word in held})
        if shared > most:
            most, place = shared, (passage.start + start, passage.start + end)
    return place


def _sentences(passage: Passage) -> list[tuple[tuple[int, int], list[Word]]]:
    """Where the sentences of a passage are, and their words.

    Without the headings that it begins with, unless there is nothing else.
    """
    language = passage.document.language
    found = list(words(passage.text, language))
    starts = [word.start for word in found]
    every = [
        (place, found[bisect_left(starts, place[0]) : bisect_left(starts, place[1])])
        for place in sentences(passage.text, language)
    ]
    above = {*passage.heading.split(" › "), passage.document.title}
    return [
        ((start, end), held)
        for (start, end), held in every
        if len(held) >= SHORTEST and " ".join(passage.text[start:end].split()) not in above
    ] or every


def share(weights: Mapping[str, float], text: str, language: str | None = None) -> float:
    """The part of the weight of a question's terms that a text holds, from 0 to 1."""
    total = sum(weights.values())
    held = {word.term for word in words(text, language)}
    return sum(weights[term] for term in weights.keys() & held) / total if total else 0.0


def verified(snapshot: Snapshot, citations: Sequence[Citation]) -> list[Citation]:
    """The citations that are true to the stored text, numbered from 1.

    The quote stands just where it says, in the document and the version of it that is named, in
    a passage of it; and the answer stands inside the quote. Any other is dropped, and logged.
    """
    kept: list[Citation] = []
    for citation in citations:
        if fault := _fault(snapshot, citation):
            log.error("citation %d was dropped: %s", citation.number, fault)
        else:
            kept.append(replace(citation, number=len(kept) + 1))
    return kept


def _fault(snapshot: Snapshot, citation: Citation) -> str:
    """What is wrong with a citation; empty where nothing is."""
    passage = citation.passage
    document = snapshot.document(passage.document.id)
    if document is None:
        return f"there is no document {passage.document.id}"
    if document.text_hash != passage.document.text_hash:
        return f"document {document.id} holds another text than the one quoted"
    text, _ = snapshot.text(document.id)
    at, to = citation.start, citation.end
    if not citation.quote or at < 0 or text[at:to] != citation.quote:
        return f"its quote does not stand at {at} to {to} of document {document.id}"
    if snapshot.fetch([passage.id]) != [passage]:
        return f"passage {passage.id} is not what is stored of it"
    if not passage.start <= at or not to <= passage.end:
        return f"its quote does not stand in passage {passage.id}"
    if citation.answer and not at <= citation.answer[0] < citation.answer[1] <= to:
        return "its answer does not stand inside its quote"
    return ""
