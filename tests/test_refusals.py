"""What the JSON interface refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clients import API, client_of, problem, send, small_home
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from index.embeddings import Encoder
from index.home import Home
from search.engine import Engine


@pytest.fixture(scope="module")
def samples(sample_home: Home) -> FlaskClient:
    """A client over the sample documents, for tests that only read."""
    return client_of(sample_home)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[FlaskClient]:
    """A client over three small documents, for tests that must change nothing."""
    with small_home(tmp_path_factory.mktemp("unchanged"), encoder) as home:
        yield client_of(home)
        with home.store.snapshot() as snapshot:
            assert snapshot.count().documents == 3


@pytest.fixture
def client(tmp_path: Path, encoder: Encoder) -> Iterator[FlaskClient]:
    """A client over three small documents, for tests that write."""
    with small_home(tmp_path, encoder) as home:
        yield client_of(home)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/search", 400, "empty"),
        ("/search?q=+++", 400, "empty"),
        ("/search?q=%3F%3F%3F", 400, "empty"),
        ("/answer?q=", 400, "empty"),
        ("/export", 400, "empty"),
        ("/search?q=a&limit=0", 400, "limit should be greater"),
        ("/search?q=a&limit=101", 400, "limit should be less"),
        ("/search?q=a&limit=ten", 400, "limit should be a valid integer"),
        ("/search?q=a&offset=-1", 400, "offset should be greater"),
        ("/search?q=a&offset=10001", 400, "offset should be less"),
        ("/search?q=a&mode=magic", 400, "mode should be 'hybrid', 'keyword' or 'semantic'"),
        ("/search?q=a&order=size", 400, "order should be 'relevance' or 'date'"),
        ("/search?q=a&limt=5", 400, "Did you mean 'limit'?"),
        ("/export?q=a&format=xml", 400, "format should be 'jsonl' or 'csv'"),
        (f"/search?q={'a' * 20_001}", 414, "too long"),
        (f"/answer?q={'a+' * 10_000}", 414, "too long"),
        ("/documents/999", 404, "no document 999"),
        (f"/documents/{10**30}", 400, "id should be less"),
        ("/documents/otters", 404, ""),
        ("/jobs/999", 404, "no job 999"),
        ("/nowhere", 404, ""),
    ],
)
def test_a_bad_request_gets_a_sentence(
    samples: FlaskClient, path: str, status: int, said: str
) -> None:
    assert said in problem(samples.get(API + path), status)


def test_a_wrong_method_says_which_are_right(samples: FlaskClient) -> None:
    reply = samples.post(f"{API}/search")
    problem(reply, 405)
    assert "GET" in reply.headers["Allow"]


@given(st.text(max_size=80), st.text(max_size=40))
def test_no_question_breaks_the_service(samples: FlaskClient, q: str, filter: str) -> None:
    query = {"q": q, "filter": filter, "mode": "keyword"}
    reply = samples.get(f"{API}/search", query_string=query)
    assert reply.status_code in (200, 400)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested"),
        (b"5", "JSON object"),
        (b"[]", "at least 1 item"),
        (b"{}", "text is missing"),
        (b'{"text": ""}', "text should have at least 1 character"),
        (b'{"text": 5}', "text should be a valid string"),
        (b'{"text": "a", "titel": "b"}', "Did you mean 'title'?"),
        (b'{"text": "a \\ud800"}', "text should be a valid string"),
        (b'{"text": "a", "\\ud800": 1}', "There is no '?' here"),
        (b'{"text": "a", "published": "yesterday"}', "published"),
        (b'[{"text": "a"}, {"id": "b"}]', "documents.1.text is missing"),
    ],
)
def test_a_bad_document_is_refused_and_nothing_stored(
    unchanged: FlaskClient, body: bytes, said: str
) -> None:
    reply = unchanged.post(f"{API}/documents", data=body, content_type="application/json")
    assert said in problem(reply, 400)


def test_an_upload_is_a_form_or_json_and_not_too_large(client: FlaskClient) -> None:
    path = f"{API}/documents"
    reply = client.post(path, data="hello", content_type="text/plain")
    assert "multipart/form-data" in problem(reply, 415)
    reply = client.post(path, data={"name": "x"}, content_type="multipart/form-data")
    assert "No file" in problem(reply, 400)
    client.application.config["MAX_CONTENT_LENGTH"] = 1000
    assert "64 MB" in problem(send(client, ("a.txt", b"a" * 2000)), 413)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_may_not_change_anything(
    unchanged: FlaskClient, headers: dict[str, str]
) -> None:
    assert "Another site" in problem(unchanged.delete(f"{API}/documents/1", headers=headers), 403)
    problem(unchanged.post(f"{API}/reindex", headers=headers), 403)
    problem(unchanged.post(f"{API}/documents", headers=headers, json={"text": "a"}), 403)
    assert unchanged.get(f"{API}/documents", headers=headers).status_code == 200


def test_its_own_pages_may(client: FlaskClient) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.delete(f"{API}/documents/1", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", ""]
)
def test_a_foreign_host_name_is_refused(samples: FlaskClient, host: str) -> None:
    assert "address" in problem(samples.get(f"{API}/documents", headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]"])
def test_loopback_names_are_served(samples: FlaskClient, host: str) -> None:
    assert samples.get("/healthz", headers={"Host": host}).status_code == 200


def test_a_fault_of_ours_is_told_without_its_details(
    samples: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Engine, "search", lambda *_, **__: broken())
    assert "secret" not in problem(samples.get(f"{API}/search?q=a"), 500)
