"""How likely a collection answers a question: one calibrated probability, and the reason in words.

A logistic model over a few plain features. ``tools/fit_confidence.py`` fits its weights, and
prints how well these and the fitted ones tell questions that a collection answers from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from math import exp, log

from index.keyword import Word, terms, words
from index.values import Passage
from search.quotes import share

THRESHOLD = 0.6  # at least this likely, and the answer is given

# Words that say what kind of thing is asked for, or could be said otherwise, in questions that
# are answered: the passage seldom repeats them (measured on questions with known answers).
_EXPENDABLE = frozenset(
    term
    for word in """
    according actually also amount another anyone approximate approximately ask aspect average
    become becoming begin begun belief besides call called carry cause caused characteristic
    classify come common commonly compare compared concern consider considered
    currently date day decide describe described despite detail detailed discuss discussed
    else end ended entity event ever example exist far fast feel find first frequently
    gave get give given go happen happened held hold important include individual
    instead involve issue item kind know known large last late later latest lead let list located
    location long main make made many may mean meant mention mentioned method might much must name
    named new number occur occurred often one opinion originally part people percent percentage
    period person place portion previous previously prior proportion purpose put quantity quite
    reason receive share
    received regard regarding relate result role said say show shown similar since situation size
    someone something sort specific start started state stated still supposed take taken talk tell
    term thing think thought time today together told took topic total tries try trying two type
    typical typically upon use used using usually want way went will word work would wrong year
    years yet
    """.split()
    for term in terms(word)
)
_EXPENDABLE_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Features:
    """What the probability is computed from: shares from 0 to 1, cosines from -1 to 1.

    ``reader`` and ``verdict`` are the log-odds that the reader gave the passage to be quoted; None
    where there was none, or no verdict.
    """

    passage_cosine: float
    sentence_cosine: float
    passage_share: float
    sentence_share: float
    unknown: float
    names_missing: float
    reader: float | None = None
    verdict: float | None = None


# Near what tools/fit_confidence.py fits, and on the strict side of it: a question with a word
# that no passage holds should be refused sooner than answered beside the point.
INTERCEPT = -5.1
WEIGHTS = Features(3.0, 3.0, 4.0, 1.0, -3.0, -2.5, 0.0)
# As that tool fits them where passages are read; the reader tells more than all the others.
READ_INTERCEPT = -2.047
READ_WEIGHTS = Features(4.011, 0.0, 1.319, 0.741, -0.14, -1.692, 0.472)
# And where the reader gives its verdict too, which tells most of what is nearly asked.
JUDGED_INTERCEPT = -1.605
JUDGED_WEIGHTS = Features(4.07, 0.0, 0.185, 1.588, 0.029, -1.484, 0.185, 0.768)


def expendable(term: str) -> bool:
    """Whether a term says how something is asked for rather than what."""
    return term in _EXPENDABLE


def term_weights(frequencies: Mapping[str, int], passages: int) -> dict[str, float]:
    """How much each term of a question matters: rare ones much, expendable ones little."""
    return {
        term: log((passages + 1) / (count + 0.5) + 1)
        * (_EXPENDABLE_WEIGHT if expendable(term) else 1.0)
        for term, count in frequencies.items()
    }


def features(
    question: str,
    weights: Mapping[str, float],
    frequencies: Mapping[str, int],
    cosine: float,
    passage: Passage,
    sentence_share: float,
    *,
    sentence_cosine: float = 0.0,
    reader: float | None = None,
    verdict: float | None = None,
) -> Features:
    """The features of a question, and of the passage and sentence that answer it best."""
    around = whole(passage)
    total = sum(weights.values()) or 1.0
    language = passage.document.language
    names = _names(question, language)
    held = {word.term for word in words(around, language)}
    return Features(
        passage_cosine=cosine,
        sentence_cosine=sentence_cosine,
        passage_share=share(weights, around, language),
        sentence_share=sentence_share,
        unknown=sum(w for term, w in weights.items() if not frequencies[term]) / total,
        names_missing=len(names - held) / len(names) if names else 0.0,
        reader=reader,
        verdict=verdict,
    )


def probability(found: Features) -> float:
    """The probability that the question is answered."""
    score, weights = INTERCEPT, WEIGHTS
    if found.verdict is not None:
        score, weights = JUDGED_INTERCEPT, JUDGED_WEIGHTS
    elif found.reader is not None:
        score, weights = READ_INTERCEPT, READ_WEIGHTS
    for weight, value in zip(astuple(weights), astuple(found), strict=True):
        score += (weight or 0.0) * (value or 0.0)
    return 1 / (1 + exp(-max(-50.0, min(50.0, score))))


def whole(passage: Passage) -> str:
    """A passage with what it stands under."""
    return f"{passage.document.title}\n{passage.heading}\n{passage.text}"


def _names(question: str, language: str | None) -> set[str]:
    """The terms of the names and numbers in a question, its first word aside."""
    found = words(question, language)
    return {word.term for word in found if not word.stop and is_name(question, word)}


def is_name(question: str, word: Word) -> bool:
    """Whether a word of a question is a name or a number; its first word may be neither."""
    first = question[word.start]
    return word.start > 0 and (first.isupper() or first.isdigit())
