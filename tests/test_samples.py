"""The sample documents and the questions about them, through the product's own answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from conftest import QUESTIONS, SAMPLES

from index.folding import fold
from index.home import Home
from index.readers import read
from search.results import Answer

ANSWERED = [q for q in QUESTIONS if q["document"]]
UNANSWERED = [q for q in QUESTIONS if not q["document"]]


@cache
def content(name: str) -> str:
    return read((SAMPLES / name).read_bytes(), name).text


@pytest.mark.parametrize("question", ANSWERED, ids=lambda q: q["question"])
def test_the_answer_stands_in_its_document(question: dict) -> None:
    assert fold(question["answer"]) in fold(content(question["document"]))


def test_every_document_is_asked_about() -> None:
    assert {q["document"] for q in ANSWERED} == {path.name for path in SAMPLES.iterdir()}


def test_every_document_is_read_with_its_title_and_date(sample_home: Home) -> None:
    with sample_home.store.snapshot() as snapshot:
        total, documents = snapshot.documents(limit=100)
        assert snapshot.failures() == []
    assert total == len(list(SAMPLES.iterdir()))
    named = {Path(d.uri).name: d for d in documents}
    assert {d.type for d in documents} == {"text", "markdown", "html", "pdf", "docx", "mail"}
    for name, document in named.items():
        stem = name.partition(".")[0].replace("-", " ")
        assert document.title
        if document.type != "text":  # a plain text states neither
            assert document.title != stem
            assert document.published


def test_the_right_passage_is_among_the_first(sample_answers: dict[str, Answer]) -> None:
    """Nine questions of ten find the passage that holds the fact among the five that are read."""
    found = [
        q
        for q in ANSWERED
        if any(
            fold(q["answer"]) in fold(r.passage.text)
            and Path(r.passage.document.uri).name == q["document"]
            for r in sample_answers[q["question"]].results
        )
    ]
    assert len(found) >= 0.9 * len(ANSWERED)


def test_questions_about_something_else_are_not_answered(sample_answers: dict[str, Answer]) -> None:
    """At most one of ten: what is asked of the product on other collections too."""
    wrong = [q["question"] for q in UNANSWERED if sample_answers[q["question"]].answered]
    assert len(wrong) <= max(1, 0.1 * len(UNANSWERED)), wrong


def test_questions_about_the_documents_are_answered(sample_answers: dict[str, Answer]) -> None:
    """More often than not, and far more often than questions about something else."""
    silent = [q["question"] for q in ANSWERED if not sample_answers[q["question"]].answered]
    assert len(silent) < 0.5 * len(ANSWERED), silent


def test_answers_quote_the_right_document(sample_answers: dict[str, Answer]) -> None:
    said = [q for q in ANSWERED if sample_answers[q["question"]].answered]
    right = [
        q
        for q in said
        if q["document"]
        in {Path(c.passage.document.uri).name for c in sample_answers[q["question"]].citations}
    ]
    assert len(right) >= 0.8 * len(said)


def test_the_best_questions_are_answered_with_the_fact(sample_answers: dict[str, Answer]) -> None:
    """The questions of the README's kind: the quote itself holds the figure."""
    for question in ("What did it cost to build the Harbour Line?",):
        (fact,) = [q["answer"] for q in QUESTIONS if q["question"] == question]
        quotes = [fold(c.quote) for c in sample_answers[question].citations]
        assert any(fold(fact) in quote for quote in quotes)
