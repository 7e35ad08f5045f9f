"""The script that trains the reader learns from what it is given."""

from __future__ import annotations

import sys
from pathlib import Path

from index.embeddings import Encoder

sys.path.append(str(Path(__file__).parent.parent / "tools"))
from reader_examples import Example, Text
from train_reader import train, untrained


def test_a_few_examples_make_other_weights(encoder: Encoder, tmp_path: Path) -> None:
    right = Text("The storm", "", "The strongest gust blew at 132 km/h at noon.")
    wrong = Text("The harbour", "", "Ferries stood still for two days.")
    example = Example("1", "How fast was the gust?", right, ((27, 35),), (wrong,))
    none = Example("2", "How fast was the car?", None, (), (right,))
    trained = train({"squad": [example] * 8, "deceiving": [none] * 4}, encoder, tmp_path)
    before = untrained(encoder.path).state_dict()
    changed = {name for name, weights in trained.items() if not weights.equal(before[name])}
    assert all(weights.isfinite().all() for weights in trained.values())
    assert "qa_outputs.weight" in changed
    assert "bert.embeddings.word_embeddings.weight" not in changed
