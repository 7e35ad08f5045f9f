"""The interface is what its description says: valid, whole, and with tags that hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import client_of, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from index.documents import Given
from index.home import Home
from web.contract import operations

API = "/api/v1"


@pytest.fixture(scope="module")
def client(sample_home: Home) -> FlaskClient:
    return client_of(sample_home)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with small_home(tmp_path, CheapEncoder()) as home:
        yield home


def description(client: FlaskClient) -> dict[str, Any]:
    return dict(client.get(f"{API}/openapi.json").json)


def test_the_description_is_openapi(client: FlaskClient) -> None:
    told = description(client)
    assert told["openapi"].startswith("3.1")
    validate(told)


def test_every_route_is_described_and_nothing_else(client: FlaskClient) -> None:
    routes = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith(f"{API}/") or rule.rule in ("/healthz", "/readyz", "/metrics")
    }
    assert set(description(client)["paths"]) | {f"{API}/openapi.json"} == routes


def test_every_operation_says_what_it_does_and_replies(client: FlaskClient) -> None:
    for path, item in description(client)["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (method, path)
            replies = set(operation["responses"])
            assert replies & {"200", "201", "202"}, (method, path)
            assert {"500", "503"} <= replies, (method, path)


def test_what_was_stored_is_found_where_the_reply_leads(home: Home) -> None:
    client = client_of(home)
    told = description(client)
    ids = {operation["operationId"]: path for path, _, operation in operations(told)}
    links = told["paths"][f"{API}/documents"]["post"]["responses"]["201"]["links"]
    assert set(links) == {"document", "remove"}
    stored = client.post(f"{API}/documents", json={"text": "A heron stood there."}).json
    link = links["document"]
    assert link["parameters"] == {"id": "$response.body#/documents/0/id"}
    address = ids[link["operationId"]].format(id=stored["documents"][0]["id"])
    assert client.get(address).json["text"] == "A heron stood there."


def test_the_page_shows_every_operation(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    for path in description(client)["paths"]:
        assert path in page.replace("<wbr>", "")


@pytest.mark.parametrize(
    "path", ["/search?q=otters", "/answer?q=otters", "/documents", "/suggest?q=ott"]
)
def test_a_reply_holds_until_the_collection_changes(home: Home, path: str) -> None:
    client = client_of(home)
    first = client.get(API + path)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = client.get(API + path, headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    home.indexer.add([Given("more", "Seven more otters came in May.")])
    changed = client.get(API + path, headers=tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert changed.json["generation"] > first.json["generation"]


def test_jobs_change_without_a_generation_and_have_no_tag(home: Home) -> None:
    assert "ETag" not in client_of(home).get(f"{API}/jobs").headers


def test_what_is_refused_has_no_tag_and_is_never_unchanged(client: FlaskClient) -> None:
    reply = client.get(f"{API}/search?limit=0&q=metro", headers={"If-None-Match": "*"})
    assert reply.status_code == 400
    assert "ETag" not in reply.headers


@settings(max_examples=12)
@given(st.integers(1, 9), st.sampled_from(["hybrid", "keyword", "semantic"]))
def test_pages_neither_repeat_nor_skip(client: FlaskClient, size: int, mode: str) -> None:
    def page(limit: int, offset: int) -> list[int]:
        query = {"q": "passengers of the metro", "mode": mode, "limit": limit, "offset": offset}
        found = client.get(f"{API}/search", query_string=query).json
        return [result["passage_id"] for result in found["results"]]

    whole = page(30, 0)
    paged = [id for offset in range(0, 30, size) for id in page(size, offset)]
    assert paged[: len(whole)] == whole
    assert len(set(paged)) == len(paged)


@settings(max_examples=6)
@given(st.integers(1, 9))
def test_pages_of_documents_neither_repeat_nor_skip(client: FlaskClient, size: int) -> None:
    def page(limit: int, offset: int) -> list[int]:
        found = client.get(f"{API}/documents?limit={limit}&offset={offset}").json
        return [row["id"] for row in found["documents"]]

    whole = page(100, 0)
    assert [id for offset in range(0, len(whole), size) for id in page(size, offset)] == whole
