"""Fit what the reader guesses on the way, and add it to ``search/reader.safetensors``.

    python tools/fit_exit.py --data DIR   # after tools/train_reader.py

For passages of the questions that the reader was trained on it puts down what stands in the
network after ``EXIT`` layers, and the score after all of them. Ridge regression of one on the
other is the guess. It prints how many passages would be read on, and what would be missed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from reader_examples import Example, Text, training
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from sklearn.linear_model import Ridge
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, BertForQuestionAnswering

from index.bert import Bert
from index.compute import share
from index.embeddings import Encoder
from search.adapter import installed, unpack
from search.answers import SURE
from search.reader import ADAPTER, EXIT, WORTH, best_span, context, encoded, pooled

SHARES = {"reddit": 1000, "amazon": 1000, "squad": 4000}  # questions of each collection
LOWEST, HIGHEST = -8.0, 6.0  # beyond these a score need not be guessed
PENALTY = 300.0


def found_by(example: Example) -> list[Text]:
    """Five passages as search finds them: most often the right one, and others."""
    others = (*example.rivals[:1], *example.misleading[:4])
    return [text for text in (example.passage, *others) if text][:5]


def seen(
    question: str, texts: list[Text], tokenizer: Any, network: Bert, model: Any
) -> Iterator[tuple[Tensor, float]]:
    """What the exit looks at, and the score of the end, for each text."""
    read = [context(text.title, text.heading, text.text) for text in texts]
    leads = [len(whole) - len(text.text) for whole, text in zip(read, texts, strict=True)]
    pairs, _, own = encoded(tokenizer, [question] * len(read), read, leads)
    names = ("input_ids", "attention_mask", "token_type_ids")

    def one(row: int) -> tuple[Tensor, float]:
        ids, mask, kinds = (pairs[name][row : row + 1] for name in names)
        with torch.inference_mode():
            values, there = network.up_to(EXIT, ids, mask, kinds)
            points = model.qa_outputs(network.onward(EXIT, values, there))[0].numpy()
            return pooled(values, there, kinds), best_span(points[:, 0], points[:, 1], own[row])[2]

    yield from share([partial(one, row) for row in range(len(read)) if own[row].any()])


def trained(encoder: Encoder) -> tuple[Any, Bert, Any]:
    """The tokenizer of the reader, its network, and the whole model."""
    model = BertForQuestionAnswering(AutoConfig.from_pretrained(encoder.path))
    taught = unpack(installed(Path(encoder.path)), encoder.identity, ADAPTER)
    model.load_state_dict(taught, strict=False)
    return AutoTokenizer.from_pretrained(encoder.path), Bert(model.bert), model


def keep(fitted: dict[str, Tensor]) -> None:
    """Add to the reader's weights."""
    with safe_open(ADAPTER, "pt") as stored:
        metadata = stored.metadata()
    save_file(load_file(ADAPTER) | fitted, ADAPTER, metadata=metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    encoder = Encoder()
    found = training(options.data, encoder)
    tokenizer, network, model = trained(encoder)
    chance = random.Random(1)
    rows = [
        row
        for name, count in SHARES.items()
        for example in chance.sample(found[name], min(count, len(found[name])))
        for row in seen(example.question, found_by(example), tokenizer, network, model)
    ]
    looks = torch.stack([look for look, _ in rows]).numpy()
    scores = np.array([score for _, score in rows])
    half = chance.sample(range(len(rows)), len(rows) // 2)
    check = np.zeros(len(rows), bool)
    check[half] = True
    weight, bias = fitted(looks[~check], scores[~check])
    report(looks[check] @ weight + bias, scores[check])
    weight, bias = fitted(looks, scores)
    keep({"exit.weight": torch.from_numpy(weight), "exit.bias": torch.tensor(bias)})


def fitted(looks: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, float]:
    """The regression of scores on what the exit looks at: a weight for each number, and one more.

    All that it looks at counts as equally wide.
    """
    middle, width = looks.mean(0), looks.std(0) + 1e-6
    line = Ridge(PENALTY).fit((looks - middle) / width, np.clip(scores, LOWEST, HIGHEST))
    weight = (line.coef_ / width).astype(np.float32)
    return weight, float(line.intercept_ - middle @ weight)


def report(guessed: np.ndarray, scores: np.ndarray) -> None:
    """Print what a threshold costs and spares, on passages that were not fitted on."""
    for threshold in (-4.0, -3.0, WORTH, -1.0, 0.0):
        on = guessed >= threshold
        missed = [np.mean(~on[scores >= least]) for least in (0.0, SURE)]
        print(
            f"from {threshold} on: {on.mean():.2f} of {len(on)} are read on; given up are"
            f" {missed[0]:.3f} of those above 0, {missed[1]:.3f} of those from {SURE} on"
        )


if __name__ == "__main__":
    main()
