"""What the reader changes: the order of the first passages, what is quoted, what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from conftest import CheapEncoder, commit, drafted

from index.store import Store
from index.values import Passage
from search.answers import SURE
from search.engine import Engine
from search.fusion import NOTHING, REACH, READER, answering
from search.fusion import SURE as SURE_OF_IT
from search.question import asks, parts
from search.reader import Reading

KEPT = "The herring quota is 28,500 tonnes this year."
SAME = "Each year the herring quota stays at 28,500 tonnes."
OTHER = "Last year the herring quota was 31,000 tonnes."
BESIDE = "The herring quota pleased the fishermen."


class Knowing:
    """A reader that knows by heart what stands where, and refuses all else."""

    def __init__(self, answers: Mapping[str, float], languages: Sequence[str] = ("en",)) -> None:
        """``answers``: the log-odds of each answer, which is pointed at where it stands."""
        self.answers = answers
        self.languages = languages
        self.asked: list[str] = []

    def reads(self, language: str | None) -> bool:
        return (language or "en") in self.languages

    def read(self, question: str, passages: Sequence[Passage]) -> tuple[Reading, ...]:
        self.asked.append(question)
        return tuple(self._one(passage) for passage in passages)

    def _one(self, passage: Passage) -> Reading:
        for answer, score in self.answers.items():
            if (at := passage.text.find(answer)) >= 0:
                start = passage.start + at
                return Reading(passage, start, start + len(answer), score)
        return Reading(passage, passage.start, passage.start + 1, -9.0)


def reading(store: Store, answers: Mapping[str, float], **options: object) -> Engine:
    return Engine(store, CheapEncoder(), reader=Knowing(answers), **options)


def spoil(store: Store, passage: Passage) -> None:
    """Let the text of its document differ from what was stored."""
    with sqlite3.connect(store.home / "catalog.db") as db:
        wrong = "UPDATE texts SET text = CAST('Else.' AS BLOB) WHERE document_id = ?"
        db.execute(wrong, [passage.document.id])
    db.close()


@pytest.fixture
def fish(store: Store) -> Store:
    """Four documents that speak of the quota."""
    texts = {"kept": KEPT, "same": SAME, "other": OTHER, "beside": BESIDE}
    commit(store, *(drafted(name, text) for name, text in texts.items()))
    return store


QUESTION = "How many tonnes is the herring quota?"


def test_the_answer_is_marked_in_its_sentence(fish: Store) -> None:
    answer = reading(fish, {"28,500 tonnes this": 6.0}).answer(QUESTION)
    (citation,) = answer.citations
    assert citation.quote == KEPT
    assert KEPT[slice(*citation.answer)] == "28,500 tonnes this"
    assert answer.text == f"{KEPT} [1]"


def test_what_says_the_same_supports_and_another_value_differs(fish: Store) -> None:
    known = {"28,500 tonnes this": 8.0, "28,500 tonnes": 6.0, "31,000 tonnes": SURE}
    answer = reading(fish, known).answer(QUESTION)
    told = [(c.role, c.passage.document.uri) for c in answer.citations]
    assert told == [("answers", "kept"), ("supports", "same"), ("differs", "other")]
    assert answer.text == f"{KEPT} [1]"


def test_what_is_not_sure_is_not_shown_as_differing(fish: Store) -> None:
    answer = reading(fish, {"28,500 tonnes this": 8.0, "31,000": SURE - 0.1}).answer(QUESTION)
    assert [c.passage.document.uri for c in answer.citations] == ["kept"]


def test_the_value_of_something_else_is_not_shown_as_differing(fish: Store) -> None:
    commit(fish, drafted("cod", "For cod the fleet asked for 9,000 tonnes of quota."))
    answer = reading(fish, {"28,500 tonnes this": 8.0, "9,000 tonnes": 8.0}).answer(QUESTION)
    assert [c.passage.document.uri for c in answer.citations] == ["kept"]


def test_the_same_sentence_elsewhere_is_quoted_as_support(store: Store) -> None:
    commit(store, drafted("a", KEPT), drafted("b", KEPT, "The fleet is glad."))
    answer = reading(store, {"28,500 tonnes": 8.0}).answer(QUESTION)
    assert [c.role for c in answer.citations] == ["answers", "supports"]
    assert {c.passage.document.uri for c in answer.citations} == {"a", "b"}


def test_the_reader_takes_part_in_the_order_and_says_why(fish: Store) -> None:
    plain = Engine(fish, CheapEncoder()).search(QUESTION)
    last = plain.results[-1].passage
    read = reading(fish, {last.text: 9.0}).search(QUESTION, read=True)
    assert read.total == plain.total
    assert {r.passage.id for r in read.results} == {r.passage.id for r in plain.results}
    fused = {r.passage.id: r.score for r in plain.results}
    gained = {r.passage.id: r.score - fused[r.passage.id] for r in read.results}
    said = np.array([r.why.reader for r in read.results])
    assert list(gained.values()) == pytest.approx(list(answering(said, asks=True)))
    assert gained.pop(last.id) == pytest.approx(2 * SURE_OF_IT * READER)
    assert max(gained.values()) == pytest.approx(0)
    assert [r.score for r in read.results] == sorted((r.score for r in read.results), reverse=True)
    assert {r.passage.id: r.why.reader for r in read.results}[last.id] == 9.0


def test_only_so_many_are_read_and_the_others_keep_their_places(fish: Store) -> None:
    plain = [r.passage.id for r in Engine(fish, CheapEncoder()).search(QUESTION).results]
    engine = reading(fish, {"28,500": 0.0, "31,000": 9.0, BESIDE: 9.0}, read=2)
    found = engine.search(QUESTION, read=True).results
    assert {r.passage.id for r in found[:2]} == set(plain[:2])
    assert [r.passage.id for r in found[2:]] == plain[2:]
    assert [r.why.reader is None for r in found] == [False, False, True, True]


@pytest.mark.parametrize(("best", "read_on"), [(NOTHING, False), (NOTHING - 0.1, True)])
def test_where_the_first_say_nothing_as_many_more_are_read(
    fish: Store, best: float, read_on: bool
) -> None:
    plain = [r.passage for r in Engine(fish, CheapEncoder()).search(QUESTION).results]
    engine = reading(fish, {plain[0].text: best, plain[3].text: 9.0}, read=2)
    found = engine.search(QUESTION, read=True).results
    assert found[0].passage == plain[3 if read_on else 0]
    assert [r.why.reader for r in found].count(None) == (1 if read_on else 2)  # one says nothing


def test_more_is_read_near_the_first_sound_one(fish: Store) -> None:
    plain = [r.passage for r in Engine(fish, CheapEncoder()).search(QUESTION).results]
    spoil(fish, plain[0])
    engine = reading(fish, {plain[3].text: 9.0}, read=2)
    assert engine.search(QUESTION, read=True).results[0].passage == plain[3]


def test_what_stands_far_below_the_first_is_not_read(fish: Store) -> None:
    commit(fish, drafted("ferry", "The ferry sails on Monday."), drafted("fog", "Fog."))
    plain = Engine(fish, CheapEncoder()).search(QUESTION).results
    near = {r.passage.id: r.score >= plain[0].score - REACH for r in plain}
    assert set(near.values()) == {True, False}
    found = reading(fish, {}, read=len(plain)).search(QUESTION, read=True).results
    assert {r.passage.id: r.why.reader is not None for r in found} == near
    assert [r.passage.id for r in found] == [r.passage.id for r in plain]


def test_what_is_read_keeps_its_score_beside_a_damaged_document(fish: Store) -> None:
    results = Engine(fish, CheapEncoder()).search(QUESTION).results
    plain = {result.passage.id: result.score for result in results}
    spoil(fish, results[0].passage)
    found = reading(fish, {"31,000": 9.0}).search(QUESTION, read=True).results
    assert {r.passage.id for r in found} == set(plain) - {next(iter(plain))}
    gained = {r.passage.text: r.score - plain[r.passage.id] for r in found}
    assert gained.pop(OTHER) == pytest.approx(2 * SURE_OF_IT * READER)
    assert list(gained.values()) == pytest.approx([0] * len(gained))


@pytest.mark.parametrize("options", [{}, {"read": True, "mode": "keyword"}])
def test_a_plain_search_reads_nothing(fish: Store, options: dict) -> None:
    engine = reading(fish, {"31,000": 9.0})
    found = engine.search(QUESTION, **options)
    assert engine.reader.asked == []
    assert all(result.why.reader is None for result in found.results)


def test_passages_in_a_language_it_has_not_learnt_are_compared_by_sentence(store: Store) -> None:
    commit(store, drafted("de", "Die Quote ist 28.500 Tonnen. Das ist viel.", language="de"))
    engine = reading(store, {"viel": 9.0})
    answer = engine.answer("Wie viele Tonnen ist die Quote?")
    assert engine.reader.asked == []
    assert all(citation.answer is None for citation in answer.citations)
    assert all(result.why.reader is None for result in answer.results)


def test_where_the_reader_finds_nothing_nothing_is_answered(fish: Store) -> None:
    answer = reading(fish, {}).answer(QUESTION)
    assert not answer.answered
    assert answer.reason == "Not in your documents: no passage answers this question."
    assert answer.results


@pytest.mark.parametrize(("text", "counts"), [(QUESTION, True), ("herring quota tonnes", False)])
def test_the_verdict_is_of_a_question_alone(fish: Store, text: str, counts: bool) -> None:
    engines = [Engine(fish, CheapEncoder(), reader=Judging(verdict)) for verdict in (3.0, -9.0)]
    high, low = (engine.answer(text).confidence for engine in engines)
    assert (high > low) is counts
    assert (high == low) is not counts


@pytest.mark.parametrize(("threshold", "answered"), [(0.0, True), (1.0, False)])
def test_the_threshold_decides(fish: Store, threshold: float, answered: bool) -> None:
    engine = reading(fish, {"28,500 tonnes this": 0.0}, threshold=threshold)
    assert engine.answer(QUESTION).answered is answered


def test_each_of_several_questions_has_its_quote(fish: Store) -> None:
    commit(fish, drafted("ferry", "The ferry to the islands sails on Monday."))
    engine = Engine(fish, CheapEncoder(), reader=Twofold())
    both = "How many tonnes is the herring quota? When does the ferry to the islands sail?"
    answer = engine.answer(both)
    assert [c.passage.document.uri for c in answer.citations] == ["kept", "ferry"]
    assert [c.role for c in answer.citations] == ["answers", "answers"]
    assert answer.notes == ()


def test_the_question_without_an_answer_is_named(fish: Store) -> None:
    engine = Engine(fish, CheapEncoder(), reader=Twofold())
    answer = engine.answer("How many tonnes is the herring quota? When does the ferry sail?")
    assert [c.passage.document.uri for c in answer.citations] == ["kept"]
    assert answer.notes == ("No passage answers “When does the ferry sail?”.",)


def test_questions_beyond_the_third_are_named(fish: Store) -> None:
    engine = Engine(fish, CheapEncoder(), reader=Twofold())
    answer = engine.answer("How many tonnes is the herring quota? " * 4)
    assert "At most 3 questions" in answer.notes[-1]
    assert len(answer.citations) == 1


def test_each_question_is_judged_by_its_own_words(fish: Store) -> None:
    engine = Engine(fish, CheapEncoder(), reader=Twofold())
    alone = engine.answer("How many tonnes is the herring quota?")
    both = engine.answer("How many tonnes is the herring quota? What is the capital of Mongolia?")
    assert both.confidence == alone.confidence
    assert both.notes == ("No passage answers “What is the capital of Mongolia?”.",)


def test_one_passage_in_another_language_does_not_silence_the_reader(fish: Store) -> None:
    commit(fish, drafted("de", "The herring quota: die Quote ist 9.000 Tonnen.", language="de"))
    engine = reading(fish, {"28,500 tonnes this": 8.0, "9.000": 8.0})
    answer = engine.answer(QUESTION)
    read = {r.passage.document.uri: r.why.reader for r in answer.results}
    assert answer.citations[0].passage.document.uri == "kept"
    assert read["kept"] == 8.0
    assert read["de"] is None


def test_the_value_of_another_thing_in_as_many_words_is_not_shown(store: Store) -> None:
    commit(
        store,
        drafted("herring", "The herring quota is 28,500 tonnes this year."),
        drafted("mackerel", "The mackerel quota is 34,000 tonnes this year."),
    )
    engine = reading(store, {"28,500 tonnes": 9.0, "34,000 tonnes": 8.0})
    answer = engine.answer("How many tonnes is the herring quota this year?")
    assert [c.passage.document.uri for c in answer.citations] == ["herring"]


class Judging(Knowing):
    """A reader that finds the answer, and gives one verdict on all of them."""

    def __init__(self, verdict: float) -> None:
        super().__init__({"28,500 tonnes this": 2.0})
        self.verdict = verdict

    def _one(self, passage: Passage) -> Reading:
        return replace(super()._one(passage), verdict=self.verdict)


class Twofold(Knowing):
    """A reader that answers one question here and another there."""

    def __init__(self) -> None:
        super().__init__({})

    def read(self, question: str, passages: Sequence[Passage]) -> tuple[Reading, ...]:
        known = "28,500 tonnes this" if "quota" in question else "Monday"
        return Knowing({known: 9.0}).read(question, passages)


def test_what_was_read_is_not_read_again(fish: Store) -> None:
    engine = reading(fish, {"28,500": 9.0})
    engine.search(QUESTION, read=True)
    engine.answer(QUESTION)
    assert len(engine.reader.asked) == 1
    commit(fish, drafted("more", "The herring quota is 28,500 tonnes, and that is final."))
    engine.answer(QUESTION)
    assert len(engine.reader.asked) == 2


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("How long is it?", ("How long is it?",)),
        ("How long is it? Who built it?", ("How long is it?", "Who built it?")),
        ("How long is it? Why? Who built it?", ("How long is it?", "Who built it?")),
        ("I ask. How long is it", ("I ask. How long is it",)),
        ("Really?", ("Really?",)),
        ("One two three? " * 9, ("One two three?",) * 9),
        ("see http://x.y/?a=b for the fare", ("see http://x.y/?a=b for the fare",)),
        ("How long is it？Who built it？", ("How long is it？", "Who built it？")),
        ("?" * 20_000, ("?" * 20_000,)),
    ],
)
def test_a_text_that_asks_several_questions_is_taken_apart(text: str, asked: tuple) -> None:
    assert parts(text.strip()) == asked


@pytest.mark.parametrize(
    ("text", "asking"),
    [
        ("How long is the border", True),
        ("what's new", True),
        ("The border?", True),
        ("border length", False),
        ("The quota is 28,500 tonnes.", False),
        ("", False),
    ],
)
def test_what_asks_is_told_from_what_states(text: str, asking: bool) -> None:
    assert asks(text) is asking


def test_where_nothing_is_asked_the_reader_counts_for_less(fish: Store) -> None:
    engine = reading(fish, {"31,000": 9.0})
    gains = []
    for text in ("herring quota", "What herring quota"):
        plain = {r.passage.id: r.score for r in engine.search(text).results}
        read = {r.passage.id: r.score for r in engine.search(text, read=True).results}
        gains.append(max(read[id] - plain[id] for id in plain))
    assert gains[0] == pytest.approx(gains[1] / 3)
