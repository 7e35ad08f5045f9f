"""Answers: every quote is verified, every number points at a citation, and nothing is made up."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from conftest import QUESTIONS, CheapEncoder, commit, drafted
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.changes import Changes
from index.errors import KhazriError
from index.keyword import terms
from index.store import Store
from index.values import Passage
from search.answers import QUOTES, Asked, compose
from search.confidence import THRESHOLD, expendable, term_weights
from search.engine import Engine
from search.quotes import best_sentences, share, verified
from search.results import Answer, Citation, Rank, Result, Why


def check(engine: Engine, answer: Answer) -> None:
    """The invariants of every answer."""
    assert answer.answered == bool(answer.citations) == bool(answer.text)
    assert answer.answered != bool(answer.reason)
    assert 0 <= answer.confidence <= 1
    assert [c.number for c in answer.citations] == list(range(1, len(answer.citations) + 1))
    assert len(answer.citations) <= QUOTES
    with engine.store.snapshot() as snapshot:
        for citation in answer.citations:
            text, _ = snapshot.text(citation.passage.document.id)
            assert citation.quote
            assert text[citation.start : citation.end] == citation.quote
            assert citation.passage.start <= citation.start < citation.end <= citation.passage.end
            told = f"{' '.join(citation.quote.split())} [{citation.number}]" in answer.text
            assert told == (citation.role == "answers")
            if citation.answer:
                assert citation.start <= citation.answer[0] < citation.answer[1] <= citation.end
    cited = {citation.passage.id for citation in answer.citations}
    assert len(cited) == len(answer.citations), "a passage is quoted twice"


# --- Any answer ------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q["question"])
def test_every_quote_stands_in_its_document(
    sample_engine: Engine, sample_answers: dict[str, Answer], question: dict
) -> None:
    check(sample_engine, sample_answers[question["question"]])


@pytest.fixture(scope="module")
def fish(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Three small documents; the model costs nothing."""
    store = Store(tmp_path_factory.mktemp("home"))
    commit(
        store,
        drafted(
            "quota",
            "The herring quota is 28,500 tonnes. It was lower before. 😀 Fishermen were pleased.",
            "Nets must have a mesh of 44 millimetres.",
            title="Herring",
            headings=["", "Nets"],
        ),
        drafted("ferry", "The ferry to the islands costs more.\nIt sails twice.", type="mail"),
        drafted("storm", "Ein Sturm kam. Er war stark.", language="de", published="2024-05-01"),
    )
    yield Engine(store, CheapEncoder())
    store.close()


@settings(max_examples=60, deadline=None)
@given(st.text(), st.sampled_from(["", "type:mail", "type:pdf", "before:2020", '"herring quota"']))
@example("How many tonnes is the herring quota?", "")
@example("the of and", "")
@example("herring " * 2000, "")
@example("-herring", "")
def test_no_question_gives_a_quote_that_does_not_stand(
    fish: Engine, question: str, filter: str
) -> None:
    try:
        answer = fish.answer(question, filter=filter)
    except KhazriError as error:
        if "question is empty" not in str(error):
            raise
    else:
        check(fish, answer)
        assert answer.question == question


def test_an_answer_quotes_the_sentence_that_answers(fish: Engine) -> None:
    answer = fish.answer("How many tonnes is the herring quota?")
    check(fish, answer)
    assert answer.answered
    assert answer.citations[0].quote == "The herring quota is 28,500 tonnes."
    assert answer.citations[0].passage.document.uri == "quota"
    assert answer.confidence >= THRESHOLD
    assert answer.generation == 1
    assert answer.took_ms > 0


def test_offsets_count_code_points(fish: Engine) -> None:
    answer = fish.answer("Were fishermen pleased with the herring quota of 28,500 tonnes?")
    check(fish, answer)  # a quote may begin behind an emoji


def test_so_many_passages_are_shown_as_asked_for(fish: Engine) -> None:
    for limit in (1, 2, 3):
        assert len(fish.answer("herring quota", limit=limit).results) == limit


def test_filters_bind_the_answer(fish: Engine) -> None:
    answer = fish.answer("What costs more, the herring quota or the ferry?", filter="type:mail")
    assert {result.passage.document.type for result in answer.results} == {"mail"}
    assert {citation.passage.document.type for citation in answer.citations} <= {"mail"}


