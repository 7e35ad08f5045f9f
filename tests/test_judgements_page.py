"""A question asked on the page is kept for testing, by a form that works without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clients import client_of, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from lxml import html

from index.home import Home
from search.engine import Engine
from search.evaluation import evaluate, figures
from search.judgements import Judgement, append, read

OTTERS = "How many otters did the wardens count in the Reed Lake?"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with small_home(tmp_path, CheapEncoder()) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    return client_of(home)


@pytest.fixture
def kept(home: Home) -> Path:
    """Where questions are kept."""
    return home.path / "questions.jsonl"


def form(client: FlaskClient, **query: Any) -> tuple[Any, dict[str, str]]:
    """The form under an answer, and its hidden fields."""
    reply = client.get("/", query_string=query)
    assert reply.status_code == 200, reply.text
    (found,) = html.fromstring(reply.text).xpath("//details[@class='keep']/form")
    assert found.get("method") == "post"
    hidden = found.xpath(".//input[@type='hidden']")
    return found, {field.get("name"): field.get("value") for field in hidden}


def right(found: Any, document: str) -> str:
    """The choice that says that the passage of this document is right."""
    (choice,) = found.xpath(f".//label[contains(., '{document}')]/input[@name='right']/@value")
    return str(choice)


def test_what_is_kept_on_the_page_is_read_by_the_evaluation(
    client: FlaskClient, home: Home, kept: Path
) -> None:
    found, hidden = form(client, q=OTTERS)
    choice = found.xpath(".//label[contains(., '47 otters')]/input/@value")[0]
    sent = client.post(
        found.get("action"), data={**hidden, "right": choice, "answer": " 47 otters "}
    )
    assert sent.status_code == 303
    back = client.get(sent.headers["Location"])
    note = " ".join(html.fromstring(back.text).xpath("//p[@role='status']")[0].itertext())
    assert str(kept) in note
    assert OTTERS in back.text
    _, hidden = form(client, q="What does a zebra weigh on Mars?")
    assert client.post("/questions", data={**hidden, "right": "nothing"}).status_code == 303

    first, second = read(kept)
    assert (first.question, first.answers, first.line) == (OTTERS, ("47 otters",), 1)
    assert "47 otters" in first.passage
    assert second == Judgement("What does a zebra weigh on Mars?", found=False, line=2)
    told = figures(evaluate(Engine(home.store, home.encoder), read(kept)))
    assert (told["success@5"], told["refused"]) == (1, 1)


def test_the_form_offers_five_passages_at_most_and_that_nothing_answers(
    client: FlaskClient,
) -> None:
    found, _ = form(client, q="otters bridge choir")
    choices = found.xpath(".//input[@type='radio']/@value")
    assert choices[-1] == "nothing"
    assert 1 < len(choices) <= 6
    assert len(set(choices)) == len(choices)


def test_filters_are_kept_and_come_back(client: FlaskClient, kept: Path) -> None:
    chosen = {"q": "repairs of the bridge", "after": "2023-01-01", "mode": "keyword"}
    found, hidden = form(client, **chosen)
    assert hidden == chosen
    sent = client.post("/questions", data={**hidden, "right": right(found, "Miller")})
    back = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert back == {name: [value] for name, value in chosen.items()} | {"kept": ["1"]}
    assert json.loads(kept.read_text())["filter"] == 'after:"2023-01-01"'


def test_a_second_question_is_added_and_the_first_is_left(client: FlaskClient, kept: Path) -> None:
    kept.write_text('# mine\n{"question": "Who?", "answer": "me"}')
    before = kept.read_bytes()
    client.post("/questions", data={"q": OTTERS, "answer": "47"})
    assert kept.read_bytes().startswith(before + b"\n")
    assert read(kept)[1] == Judgement(OTTERS, answers=("47",), line=3)


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        ({"answer": "47"}, 400, "There is no question to keep"),
        ({"q": OTTERS}, 400, "Choose the right passage"),
        ({"q": OTTERS, "answer": "  "}, 400, "Choose the right passage"),
        ({"q": OTTERS, "right": "nothing", "answer": "47"}, 400, "Either nothing answers"),
        ({"q": OTTERS, "right": "999999"}, 404, "has changed or is gone"),
        ({"q": OTTERS, "right": str(2**64)}, 400, "right"),
        ({"q": OTTERS, "right": "here"}, 400, "right"),
        ({"q": OTTERS, "answer": "x" * 501}, 400, "answer"),
        ({"q": "?!", "answer": "47"}, 400, "The question is empty"),
    ],
)
def test_what_says_nothing_is_not_kept(
    client: FlaskClient, kept: Path, data: dict[str, str], status: int, said: str
) -> None:
    reply = client.post("/questions", data=data)
    assert reply.status_code == status
    assert said in " ".join(html.fromstring(reply.text).itertext())
    assert not kept.exists()


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_keeps_nothing(
    client: FlaskClient, kept: Path, headers: dict[str, str]
) -> None:
    data = {"q": OTTERS, "answer": "47"}
    assert client.post("/questions", data=data, headers=headers).status_code == 403
    assert not kept.exists()


def test_a_file_that_cannot_be_written_is_told_of(client: FlaskClient, kept: Path) -> None:
    kept.mkdir()
    reply = client.post("/questions", data={"q": OTTERS, "answer": "47"})
    assert reply.status_code == 500
    assert "questions.jsonl can't be written: Is a directory" in reply.text.replace("&#39;", "'")


def test_only_what_was_asked_is_offered_to_be_kept(client: FlaskClient) -> None:
    for query in ({}, {"q": "type:text"}, {"q": "otters", "page": 2}):
        assert "Keep this question" not in client.get("/", query_string=query).text


def test_a_line_is_added_by_many_at_once_without_harm(kept: Path) -> None:
    asked = [Judgement(f"q{n}", passage="x" * 5000) for n in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: append(kept, one), asked))
    assert {one.question for one in read(kept)} == {one.question for one in asked}
