"""Readers at their public surface: what decides on one, and any input."""

from __future__ import annotations

from contextlib import suppress

import pytest
from content import (
    ARTICLE,
    check,
    mail_message,
    pdf_file,
    refusal,
    set_lines,
    word_document,
)
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import read


@pytest.mark.parametrize(
    ("data", "type"),
    [
        (pdf_file(set_lines("Some text in it.")), "pdf"),
        (word_document(), "docx"),
        (ARTICLE.encode(), "html"),
        (ARTICLE.encode("utf-16"), "html"),
        (b'<?xml version="1.0"?>\n<!-- note -->\n<html><body><p>Text</p></body></html>', "html"),
        (mail_message().as_bytes(), "mail"),
        (b"Just some words.", "text"),
    ],
)
@pytest.mark.parametrize("name", ["file", "file.txt", "file.pdf", "file.docx"])
def test_content_decides_over_name(data: bytes, type: str, name: str) -> None:
    content = read(data, name)
    check(content)
    assert content.type == type


def test_name_decides_between_texts() -> None:
    data = b"# Words\n\nFrom *us* <b>all</b>."
    assert {read(data, f"a.{s}").type for s in ("md", "txt", "html", "eml")} == {
        "markdown",
        "text",
        "html",
        "mail",
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \r\n\0\t", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image"),
        (b"\x7fELF\2\1\1\0" + bytes(50), "program"),
        (bytes(range(256)) * 8, "binary"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office file"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.docx", "a.pdf", "a"])
def test_refusal_says_what_it_is(data: bytes, words: str, name: str) -> None:
    assert words in refusal(data, name)


# --- Any input -------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "a.txt", "a.md", "a.html", "a.eml", "a.pdf", "a.docx"])
MARKUP = st.lists(
    st.sampled_from(
        "<p> </p> <ul> <li> </ul> <table> <tr> <td> <h2> </h2> <br> <pre> <div> </div> <b> & | # "
        "- 1. > ``` * [ ]( ) \n \n\n a word Title: --- \x00 \x85 \ud800 é".split(" ")
    ),
    max_size=40,
).map(" ".join)
WHOLE = {
    "a.pdf": pdf_file(set_lines("Some text", "and more."), set_lines("Second page.")),
    "a.docx": word_document(),
    "a.eml": mail_message().as_bytes(),
    "a.html": ARTICLE.encode(),
}


def check_read(data: bytes, name: str) -> None:
    with suppress(Unreadable):
        check(read(data, name))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), MARKUP), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]), NAMES)
@example("\ufeff\xad\x1b[0m", "utf-8", "a.txt")
def test_any_text_is_read_or_refused(text: str, encoding: str, name: str) -> None:
    check_read(text.encode(encoding, "surrogatepass"), name)


@settings(deadline=None)
@given(
    st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"<html>", b"From: a\nTo: b\n", b"---\n"]),
    st.binary(),
    NAMES,
)
def test_any_bytes_are_read_or_refused(start: bytes, rest: bytes, name: str) -> None:
    check_read(start + rest, name)


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.binary(max_size=20))
def test_cut_and_overwritten_files_are_read_or_refused(
    name: str, place: float, bytes_put: bytes
) -> None:
    whole = WHOLE[name]
    at = int(place * len(whole))
    check_read(whole[:at], name)
    check_read(whole[:at] + bytes_put + whole[at + len(bytes_put) :], name)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1))
def test_plain_text_loses_no_word(words: list[str]) -> None:
    content = read(" ".join(words).encode(), "a.txt")
    assert content.text.split() == words
