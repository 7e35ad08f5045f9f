"""The page of a document: words found, what is alike elsewhere, facts, and the original."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import client_of, small_home
from conftest import CheapEncoder, quiet
from flask.testing import FlaskClient
from lxml import html
from werkzeug.test import TestResponse

from index.documents import Given
from index.home import Home

LAKE = "The wardens counted 47 otters in the Reed Lake this spring."


@pytest.fixture
def home(tmp_path: Path, cheap: CheapEncoder) -> Iterator[Home]:
    """Three small documents; the first is about otters."""
    with small_home(tmp_path, cheap) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    """A client over three small documents."""
    return client_of(home)


def see(client: FlaskClient, path: str, status: int = 200, **query: Any) -> Any:
    reply = client.get(path, query_string=query or None)
    assert reply.status_code == status, reply.text
    return html.fromstring(reply.text)


def words(tree: Any) -> str:
    return " ".join(tree.xpath("//main")[0].text_content().split())


# Words found


def test_the_words_asked_for_are_marked_and_counted(client: FlaskClient) -> None:
    page = see(client, "/documents/1", q="How many otters are in the reed lake?")
    hits = page.xpath("//mark[@class='hit']")
    assert [hit.text for hit in hits] == ["Otters", "Reed Lake", "otters", "Reed Lake", "otter"]
    assert [hit.get("id") for hit in hits] == [f"hit-{n}" for n in range(1, 6)]
    links = page.xpath("//nav[@class='hits']//a/@href")
    assert links == [f"#hit-{n}" for n in range(1, 6)]
    assert page.xpath("//div[@class='stepper'][@hidden]/@data-hits") == ["5"]
    assert "in 5 places" in words(page)


def test_a_cited_passage_is_one_mark_with_the_words_inside(client: FlaskClient) -> None:
    page = see(client, "/documents/1", q="otters", quote=LAKE, start=0)
    (cited,) = page.xpath("//mark[@id='cited']")
    assert cited.text_content() == LAKE
    assert cited.xpath("./mark[@class='hit']/text()") == ["otters"]


def test_words_that_are_not_there_are_said_to_be_missing(client: FlaskClient) -> None:
    page = see(client, "/documents/1", q="zebras")
    assert "None of the words of “zebras”" in words(page)
    assert not page.xpath("//mark | //div[@class='stepper']")
    assert not see(client, "/documents/1", q="???").xpath("//mark")


def test_many_places_have_a_few_links_and_the_last(client: FlaskClient, home: Home) -> None:
    home.indexer.add([Given("many", "A heron stood there.\n\n" * 50)])
    page = see(client, "/documents/4", q="heron")
    links = page.xpath("//nav[@class='hits']//a/@href")
    assert (len(links), links[-1]) == (21, "#hit-50")


def test_no_level_of_headings_is_left_out(client: FlaskClient) -> None:
    text = b"# Top\n\nA.\n\n#### Deep\n\nB.\n\n###### Deeper\n\nC.\n\n## Next\n\nD.\n"
    client.post("/documents", data={"file": [(io.BytesIO(text), "deep.md")]})
    page = see(client, "/documents/4")
    tags = [(node.tag, node.text) for node in page.xpath("//article/*[starts-with(name(), 'h')]")]
    assert tags[1:] == [("h2", "Deep"), ("h3", "Deeper"), ("h2", "Next")]


# What is alike


def test_similar_passages_are_of_other_documents_with_another_text(
    client: FlaskClient, home: Home
) -> None:
    home.indexer.add(
        [
            Given("near", f"{LAKE} They were glad.", title="Otters again"),
            Given("far", "Prices of copper fell in Lima on Tuesday."),
            Given("twin", home_text(home, 1), title="The same once more"),
        ]
    )
    page = see(client, "/documents/1", quote=LAKE, start=0)
    titles = page.xpath("//section[@class='similar']//li/a/text()")
    assert titles[0] == "Otters again"
    assert "The same once more" not in titles
    assert "Otters return to the Reed Lake" not in titles
    assert len(titles) == len(set(titles)) <= 5
    link = page.xpath("//section[@class='similar']//li/a/@href")[0]
    assert see(client, link).xpath("//mark[@id='cited']")
    twin = see(client, "/documents/6", quote=LAKE, start=0)
    assert "Otters again" in twin.xpath("//section[@class='similar']//li/a/text()")


def test_nothing_is_alike_where_nothing_is_cited(client: FlaskClient) -> None:
    assert not see(client, "/documents/1").xpath("//section[@class='similar']")


def home_text(home: Home, id: int) -> str:
    with home.store.snapshot() as snapshot:
        return snapshot.text(id)[0]


# Facts


MAIL = b"""From: Aysel Roth <aysel@example.org>
Subject: Der Fluss
Date: Tue, 2 Jan 2024 10:00:00 +0000
Content-Type: text/plain; charset=utf-8

