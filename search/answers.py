"""Answers: the sentences that answer a question, quoted and verified, or an honest "not here"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.embeddings import Encoder, Half
from index.keyword import terms, words
from index.snapshot import Snapshot
from search.confidence import (
    THRESHOLD,
    Features,
    expendable,
    features,
    probability,
    term_weights,
)
from search.quotes import Sentence, best_sentences, verified
from search.results import Citation, Result

READ = 5  # passages whose sentences are compared with the question
QUOTES = 3  # quotes of one answer, at most
CLOSE = 0.85  # a further quote must reach this part of the best one's score


@dataclass(frozen=True, slots=True)
class Reply:
    """What was found to say: verified quotes, or why there are none."""

    citations: tuple[Citation, ...]
    confidence: float
    reason: str

    @property
    def text(self) -> str:
        """The quotes with their numbers."""
        return " ".join(f"{' '.join(c.quote.split())} [{c.number}]" for c in self.citations)


def compose(
    snapshot: Snapshot,
    encoder: Encoder,
    question: str,
    vector: Half | None,
    results: Sequence[Result],
) -> Reply:
    """Quote what answers the question from its best passages, or say why nothing does."""
    known = frequencies(snapshot, question)
    if vector is None or not results:
        return Reply((), 0.0, reason(question, known, bool(results)))
    weights = term_weights(known, snapshot.count().passages)
    found = best_sentences(encoder, vector, weights, [r.passage for r in results[:READ]])
    confidence = probability(measured(question, weights, known, results, found))
    citations = verified(snapshot, _cited(found)) if confidence >= THRESHOLD else []
    told = "" if citations else reason(question, known, True)
    return Reply(tuple(citations), round(confidence, 3), told)


def frequencies(snapshot: Snapshot, text: str) -> dict[str, int]:
    """In how many passages each term of a question occurs."""
    found = terms(text)
    return dict(zip(found, snapshot.frequencies(found), strict=True))


def measured(
    text: str,
    weights: Mapping[str, float],
    known: Mapping[str, int],
    results: Sequence[Result],
    found: Sequence[Sentence],
) -> Features:
    """The features of a question, from its results and their sentences."""
    cosines = [result.why.semantic.score for result in results[:READ] if result.why.semantic]
    return features(text, weights, known, max(cosines, default=0.0), found)


def _cited(found: Sequence[Sentence]) -> list[Citation]:
    """The best sentence, and the best of other passages where they are about as good."""
    chosen: list[Sentence] = []
    for sentence in found:
        if any(sentence.passage.id == other.passage.id for other in chosen):
            continue
        if chosen and sentence.score < CLOSE * chosen[0].score:
            break
        chosen.append(sentence)
    return [
        Citation(number, s.passage, s.start, s.end, s.text)
        for number, s in enumerate(chosen[:QUOTES], 1)
    ]


def reason(question: str, known: Mapping[str, int], found: bool) -> str:
    """Why there is no answer, in words."""
    if not found:
        return "Nothing in your documents matches this question and its filters."
    unknown = dict.fromkeys(
        question[word.start : word.end]
        for word in words(question)
        if not known.get(word.term, 1) and not expendable(word.term)
    )
    if unknown:
        listed = ", ".join(f"“{word}”" for word in unknown)
        return f"Not in your documents: no passage mentions {listed}."
    return "Not in your documents: no passage answers this question."
