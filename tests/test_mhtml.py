"""Saved pages: the page is found among its parts and decoded as its headers say."""

from __future__ import annotations

from contextlib import suppress
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from content import ARTICLE, RUSSIAN, check, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import read


def saved(*parts: MIMEText, **headers: str) -> bytes:
    message = MIMEMultipart("related", type="text/html", **headers)
    message["From"] = "<Saved by Blink>"
    message["Snapshot-Content-Location"] = "https://example.org/"
    message["Subject"] = "=?utf-8?q?Gem=C3=BCse?="
    message["Date"] = "Thu, 28 Apr 2016 23:30:00 +0400"
    for part in parts:
        message.attach(part)
    return message.as_bytes()


def page(words: str, charset: str = "utf-8", head: str = "") -> MIMEText:
    return MIMEText(f"<html><head>{head}</head><body><p>{words}</p></body></html>", "html", charset)


@pytest.mark.parametrize("name", ["a.mhtml", "a.mht", "a.eml", "a.txt", "a"])
def test_saved_page_is_the_page(name: str) -> None:
    content = read(saved(MIMEText(ARTICLE, "html", "utf-8"), MIMEText("p {}", "css")), name)
    check(content)
    assert (content.type, content.title, content.published, content.language) == (
        "html",
        "Wind in the hall",
        "2016-04-28",
        "az",
    )
    assert content.text == read(ARTICLE.encode(), "a.html").text


@pytest.mark.parametrize("charset", ["utf-8", "windows-1251", "koi8-r"])
@pytest.mark.parametrize("head", ["", '<meta charset="iso-8859-1">'])
def test_headers_know_the_charset(charset: str, head: str) -> None:
    content = read(saved(page(RUSSIAN, charset, head)), "a.mht")
    assert content.text == RUSSIAN
    assert content.title == "Gemüse"


def test_without_a_charset_the_page_says_it() -> None:
    part = page(RUSSIAN, "koi8-r", '<meta charset="koi8-r">')
    part.set_param("charset", "x-user-defined")
    assert read(saved(part), "a.mht").text == RUSSIAN


def test_root_is_the_part_named_as_start() -> None:
    frame, root = page("a frame"), page("the page")
    root["Content-ID"] = "<root@x>"
    assert read(saved(frame, root, start="<root@x>"), "a").text == "the page"
    assert read(saved(frame, root), "a").text == "a frame"


def test_empty_frame_gives_way_to_what_it_shows() -> None:
    assert read(saved(page(""), page("shown")), "a").text == "shown"


def test_mail_with_pictures_stays_mail() -> None:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message["To"] = "b@example.org"
    message.set_content("<p>Dear all</p>", "html")
    message.add_related(b"GIF89a", "image", "gif")
    assert message.get_content_type() == "multipart/related"
    assert read(message.as_bytes(), "a.mht").type == "mail"


def test_refusals() -> None:
    assert refusal(saved(page("")), "a.mht").startswith("no text")
    assert refusal(saved(MIMEText("text/html", "plain")), "a.mht").startswith("damaged")


@settings(deadline=None)
@given(st.floats(0, 1), st.binary(max_size=20))
def test_damaged_pages_are_read_or_refused(place: float, put: bytes) -> None:
    whole = saved(page(RUSSIAN, "koi8-r"), page("more"))
    at = int(place * len(whole))
    for data in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        with suppress(Unreadable):
            check(read(data, "a.mht"))
