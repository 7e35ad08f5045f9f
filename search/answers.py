"""Answers: the sentences that answer a question, quoted and verified, or an honest "not here"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from index.embeddings import Encoder, Half
from index.keyword import asked as words_asked
from index.keyword import terms, words
from index.snapshot import Snapshot
from index.values import Passage
from search.agreement import agree
from search.confidence import (
    THRESHOLD,
    Features,
    expendable,
    features,
    is_name,
    probability,
    term_weights,
    whole,
)
from search.question import asks
from search.quotes import Sentence, around, best_sentences, share, verified
from search.reader import Reading
from search.results import Citation, Result, Role

READ = 5  # passages that are read at a time, or whose sentences are compared with the question
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
    """One question, and what was found for it.

    ``known`` says how frequent its words are, ``weights`` how much each matters. ``results`` are
    its best passages; ``readings`` are those of the first in their order, at times of more than
    there are results, or none.
    """

    text: str
    known: Mapping[str, int]
    weights: Mapping[str, float]
    vector: Half | None
    results: Sequence[Result] = ()
    readings: Sequence[Reading] = ()

    @classmethod
    def of(
        cls,
        snapshot: Snapshot,
        text: str,
        vector: Half | None,
        results: Sequence[Result] = (),
        readings: Sequence[Reading] = (),
    ) -> Asked:
        """A question asked of the passages of a snapshot."""
        found = terms(text, snapshot.languages)
        frequencies = dict(zip(found, snapshot.frequencies(found), strict=True))
        stems: dict[int, str] = {}  # of each word the one that passages hold most
        for word in words_asked(text, snapshot.languages):
            before = stems.setdefault(word.start, word.term)
            if frequencies[word.term] > frequencies[before]:
                stems[word.start] = word.term
        known = {term: frequencies[term] for term in stems.values()}
        weights = term_weights(known, snapshot.count().passages)
        return cls(text, known, weights, vector, results, readings)


def compose(
    snapshot: Snapshot, encoder: Encoder, asked: Sequence[Asked], threshold: float = THRESHOLD
) -> Reply:
    """Quote what answers the questions from their best passages, or say why nothing does.

    Where passages were read the reader points at the answer; else their sentences are compared
    with the question. Of several questions each that is answered gets a quote.
    """
    told = [_answer(encoder, one, threshold) for one in asked]
    confidence = max(likely for likely, _ in told)
    every = [citations for _, citations in told]
    chosen = every[0] if len(asked) == 1 else [c for one in every for c in one[:1]]
    citations = verified(snapshot, _distinct(chosen))
    if not any(citation.role == "answers" for citation in citations):
        return Reply((), round(confidence, 3), reason(asked[0], snapshot.count().passages))
    missing = [
        f"No passage answers “{one.text}”."
        for one, citations in zip(asked, every, strict=True)
        if not citations
    ]
    return Reply(tuple(citations), round(confidence, 3), "", tuple(missing))


def _answer(encoder: Encoder, asked: Asked, threshold: float) -> tuple[float, list[Citation]]:
    """How likely a question is answered, and the quotes if it is likely enough."""
    if asked.vector is None or not asked.results:
        return 0.0, []
    if asked.readings:
        likely = probability(read_features(asked))
        lead = asked.readings[0]
        chosen = [_pointed(lead, "answers"), *_others(asked, lead)]
    else:
        found = best_sentences(
            encoder, asked.vector, asked.weights, [r.passage for r in asked.results[:READ]]
        )
        likely = probability(measured(asked, found))
        chosen = _close(found)
    return likely, chosen if likely >= threshold else []


def _others(asked: Asked, lead: Reading) -> list[Citation]:
    """Other passages that answer surely: with the same value first, then with another one.

    Another value counts only in a sentence that holds about as much of the question, and where
    all of it that the first passage is about is spoken of: else it is the value of something else.
    """
    others = [r for r in asked.readings[1:] if r.score >= SURE]
    same = [_pointed(r, "supports") for r in others if agree(lead.text, r.text)]
    apart = [_pointed(r, "differs") for r in others if not agree(lead.text, r.text)]
    least = ALIKE * _shared(asked, _pointed(lead, "answers"))
    about = _spoken_of(asked, lead.passage)
    return same + [
        c for c in apart if _shared(asked, c) >= least and about <= _spoken_of(asked, c.passage)
    ]


def _shared(asked: Asked, citation: Citation) -> float:
    return share(asked.weights, citation.quote, citation.passage.document.language)


def _spoken_of(asked: Asked, passage: Passage) -> set[str]:
    """The words of the question that say what it is about and that a passage holds."""
    return {
        word.term
        for word in words(whole(passage), passage.document.language)
        if word.term in asked.weights and not expendable(word.term)
    }


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


def read_features(asked: Asked) -> Features:
    """The features of a question whose best passages were read: those of the one to be quoted."""
    lead = asked.readings[0]
    start, end = around(lead.passage, lead.start, lead.end)
    sentence = lead.passage.text[start - lead.passage.start : end - lead.passage.start]
    return features(
        asked.text,
        asked.weights,
        asked.known,
        _nearest(asked.results),
        lead.passage,
        share(asked.weights, sentence, lead.passage.document.language),
        reader=lead.score,
        verdict=lead.verdict if asks(asked.text) else None,  # of a question alone it can tell
    )


def measured(asked: Asked, found: Sequence[Sentence]) -> Features:
    """The features of a question, from its results and their sentences."""
    return features(
        asked.text,
        asked.weights,
        asked.known,
        _nearest(asked.results),
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


def reason(asked: Asked, passages: int) -> str:
    """Why there is no answer, in words, in a collection of so many ``passages``."""
    if not passages:
        return "Nothing is indexed yet, so there is nothing to find."
    if not asked.text:
        return "Nothing was asked: these are the passages that the filters leave."
    if not asked.results:
        return "Nothing in your documents matches this question and its filters."
    unknown = [
        word
        for word in words(asked.text)
        if not word.stop and not asked.known.get(word.term, 1) and not expendable(word.term)
    ]
    # What a name or a number says is the reason; other words may have been put otherwise.
    named = [word for word in unknown if is_name(asked.text, word)] or unknown
    if named:
        said = dict.fromkeys(asked.text[word.start : word.end] for word in named)
        listed = ", ".join(f"“{word}”" for word in said)
        return f"Not in your documents: no passage mentions {listed}."
    return "Not in your documents: no passage answers this question."
