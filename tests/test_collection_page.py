"""The page of the collection: its table, what is undone, and what could not be read."""

from __future__ import annotations

import io
import json
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

from index.changes import Changes, Failed
from index.errors import KhazriError
from index.home import Home
from index.originals import Removal, removal
from web.failures import kind_of


@pytest.fixture
def home(tmp_path: Path, cheap: CheapEncoder) -> Iterator[Home]:
    """Three small documents, sent as text."""
    with small_home(tmp_path, cheap) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    """A client over three small documents."""
    return client_of(home)


@pytest.fixture
def folder(home: Home, tmp_path: Path) -> Path:
    """A folder that is indexed: a file, and an archive of two."""
    place = tmp_path / "folder"
    place.mkdir()
    (place / "heron.txt").write_text("Herons nest by the canal.")
    with zipfile.ZipFile(place / "birds.zip", "w") as archive:
        archive.writestr("owl.txt", "Owls sleep in the church tower.")
        archive.writestr("wren.txt", "Wrens sing in the hedge.")
    home.indexer.index([place], quiet)
    return place


def tree(reply: TestResponse, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return html.fromstring(reply.text)


def see(client: FlaskClient, path: str = "/documents", **query: Any) -> Any:
    return tree(client.get(path, query_string=query or None))


def words(found: Any) -> str:
    (node,) = found.xpath("//main") if found.tag == "html" else [found]
    return " ".join(node.text_content().split())


def titles(page: Any) -> list[str]:
    return [link.text for link in page.xpath("//tbody/tr/th/a")]


# The table


def test_the_table_is_sorted_by_links(client: FlaskClient) -> None:
    page = see(client)
    by = {link.text: link.get("href") for link in page.xpath("//thead//a")}
    assert set(by) == {"Title", "Date", "Changed"}
    assert page.xpath("//th[@aria-sort='descending']/a/text()") == ["Changed"]
    ascending = see(client, by["Title"])
    assert titles(ascending) == sorted(titles(page))
    (back,) = ascending.xpath("//th[@aria-sort='ascending']/a/@href")
    assert titles(see(client, back)) == sorted(titles(page), reverse=True)
    assert titles(see(client, by["Date"]))[-1] == "A concert in the granary"  # it has none
    assert len(titles(see(client, order="; DROP TABLE documents"))) == 3


def test_the_table_is_narrowed_and_searched(client: FlaskClient, folder: Path) -> None:
    page = see(client, source="folder")
    assert set(titles(page)) == {"heron", "owl", "wren"}
    assert page.xpath("//select[@name='source']/option[@selected]/text()") == ["folder (3)"]
    assert titles(see(client, source="folder", q="owl")) == ["owl"]
    assert len(titles(see(client, type="text"))) == 6
    none = see(client, type="pdf")
    assert "No document is of that source and type" in words(none)
    assert "/documents" in none.xpath("//main//a/@href")


def test_the_status_tells_what_is_found_under_another_name(client: FlaskClient) -> None:
    files = [(io.BytesIO(b"Herons nest by the canal."), f"{name}.txt") for name in "ab"]
    client.post("/documents", data={"file": files})
    first, second = (see(client, q=f"{name}.txt").xpath("//tbody/tr")[0] for name in "ab")
    assert "Searchable" in words(first)
    assert "1 passage" in words(first)
    (link,) = second.xpath("./td//a[text()='Same text as another']/@href")
    assert link == first.xpath("./th/a/@href")[0]


# Removing and bringing back


def removed(client: FlaskClient, q: str) -> Any:
    """The page after the first document that is found was removed."""
    action = see(client, q=q).xpath("//tbody/tr[1]//form/@action")[0]
    reply = client.post(action)
    assert reply.status_code == 303
    return see(client, reply.headers["Location"])


def undo(client: FlaskClient, page: Any, status: int = 303) -> TestResponse:
    (form,) = page.xpath("//form[@role='status']")
    fields = {field.get("name"): field.get("value") for field in form.xpath(".//input")}
    reply = client.post(form.get("action"), data=fields)
    assert reply.status_code == status, reply.text
    return reply


def test_an_upload_comes_back_from_its_original(client: FlaskClient) -> None:
    data = {"file": [(io.BytesIO(b"Herons nest by the canal."), "heron.txt")]}
    client.post("/documents", data=data)
    page = removed(client, "heron")
    assert "heron.txt” was removed" in words(page)
    assert not titles(page)
    back = see(client, undo(client, page).headers["Location"])
    assert "Back again: heron" in words(back)
    assert titles(back) == ["heron"]
    assert "Herons nest" in words(see(client, "/", q="herons"))
    assert "nothing to bring back" in words(tree(undo(client, page, 404), 404))


def test_a_file_comes_back_and_is_read_again_later(
    client: FlaskClient, home: Home, folder: Path
) -> None:
    page = removed(client, "heron")
    assert home.indexer.sync(quiet).added == 0  # it stays away
    undo(client, page)
    assert titles(see(client, q="heron")) == ["heron"]
    done = home.indexer.sync(quiet)
    assert (done.added, done.removed) == (0, 0)
    removed(client, "heron")
    (folder / "heron.txt").unlink()
    gone = removal(home.store, "folder", str(folder / "heron.txt"))
    assert gone
    with pytest.raises(KhazriError, match="its file is gone"):
        home.indexer.restore(gone)


def test_one_of_an_archive_comes_back_alone(client: FlaskClient, home: Home, folder: Path) -> None:
    first, second = removed(client, "owl"), removed(client, "wren")
    undo(client, first)
    assert set(titles(see(client, source="folder"))) == {"heron", "owl"}
    undo(client, second)
    assert set(titles(see(client, source="folder"))) == {"heron", "owl", "wren"}
    with zipfile.ZipFile(folder / "birds.zip", "w") as archive:
        archive.writestr("wren.txt", "Wrens sing in the hedge.")
    page = removed(client, "owl")
    assert "not in its file any more" in words(tree(undo(client, page, 500), 500))


def test_a_line_of_json_comes_back(client: FlaskClient, home: Home, tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"id": "swan", "text": "Swans winter on the pond."}))
    home.indexer.index([lines], quiet, jsonl=True)
    undo(client, removed(client, "swan"))
    assert "swan" in words(see(client, q="swan").xpath("//tbody")[0])