Der Fluss ist lang und breit, und an seinem Ufer stehen seit vielen Jahren alte Weiden.
"""


def test_what_is_known_of_a_document_is_told(client: FlaskClient) -> None:
    files = [(io.BytesIO(MAIL), name) for name in ("fluss.eml", "fluss again.eml")]
    client.post("/documents", data={"file": files})
    told = see(client, "/documents/4").xpath("//dl")[0]
    known = [" ".join(node.text_content().split()) for node in told]
    facts = {name: known[known.index(name) + 1] for name in known[::2] if name in known}
    assert "Aysel Roth" in facts["Author"]
    assert facts["Created"] == "2 January 2024"
    assert facts["Language"] == "German"
    assert facts["Source"] == "uploads"
    assert facts["Stored as"] == "fluss.eml"
    assert facts["Also stored as"] == "fluss again.eml"


# The original

ODD = 'a "quoted" name; é.txt'


def saved(client: FlaskClient, link: str) -> TestResponse:
    """What a browser gets to save."""
    with client.get(link) as reply:
        assert reply.status_code == 200, reply.text
        assert reply.data
        return reply


def test_the_original_of_an_upload_is_saved_and_never_shown(client: FlaskClient) -> None:
    data = b"<script>alert(1)</script> Herons nest by the canal."
    client.post("/documents", data={"file": [(io.BytesIO(data), "heron.html")]})
    (link,) = see(client, "/documents/4").xpath("//a[@download]/@href")
    reply = saved(client, link)
    assert reply.data == data
    assert reply.mimetype == "application/octet-stream"
    assert reply.headers["Content-Disposition"] == "attachment; filename=heron.html"
    assert reply.headers["Content-Security-Policy"] == "sandbox"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_original_of_a_file_is_saved_while_it_is_what_was_read(
    client: FlaskClient, home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "folder" / ODD
    file.parent.mkdir()
    file.write_text("Herons nest by the canal.")
    home.indexer.index([file.parent], quiet)
    (link,) = see(client, "/documents/4").xpath("//a[@download]/@href")
    reply = saved(client, link)
    assert reply.text == "Herons nest by the canal."
    assert reply.headers["Content-Disposition"].startswith("attachment; ")

    file.write_text("Secrets nest by the canal")  # as long as it was
    file.write_text("Robins nest by the canal.")
    assert "no longer the file that was read" in words(see(client, link, 404))
    file.write_text("Something else.")
    assert not see(client, "/documents/4").xpath("//a[@download]")
    file.unlink()
    see(client, link, 404)
    (tmp_path / "elsewhere").write_text("Herons nest by the canal.")
    file.symlink_to(tmp_path / "folder")  # a folder is no file
    see(client, link, 404)


def test_a_document_within_an_archive_gives_the_archive(client: FlaskClient, home: Home) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("inner/heron.txt", "Herons nest by the canal.")
    data = held.getvalue()
    client.post("/documents", data={"file": [(io.BytesIO(data), "birds.zip")]})
    reply = saved(client, "/documents/4/original")
    assert reply.data == data
    assert reply.headers["Content-Disposition"] == "attachment; filename=birds.zip"


def test_a_document_that_was_sent_as_text_has_no_original(client: FlaskClient) -> None:
    assert not see(client, "/documents/1").xpath("//a[@download]")
    assert "not there any more" in words(see(client, "/documents/1/original", 404))
    see(client, "/documents/99/original", 404)


# Links


def test_a_link_leads_on_to_the_document_that_came_back_under_the_name(
    client: FlaskClient, home: Home
) -> None:
    query = {"quote": LAKE, "start": 0, "uri": "otters", "q": "otters", "_external": "1"}
    text = home_text(home, 1)
    client.post("/documents/1/remove")
    see(client, "/documents/1", 404, **query)
    home.indexer.add([Given("otters", text)])
    reply = client.get("/documents/1", query_string=query or None)
    assert reply.status_code == 302
    assert reply.headers["Location"].startswith("/documents/4?")
    assert see(client, reply.headers["Location"]).xpath("//mark[@id='cited']")
    see(client, "/documents/999", 404, uri="otters")  # there never was such a document
