"""The script that trains the reader learns from what it is given."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoTokenizer

from index.embeddings import Encoder

sys.path.append(str(Path(__file__).parent.parent / "tools"))
from reader_examples import Example, Text
from train_reader import Target, loss, train, untrained, without
from training_speed import NAME


def test_a_few_examples_make_other_weights(encoder: Encoder, tmp_path: Path) -> None:
    right = Text("The storm", "", "The strongest gust blew at 132 km/h at noon.")
    wrong = Text("The harbour", "", "Ferries stood still for two days.")
    rival = Text("The gale", "", "At 132 km/h the gale was no storm yet.")
    example = Example("1", "How fast was the gust?", right, ((27, 35),), (wrong,), (rival,))
    none = Example("2", "How fast was the car?", None, (), (right,), ())
    trained = train({"squad": [example] * 8, "deceiving": [none] * 4}, encoder, tmp_path, 1)
    before = untrained(encoder.path).state_dict()
    changed = {name for name, weights in trained.items() if not weights.equal(before[name])}
    assert all(weights.isfinite().all() for weights in trained.values())
    assert "qa_outputs.weight" in changed
    assert "bert.embeddings.word_embeddings.weight" not in changed


def test_the_quick_attention_is_that_of_the_library(encoder: Encoder) -> None:
    tokenizer = AutoTokenizer.from_pretrained(encoder.path)
    told = "The strongest gust blew at 132 km/h at noon. " * 3
    targets = [
        Target(1, "How fast was the gust?", told, 0, (27, 35)),
        Target(1, "How fast was the gust?", "Ferries stood still.", 0, None),
        Target(1, "How fast was the gust?", "At 132 km/h the gale was no storm.", 0, None, True),
        Target(2, "How fast?", "Boats.", 0, None),
    ]

    def slope(attention: str) -> tuple[float, Tensor]:
        model = untrained(encoder.path)
        model.set_attn_implementation(attention)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = loss(model, tokenizer, targets)
        value.backward()
        slopes = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        return value.item(), torch.cat(slopes)

    (quick, toward), (expected, right) = slope(NAME), slope("eager")
    assert quick == pytest.approx(expected, rel=1e-2)
    assert torch.cosine_similarity(toward, right, dim=0) > 0.99


def test_a_passage_without_its_answer_keeps_its_other_sentences() -> None:
    passage = Text(
        "", "", "Ferries stood still. The gust blew at 132 km/h at noon. Schools closed."
    )
    left = without(passage, ((37, 45),))
    assert left is not None
    assert left.text == "Ferries stood still. Schools closed."
    again = Text("", "", "The gust blew at 132 km/h. That is 132 km/h too much.")
    assert without(again, ((16, 24),)) is None
    assert without(Text("", "", "132 km/h."), ((0, 8),)) is None
