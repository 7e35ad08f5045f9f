"""Cosines over half-precision rows, exact or proposed by codes; the store of what was embedded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import CheapEncoder, commit, drafted
from hypothesis import given
from hypothesis import strategies as st

from index import arrays, codes, vectors
from index.changes import Changes
from index.check import check
from index.embeddings import EmbeddingStore, Encoder, text_key
from index.home import Home
from index.store import Store
from index.values import Filter
from index.vectors import Vectors, arrays_of, cosines, gathered, nearest


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


# --- The nearest ------------------------------------------------------------------------------


def parts_of(
    rows: np.ndarray, sizes: list[int], alive: np.ndarray | None
) -> list[tuple[Vectors, np.ndarray | None]]:
    """Segments of these sizes, with ids from 1 on, as they are opened."""
    ids, found, start = np.arange(1, len(rows) + 1), [], 0
    for size in sizes:
        at = slice(start, start + size)
        found.append(
            (Vectors.of(arrays_of(ids[at], rows[at])), None if alive is None else alive[at])
        )
        start += size
    return found


def ranked(rows: np.ndarray, vector: np.ndarray, alive: np.ndarray | None, k: int | None) -> list:
    """Ids by cosine, and by id among equals, the simple way."""
    scores = cosines(vector, rows)
    count = [n for n in range(len(rows)) if alive is None or alive[n]]
    return [n + 1 for n in sorted(count, key=lambda n: (-scores[n], n))][:k]


@given(st.data())
def test_few_rows_are_ranked_exactly(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 12), max_size=4))
    # Of few different rows, so that many are equal.
    kinds = unit(np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(5, 8)))
    rows = kinds[data.draw(st.lists(st.integers(0, 4), min_size=sum(sizes), max_size=sum(sizes)))]
    alive = np.array(data.draw(st.none() | st.tuples(*[st.booleans()] * len(rows))))
    alive = None if alive.ndim == 0 else alive.astype(bool)
    k = data.draw(st.none() | st.integers(1, 20))
    ids, scores = nearest(parts_of(rows, sizes, alive), kinds[0], k)
    assert ids.tolist() == ranked(rows, kinds[0], alive, k)
    assert scores.tolist() == cosines(kinds[0], rows)[ids - 1].tolist()


@given(st.lists(st.integers(0, 30), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_rows_are_gathered_from_several_segments(sizes: list[int], chance) -> None:
    every = np.arange(sum(sizes) * 2, dtype=np.float16).reshape(-1, 2)
    places = np.array([n for n in range(len(every)) if chance.random() < 0.5], np.int64)
    chance.shuffle(places)
    parts = np.split(every, np.cumsum(sizes)[:-1])
    assert gathered(parts, places).tolist() == every[places].tolist()


SIZES = [5000, 300, 4500]  # the first and the last have codes


@pytest.fixture(scope="module")
def clustered() -> np.ndarray:
    """Rows as a model gives them: of many topics, some of them larger, near to each other."""
    chance = np.random.default_rng(5)
    topics = chance.normal(size=(200, 384)) + 0.3
    of = (200 * chance.random(sum(SIZES)) ** 2).astype(int)
    return unit(topics[of] + 0.9 * chance.normal(size=(len(of), 384)))


@pytest.fixture(scope="module")
def large(clustered: np.ndarray) -> list[tuple[Vectors, None]]:
    return parts_of(clustered, SIZES, None)


@pytest.fixture
def proposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codes are used from a hundred rows on, by two threads."""
    monkeypatch.setattr(vectors, "EXACT", 100)
    monkeypatch.setattr(vectors, "ALONE", 0)


def asked(clustered: np.ndarray) -> np.ndarray:
    chance = np.random.default_rng(6)
    topics = clustered[chance.integers(0, len(clustered), 25)].astype(float)
    return unit(topics + 0.15 * chance.normal(size=topics.shape))


@pytest.mark.usefixtures("proposed")
def test_codes_find_what_comparing_all_finds(clustered, large) -> None:
    shares = []
    for question in asked(clustered):
        ids, scores = nearest(large, question, 60)
        shares.append(np.isin(ranked(clustered, question, None, 20), ids).mean())
        assert scores.tolist() == sorted(cosines(question, clustered)[ids - 1], reverse=True)
    assert np.mean(shares) > 0.96


