"""Browsers can add Khazri as a search engine: by its description, whose addresses answer."""

from __future__ import annotations

from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import pytest
from clients import client_of
from flask.testing import FlaskClient

from index.home import Home

NAMES = {"o": "http://a9.com/-/spec/opensearch/1.1/"}


@pytest.fixture(scope="module")
def client(sample_home: Home) -> FlaskClient:
    return client_of(sample_home)


def addresses(client: FlaskClient, host: str = "localhost") -> dict[str, str]:
    reply = client.get("/opensearch.xml", headers={"Host": host})
    assert reply.mimetype == "application/opensearchdescription+xml"
    root = ElementTree.fromstring(reply.text)
    return {url.attrib["type"]: url.attrib["template"] for url in root.findall("o:Url", NAMES)}


def local(address: str, typed: str) -> str:
    parts = urlsplit(address.replace("{searchTerms}", quote(typed)))
    return f"{parts.path}?{parts.query}"


def test_pages_name_the_description(client: FlaskClient) -> None:
    page = client.get("/").text
    assert '<link rel="search" type="application/opensearchdescription+xml"' in page
    assert 'href="/opensearch.xml"' in page


def test_its_addresses_are_those_of_the_request(client: FlaskClient) -> None:
    for host in ("localhost:8000", "127.0.0.1:81"):
        assert all(one.startswith(f"http://{host}/") for one in addresses(client, host).values())


def test_what_is_typed_is_asked(client: FlaskClient) -> None:
    typed = "How many passengers did the metro carry?"
    page = client.get(local(addresses(client)["text/html"], typed))
    assert page.status_code == 200
    assert "4.58 million passengers" in page.text


def test_suggestions_come_as_browsers_want_them(client: FlaskClient) -> None:
    address = addresses(client)["application/x-suggestions+json"]
    reply = client.get(local(address, "metro"))
    assert reply.mimetype == "application/x-suggestions+json"
    typed, found = reply.json
    assert typed == "metro"
    assert any("metro" in text.lower() for text in found)
    assert client.get(local(address, "")).json == ["", []]
