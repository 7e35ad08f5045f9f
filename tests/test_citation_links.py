"""Links that last: a citation is followed through real changes of its document."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clients import API, problem, small_home
from conftest import CheapEncoder, quiet
from flask.testing import FlaskClient
from lxml import html

from index.home import Home
from search.engine import Engine
from web.app import create_app

QUOTE = "The wardens counted 47 otters in the Reed Lake this spring."
YEAR = timedelta(days=365)


@pytest.fixture
def home(tmp_path: Path, cheap: CheapEncoder) -> Iterator[Home]:
    """Three small documents; the first is about otters."""
    with small_home(tmp_path, cheap) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    """A client over three small documents."""
    return create_app(home, Engine(home.store, home.encoder)).test_client()


@pytest.fixture
def citation(client: FlaskClient) -> dict[str, Any]:
    """The quote about the otters, as it is cited today."""
    return cite(client, 1, QUOTE)


def cite(client: FlaskClient, id: int, quote: str) -> dict[str, Any]:
    document = client.get(f"{API}/documents/{id}").json or {}
    start = document["text"].index(quote)
    return {
        "document": id,
        "text_hash": hashlib.sha256(document["text"].encode()).hexdigest(),
        "start": start,
        "end": start + len(quote),
        "quote": quote,
        "uri": document["uri"],
    }


def follow(client: FlaskClient, citation: dict[str, Any]) -> dict[str, Any]:
    reply = client.get(f"{API}/citation", query_string=citation)
    assert reply.status_code == 200, reply.text
    return dict(reply.json or {})


def upload(client: FlaskClient, id: str, text: str) -> None:
    reply = client.post(f"{API}/documents", json={"id": id, "text": text})
    assert reply.status_code == 201, reply.text


def opened(client: FlaskClient, citation: dict[str, Any], status: int = 200) -> Any:
    """The page that a link to the citation opens."""
    query = {name: value for name, value in citation.items() if name != "document"}
    reply = client.get(f"/documents/{citation['document']}", query_string=query)
    assert reply.status_code == status, reply.text
    return html.fromstring(reply.text)


def words(tree: Any) -> str:
    return " ".join(tree.xpath("//main")[0].text_content().split())


def recent(time: str) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(time) < timedelta(minutes=5)


def day(time: str) -> str:
    local = datetime.fromisoformat(time).astimezone()
    return f"{local.day} {local:%B %Y}"


def long_ago(home: Home) -> str:
    """Have all that happened to the home so far have happened two years ago."""
    then = (datetime.now(UTC) - 2 * YEAR).isoformat(timespec="seconds")
    with home.store.catalog.write() as db:
        db.execute("UPDATE documents SET added = ?, changed = ?", [then, then])
        db.execute("UPDATE removals SET removed = ?", [then])
    return then


# As JSON


def test_a_citation_of_an_unchanged_document_stands(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    then = long_ago(home)
    found = follow(client, citation)
    took = found.pop("took_ms")
    assert took > 0
    assert found == {
        "state": "unchanged",
        "start": citation["start"],
        "end": citation["end"],
        "quote": QUOTE,
        "text_hash": citation["text_hash"],
        "changed": then,
        "removed": None,
        "generation": 1,
    }


def test_a_citation_follows_its_quote_and_is_told_when_it_is_gone(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    long_ago(home)
    moved = "A new first line.\n\nthe wardens counted\n47 otters in the Reed Lake this spring."
    upload(client, "otters", moved)
    found = follow(client, citation)
    assert found["state"] == "moved"
    text = (client.get(f"{API}/documents/1").json or {})["text"]
    assert found["quote"] == text[found["start"] : found["end"]] == moved[19:]
    assert found["text_hash"] == hashlib.sha256(text.encode()).hexdigest()
    assert recent(found["changed"])
    assert found["generation"] == 2
    again = follow(client, {**citation, **{n: found[n] for n in ("start", "end", "quote")}})
    assert again["state"] == "unchanged"

    upload(client, "otters", "The wardens counted 48 otters in the Reed Lake this spring.")
    since = long_ago(home)
    found = follow(client, citation)
    assert (found["state"], found["changed"], found["removed"]) == ("gone", since, None)
    assert (found["start"], found["end"], found["quote"]) == (None, None, None)


def test_a_citation_of_a_removed_document_is_gone_since_then(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    assert client.delete(f"{API}/documents/1").status_code == 200
    found = follow(client, citation)
    assert found["state"] == "gone"
    assert recent(found["removed"])
    assert (found["quote"], found["text_hash"], found["changed"]) == (None, None, None)
    then = long_ago(home)
    assert follow(client, citation)["removed"] == then
    assert follow(client, {**citation, "uri": "other"})["removed"] is None
    del citation["uri"]
    assert follow(client, citation)["removed"] is None


def test_no_day_is_told_where_several_sources_removed_one_of_that_name(
    client: FlaskClient, citation: dict[str, Any], home: Home, tmp_path: Path
) -> None:
    (tmp_path / "more.jsonl").write_text('{"id": "otters", "text": "Other otters."}')
    home.indexer.index([tmp_path / "more.jsonl"], quiet, jsonl=True)
    client.delete(f"{API}/documents/4")
    assert recent(follow(client, {**citation, "document": 4})["removed"])
    client.delete(f"{API}/documents/1")
    assert follow(client, citation)["removed"] is None


def test_a_citation_of_what_never_was_is_not_found(
    client: FlaskClient, citation: dict[str, Any]
) -> None:
    reply = client.get(f"{API}/citation", query_string={**citation, "document": 4})
    assert "no document 4" in problem(reply, 404)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"text_hash": "abc"}, "text_hash"),
        ({"start": -1}, "start"),
        ({"end": "x"}, "end"),
        ({"document": 0}, "document"),
        ({"document": 1 << 63}, "document"),
        ({"quote": ""}, "quote"),
        ({"quote": "a" * 20_001}, "quote"),
        ({"quotes": "a"}, "Did you mean 'quote'?"),
    ],
)
def test_what_is_no_citation_is_refused_with_the_field_at_fault(
    client: FlaskClient, citation: dict[str, Any], changed: dict[str, Any], said: str
) -> None:
    reply = client.get(f"{API}/citation", query_string={**citation, **changed})
    assert said in problem(reply, 400)


# As a page


def test_a_link_follows_its_quote_and_says_when_it_is_gone(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    before = opened(client, citation)
    assert before.xpath("//mark/text()") == [QUOTE]
    assert "has changed" not in words(before)

    upload(client, "otters", f"A new first line.\n\n{QUOTE.upper()} And no more.")
    after = opened(client, citation)
    assert after.xpath("//mark[@id='cited']/text()") == [QUOTE.upper()]
    assert "has changed since this link was made" in words(after)

    upload(client, "otters", "Nothing is left of it.")
    since = day(long_ago(home))
    gone = opened(client, citation)
    assert not gone.xpath("//mark")
    assert f"quote is no longer in this document, which last changed on {since}." in words(gone)
    assert QUOTE in words(gone)


def test_a_link_to_a_removed_document_shows_what_it_quoted_and_since_when(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    client.post("/documents/1/remove")
    then = day(long_ago(home))
    gone = opened(client, citation, 404)
    assert gone.xpath("//blockquote")[0].text_content().strip() == QUOTE
    assert f"It was removed on {then}." in words(gone)
    unknown = opened(client, {**citation, "uri": "other"}, 404)
    assert QUOTE in words(unknown)
    assert "may have been removed" in words(unknown)
    bare = opened(client, {"document": 1}, 404)
    assert not bare.xpath("//blockquote")


def test_what_a_link_quotes_is_shown_as_text(client: FlaskClient) -> None:
    gone = opened(client, {"document": 9, "quote": "<b id='b'>bold</b>"}, 404)
    assert not gone.xpath("//b")
    assert "<b id='b'>bold</b>" in words(gone)


def test_a_link_with_the_beginning_of_a_passage_marks_all_of_it_until_it_changes(
    client: FlaskClient, citation: dict[str, Any], home: Home
) -> None:
    beginning = {**citation, "quote": QUOTE[:20]}
    assert opened(client, beginning).xpath("//mark/text()") == [QUOTE]
    old = {name: beginning[name] for name in ("document", "start", "end", "quote")}
    assert opened(client, old).xpath("//mark/text()") == [QUOTE]  # of links made without a hash

    text = (client.get(f"{API}/documents/1").json or {})["text"]
    upload(client, "otters", text.replace("47 otters", "48 otters"))
    after = opened(client, beginning)
    assert after.xpath("//mark/text()") == [QUOTE[:20]]  # what follows may be other words now

    upload(client, "otters", f"New. {text}")
    assert opened(client, beginning).xpath("//mark/text()") == [QUOTE[:20]]
    assert "has changed" in words(opened(client, beginning))


def test_the_links_of_a_page_of_results_last(client: FlaskClient, home: Home) -> None:
    asked = html.fromstring(client.get("/", query_string={"q": "wardens otters lake"}).text)
    link = next(a for a in asked.xpath("//main//a/@href") if a.startswith("/documents/1?"))
    page = html.fromstring(client.get(link).text)
    marked = "".join(page.xpath("//mark/text()"))
    assert marked

    upload(client, "otters", f"New lines.\n\nAnd more.\n\n{home_text(home)}")
    after = html.fromstring(client.get(link).text)
    assert marked.startswith("".join(after.xpath("//mark/text()")).rstrip())
    assert after.xpath("//mark")
    assert "has changed" in words(after)

    client.delete(f"{API}/documents/1")
    reply = client.get(link)
    assert reply.status_code == 404
    assert "It was removed on" in reply.text


def home_text(home: Home) -> str:
    with home.store.snapshot() as snapshot:
        return snapshot.text(1)[0]


def test_a_citation_of_an_answer_can_be_followed_as_it_is(client: FlaskClient) -> None:
    answer = client.get(f"{API}/answer", query_string={"q": QUOTE}).json or {}
    assert answer["citations"]
    for given in answer["citations"]:
        cited = {name: given[name] for name in ("text_hash", "start", "end", "quote")}
        assert (
            follow(client, {"document": given["document"]["id"], **cited})["state"] == "unchanged"
        )
