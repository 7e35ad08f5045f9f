"""The JSON interface, through its routes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import API, client_of, problem, send, small_home, wait_until
from flask.testing import FlaskClient

from index.embeddings import Encoder
from index.home import Home
from web.worker import Worker, command

COST = "What did it cost to build the Harbour Line?"


@pytest.fixture(scope="module")
def samples(sample_home: Home) -> FlaskClient:
    """A client over the sample documents, for tests that only read."""
    return client_of(sample_home)


@pytest.fixture
def home(tmp_path: Path, encoder: Encoder) -> Iterator[Home]:
    """Three small documents, for tests that write."""
    with small_home(tmp_path, encoder) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    """A client over three small documents."""
    return client_of(home)


def get(client: FlaskClient, path: str, **query: Any) -> dict[str, Any]:
    reply = client.get(API + path, query_string=query)
    assert reply.status_code == 200, reply.text
    return dict(reply.json or {})


def post(client: FlaskClient, data: Any) -> dict[str, Any]:
    reply = client.post(f"{API}/documents", json=data)
    assert reply.status_code == 201, reply.text
    return dict(reply.json or {})


# Asking


def test_a_result_says_where_it_stands_and_why(samples: FlaskClient) -> None:
    found = get(samples, "/search", q=COST, limit=3)
    assert found["query"] == COST
    assert (found["mode"], found["order"]) == ("hybrid", "relevance")
    assert (found["limit"], found["offset"]) == (3, 0)
    assert found["generation"] >= 1
    assert found["took_ms"] > 0
    first = found["results"][0]
    assert "1.24 billion crowns" in first["text"]
    assert first["document"]["type"] == "markdown"
    assert first["document"]["published"] == "2025-03-01"
    assert {term["word"] for term in first["why"]["terms"]} >= {"Harbour", "Line", "cost"}
    assert first["why"]["keyword"]["rank"] == 1
    assert first["why"]["semantic"]["score"] <= 1
    document = get(samples, f"/documents/{first['document']['id']}")
    assert document["text"][first["start"] : first["end"]] == first["text"]


def test_pages_of_results_do_not_overlap_and_agree_on_the_total(samples: FlaskClient) -> None:
    whole = get(samples, "/search", q="harbour", limit=20)
    pages = [get(samples, "/search", q="harbour", limit=5, offset=n) for n in (0, 5, 10, 15)]
    ids = [result["passage_id"] for page in pages for result in page["results"]]
    assert ids == [result["passage_id"] for result in whole["results"]]
    assert {page["total"] for page in pages} == {whole["total"]}


def test_modes_orders_and_filters(samples: FlaskClient) -> None:
    keyword = get(samples, "/search", q="harbour", mode="keyword")
    assert all(result["why"]["semantic"] is None for result in keyword["results"])
    semantic = get(samples, "/search", q="harbour", mode="semantic")
    assert all(result["why"]["keyword"] is None for result in semantic["results"])
    newest = get(samples, "/search", q="harbour", order="date", limit=50)
    dates = [result["document"]["published"] or "" for result in newest["results"]]
    assert dates == sorted(dates, reverse=True)
    pdf = get(samples, "/search", q="budget", filter="type:pdf")
    assert {result["document"]["type"] for result in pdf["results"]} == {"pdf"}
    assert all(result["page"] for result in pdf["results"])


def test_an_answer_quotes_its_document_word_for_word(samples: FlaskClient) -> None:
    answer = get(samples, "/answer", q=COST)
    assert answer["question"] == COST
    assert answer["answered"] is True
    assert "1.24 billion crowns" in answer["text"]
    for citation in answer["citations"]:
        told = f"[{citation['number']}]" in answer["text"]
        assert told == (citation["role"] == "answers")
        document = get(samples, f"/documents/{citation['document']['id']}")
        assert document["text"][citation["start"] : citation["end"]] == citation["quote"]


def test_what_is_not_there_is_not_answered(samples: FlaskClient) -> None:
    answer = get(samples, "/answer", q="What is the capital of Mongolia?", limit=2)
    assert answer["answered"] is False
    assert answer["text"] == ""
    assert answer["citations"] == []
    assert answer["reason"]
    assert len(answer["results"]) == 2


def test_an_export_holds_all_that_matches_in_words(samples: FlaskClient) -> None:
    wanted = get(samples, "/search", q="harbour", mode="keyword", limit=100)
    lines = samples.get(f"{API}/export?q=harbour")
    assert lines.mimetype == "application/jsonl"
    results = [json.loads(line) for line in lines.text.splitlines()]
    assert [r["passage_id"] for r in results] == [r["passage_id"] for r in wanted["results"]]
    assert results[0] == wanted["results"][0]
    table = samples.get(f"{API}/export?q=harbour&format=csv")
    assert table.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    assert [int(row["passage_id"]) for row in rows] == [r["passage_id"] for r in results]
    assert [row["text"] for row in rows] == [r["text"] for r in results]


def test_an_exported_cell_is_never_a_formula(client: FlaskClient) -> None:
    post(client, {"id": "=1+1", "title": "@SUM(A1)", "text": "+a heron stood there"})
    table = client.get(f"{API}/export?q=heron&format=csv")
    (row,) = csv.DictReader(io.StringIO(table.text, newline=""))
    assert (row["uri"], row["title"], row["text"]) == (
        "'=1+1",
        "'@SUM(A1)",
        "'+a heron stood there",
    )


# The collection


def test_documents_are_listed_and_read(client: FlaskClient) -> None:
    listed = get(client, "/documents", limit=2)
    assert (listed["total"], listed["limit"], len(listed["documents"])) == (3, 2, 2)
    rest = get(client, "/documents", limit=2, offset=2)
    ids = {d["id"] for d in listed["documents"] + rest["documents"]}
    assert len(ids) == 3
    (otters,) = get(client, "/documents", q="reed lake")["documents"]
    document = get(client, f"/documents/{otters['id']}")
    assert document["uri"] == "otters"
    assert document["published"] == "2024-04-12"
    assert document["tags"] == ["nature"]
    first = document["blocks"][0]
    assert document["text"][first["start"] : first["end"]] == "Otters in the Reed Lake"


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: [d], lambda d: {"documents": [d]}])
def test_json_is_stored_and_searchable_at_once(client: FlaskClient, wrap: Any) -> None:
    sent = {
        "id": "heron-1",
        "title": "A heron",
        "text": "The grey heron nests in tall trees by the canal.",
        "published": "2025-01-02",
        "language": "en",
        "tags": ["birds"],
    }
    reply = post(client, wrap(sent))
    (outcome,) = reply["documents"]
    assert outcome["stored"] is True
    assert outcome["uri"] == "heron-1"
    found = get(client, "/search", q="heron", filter="tag:birds")
    assert found["generation"] >= outcome["generation"] == reply["generation"]
    assert found["results"][0]["document"]["id"] == outcome["id"]
    assert found["results"][0]["document"]["published"] == "2025-01-02"


def test_the_same_id_again_replaces_the_document(client: FlaskClient) -> None:
    first = post(client, {"id": "x", "text": "A kestrel hovers."})["documents"][0]
    second = post(client, {"id": "x", "text": "A buzzard circles."})["documents"][0]
    assert first["id"] == second["id"]
    assert get(client, "/search", q="kestrel", mode="keyword")["total"] == 0
    assert get(client, "/search", q="buzzard", mode="keyword")["total"] == 1
    assert get(client, "/documents")["total"] == 4


def test_a_text_without_an_id_is_stored_once(client: FlaskClient) -> None:
    for _ in range(2):
        post(client, {"text": "A kestrel hovers."})
    assert get(client, "/documents")["total"] == 4


def test_each_file_of_an_upload_has_its_outcome(client: FlaskClient) -> None:
    reply = send(
        client,
        ("notes/heron.md", b"# Heron\n\nThe heron waits."),
        ("../../empty.txt", b""),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\0\0\0"),
    )
    assert reply.status_code == 200
    good, empty, binary = reply.json["documents"]
    assert (good["uri"], good["stored"], good["reason"]) == ("heron.md", True, "")
    assert (empty["uri"], empty["stored"], empty["id"]) == ("empty.txt", False, None)
    assert "empty" in empty["reason"]
    assert binary["stored"] is False
    assert binary["reason"]
    assert get(client, "/search", q="heron waits")["results"][0]["document"]["type"] == "markdown"
    assert send(client, ("a.txt", b"All of it is stored.")).status_code == 201


def test_a_removed_document_is_gone(client: FlaskClient) -> None:
    (result,) = get(client, "/search", q="granary concert", limit=1)["results"]
    path = f"{API}/documents/{result['document']['id']}"
    reply = client.delete(path)
    assert reply.status_code == 200
    found = get(client, "/search", q="granary concert", mode="keyword")
    assert found["total"] == 0
    assert found["generation"] >= reply.json["generation"]
    problem(client.delete(path), 404)
    problem(client.get(path), 404)


# Jobs


def test_reindexing_is_a_job(client: FlaskClient) -> None:
    reply = client.post(f"{API}/reindex")
    assert reply.status_code == 202
    job = dict(reply.json or {})
    assert (job["kind"], job["status"]) == ("reindex", "queued")
    assert reply.headers["Location"] == f"{API}/jobs/{job['id']}"
    assert (client.post(f"{API}/reindex").json or {})["id"] == job["id"]  # not a second one
    assert get(client, f"/jobs/{job['id']}")["status"] == "queued"
    assert [each["id"] for each in get(client, "/jobs")["jobs"]] == [job["id"]]
    assert client.post(f"{API}/jobs/{job['id']}/cancel").status_code == 202
    assert get(client, f"/jobs/{job['id']}")["status"] == "cancelled"
    problem(client.post(f"{API}/jobs/99/cancel"), 404)


def test_a_job_is_done_in_the_background(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old.txt").write_text("The lighthouse was built in 1874.")
    home.indexer.index([folder], lambda progress: None)
    (folder / "new.txt").write_text("The lighthouse keeper was called Agda.")
    worker = Worker(command(home, "work"))
    client = client_of(home, worker)
    try:
        id = (client.post(f"{API}/reindex").json or {})["id"]
        wait_until(lambda: ended(home, id))
    finally:
        worker.close()
    job = home.jobs.get(id)
    assert job
    assert job.status == "done", job.error
    assert (job.progress["added"], job.progress["unchanged"]) == (1, 1)
    assert "Agda" in get(client, "/search", q="lighthouse keeper")["results"][0]["text"]


def ended(home: Home, id: int) -> bool:
    job = home.jobs.get(id)
    return job is not None and job.status not in ("queued", "running")


# The service


def test_every_reply_is_guarded(samples: FlaskClient) -> None:
    for path in ("/healthz", "/", "/nowhere", "/static/khazri.css", f"{API}/search?q=a"):
        with samples.get(path) as reply:
            headers = reply.headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