# --- No answer -------------------------------------------------------------------------------


def test_what_is_not_there_is_said_and_the_nearest_shown(fish: Engine) -> None:
    answer = fish.answer("Who is the ambassador of Mongolia?")
    check(fish, answer)
    assert not answer.answered
    assert "“ambassador”" not in answer.reason  # a name that is missing is reason enough
    assert "“Mongolia”" in answer.reason
    assert answer.results


def test_words_that_only_ask_are_not_called_unknown(fish: Engine) -> None:
    answer = fish.answer("Approximately how many Mongolians happened to exist?")
    assert "Mongolians" in answer.reason
    assert "Approximately" not in answer.reason
    assert "many" not in answer.reason


@pytest.mark.parametrize("filter", ["type:docx", "before:1999", "tag:none"])
def test_a_filter_that_leaves_nothing_is_said(fish: Engine, filter: str) -> None:
    answer = fish.answer("How many tonnes is the herring quota?", filter=filter)
    check(fish, answer)
    assert (answer.answered, answer.results) == (False, ())
    assert "filters" in answer.reason


def test_a_filter_alone_is_no_question(fish: Engine) -> None:
    answer = fish.answer("type:mail")
    check(fish, answer)
    assert not answer.answered
    assert {result.passage.document.type for result in answer.results} == {"mail"}


def test_an_empty_collection_answers_nothing(engine: Engine) -> None:
    answer = engine.answer("How many tonnes?")
    check(engine, answer)
    assert (answer.answered, answer.results) == (False, ())


@pytest.mark.parametrize("question", ["", " ", "?!"])
def test_an_empty_question_is_an_error(fish: Engine, question: str) -> None:
    with pytest.raises(KhazriError, match="question is empty"):
        fish.answer(question)


def test_a_removed_document_is_never_quoted(engine: Engine, store: Store) -> None:
    commit(store, drafted("quota", "The herring quota is 28,500 tonnes."), drafted("x", "Else."))
    question = "How many tonnes is the herring quota?"
    assert engine.answer(question).answered
    store.apply(Changes(removals=[1]), CheapEncoder.identity)
    answer = engine.answer(question)
    check(engine, answer)
    assert not answer.answered


def test_a_damaged_document_is_never_quoted(engine: Engine, store: Store) -> None:
    commit(store, drafted("quota", "The herring quota is 28,500 tonnes."))
    with sqlite3.connect(store.home / "catalog.db") as db:
        db.execute("UPDATE texts SET text = CAST('The herring quota is 99,999 tonnes.' AS BLOB)")
    db.close()
    answer = engine.answer("How many tonnes is the herring quota?")
    check(engine, answer)
    assert (answer.answered, answer.results) == (False, ())


# --- Verifying -------------------------------------------------------------------------------


def _document(passage: Passage, **changed: object) -> Passage:
    return replace(passage, document=replace(passage.document, **changed))


CORRUPTIONS = {
    "start": lambda c: replace(c, start=c.start + 1),
    "end": lambda c: replace(c, end=c.end - 1),
    "both offsets": lambda c: replace(c, start=c.start + 10**6, end=c.end + 10**6),
    "negative offsets": lambda c: replace(c, start=c.start - 10**6, end=c.end - 10**6),
    "quote": lambda c: replace(c, quote=c.quote.swapcase()),
    "empty quote": lambda c: replace(c, end=c.start, quote=""),
    "document": lambda c: replace(c, passage=_document(c.passage, id=2)),
    "unknown document": lambda c: replace(c, passage=_document(c.passage, id=99)),
    "hash": lambda c: replace(c, passage=_document(c.passage, text_hash="0" * 64)),
    "passage": lambda c: replace(c, passage=replace(c.passage, id=c.passage.id + 1)),
    "unknown passage": lambda c: replace(c, passage=replace(c.passage, id=10**9)),
    "answer before the quote": lambda c: replace(c, answer=(c.start - 1, c.end)),
    "answer behind the quote": lambda c: replace(c, answer=(c.start, c.end + 1)),
    "empty answer": lambda c: replace(c, answer=(c.start, c.start)),
}


