"""The reader: it points inside the passage it was given, and its weights are those that shipped."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoTokenizer, BertConfig, BertForQuestionAnswering

from index.embeddings import Encoder, half
from index.errors import KhazriError
from index.values import Document, Passage
from search.adapter import pack, unpack
from search.reader import ADAPTER, HOPELESS, SPAN, Reader, Reading, best_span, encoded


def passage(text: str, id: int = 1, *, title: str = "", start: int = 0) -> Passage:
    document = Document(id, "s", f"d{id}", title, "text", None, None, (), "")
    return Passage(id, document, start, start + len(text), text, "", None)


# --- Reading ---------------------------------------------------------------------------------


def test_it_points_at_the_answer_and_prefers_the_passage_that_holds_it(reader: Reader) -> None:
    gust = passage("Ferries stood still. The strongest gust blew at 132 km/h at noon.", start=40)
    fares = passage("The fare to the islands rises to 12 euros in May.", 2)
    first, second = reader.read("How fast was the strongest gust?", [gust, fares])
    assert "132 km/h" in first.text
    assert (first.passage, second.passage) == (gust, fares)
    assert first.score > 0 > second.score
    assert gust.text[first.start - 40 : first.end - 40] == first.text


def test_a_passage_is_read_alike_alone_and_among_others(reader: Reader) -> None:
    texts = ["The quota is 28,500 tonnes.", "Nets have a mesh of 44 millimetres. " * 12, "No."]
    passages = [passage(text, id) for id, text in enumerate(texts, 1)]
    together = reader.read("How many tonnes is the quota?", passages)
    alone = [reader.read("How many tonnes is the quota?", [one])[0] for one in passages]
    whole = [(r, one) for r, one in zip(together, alone, strict=True) if r.score != HOPELESS]
    assert whole[0][0].passage == passages[0]
    assert [(r.start, r.end) for r, _ in whole] == [(one.start, one.end) for _, one in whole]
    assert [r.score for r, _ in whole] == pytest.approx([one.score for _, one in whole], abs=0.2)


@pytest.mark.skipif(not half(), reason="this processor reads everything to its end")
def test_a_passage_beside_the_point_is_given_up_unless_it_is_the_first(reader: Reader) -> None:
    gust = passage("Ferries stood still. The strongest gust blew at 132 km/h at noon.")
    fares = passage("The fare to the islands rises to 12 euros in May.", 2)
    question = "How fast was the strongest gust?"
    given_up = reader.read(question, [gust, fares])[1]
    assert given_up == Reading(fares, fares.start, fares.end, HOPELESS)
    read, best = reader.read(question, [fares, gust])
    assert HOPELESS < read.score < 0 < best.score
    assert "132 km/h" in best.text


def test_its_verdict_tells_what_is_asked_from_what_is_nearly_asked(reader: Reader) -> None:
    gust = passage("Ferries stood still. The strongest gust blew at 132 km/h at noon.")
    questions = ("How fast was the strongest gust?", "How fast was the second strongest ferry?")
    (true,), (deceiving,) = (reader.read(question, [gust]) for question in questions)
    assert true.verdict is not None
    assert deceiving.verdict is not None
    assert true.verdict > deceiving.verdict


def test_the_verdict_is_the_mean_of_those_fitted_without_a_fold(reader: Reader) -> None:
    gust = passage("Ferries stood still. The strongest gust blew at 132 km/h at noon.")
    question = "How fast was the strongest gust?"
    (whole,) = reader.read(question, [gust])
    with safe_open(ADAPTER, "pt") as stored:
        folds = range(len(stored.get_tensor("verdict.bias")))
    each = [Reader(fold=fold).read(question, [gust])[0] for fold in folds]
    assert {(r.start, r.end, r.score) for r in each} == {(whole.start, whole.end, whole.score)}
    assert len({r.verdict for r in each}) == len(folds) > 1
    assert np.mean([r.verdict for r in each]) == pytest.approx(whole.verdict, abs=1e-3)


def test_a_tokenizer_is_used_by_one_thread_at_a_time(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It keeps the padding of its latest texts, which another thread's would spoil."""
    used = Lock()

    def alone(*arguments: Any) -> Any:
        assert used.acquire(blocking=False)
        try:
            time.sleep(0.002)
            return encoded(*arguments)
        finally:
            used.release()

    monkeypatch.setattr("search.reader.encoded", alone)
    passages = [passage("The quota is 28,500 tonnes. " * n, n) for n in (1, 3, 9)]
    questions = ["How many tonnes? " * n for n in range(1, 9)]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda asked: reader.read(asked, passages), questions))
    assert at_once == [reader.read(asked, passages) for asked in questions]


