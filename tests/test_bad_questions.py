"""Questions that are empty, endless or hostile: told what is wrong with them, and never a fault."""

from __future__ import annotations

from typing import get_args

import pytest
from conftest import CheapEncoder
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.errors import KhazriError
from search.engine import Engine
from search.question import LONGEST
from search.results import Mode

MODES: tuple[Mode, ...] = get_args(Mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", ["", "  \n", "?!", '""', "…", "- -", "\u200b"])
def test_an_empty_question_is_an_error_that_says_so(
    crowded: Engine, mode: Mode, query: str
) -> None:
    with pytest.raises(KhazriError, match="question is empty"):
        crowded.search(query, mode=mode)
    with pytest.raises(KhazriError, match="question is empty"):
        list(crowded.export(query))


def test_a_question_that_could_not_be_encoded_is_encoded_the_next_time(
    crowded: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(crowded.store, CheapEncoder())
    with monkeypatch.context() as patch:
        patch.setattr(engine.encoder, "encode", lambda texts: [][0])
        with pytest.raises(IndexError):
            engine.search("herring")
    assert engine.search("herring").results


@pytest.mark.parametrize("word", ["herring", "a", '"quota', "-fleet", "word"])
@pytest.mark.parametrize("mode", MODES)
def test_a_question_of_ten_thousand_words(crowded: Engine, mode: Mode, word: str) -> None:
    query = " ".join(f"{word}{n % 7}" for n in range(10_000))
    try:
        found = crowded.search(query, mode=mode)
    except KhazriError as error:
        if f"at most {LONGEST:,}" not in str(error):
            raise
    else:
        assert found.total >= 0


def test_a_question_as_long_as_may_be_is_answered(crowded: Engine) -> None:
    query = " ".join(f"number{n}" for n in range(3000))[:LONGEST]
    found = crowded.search(query)
    assert found.results
    with pytest.raises(KhazriError, match="at most"):
        crowded.search(query.ljust(LONGEST + 1, "x"))


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(max_size=20), st.sampled_from(MODES))
@example("herring \ud800", "", "hybrid")
@example("herring\0quota", "tag:\0", "hybrid")
@example("herring", "source:\udcff", "keyword")
@example('"\udcff herring"', "", "keyword")
@example("ﬁ ² ½ İ", "before:٢٠٢٤", "hybrid")
@example("' OR 1=1; --", "type:' OR 1=1", "keyword")
def test_no_question_is_a_fault(crowded: Engine, query: str, filter: str, mode: Mode) -> None:
    try:
        found = crowded.search(query, filter=filter, mode=mode)
    except KhazriError as error:
        if "question is empty" not in str(error):
            raise
    else:
        for result in found.results:
            passage = result.passage
            with crowded.store.snapshot() as snapshot:
                text, _ = snapshot.text(passage.document.id)
            assert text[passage.start : passage.end] == passage.text


def test_hidden_half_characters_reach_the_real_model(sample_engine: Engine) -> None:
    assert sample_engine.search("harbour line \udcff").results
