"""Fit the weights of ``search/confidence.py`` and print how well the probability tells.

    python tools/fit_confidence.py --data DIR [--plain]   # DIR holds squad-v2.0-dev, …

Every article is a collection of its own, as a person's collection is about something; and every
other one stands in one collection TOGETHER. Each is asked the questions that it answers, as many
that SQuAD 2.0 wrote to deceive, some about other articles, and some of its own with a name, or a
word, exchanged for one that it does not hold. Half of all is answered; of the others those about
other articles count for four fifths. Articles are dealt into five folds: the figures are those of
articles that were not fitted on. Only articles count that the reader was not trained on, each asked
with a verdict that was not fitted on its paragraphs (TOGETHER: on those of the article that the
question was made of); with --plain it fits the weights that are used without a
reader, on all of them.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import numpy as np
from reader_examples import FOLDS, folds, held_out, rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from index.embeddings import Encoder
from index.home import Home
from index.keyword import words
from search.answers import READ, Asked, measured, read_features
from search.confidence import (
    THRESHOLD,
    Features,
    expendable,
    probability,
)
from search.engine import Engine, ask, narrowed
from search.quotes import best_sentences
from search.reader import Reader
from search.reasons import explain

HOMES = Path("build/confidence")
TOGETHER = "together"  # the collection of every other article
SHARES = {"answered": 0.5, "elsewhere": 0.4, "exchanged": 0.03, "altered": 0.03, "deceiving": 0.04}
# Where there is a verdict, with these the weights are learnt, and with those made a probability:
# about other articles any weights tell, and about what is nearly asked only the right ones.
LEARNT = {**SHARES, "elsewhere": 0.14, "deceiving": 0.3}
EACH = 40  # questions of each kind and article, unless --each says otherwise
_NAME = re.compile(r"(?<=\w )[A-Z][a-z]+(?: [A-Z][a-z]+)*")


@dataclass(frozen=True)
class Case:
    """A question put to an article, and whether that answers it; and the article it was made of."""

    article: str
    question: str
    kind: str
    origin: str

    @property
    def answered(self) -> bool:
        return self.kind == "answered"


def read_cases(
    folder: Path, kept: set[str] | None, chance: random.Random
) -> tuple[dict[str, list[dict]], list[Case]]:
    """The collections with their paragraphs, and the cases; of the articles ``kept`` alone."""
    articles: dict[str, list[dict]] = defaultdict(list)
    title = {}
    for row in rows(folder / "corpus.jsonl"):
        if kept and row["title"] not in kept:
            continue
        articles[row["title"]].append(row)
        title[row["_id"]] = row["title"]
    relevant = dict(
        line.split("\t")[:2] for line in (folder / "qrels/test.tsv").read_text().splitlines()
    )
    asked: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    article = ""
    for row in rows(folder / "queries.jsonl"):  # unanswerable ones follow those of their article
        known = title.get(relevant.get(row["_id"], ""))
        if not known and row["_id"] in relevant:
            article = ""  # of an article that is left out
        article = known or article
        if article:
            asked[article]["answered" if known else "deceiving"].append(row["text"])
    cases = []
    for name, kinds in asked.items():
        for kind, texts in kinds.items():
            cases += [
                Case(name, t, kind, name) for t in chance.sample(texts, min(EACH, len(texts)))
            ]
        others = [t for other in asked if other != name for t in asked[other]["answered"]]
        cases += [Case(name, t, "elsewhere", name) for t in chance.sample(others, EACH // 2)]
        cases += [
            Case(name, t, "exchanged", name) for t in exchanged(kinds["answered"], others, chance)
        ]
        held = {word.term for row in articles[name] for word in words(row["text"])}
        cases += [
            Case(name, t, "altered", name) for t in altered(kinds["answered"], others, held, chance)
        ]
    together = list(asked)[::2]
    articles[TOGETHER] = [row for name in together for row in articles[name]]
    for case in list(cases):
        if case.article in together and case.kind != "elsewhere":
            cases.append(replace(case, article=TOGETHER))
        elif case.article not in together and case.answered:
            cases.append(replace(case, article=TOGETHER, kind="elsewhere"))
    return articles, cases


def exchanged(own: Sequence[str], others: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Questions of an article in which a name stands that belongs to another."""
    names = [match.group() for text in others for match in _NAME.finditer(text)]
    with_name = [text for text in own if _NAME.search(text)]
    for text in chance.sample(with_name, min(EACH // 2, len(with_name))):
        yield _NAME.sub(chance.choice(names), text, count=1)


def altered(
    own: Sequence[str], others: Sequence[str], held: set[str], chance: random.Random
) -> Iterator[str]:
    """Questions of an article that ask for something else: a word is one that it does not hold."""
    strange = [w for text in others for w in _meaningful(text) if w.term not in held]
    for text in chance.sample(own, min(EACH // 2, len(own))):
        if found := _meaningful(text):
            old, new = chance.choice(found), chance.choice(strange)
            yield text[: old.start] + new.text + text[old.end :]


@dataclass(frozen=True)
class Meaningful:
    """A word that says what is asked for, and no name."""

    start: int
    end: int
    term: str
    text: str


def _meaningful(text: str) -> list[Meaningful]:
    return [
        Meaningful(w.start, w.end, w.term, text[w.start : w.end])
        for w in words(text)
        if not w.stop and not expendable(w.term) and text[w.start : w.end].islower()
    ]


def features_of(engine: Engine, question: str) -> Features | None:
    """The features that the product computes for a question."""
    with engine.asked(question) as (snapshot, vector):
        asked, selection = narrowed(snapshot, ask(question, ""))
        ranked = engine.rank(snapshot, asked.text, vector, selection, "hybrid", READ)
        ranked = engine.reread(snapshot, asked.text, ranked)
        results = explain(snapshot, asked.text, ranked, 0, READ)
        if vector is None or not results:
            return None
        if ranked.readings:
            known = Asked.of(snapshot, asked.text, vector(), results, ranked.readings)
            return read_features(known)
        known = Asked.of(snapshot, asked.text, vector(), results)
        passages = [result.passage for result in results]
        return measured(known, best_sentences(engine.encoder, vector(), known.weights, passages))


class Remembering(Encoder):
    """An encoder that encodes no text twice: sentences of a small collection come up often."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, np.ndarray] = {}

    def encode(self, texts: Sequence[str], batch: int = 32) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known |= dict(zip(new, super().encode(new, batch), strict=True))
        return np.stack([self.known[text] for text in texts])


def collect(
    articles: Mapping[str, list[dict]],
    cases: Sequence[Case],
    readers: Sequence[Reader | None],
    fold: Mapping[str, int],
) -> list[tuple[Case, Features]]:
    """The features of each case, by the reader of its fold."""
    encoder = Remembering()
    found = []
    for number, (name, paragraphs) in enumerate(articles.items()):
        home = HOMES / str(number)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        corpus = home / "corpus.jsonl"
        corpus.write_text("\n".join(json.dumps(row) for row in paragraphs))
        opened = Home(home / "home")
        opened.indexer.encoder = encoder
        opened.indexer.index([corpus], lambda progress: None, jsonl=True)
        engines = [Engine(opened.store, encoder, reader=reader) for reader in readers]
        for case in cases:
            engine = engines[fold.get(case.origin, 0)]
            if case.article == name and (one := features_of(engine, case.question)):
                found.append((case, one))
        opened.close()
        print(f"{number + 1}/{len(articles)} {name}: {len(found)} cases", flush=True)
    return found


def calibration_error(truth: np.ndarray, told: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over equally wide bins."""
    place = np.minimum((told * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(truth[place == b].mean() - told[place == b].mean()) * (place == b).mean()
            for b in range(bins)
            if (place == b).any()
        )
    )


def balanced(kinds: np.ndarray, shares: Mapping[str, float]) -> np.ndarray:
    """Weights that give each kind its share."""
    weights = np.zeros(len(kinds))
    for kind in set(kinds):
        weights[kinds == kind] = shares[kind] / (kinds == kind).sum()
    return weights * len(kinds)


def fitted(
    x: np.ndarray, y: np.ndarray, kinds: np.ndarray, learnt: Mapping[str, float]
) -> tuple[float, np.ndarray]:
    """Intercept and weights, learnt with some shares, and made a probability with ``SHARES``."""
    line = LogisticRegression(max_iter=1000).fit(x, y, balanced(kinds, learnt))
    scores = line.decision_function(x)[:, None]
    scale = LogisticRegression(max_iter=1000).fit(scores, y, balanced(kinds, SHARES))
    slope = scale.coef_[0, 0]
    return float(slope * line.intercept_[0] + scale.intercept_[0]), slope * line.coef_[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plain", action="store_true", help="without a reader")
    options = parser.parse_args()
    squad = options.data / "squad-v1.1-dev"
    held = None if options.plain else held_out(squad)
    of = {} if options.plain else folds(squad)
    readers = [None] if options.plain else [Reader(fold=k) for k in range(FOLDS)]
    articles, cases = read_cases(options.data / "squad-v2.0-dev", held, random.Random(1))
    found = collect(articles, cases, readers, of)
    kept = [case for case, _ in found]
    x = np.array([[value or 0.0 for value in astuple(one)] for _, one in found])
    y = np.array([case.answered for case in kept])
    kinds = np.array([case.kind for case in kept])
    np.savez(
        HOMES / "features.npz",
        x=x,
        y=y,
        kinds=kinds,
        articles=[c.article for c in kept],
    )
    # The questions of TOGETHER are those of other collections, so it is in no fold but its own.
    fold = np.array(
        [5 if c.article == TOGETHER else list(articles).index(c.article) % 5 for c in kept]
    )
    report("as it ships", kept, np.array([probability(one) for _, one in found]))
    for name, width, learnt in (("without a verdict", 7, SHARES), ("with one", 8, LEARNT)):
        told = np.zeros(len(y))
        for held in range(6):
            at, out = (fold != held) & (fold != 5), fold == held
            intercept, weights = fitted(x[at, :width], y[at], kinds[at], learnt)
            told[out] = 1 / (1 + np.exp(-intercept - x[out, :width] @ weights))
        report(f"fitted {name}, on articles held out", kept, told)
        intercept, weights = fitted(x[:, :width], y, kinds, learnt)
        print(f"intercept {intercept:.3f}")
        for feature, value in zip(asdict(found[0][1]), weights, strict=False):
            print(f"  {feature}={value:.3f}")


def report(name: str, cases: Sequence[Case], told: np.ndarray) -> None:
    """Print how well a probability tells the answered cases from each other kind."""
    y = np.array([case.answered for case in cases])
    kinds = np.array([case.kind for case in cases])
    print(f"{name}: answers given {np.mean(told[y] >= THRESHOLD):.2f}")
    for kind in ("elsewhere", "exchanged", "altered", "deceiving"):
        at = (kinds == "answered") | (kinds == kind)
        print(
            f"  against {kind:10} AUC {roc_auc_score(y[at], told[at]):.3f}"
            f"  refused {np.mean(told[kinds == kind] < THRESHOLD):.2f}"
            f"  calibration error {calibration_error(y[at], told[at]):.3f}"
        )


if __name__ == "__main__":
    main()