@pytest.mark.parametrize("corrupt", CORRUPTIONS.values(), ids=CORRUPTIONS)
def test_a_citation_with_any_field_wrong_is_dropped_and_the_rest_numbered(
    fish: Engine, caplog: pytest.LogCaptureFixture, corrupt: Callable[[Citation], Citation]
) -> None:
    with fish.store.snapshot() as snapshot:
        passage = snapshot.passages(1)[0]
        good = Citation(1, passage, 4, 11, passage.text[4:11], (5, 7))
        kept = verified(snapshot, [corrupt(good), replace(good, number=2)])
    assert kept == [good]
    (logged,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "citation 1 was dropped" in logged.message


def test_without_a_verified_quote_there_is_no_answer(
    fish: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("search.answers.verified", lambda snapshot, citations: [])
    answer = fish.answer("How many tonnes is the herring quota?")
    check(fish, answer)
    assert (answer.answered, answer.text, answer.citations) == (False, "", ())


def test_without_passages_there_is_nothing_to_say(fish: Engine) -> None:
    with fish.store.snapshot() as snapshot:
        vector = fish.vector("herring")()
        reply = compose(snapshot, fish.encoder, [Asked.of(snapshot, "herring", vector)])
        assert (reply.citations, reply.text) == ((), "")
        (passage,) = snapshot.fetch([1])
        listed = [Result(passage, 1.0, Why(None, Rank(None, 0.5), ()))]
        asked = Asked.of(snapshot, "herring", None, listed)
        assert compose(snapshot, fish.encoder, [asked]).citations == ()


# --- Sentences -------------------------------------------------------------------------------


def test_sentences_come_best_first_and_headings_are_none(fish: Engine, store: Store) -> None:
    commit(
        store,
        drafted(
            "a",
            "Herring quota\n\nThe fleet sailed early on Monday. The herring quota is generous.",
            title="Herring quota",
        ),
    )
    with store.snapshot() as snapshot:
        (passage,) = snapshot.passages(1)
    vector = fish.vector("herring quota")()
    weights = {"her": 0.0, **dict.fromkeys(terms("herring quota"), 1.0)}
    found = best_sentences(fish.encoder, vector, weights, [passage])
    assert [s.text for s in found] == [
        "The herring quota is generous.",
        "The fleet sailed early on Monday.",
    ]
    assert [s.shared for s in found] == [1.0, 0.0]
    assert all(passage.text[s.start : s.end] == s.text for s in found)
    texts = fish.encoder.encode([s.text for s in found]).astype(float)
    assert [s.cosine for s in found] == pytest.approx(texts @ vector.astype(float), abs=1e-3)
    assert [s.score for s in found] == [s.cosine + s.shared for s in found]
    assert best_sentences(fish.encoder, vector, weights, []) == []


def test_a_passage_of_a_heading_alone_is_still_quoted(fish: Engine, store: Store) -> None:
    commit(store, drafted("a", "Herring quota", title="Herring quota"))
    with store.snapshot() as snapshot:
        passages = snapshot.passages(1)
    (found,) = best_sentences(fish.encoder, np.ones(32, np.float16), {}, passages)
    assert found.text == "Herring quota"


def test_the_share_is_that_of_the_weight_that_is_held() -> None:
    weights = {"her": 3.0, "quota": 1.0}
    assert share(weights, "quota and quotas") == 1 / 4
    assert share({"quota": 1.0, "fleet": 4.0}, "A fleet.") == 4 / 5
    assert share(weights, "nothing") == 0
    assert share({}, "quota") == 0


def test_rare_words_weigh_more_and_words_that_only_ask_little() -> None:
    (many,) = terms("many")
    weights = term_weights({"quota": 3, "the": 900, "mesh": 0, many: 3}, 1000)
    assert weights["mesh"] > weights["quota"] > weights["the"] > 0
    assert expendable(many)
    assert weights[many] < weights["quota"] / 2


def test_quotes_are_shown_on_one_line(fish: Engine) -> None:
    answer = fish.answer("What does the ferry to the islands cost? It sails twice.")
    check(fish, answer)
    assert not re.search(r"\s\s|\n", answer.text)