@pytest.mark.usefixtures("proposed")
@pytest.mark.parametrize("share", [0.98, 0.5, 0.03])
def test_what_is_masked_is_never_found(clustered, large, share: float) -> None:
    alive = np.random.default_rng(7).random(len(clustered)) < share
    masks = np.split(alive, np.cumsum(SIZES)[:-1])
    parts = [(part, mask) for (part, _), mask in zip(large, masks, strict=True)]
    shares = []
    for question in asked(clustered):
        ids, _ = nearest(parts, question, 60)
        assert len(ids) == 60
        assert alive[ids - 1].all()
        shares.append(np.isin(ranked(clustered, question, alive, 20), ids).mean())
    assert np.mean(shares) > 0.96


@pytest.mark.usefixtures("proposed")
def test_few_rows_that_a_filter_leaves_are_all_compared(clustered, large) -> None:
    alive = np.zeros(len(clustered), bool)
    alive[::111] = True
    masks = np.split(alive, np.cumsum(SIZES)[:-1])
    parts = [(part, mask) for (part, _), mask in zip(large, masks, strict=True)]
    for question in asked(clustered):
        ids, _ = nearest(parts, question, 300)
        assert ids.tolist() == ranked(clustered, question, alive, 300)


@pytest.mark.usefixtures("proposed")
def test_a_segment_that_a_filter_empties_gives_nothing(clustered, large) -> None:
    masks = [np.zeros(SIZES[0], bool), np.ones(SIZES[1], bool), np.zeros(SIZES[2], bool)]
    parts = [(part, mask) for (part, _), mask in zip(large, masks, strict=True)]
    ids, _ = nearest(parts, clustered[0], 1000)
    assert set(ids.tolist()) == set(range(SIZES[0] + 1, SIZES[0] + SIZES[1] + 1))


@pytest.mark.usefixtures("proposed")
def test_a_segment_that_holds_all_the_nearest_gives_them(clustered, monkeypatch) -> None:
    """However small its share is."""
    question = clustered[0]
    near_last = clustered[np.argsort(cosines(question, clustered))]
    parts = parts_of(near_last, [5600, 4200], None)
    ids, _ = nearest(parts, question, 300)
    assert np.isin(ranked(near_last, question, None, 100), ids).mean() > 0.98
    monkeypatch.setattr(vectors, "SOME", 10**6)  # each is asked for all
    assert nearest(parts, question, 300)[0].tolist() == ids.tolist()


def test_all_can_be_asked_for_however_many(clustered, large) -> None:
    ids, _ = nearest(large, clustered[0], None)
    assert ids.tolist() == ranked(clustered, clustered[0], None, None)


def test_the_codes_of_the_same_rows_are_the_same(clustered) -> None:
    one, other = (codes.encode(clustered[:5000]) for _ in range(2))
    assert all((one[name] == other[name]).all() for name in ("codes", "centroids"))
    assert one["codes"].nbytes * 16 == clustered[:5000].nbytes


@pytest.mark.usefixtures("proposed")
def test_a_segment_of_rows_nearly_alike_does_not_crowd_out_nearer_ones() -> None:
    """Its estimates are better, and would be higher, if they were not made comparable."""
    chance = np.random.default_rng(9)
    question = unit(chance.normal(size=(1, 384)))[0].astype(float)
    others = unit(chance.normal(size=(10_000, 384))).astype(float)
    others[5000:] = others[5000] + 0.02 * others[5000:]
    near = np.concatenate([chance.uniform(-0.1, 0.45, 5000), np.full(5000, 0.4)])[:, None]
    rows = unit(near * question + np.sqrt(1 - near**2) * others)
    ids, _ = nearest(parts_of(rows, [5000, 5000], None), question, 50)
    assert np.isin(ranked(rows, question, None, 20), ids).mean() > 0.9


def test_few_rows_and_odd_widths_have_no_codes(clustered) -> None:
    assert codes.encode(clustered[: codes.LEAST - 1]) == {}
    assert codes.encode(clustered[:, :383]) == {}


