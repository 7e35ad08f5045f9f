"""Answers: the sentences that answer a question, quoted and verified, or an honest "not here"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.embeddings import Encoder, Half
from index.keyword import terms, words
from index.snapshot import Snapshot
from search.agreement import agree
from search.confidence import (
    THRESHOLD,
    Features,
    expendable,
    features,
    probability,
    term_weights,
)
from search.question import parts
from search.quotes import Sentence, around, best_sentences, share, verified
from search.reader import Reading
from search.results import Citation, Result, Role

READ = 5  # passages that are read, or whose sentences are compared with the question
QUOTES = 4  # quotes of one answer, at most
CLOSE = (
    0.85  # chosen without a reader, a further quote must reach this part of the best one's score
)
ALIKE = 0.8  # of the question's words in the answer, another value's sentence must hold this part
SURE = 2.0  # the reader's log-odds from which another passage is said to answer too


@dataclass(frozen=True, slots=True)
class Reply:
    """What was found to say: verified quotes, or why there are none."""

    citations: tuple[Citation, ...]
    confidence: float
    reason: str
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The quotes that answer, with their numbers."""
        return " ".join(
            f"{' '.join(c.quote.split())} [{c.number}]"
            for c in self.citations
            if c.role == "answers"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what is known of its words: how frequent, and how much each matters."""

    text: str
    known: Mapping[str, int]
    weights: Mapping[str, float]

    @classmethod
    def of(cls, snapshot: Snapshot, text: str) -> Asked:
        """From the passages of a snapshot."""
        found = terms(text)
        known = dict(zip(found, snapshot.frequencies(found), strict=True))
        return cls(text, known, term_weights(known, snapshot.count().passages))


def compose(
    snapshot: Snapshot,
    encoder: Encoder,
    question: str,
    vector: Half | None,
    results: Sequence[Result],
    readings: Sequence[Sequence[Reading]] = (),
    threshold: float = THRESHOLD,
) -> Reply:
    """Quote what answers the question from its best passages, or say why nothing does.

    ``readings`` are, for each part of the question, those of the first results, in their order.
    Without them sentences are compared with the question instead.
    """
    asked = Asked.of(snapshot, question)
    if vector is None or not results:
        return Reply((), 0.0, reason(asked, bool(results)))
    if readings:
        confidence, chosen, notes = _read(asked, results, readings, threshold)
    else:
        passages = [result.passage for result in results[:READ]]
        found = best_sentences(encoder, vector, asked.weights, passages)
        confidence, notes = probability(measured(asked, results, found)), ()
        chosen = _close(found)
    citations = verified(snapshot, chosen) if confidence >= threshold else []
    if not any(citation.role == "answers" for citation in citations):
        return Reply((), round(confidence, 3), reason(asked, True))
    return Reply(tuple(citations), round(confidence, 3), "", notes)


def _read(
    asked: Asked,
    results: Sequence[Result],
    readings: Sequence[Sequence[Reading]],
    threshold: float,
) -> tuple[float, list[Citation], tuple[str, ...]]:
    """How likely an answer is, the quotes, and notes: a quote for each part of the question."""
    likely = [probability(read_features(asked, results, part)) for part in readings]
    answered = [part for part, p in zip(readings, likely, strict=True) if p >= threshold]
    missing = [
        f"No passage answers “{text}”."
        for text, p in zip(parts(asked.text), likely, strict=True)
        if p < threshold and answered
    ]
    # Of one question the passages stand in their final order; of several, in that of them all.
    leads = [part[0] if len(readings) == 1 else max(part, key=_score) for part in answered]
    chosen = [_pointed(lead, "answers") for lead in leads]
    if len(readings) == 1 and leads:
        chosen += _others(asked, leads[0], answered[0])
    return max(likely), _distinct(chosen), tuple(missing)


def _score(reading: Reading) -> float:
    return reading.score


def _others(asked: Asked, lead: Reading, readings: Sequence[Reading]) -> list[Citation]:
    """Other passages that answer surely: with the same value first, then with another one.

    Another value counts only in a sentence that holds about as much of the question: else it is
    the value of something else.
    """
    others = [r for r in readings if r.passage.id != lead.passage.id and r.score >= SURE]
    same = [_pointed(r, "supports") for r in others if agree(lead.text, r.text)]
    apart = [_pointed(r, "differs") for r in others if not agree(lead.text, r.text)]
    least = ALIKE * share(asked.weights, _pointed(lead, "answers").quote)
    return same + [c for c in apart if share(asked.weights, c.quote) >= least]


def _pointed(reading: Reading, role: Role) -> Citation:
    """The sentence around what the reader points at."""
    passage = reading.passage
    start, end = around(passage, reading.start, reading.end)
    quote = passage.text[start - passage.start : end - passage.start]
    return Citation(0, passage, start, end, quote, (reading.start, reading.end), role)


def _distinct(citations: Sequence[Citation]) -> list[Citation]:
    """So many as are quoted, and no sentence twice."""
    kept: dict[tuple[int, int], Citation] = {}
    for citation in citations:
        kept.setdefault((citation.passage.document.id, citation.start), citation)
    return list(kept.values())[:QUOTES]


def read_features(asked: Asked, results: Sequence[Result], readings: Sequence[Reading]) -> Features:
    """The features of a question whose best passages were read."""
    lead = max(readings, key=_score)
    start, end = around(lead.passage, lead.start, lead.end)
    sentence = lead.passage.text[start - lead.passage.start : end - lead.passage.start]
    return features(
        asked.text,
        asked.weights,
        asked.known,
        _nearest(results),
        lead.passage,
        share(asked.weights, sentence),
        reader=lead.score,
    )


def measured(asked: Asked, results: Sequence[Result], found: Sequence[Sentence]) -> Features:
    """The features of a question, from its results and their sentences."""
    return features(
        asked.text,
        asked.weights,
        asked.known,
        _nearest(results),
        found[0].passage,
        found[0].shared,
        sentence_cosine=max(sentence.cosine for sentence in found),
    )


def _nearest(results: Sequence[Result]) -> float:
    """The best cosine of the passages that are looked at."""
    cosines = [result.why.semantic.score for result in results[:READ] if result.why.semantic]
    return max(cosines, default=0.0)


def _close(found: Sequence[Sentence]) -> list[Citation]:
    """The best sentence, and the best of other passages where they are about as good."""
    chosen: list[Sentence] = []
    for sentence in found:
        if any(sentence.passage.id == other.passage.id for other in chosen):
            continue
        if chosen and sentence.score < CLOSE * chosen[0].score:
            break
        chosen.append(sentence)
    return [Citation(0, s.passage, s.start, s.end, s.text) for s in chosen[:QUOTES]]


def reason(asked: Asked, found: bool) -> str:
    """Why there is no answer, in words."""
    if not found:
        return "Nothing in your documents matches this question and its filters."
    question = asked.text
    unknown = dict.fromkeys(
        question[word.start : word.end]
        for word in words(question)
        if not asked.known.get(word.term, 1) and not expendable(word.term)
    )
    if unknown:
        listed = ", ".join(f"“{word}”" for word in unknown)
        return f"Not in your documents: no passage mentions {listed}."
    return "Not in your documents: no passage answers this question."