def test_what_was_sent_as_text_asks_first_and_offers_no_undo(
    client: FlaskClient, home: Home
) -> None:
    (details,) = see(client, q="granary").xpath("//tbody//details")
    assert "can’t be undone" in words(details)
    page = removed(client, "granary")
    assert "was removed" in words(page)
    assert not page.xpath("//button[text()='Undo']")
    gone = removal(home.store, "api", "choir")
    assert gone
    with pytest.raises(KhazriError, match="its file is gone"):
        home.indexer.restore(gone)


def test_only_what_was_removed_is_brought_back(
    client: FlaskClient, home: Home, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("Nobody asked for this.")
    for fields in ({}, {"of": "uploads", "uri": str(secret)}, {"of": "folder", "uri": "../x"}):
        tree(client.post("/documents/restore", data=fields), 404)
    headers = {"Origin": "https://evil.example"}
    tree(client.post("/documents/restore", data={"of": "api"}, headers=headers), 403)
    assert "was removed" not in words(see(client, removed=str(secret), of="uploads"))
    assert isinstance(removal(home.store, "api", "otters"), Removal | None)


def test_removing_keeps_what_was_looked_for(client: FlaskClient, folder: Path) -> None:
    page = see(client, source="folder", order="title")
    reply = client.post(page.xpath("//tbody/tr[1]//form/@action")[0])
    assert "source=folder" in reply.headers["Location"]
    assert titles(see(client, reply.headers["Location"])) == ["owl", "wren"]


# What could not be read


def test_failures_are_grouped_with_what_to_do_and_paged(client: FlaskClient, home: Home) -> None:
    reasons = ["encrypted: save it without a password", "empty: the file holds no text"]
    failures = [Failed(1, f"/f/{n}.pdf", reasons[n % 2]) for n in range(240)]
    home.store.apply(Changes(failures=failures), home.encoder.identity)
    (section,) = see(client).xpath("//section[@aria-labelledby='failures']")
    assert section.xpath("./h3/text()") == ["Locked ", "Empty "]
    assert "save a copy without one" in words(section)
    assert len(section.xpath(".//li")) == 10
    (more, _) = section.xpath("./p/a[starts-with(@href, '/documents/unread/')]/@href")
    page = see(client, more)
    assert len(page.xpath("//tbody/tr")) == 100
    assert len(see(client, more, page=2).xpath("//tbody/tr")) == 20
    assert "No file failed" in words(tree(client.get("/documents/unread/damaged"), 404))


@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("no text: there is nothing to read in it", "pictures"),
        ("unsupported: an image (PNG), not text", "unsupported"),
        ("damaged: it is not a complete PDF", "damaged"),
        ("too large: it has over 256 MB; split it", "large"),
        ("too slow: reading it took over 30 seconds", "slow"),
        ("can't be read: Permission denied", "refused"),
        ("the folder can't be read: Permission denied", "refused"),
        ("not a line of JSON", "other"),
    ],
)
def test_each_reason_has_something_to_do(reason: str, key: str) -> None:
    assert kind_of(reason).key == key
    assert kind_of(reason).advice


def test_an_upload_that_fails_is_told_what_to_do(client: FlaskClient) -> None:
    page = tree(client.post("/documents", data={"file": [(io.BytesIO(b""), "no.txt")]}))
    assert "save it again" in words(page.xpath("//section[@id='outcomes']")[0])
