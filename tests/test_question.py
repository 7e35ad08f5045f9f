"""The small language of questions."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.values import Filter
from search.question import Question, parse


@pytest.mark.parametrize(
    ("query", "text", "filter"),
    [
        ("How deep is it?", "How deep is it?", Filter()),
        ('who found "timber piles" there', "who found timber piles there",
         Filter(phrases=("timber piles",))),
        ("“timber piles”", "timber piles", Filter(phrases=("timber piles",))),
        ('"one two" "three four"', "one two three four",
         Filter(phrases=("one two", "three four"))),
        ("storm -ferry", "storm", Filter(without=("ferry",))),
        ("storm -ferry -ferries", "storm", Filter(without=("ferry", "ferries"))),
        ("storm -Iveta's", "storm", Filter(without=("Iveta's",))),
        ("source:press storm", "storm", Filter(sources=("press",))),
        ('source:"two words" storm', "storm", Filter(sources=("two words",))),
        ("type:pdf", "", Filter(types=("pdf",))),
        ("TYPE:pdf storm", "storm", Filter(types=("pdf",))),
        ("type:pdf type:docx", "", Filter(types=("pdf", "docx"))),
        ("tag:port type:pdf storm", "storm", Filter(tags=("port",), types=("pdf",))),
        ("before:2024-05-01 storm", "storm", Filter(before="2024-05-01")),
        ("before:2024-05", "", Filter(before="2024-05-01")),
        ("before:2024", "", Filter(before="2024-01-01")),
        ("after:2024-05-01 before:2024-06", "", Filter(after="2024-05-01", before="2024-06-01")),
    ],
)  # fmt: skip
def test_each_line_of_the_table(query: str, text: str, filter: Filter) -> None:
    assert parse(query) == Question(text, filter)


@pytest.mark.parametrize(
    "query",
    [
        "state-of-the-art nets",
        "a - b",
        "who said: yes",
        "http://example.org/a?b=c",
        "C++ & <b>",
        "10:30 o'clock",
        "resource:x filetype:pdf",
        "It's 5 % - or 6?",
    ],
)
def test_all_else_is_the_question_as_it_stands(query: str) -> None:
    assert parse(query) == Question(query, Filter())


@pytest.mark.parametrize(
    "query", ["before:yesterday", "after:2024-13", "before:2024-02-30", 'type:""', 'source:" "']
)
def test_what_is_no_filter_is_searched_as_words_and_said(query: str) -> None:
    found = parse(f"storm {query}")
    assert found.filter.empty
    assert found.text.split() == ["storm", *query.split()]
    (note,) = found.notes
    assert query in note


@pytest.mark.parametrize("query", ['half a "quote', 'a quote" half', '""', '"', "“", 'a "" b'])
def test_half_a_quote_is_no_phrase(query: str) -> None:
    found = parse(query)
    assert found.filter.empty
    assert found.notes == ()


def test_a_phrase_without_words_is_none() -> None:
    assert parse('why "???"').filter.empty


def test_a_phrase_counts_once_and_not_too_many_count() -> None:
    assert parse('"a b" "a b" "c"').filter.phrases == ("a b", "c")
    found = parse(" ".join(f'"phrase {n}"' for n in range(5_000)))
    assert found.filter.phrases == tuple(f"phrase {n}" for n in range(20))
    assert found.text.endswith("phrase 4999")
    (note,) = found.notes
    assert "first 20" in note


def test_filters_may_come_apart_from_the_question() -> None:
    assert parse("storm", "type:pdf -ferry") == Question(
        "storm", Filter(types=("pdf",), without=("ferry",))
    )


def test_a_question_cannot_swallow_the_filters() -> None:
    assert parse('half a "quote', 'source:"two words"').filter == Filter(sources=("two words",))


queries = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(['"', "“", "”", " ", "-", ":", "type:", "before:", "2024-02-30", "-a"]),
    )
).map("".join)


@given(queries, queries)
@example("before:0000", "after:9999-99-99")
@example("before:٢٠٢٤", 'type:"')
@example("\ud800", "\0")
def test_no_text_is_an_error(query: str, more: str) -> None:
    found = parse(query, more)
    assert found.text == " ".join(found.text.split())


@given(st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters='"“”:-')))
def test_plain_words_are_kept_as_they_are(word: str) -> None:
    assert parse(f"{word} and {word}").text.split() == [*word.split(), "and", *word.split()]


@pytest.mark.parametrize(
    "unit",
    ['"', "“a", '"a ', "-", "-a ", "a", "type:", 'source:"', "before:2024 ", " ", "a\n", ":"],
)
def test_time_grows_with_length_alone(unit: str) -> None:
    """Twenty times the text takes some twenty times as long, where a square would take 400."""

    def seconds(length: int) -> float:
        query = unit * (length // len(unit))
        started = time.perf_counter()
        parse(query)
        return time.perf_counter() - started

    seconds(5_000)
    short = min(seconds(5_000) for _ in range(3))
    assert min(seconds(100_000) for _ in range(2)) < 100 * short + 0.05
