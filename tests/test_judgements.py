"""The file of questions with what should be found: what is written, read, and refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import KhazriError
from search.judgements import Judgement, append, holds, read

texts = st.text(min_size=1, max_size=30).filter(lambda text: holds(text, "a") or text.isalnum())


@given(
    question=texts.map(lambda text: f"who {text}"),
    documents=st.lists(texts, max_size=2).map(tuple),
    passage=st.just("") | texts,
    answers=st.lists(texts, max_size=2).map(tuple),
)
def test_what_is_appended_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    question: str,
    documents: tuple[str, ...],
    passage: str,
    answers: tuple[str, ...],
) -> None:
    path = tmp_path_factory.mktemp("kept") / "questions.jsonl"
    found = bool(documents or passage or answers)
    one = Judgement(question, documents, passage, answers, found=found, line=1)
    append(path, one)
    append(path, one)
    assert read(path) == [one, replace(one, line=2)]


def test_a_line_is_added_below_what_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('\ufeff# mine\n\n{"question": "Who?", "document": 7, "filter": ""}')
    before = path.read_bytes()
    append(path, Judgement("What?", answers=("this", "that"), filter="type:pdf"))
    assert path.read_bytes().startswith(before)
    assert read(path) == [
        Judgement("Who?", ("7",), line=3),
        Judgement("What?", answers=("this", "that"), filter="type:pdf", line=4),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "not a JSON object"),
        ('["Who?"]', "not a JSON object"),
        ("[" * 100_000, "not a JSON object"),
        ('{"answer": "x"}', "'question' is missing"),
        ('{"question": "", "answer": "x"}', "'question' must be a text"),
        ('{"question": 5, "answer": "x"}', "'question' must be a text"),
        ('{"question": "?!", "answer": "x"}', "The question is empty"),
        ('{"question": "Who?", "anwser": "x"}', "Did you mean 'answer'?"),
        ('{"question": "Who?"}', "does not say what should be found"),
        ('{"question": "Who?", "found": true}', "does not say what should be found"),
        ('{"question": "Who?", "found": "no"}', "'found' must be true or false"),
        ('{"question": "Who?", "found": false, "answer": "x"}', "expects something"),
        ('{"question": "Who?", "answer": []}', "'answer' must be a text"),
        ('{"question": "Who?", "answer": ["x", " "]}', "'answer' must be a text"),
        ('{"question": "Who?", "document": null}', "'document' must be a text"),
        ('{"question": "Who?", "document": true}', "'document' must be a text"),
        ('{"question": "Who?", "passage": ["x"]}', "'passage' must be a text"),
        ('{"question": "Who?", "answer": "x", "filter": 3}', "'filter' must be a text"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_text(f'# mine\n{{"question": "Who?", "answer": "me"}}\n{line}\n')
    with pytest.raises(KhazriError, match=r"asked\.jsonl, line 3: ") as raised:
        read(path)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"# none\n\n", "holds no question"), (b'{"question": "\xff"}', "not UTF-8")],
)
def test_a_file_without_questions_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "asked.jsonl"
    path.write_bytes(content)
    with pytest.raises(KhazriError, match=said):
        read(path)
    with pytest.raises(KhazriError, match="can't be read: No such file"):
        read(tmp_path / "missing.jsonl")


def test_words_stand_in_a_text_whatever_their_case_and_spacing() -> None:
    assert holds("It cost  1.24\nBillion “Crowns”.", '1.24 billion "crowns"')
    assert not holds("In 1947 it ended.", "47")
    assert not holds("It took 470 days.", "47")
    assert holds("The 47th", "47")
