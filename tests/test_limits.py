"""What is refused because it is too much: how it is told, and that the rest is served."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import API, client_of, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from index.documents import Given
from index.home import Home
from index.snapshot import SOUGHT, Snapshot
from search.engine import Engine
from search.results import Found
from web import limits, services
from web.keys import Keys
from web.limits import Rates

SEARCH = f"{API}/search?q=otter"


def opened(path: Path, *settings: str) -> Iterator[Home]:
    with small_home(path, CheapEncoder(), "reader=none", *settings) as home:
        yield home


@pytest.fixture
def home(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Home]:
    """A small home; a test names its settings as the parameter of this fixture."""
    yield from opened(tmp_path, *getattr(request, "param", ()))


def with_settings(*settings: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("home", [settings], indirect=True, ids=["-".join(settings)])


def refused(reply: TestResponse, status: int) -> int:
    """Check that a request was refused in words; return when it may come again."""
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "application/problem+json"
    assert reply.json
    assert reply.json["detail"].endswith(".")
    return int(reply.headers.get("Retry-After", 0))


def measured(client: FlaskClient, line: str) -> bool:
    return line in client.get("/metrics").text.splitlines()


# Rate


def test_a_client_may_ask_so_often_and_then_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rates = Rates(3)
    for _ in range(3):
        assert rates.wait("a") == 0
        rates.count("a")
    assert rates.wait("a") == pytest.approx(20)
    assert rates.wait("b") == 0
    now += 20
    assert rates.wait("a") == pytest.approx(0)
    rates.count("a")
    assert rates.wait("a") == pytest.approx(20)


@given(st.integers(1, 50), st.lists(st.floats(0, 30), max_size=100))
def test_no_client_gets_more_than_its_rate(rate: int, pauses: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        now, begun, passed = 0.0, 0.0, 0
        patch.setattr(limits.time, "monotonic", lambda: now)
        rates = Rates(rate)
        for pause in pauses:
            now += pause
            if not rates.wait("a"):
                rates.count("a")
                passed += 1
            assert passed <= rate + rate * (now - begun) / 60 + 1e-6


def test_what_is_remembered_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    monkeypatch.setattr(limits, "CLIENTS", 100)
    rates = Rates(60)
    for number in range(1000):
        rates.count(str(number))
    assert len(rates) == 100
    now += 61
    rates.count("late")
    assert len(rates) == 1


@with_settings("auth=keys", "rate=3")
def test_guessing_keys_is_slow_and_keys_are_counted_apart(home: Home) -> None:
    one, other = Keys(home.path).add("one", "read"), Keys(home.path).add("other", "read")
    client = client_of(home)

    def ask(key: str, **more: Any) -> TestResponse:
        return client.get(SEARCH, headers={"Authorization": f"Bearer {key}"}, **more)

    there = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    for _ in range(3):
        assert ask(one, **there).status_code == 200
    assert 15 <= refused(ask(one, **there), 429) <= 20
    assert ask(other, **there).status_code == 200
    for _ in range(3):
        assert ask("khazri_wrong", **there).status_code == 401
    assert 15 <= refused(ask("khazri_wrong", **there), 429) <= 20
    assert refused(ask(other, **there), 429)  # a right guess is not told from a wrong one
    assert client.post("/sign-in", data={"key": "no"}, **there).status_code == 429
    assert client.get("/healthz", **there).status_code == 200
    with client.get("/static/khazri.css", **there) as style:
        assert style.status_code == 200
    assert ask(other).status_code == 200  # from elsewhere


@with_settings("auth=keys", "rate=3")
def test_an_address_of_ipv6_is_its_network(home: Home) -> None:
    client = client_of(home)
    statuses = [
        client.get(SEARCH, environ_base={"REMOTE_ADDR": f"2001:db8::{number}"}).status_code
        for number in range(1, 5)
    ]
    assert statuses == [401, 401, 401, 429]
    elsewhere = client.get(SEARCH, environ_base={"REMOTE_ADDR": "2001:db8:0:1::1"})
    mapped = client.get(SEARCH, environ_base={"REMOTE_ADDR": "::ffff:192.0.2.1"})
    assert (elsewhere.status_code, mapped.status_code) == (401, 401)


@with_settings("rate=1")
def test_nobody_is_counted_where_no_keys_are_asked_for(home: Home) -> None:
    client = client_of(home)
    assert {client.get(SEARCH).status_code for _ in range(5)} == {200}


# At once, and how long


@with_settings("max_requests=2")
def test_one_request_too_many_is_sent_away_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, go, search = threading.Semaphore(0), threading.Event(), Engine.search

    def waiting(engine: Engine, query: str, **options: Any) -> Found:
        arrived.release()
        assert go.wait(20)
        return search(engine, query, **options)

    monkeypatch.setattr(Engine, "search", waiting)
    client = client_of(home)

    def ask(number: int) -> None:
        reply = client.application.test_client().get(f"{SEARCH}{number}")
        statuses.append(reply.status_code)

    statuses: list[int] = []
    threads = [threading.Thread(target=ask, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
        assert arrived.acquire(timeout=20)
    assert refused(client.get(SEARCH), 503) == limits.AGAIN
    assert client.get("/healthz").status_code == 200
    with client.get("/static/khazri.css") as style:
        assert style.status_code == 200
    assert measured(client, "khazri_requests_in_hand 2.0")
    assert measured(client, 'khazri_refused_total{limit="requests"} 1.0')
    go.set()
    for thread in threads:
        thread.join()
    assert statuses == [200, 200]
    assert measured(client, "khazri_requests_in_hand 0.0")
    assert client.get(SEARCH).status_code == 200


@with_settings("max_requests=1")
def test_a_place_is_left_whatever_became_of_the_request(home: Home) -> None:
    client = client_of(home)
    for path in ("/api/v1/nowhere", f"{API}/search", f"{API}/documents/99", "/documents/99"):
        assert client.get(path).status_code in (400, 404)
    with client.get(f"{API}/export?q=otter") as reply:  # made while it is sent
        assert reply.data
    assert client.get(SEARCH).status_code == 200


@with_settings("request_seconds=0.1")
def test_a_late_request_stops_before_its_next_step(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(home)
    steps = []

    def slow(texts: list[str], batch: int = 32) -> object:
        steps.append(texts)
        threading.Event().wait(0.15)
        return CheapEncoder.encode(home.encoder, texts, batch)

    monkeypatch.setattr(home.encoder, "encode", slow)
    monkeypatch.setattr(Snapshot, "semantic", lambda *_: pytest.fail("the next step was taken"))
    assert refused(client.get(f"{API}/answer?q=How many otters?"), 503) == limits.AGAIN
    assert len(steps) == 1
    assert measured(client, 'khazri_refused_total{limit="seconds"} 1.0')
    assert measured(client, 'khazri_questions_total{interface="api",outcome="error"} 1.0')


@with_settings("request_seconds=0.3")
def test_of_a_late_upload_is_stored_what_is_stored(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "PART", 1)
    add = home.indexer.add

    def slow(items: list[Given]) -> object:
        threading.Event().wait(0.4)
        return add(items)

    monkeypatch.setattr(home.indexer, "add", slow)
    client = client_of(home)
    sent = [{"id": name, "text": f"The {name} swam."} for name in ("heron", "newt", "toad")]
    reply = client.post(f"{API}/documents", json=sent)
    assert reply.status_code == 200
    assert reply.json
    told = {each["uri"]: each for each in reply.json["documents"]}
    assert [told[each["id"]]["stored"] for each in sent] == [True, False, False]
    assert "took too long" in told["newt"]["reason"]
    found = client.get(f"{API}/documents?q=heron").json
    assert found
    assert found["total"] == 1
    gone = client.get(f"{API}/documents?q=newt").json
    assert gone
    assert gone["total"] == 0


# Uploads and jobs


# Where no other test did so before, py3langid loads its model here, and leaves a file to the
# collector of garbage.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@with_settings("max_files=2", "max_upload=1")
def test_an_upload_has_so_many_files_and_bytes_and_no_more(home: Home) -> None:
    client = client_of(home)
    path = f"{API}/documents"

    def files(*contents: bytes) -> TestResponse:
        sent = [(io.BytesIO(data), f"{number}.txt") for number, data in enumerate(contents)]
        return client.post(path, data={"file": sent}, content_type="multipart/form-data")

    assert files(b"a newt", b"a toad").status_code == 201
    refused(files(b"a newt", b"a toad", b"a frog"), 413)
    assert "2 files" in files(*[b"a newt"] * 9).text
    refused(client.post(path, json=[{"id": str(n), "text": "a frog"} for n in range(3)]), 413)
    large = client.post(path, data=b" " * ((1 << 20) + 1), content_type="application/json")
    refused(large, 413)
    assert "1 MB" in large.text
    assert measured(client, 'khazri_refused_total{limit="upload"} 4.0')
    assert 'data-megabytes="1"' in client.get("/documents").text


@with_settings("max_jobs=2")
def test_jobs_wait_once_and_not_without_end(home: Home) -> None:
    client = client_of(home)
    first, again = client.post(f"{API}/reindex").json, client.post(f"{API}/reindex").json
    assert first
    assert again
    assert first["id"] == again["id"]
    home.jobs.submit("index", {"paths": ["/a"]})
    client.post(f"{API}/jobs/{first['id']}/cancel")
    home.jobs.submit("index", {"paths": ["/b"]})
    reply = client.post(f"{API}/reindex")
    assert refused(reply, 503) == limits.AGAIN
    assert "2 jobs wait" in reply.text


# Hostile questions


def test_however_many_frequent_phrases_so_many_texts_are_read(
    sample_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    standing_in = Snapshot.standing_in

    def counted(snapshot: Snapshot, ids: list[int], sought: object) -> list[int]:
        read.append(len(ids))
        return standing_in(snapshot, ids, sought)

    monkeypatch.setattr(Snapshot, "standing_in", counted)
    monkeypatch.setattr("search.engine.SOUGHT", 40)
    client = client_of(sample_home)
    letters = [chr(97 + n % 26) for n in range(300)]
    plenty = " ".join(f'"{one}"' for one in ("the", "of", "in", "and", "a", "to", *letters))
    reply = client.get(f"{API}/search", query_string={"q": f"{plenty} metro"})
    assert reply.status_code == 200
    assert len(read) <= 20
    assert sum(read) <= 40
    one = client.get(f"{API}/search", query_string={"q": '"the"', "limit": 100}).json
    assert one
    assert "looked for in the 40 passages" in one["notes"][0]
    assert one["results"]
    assert all("the" in result["text"].lower().split() for result in one["results"])
    assert SOUGHT >= 1000  # so many before that happens
