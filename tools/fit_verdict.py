"""Fit the reader's verdict, and add it to ``search/reader.safetensors``.

    python tools/fit_verdict.py --data DIR   # after tools/train_reader.py

Of a paragraph SQuAD 2.0 asks questions that it answers, and others that were written to deceive.
A logistic regression tells these from those by what stands in the network after ``EXIT`` layers
and after all. The articles kept for validation are dealt into folds, and it is fitted as often,
each time without one of them: of those that the reader was trained on it is too sure to be learnt
from alone. All fits are kept, so that figures can be taken on articles that were not fitted on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fit_exit import keep, trained
from reader_examples import FOLDS, Text, folds, rows
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from index.bert import Bert
from index.compute import share
from index.embeddings import Encoder
from search.reader import EXIT, asked, best_span, context, encoded

STRENGTH = 1e-3  # of the fit, the inverse of what large weights cost


@dataclass(frozen=True)
class Pair:
    """A question, the paragraph that it is about, and whether that answers it."""

    question: str
    paragraph: Text
    answered: bool


def pairs(folder: Path) -> Iterator[Pair]:
    """All questions of SQuAD 2.0."""
    texts = {
        row["_id"]: Text(row["title"], "", row["text"]) for row in rows(folder / "corpus.jsonl")
    }
    relevant = dict(
        line.split("\t")[:2] for line in (folder / "qrels/test.tsv").read_text().splitlines()
    )
    paragraph = ""
    for row in rows(folder / "queries.jsonl"):  # unanswerable ones follow those of their paragraph
        paragraph = relevant.get(row["_id"], paragraph)
        yield Pair(row["text"], texts[paragraph], row["_id"] in relevant)


def seen(
    pair: Pair, tokenizer: Any, network: Bert, model: Any
) -> Callable[[], tuple[Tensor, float]]:
    """What will find what the verdict looks at, and the reader's score; in any thread."""
    paragraph = pair.paragraph
    text = context(paragraph.title, paragraph.heading, paragraph.text)
    lead = len(text) - len(paragraph.text)
    read, _, own = encoded(tokenizer, [pair.question], [text], [lead])
    ids, mask, kinds = (read[name] for name in ("input_ids", "attention_mask", "token_type_ids"))

    def find() -> tuple[Tensor, float]:
        with torch.inference_mode():
            midway, there = network.up_to(EXIT, ids, mask, kinds)
            last = network.onward(EXIT, midway, there)
            points = model.qa_outputs(last)[0].numpy()
            looks = torch.cat([asked(midway, there, kinds), asked(last, there, kinds)])
        return looks, best_span(points[:, 0], points[:, 1], own[0][: len(points)])[2]

    return find


def fitted(looks: np.ndarray, answered: np.ndarray) -> tuple[np.ndarray, float]:
    """The logistic regression: weights, and one more; all that it looks at is equally wide."""
    middle, width = looks.mean(0), looks.std(0) + 1e-6
    line = LogisticRegression(C=STRENGTH, max_iter=1000).fit((looks - middle) / width, answered)
    weight = (line.coef_[0] / width).astype(np.float32)
    return weight, float(line.intercept_[0] - middle @ weight)


def report(
    fits: Sequence[tuple[np.ndarray, float]],
    looks: np.ndarray,
    scores: np.ndarray,
    answered: np.ndarray,
    fold: np.ndarray,
) -> None:
    """Print how well both tell, on the articles that are kept; each by the fit without its fold."""
    kept = fold >= 0
    told = np.array([row @ fits[k][0] + fits[k][1] for row, k in zip(looks, fold, strict=True)])
    for name, values in (("score", scores), ("verdict", told)):
        area = roc_auc_score(answered[kept], values[kept])
        print(f"area under the ROC of the {name}, {kept.sum()} questions held out: {area:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    tokenizer, network, model = trained(Encoder())
    every = list(pairs(options.data / "squad-v2.0-dev"))
    read = share([seen(pair, tokenizer, network, model) for pair in every])
    looks = torch.stack([look for look, _ in read]).numpy()
    scores = np.array([score for _, score in read])
    answered = np.array([pair.answered for pair in every])
    of: Mapping[str, int] = folds(options.data / "squad-v1.1-dev")
    fold = np.array([of.get(pair.paragraph.title, -1) for pair in every])
    fits = [fitted(looks[fold != k], answered[fold != k]) for k in range(FOLDS)]
    report(fits, looks, scores, answered, fold)
    keep(
        {
            "verdict.weight": torch.from_numpy(np.stack([weight for weight, _ in fits])),
            "verdict.bias": torch.tensor([bias for _, bias in fits]),
        }
    )


if __name__ == "__main__":
    main()
