"""The interface is what its description says: valid, whole, and with tags that hold.

What ``tools/fuzz_api.py`` asks a real service by the thousand is asked here by the hundred.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from clients import API, client_of, small_home
from conftest import ROOT, CheapEncoder
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from index.documents import Given
from index.home import Home
from web.contract import operations


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """The interface over three small documents, as it describes itself."""
    expected = schemathesis.Config.from_path(ROOT / "tools" / "fuzz_api.toml")
    with small_home(tmp_path_factory.mktemp("described"), CheapEncoder()) as home:
        app = client_of(home).application
        yield schemathesis.openapi.from_wsgi(f"{API}/openapi.json", app, config=expected)


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


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
def test_generated_requests_get_what_is_described(
    described: schemathesis.BaseSchema, mode: schemathesis.GenerationMode
) -> None:
    """Right requests, and wrong ones of the routes where something can be wrong."""
    for found in described.get_all_operations():
        operation = found.ok()
        given_to = (operation.query, operation.path_parameters, operation.body)
        if mode is schemathesis.GenerationMode.NEGATIVE and not any(map(len, given_to)):
            continue

        @settings(max_examples=15, derandomize=True)
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: schemathesis.Case) -> None:
            case.call_and_validate()

        ask()


def test_the_page_shows_every_operation(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    for path in description(client)["paths"]:
        assert path in page.replace("<wbr>", "")


@pytest.mark.parametrize(
    "path",
    [
        "/search?q=otters",
        "/answer?q=otters",
        "/suggest?q=ott",
        "/export?q=otters",
        f"/citation?document=1&text_hash={'0' * 64}&start=0&end=6&quote=Otters",
        "/documents",
        "/documents/1",
    ],
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
    if not path.startswith("/export"):
        assert changed.json["generation"] > first.json["generation"]


def test_what_is_not_there_is_told_so_whatever_a_client_has(home: Home) -> None:
    for path in (
        "/documents/99",
        f"/citation?document=99&text_hash={'0' * 64}&start=0&end=1&quote=a",
    ):
        reply = client_of(home).get(API + path, headers={"If-None-Match": "*"})
        assert reply.status_code == 404


def test_jobs_change_without_a_generation_and_have_no_tag(home: Home) -> None:
    assert "ETag" not in client_of(home).get(f"{API}/jobs").headers


def test_what_is_refused_has_no_tag_and_is_never_unchanged(client: FlaskClient) -> None:
    reply = client.get(f"{API}/search?limit=0&q=metro", headers={"If-None-Match": "*"})
    assert reply.status_code == 400
    assert "ETag" not in reply.headers


@pytest.fixture(scope="module")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client over documents of which many are found equally well, and are of one day or none."""
    with small_home(tmp_path_factory.mktemp("tied"), CheapEncoder()) as home:
        home.indexer.add(
            [
                Given(
                    f"{n}",
                    f"A heron stood in ditch {n}.",
                    published="2024-05-01" if n % 2 else None,
                )
                for n in range(100, 125)
            ]
        )
        yield client_of(home)


@settings(max_examples=20)
@given(
    st.integers(1, 9),
    st.sampled_from(["hybrid", "keyword", "semantic"]),
    st.sampled_from(["relevance", "date"]),
)
def test_pages_neither_repeat_nor_skip(tied: FlaskClient, size: int, mode: str, order: str) -> None:
    def page(limit: int, offset: int) -> list[int]:
        asked = {"q": "a heron", "mode": mode, "order": order, "limit": limit, "offset": offset}
        found = tied.get(f"{API}/search", query_string=asked).json
        return [result["passage_id"] for result in found["results"]]

    whole = page(100, 0)
    assert len(set(whole)) == len(whole) >= 25
    assert [id for offset in range(0, len(whole), size) for id in page(size, offset)] == whole


def test_those_that_rank_the_same_stand_by_their_number(tied: FlaskClient) -> None:
    found = tied.get(f"{API}/search?q=heron&mode=keyword&limit=100").json["results"]
    assert len({result["score"] for result in found}) == 1
    ids = [result["passage_id"] for result in found]
    assert ids == sorted(ids)


@settings(max_examples=6)
@given(st.integers(1, 9))
def test_pages_of_documents_neither_repeat_nor_skip(tied: FlaskClient, size: int) -> None:
    def page(limit: int, offset: int) -> list[int]:
        found = tied.get(f"{API}/documents?limit={limit}&offset={offset}").json
        return [row["id"] for row in found["documents"]]

    whole = page(100, 0)
    assert [id for offset in range(0, len(whole), size) for id in page(size, offset)] == whole
