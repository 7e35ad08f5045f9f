"""The quick pass through the default model gives what the library gives, one by one or together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from index import bert
from index.embeddings import Encoder, half
from index.values import Document, Passage
from search import reader as reading
from search.reader import Reader

quick = pytest.mark.skipif(not half(), reason="this processor multiplies no bfloat16")

TEXTS = [
    "Fog.",
    "The ferry to the outer islands sails twice a day in winter.",
    "The harbour master counted 47 cutters and three barges on Monday. " * 30,  # beyond the window
    "",
    "Ünïcödé, 漢字 and 🎣.",
]


@pytest.fixture
def stock() -> Encoder:
    """The same model, by the library alone."""
    encoder = Encoder()
    encoder.__dict__["_network"] = None
    return encoder


@quick
def test_vectors_are_those_of_the_library(encoder: Encoder, stock: Encoder) -> None:
    expected = stock.encode(TEXTS).astype(float)
    cosines = (encoder.encode(TEXTS).astype(float) * expected).sum(1)
    assert cosines.min() > 0.999
    assert cosines.mean() > 0.9999


@quick
@settings(max_examples=25)
@given(st.lists(st.text(max_size=300), min_size=1, max_size=12))
def test_a_text_has_the_same_vector_alone_and_among_others(
    encoder: Encoder, texts: list[str]
) -> None:
    together = encoder.encode(texts).astype(float)
    alone = np.concatenate([encoder.encode([text]) for text in texts]).astype(float)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=2e-3)
    assert (together * alone).sum(1).min() > 0.999


@quick
def test_the_pass_is_compiled() -> None:
    """Else it would hold Python's lock, and nothing but the clock would tell."""
    for function in (bert.begun, bert.passed, bert.means):
        assert isinstance(function, torch.jit.ScriptFunction)


def test_no_text_is_left_out_or_put_in_the_place_of_another(encoder: Encoder) -> None:
    texts = [f"Boat {number} has {number} nets. " * (number % 40 + 1) for number in range(120)]
    rows = encoder.encode(texts).astype(float)
    some = [0, 39, 40, 77, 119]
    alone = encoder.encode([texts[number] for number in some]).astype(float)
    assert (rows[some] * alone).sum(1).min() > 0.999
    assert len(rows) == len(texts)


@quick
def test_the_reader_points_where_the_library_points(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Ferries stood still. The strongest gust blew at 132 km/h at noon, in the north."
    document = Document(1, "s", "d", "The storm", "text", None, None, (), "")
    passages = [
        Passage(1, document, 0, len(text), text, "", None),
        Passage(2, document, 21, len(text), text[21:], "", None),
    ]
    question = "How fast was the strongest gust?"
    told = reader.read(question, passages)
    monkeypatch.setattr(reading, "half", lambda: False)
    slow = Reader()
    slow.__dict__["_network"] = reading._default.__wrapped__(
        None
    )  # not the one that the run shares
    expected = slow.read(question, passages)
    assert [(r.start, r.end) for r in told] == [(r.start, r.end) for r in expected]
    assert [r.score for r in told] == pytest.approx([r.score for r in expected], abs=0.3)
    assert [r.verdict for r in told] == pytest.approx([r.verdict for r in expected], abs=0.3)