@settings(max_examples=40)
@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=200), max_size=3), st.text())
def test_whatever_is_read_the_answer_stands_in_the_passage(
    reader: Reader, question: str, texts: list[str], title: str
) -> None:
    passages = [passage(text, id, title=title, start=7) for id, text in enumerate(texts, 1)]
    readings = reader.read(question, passages)
    assert [reading.passage for reading in readings] == passages
    for reading in readings:
        assert reading.passage.start <= reading.start < reading.end <= reading.passage.end
        assert np.isfinite(reading.score)


def test_a_long_question_and_a_long_title_leave_room_for_the_passage(reader: Reader) -> None:
    answer = passage("The strongest gust blew at 132 km/h.", title="Storm " * 400)
    (reading,) = reader.read("wind " * 900 + "How fast was the strongest gust?", [answer])
    assert reading.text in answer.text
    assert reading.end > reading.start


def test_the_default_reads_english_and_what_does_not_say(reader: Reader) -> None:
    assert [reader.reads(language) for language in (None, "en", "en-GB", "de", "ar")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert Reader("some/model").reads("de")


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_best_span_is_the_best_of_all(count: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    starts, ends = chance.normal(size=(2, count)).astype(np.float32)
    own = chance.random(count) < 0.7
    own[chance.integers(count)] = True
    at, to, score = best_span(starts, ends, own)
    places = np.flatnonzero(own)
    every = [float(starts[i] + ends[j]) for x, i in enumerate(places) for j in places[x : x + SPAN]]
    assert float(starts[at] + ends[to]) == max(every)
    assert own[[at, to]].all()
    assert score == pytest.approx((max(every) - starts[0] - ends[0]) / 2, abs=1e-5)


# --- A reader of one's own -------------------------------------------------------------------


def test_any_model_of_the_kind_can_be_named(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(Encoder().path)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    torch.manual_seed(1)
    BertForQuestionAnswering(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    (reading,) = Reader(str(tmp_path)).read("Where?", [passage("In the harbour.")])
    assert reading.text in "In the harbour."
    assert reading.verdict is None


def test_a_reader_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KhazriError, match=r"reader .*nowhere could not be loaded.*none"):
        Reader(str(tmp_path / "nowhere")).load()


# --- What ships ------------------------------------------------------------------------------


def test_what_ships_is_small() -> None:
    assert ADAPTER.stat().st_size <= 25e6


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_weights_come_back_within_half_a_step(tmp_path_factory: pytest.TempPathFactory, seed: int):
    torch.manual_seed(seed)
    base = {"same": torch.randn(3, 3), "matrix": torch.randn(4, 6), "bias": torch.randn(5)}
    trained = {name: w + torch.randn_like(w) / 10 for name, w in base.items() if name != "same"}
    trained |= {"same": base["same"], "head": torch.randn(2, 6)}
    file = tmp_path_factory.mktemp("adapter") / "a.safetensors"
    pack(base, trained, "model@1", file)
    back = unpack(base, "model@1", file)
    assert back.keys() == trained.keys()
    for name in ("same", "head"):
        assert torch.equal(back[name], trained[name])
    assert torch.allclose(back["bias"], trained["bias"], atol=1e-6)
    step = (trained["matrix"] - base["matrix"]).abs().amax(dim=1, keepdim=True) / 127
    assert ((back["matrix"] - trained["matrix"]).abs() <= step / 2 + 1e-6).all()


def test_weights_for_another_model_are_refused(tmp_path: Path) -> None:
    pack({}, {"head": torch.ones(2)}, "model@1", tmp_path / "a")
    with pytest.raises(KhazriError, match="belongs to the weights model@1, and model@2"):
        unpack({}, "model@2", tmp_path / "a")


@pytest.mark.parametrize("damage", ["truncated", "missing", "no header"])
def test_damaged_weights_are_named(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "a.safetensors"
    pack({}, {"head": torch.ones(100)}, "model@1", file)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-50])
    elif damage == "missing":
        file.unlink()
    else:
        save_file({"head": torch.ones(2)}, file)
    with pytest.raises(KhazriError, match="a.safetensors"):
        unpack({}, "model@1", file)