@pytest.mark.usefixtures("proposed")
def test_without_the_library_every_row_is_compared(clustered, large, monkeypatch) -> None:
    monkeypatch.setattr(codes, "_faiss", lambda: None)
    assert codes.encode(clustered) == {}
    ids, _ = nearest(large, clustered[0], 50)
    assert ids.tolist() == ranked(clustered, clustered[0], None, 50)


# --- In a home --------------------------------------------------------------------------------


@pytest.fixture
def coded(monkeypatch: pytest.MonkeyPatch, proposed: None) -> None:
    """Even a small segment has codes, and they are used."""
    monkeypatch.setattr(codes, "LEAST", 100)
    monkeypatch.setattr("index.home.Encoder", lambda name: CheapEncoder())


@pytest.fixture
def home(tmp_path: Path, coded: None) -> Iterator[Home]:
    """A home of two segments, one of them large."""
    made = Home(tmp_path / "home")
    commit(made.store, drafted("many", *(f"herring number{n}" for n in range(400))))
    commit(made.store, drafted("few", *(f"cod number{n}" for n in range(20))))
    yield made
    made.close()


def best(store: Store, text: str, k: int = 3, filter: Filter = Filter()) -> list[str]:  # noqa: B008
    with store.snapshot() as snapshot:
        hits = snapshot.semantic(CheapEncoder().encode([text])[0], k, snapshot.select(filter))
        assert [hit.score for hit in hits] == pytest.approx(
            snapshot.semantic_scores(
                CheapEncoder().encode([text])[0], [hit.passage_id for hit in hits]
            )
        )
        return [p.text for p in snapshot.fetch([hit.passage_id for hit in hits])]


def stored(store: Store, segment: int) -> dict[str, np.ndarray]:
    return arrays.load(store.folder(segment) / "vectors.safetensors")


def test_a_large_segment_is_searched_by_its_codes(home: Home) -> None:
    assert set(stored(home.store, 1)) == {"ids", "rows", "codes", "centroids"}
    assert set(stored(home.store, 2)) == {"ids", "rows"}
    assert best(home.store, "herring number250", 1) == ["herring number250"]
    assert best(home.store, "cod number7", 1) == ["cod number7"]
    with home.store.snapshot() as snapshot:
        similar = snapshot.similar(1, 0, 10, 3, -1.0)
    assert [passage.document.uri for passage in similar] == ["few"]


def test_a_deleted_passage_of_a_large_segment_is_not_found(home: Home) -> None:
    commit(home.store, drafted("many", *(f"herring number{n}" for n in range(0, 400, 2))))
    assert best(home.store, "herring number250", 1) == ["herring number250"]
    assert "herring number251" not in best(home.store, "herring number251", 30)
    home.store.apply(Changes(removals=[1]), CheapEncoder.identity)
    assert set(best(home.store, "herring number250", 30)) == {f"cod number{n}" for n in range(20)}


def test_merging_and_repairing_make_codes_anew(home: Home, monkeypatch) -> None:
    monkeypatch.setattr("index.store.FANOUT", 2)
    commit(home.store, drafted("more", *(f"herring number{n} again" for n in range(300))))
    assert home.store.merge()
    merged = max(int(f.name) for f in (home.store.home / "segments").iterdir())
    assert len(stored(home.store, merged)["codes"]) == 700
    path = home.store.folder(merged) / "vectors.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 4  # among the codes
    path.write_bytes(data)
    assert "is not what was written" in check(home).derived[0]
    assert check(home).derived == []
    assert best(home.store, "herring number250 again", 1) == ["herring number250 again"]


def test_a_large_segment_of_an_older_khazri_is_compared_whole(home: Home, monkeypatch) -> None:
    monkeypatch.setattr(codes, "LEAST", 10**6)
    commit(home.store, drafted("old", *(f"sprat number{n}" for n in range(400))))
    assert set(stored(home.store, 3)) == {"ids", "rows"}
    assert best(home.store, "sprat number250", 1) == ["sprat number250"]
    assert best(home.store, "herring number250", 1) == ["herring number250"]


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
