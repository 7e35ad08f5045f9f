"""A few hundred hostile inputs of each kind: the short form of ``bench/hostile_inputs.py``."""

from __future__ import annotations

from collections.abc import Callable

import hostile
import pytest
from clients import DOCUMENTS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index.indexer import Indexer
from index.paragraphs import Measure
from index.values import Content
from search.engine import Engine

several = settings(
    max_examples=150,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)


@several
@given(hostile.questions, st.one_of(st.just(""), hostile.questions))
@example("-" * 10_000, 'source:"')
@example("汉" * 19_000, "")
@example("\ud800 \0", "type:\udfff")
def test_questions(ask: Callable[[str, str], None], query: str, more: str) -> None:
    ask(query, more)


@pytest.fixture
def ask(indexer: Indexer, engine: Engine) -> Callable[[str, str], None]:
    """Check a question over a home of three small documents."""
    indexer.add(DOCUMENTS)
    return lambda query, more: hostile.check_question(engine, query, more)


@several
@given(hostile.contents, hostile.limits, hostile.measures, hostile.languages)
def test_splitting(content: Content, limit: int, measure: Measure, language: str | None) -> None:
    hostile.check_split(content, limit, measure, language)


@several
@given(hostile.pages)
@example(b"<div>" * hostile.NESTED + b"text")
@example(b"<p title='" + b"x" * 5_000_000 + b"'>text")
@example(b"<table><tr><td>" * 3_000 + b"text")
@example(b"<!--" * 100_000)
@example(b"<a " * 100_000)
@example(b"&#x" * 100_000)
def test_pages(data: bytes) -> None:
    hostile.check_page(data)
