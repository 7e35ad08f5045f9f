"""Exact cosines over half-precision rows, and the store of what was embedded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.embeddings import EmbeddingStore, Encoder, text_key
from index.vectors import Vectors, cosines


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


@given(st.integers(1, 40), st.sampled_from([3, 8, 384]), st.integers(0, 2**32 - 1))
def test_scores_are_dot_products_of_the_stored_rows(count: int, width: int, seed: int) -> None:
    rows = unit(np.random.default_rng(seed).normal(size=(count + 1, width)))
    found = Vectors(np.arange(count), rows[1:]).scores(rows[0])
    exact = rows[1:].astype(np.float64) @ rows[0].astype(np.float64)
    assert found.shape == (count,)
    assert found == pytest.approx(exact, abs=1e-5)


def test_a_row_is_nearest_to_itself_and_opposite_to_its_negative() -> None:
    rows = unit(np.random.default_rng(1).normal(size=(1, 384)))
    assert cosines(rows[0], np.concatenate([rows, -rows])) == pytest.approx([1, -1], abs=2e-3)


def test_no_rows_give_no_scores() -> None:
    assert cosines(np.ones(4, np.float16), np.empty((0, 4), np.float16)).shape == (0,)


def test_rows_picked_out_of_a_larger_array_score_the_same() -> None:
    rows = unit(np.random.default_rng(2).normal(size=(9, 16)))
    every = cosines(rows[0], rows)
    assert cosines(rows[0], rows[[7, 3]]).tolist() == [every[7], every[3]]
    assert cosines(rows[0], rows[::2]).tolist() == every[::2].tolist()


# --- What was paid for -----------------------------------------------------------------------


@pytest.fixture
def paid(tmp_path: Path):
    opened = EmbeddingStore(tmp_path / "embeddings.db")
    yield opened
    opened.close()


def test_vectors_are_kept_by_model_and_text(paid: EmbeddingStore) -> None:
    keys = [text_key(f"text {n}") for n in range(1200)]
    rows = unit(np.random.default_rng(3).normal(size=(1200, 4)))
    paid.put("one", keys, rows)
    found = paid.get("one", [*keys, text_key("never seen")])
    assert found.keys() == set(keys)
    assert all((found[key] == row).all() for key, row in zip(keys, rows, strict=True))
    assert paid.get("another", keys) == {}


def test_a_damaged_vector_counts_as_missing(paid: EmbeddingStore, tmp_path: Path) -> None:
    keys = [text_key("whole"), text_key("damaged")]
    paid.put("one", keys, np.ones((2, 4), np.float16))
    with sqlite3.connect(tmp_path / "embeddings.db") as db:
        db.execute("UPDATE embeddings SET vector = zeroblob(8) WHERE key = ?", [keys[1]])
    db.close()
    assert paid.get("one", keys).keys() == {keys[0]}
    paid.put("one", keys[1:], np.ones((1, 4), np.float16))
    assert paid.get("one", keys).keys() == set(keys)


# --- The real model --------------------------------------------------------------------------


def test_the_real_model_gives_unit_vectors_near_for_like_meanings(encoder: Encoder) -> None:
    rows = encoder.encode(["How much is a ticket?", "What does a fare cost?", "Herring swim."])
    assert rows.dtype == np.float16
    assert np.linalg.norm(rows.astype(float), axis=1) == pytest.approx([1, 1, 1], abs=2e-3)
    near, far = rows[1:].astype(float) @ rows[0].astype(float)
    assert near > far


def test_a_text_has_one_vector_whatever_it_is_encoded_with(encoder: Encoder) -> None:
    short, long = "A ticket.", "The metro carried many people in the first quarter. " * 12
    together = encoder.encode([short, long]).astype(float)
    alone = encoder.encode([long])[0].astype(float)
    assert together[1] @ alone > 0.999


def test_the_ruler_and_the_window_are_those_of_the_model(encoder: Encoder) -> None:
    model = encoder._model
    texts = ["Unmapped timber piles cost 1.24 billion crowns.", "Øre, 汉字 and 😀", ""]
    counted = [len(model.tokenizer.encode(text, add_special_tokens=False)) for text in texts]
    assert encoder.measure(texts) == counted
    assert encoder.window == model.max_seq_length - 2
    assert encoder.identity.startswith("all-MiniLM-L6-v2@53aa51172d142c89")
