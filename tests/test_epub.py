"""Electronic books: chapters in the order of the spine, and what the book says of itself."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from io import BytesIO

import pytest
from content import blocks, check, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import epub, read

CONTAINER = (
    '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
)
FACTS = (
    "<dc:title>The Hall</dc:title><dc:title>A subtitle</dc:title><dc:creator>Ann</dc:creator>"
    "<dc:creator>Bob</dc:creator><dc:language>en-GB</dc:language><dc:date>2016-04-28</dc:date>"
    '<meta property="dcterms:modified">2017-01-02T03:04:05Z</meta>'
)
SPINE = (("nav.xhtml", "nav"), ("text/second.xhtml", ""), ("text/first%20one.xhtml", ""))
FILES = {
    "OEBPS/nav.xhtml": "<html><body><nav><ol><li>Contents</li></ol></nav></body></html>",
    "OEBPS/text/first one.xhtml": "<html><head><title/></head><body><h1>One</h1><p>a&nbsp;b</p>"
    '<a id="x"/><table><tr><td>k</td><td>v</td></tr></table></body></html>',
    "OEBPS/text/second.xhtml": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'
    "<body><h2>Zwei</h2><ul><li>Übung</li></ul></body></html>",
    "OEBPS/text/unused.xhtml": "<p>in no spine</p>",
}


def package(facts: str = FACTS, spine: tuple[tuple[str, str], ...] = SPINE) -> str:
    items = "".join(
        f'<item id="i{n}" href="{href}" media-type="application/xhtml+xml" properties="{kind}"/>'
        for n, (href, kind) in enumerate(spine)
    )
    order = "".join(f'<itemref idref="i{n}"/>' for n in range(len(spine)))
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        f' xmlns:opf="http://www.idpf.org/2007/opf"><metadata>{facts}</metadata>'
        f"<manifest>{items}</manifest><spine>{order}</spine></package>"
    )


def book(opf: str | None = None, more: dict[str, str] | None = None) -> bytes:
    files = {"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": opf or package(), **FILES}
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, text in {**files, **(more or {})}.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_chapters_in_the_order_of_the_spine() -> None:
    content = read(book(), "a.zip")
    check(content)
    assert blocks(content) == [
        ("heading2", "Zwei"),
        ("item", "Übung"),
        ("heading1", "One"),
        ("paragraph", "a b"),
        ("row", "k | v"),
    ]
    assert (content.type, content.title, content.published, content.language) == (
        "epub",
        "The Hall",
        "2016-04-28",
        "en-GB",
    )
    assert content.metadata == {"author": "Ann, Bob", "changed": "2017-01-02"}


@pytest.mark.parametrize(
    ("dates", "published", "metadata"),
    [
        ("<dc:date>1949</dc:date>", "1949", {}),
        (
            '<dc:date opf:event="creation">2001-02-03</dc:date>'
            '<dc:date opf:event="publication">2002-03</dc:date>'
            '<dc:date opf:event="modification">2003-04-05</dc:date>',
            "2002-03",
            {"created": "2001-02-03", "changed": "2003-04-05"},
        ),
        ("<dc:date>some day</dc:date>", None, {}),
    ],
)
def test_dates(dates: str, published: str | None, metadata: dict[str, str]) -> None:
    content = read(book(package(dates)), "a.epub")
    assert (content.published, content.metadata) == (published, metadata)


def test_old_table_of_contents_is_left_out() -> None:
    guide = '<guide><reference type="toc" href="nav.xhtml#top"/></guide></package>'
    opf = package(spine=(("nav.xhtml", ""), ("text/second.xhtml", "")))
    assert read(book(opf.replace("</package>", guide)), "a").text == "Zwei\n\nÜbung"


def encryption(way: str, place: str) -> dict[str, str]:
    return {
        "META-INF/encryption.xml": "<encryption><EncryptedData>"
        f'<EncryptionMethod Algorithm="{way}"/><CipherData><CipherReference URI="{place}"/>'
        "</CipherData></EncryptedData></encryption>"
    }


def test_copy_protection_is_told() -> None:
    way = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    locked = book(more=encryption(way, "OEBPS/text/first%20one.xhtml"))
    assert refusal(locked, "a.epub").startswith("encrypted")
    assert read(book(more=encryption(way, "OEBPS/cover.jpg")), "a").title == "The Hall"
    fonts = encryption("http://www.idpf.org/2008/embedding", "OEBPS/text/second.xhtml")
    assert read(book(more=fonts), "a").title == "The Hall"


def test_missing_chapter_leaves_the_others() -> None:
    opf = package(spine=(("gone.xhtml", ""), ("text/second.xhtml", "")))
    assert read(book(opf), "a").text == "Zwei\n\nÜbung"


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    no_package = book(more={"META-INF/container.xml": "<container/>"})
    assert refusal(no_package, "a.epub").startswith("damaged")
    assert refusal(book(package(spine=())), "a.epub").startswith("no text")
    assert refusal(book("not XML"), "a.epub").startswith(("damaged", "no text"))
    monkeypatch.setattr(epub, "_LARGEST", 1500)
    bomb = book(more={"OEBPS/text/second.xhtml": "x" * 100_000})
    assert refusal(bomb, "a.epub").startswith("too large")


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE p [<!ENTITY a "SECRET"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
    content = read(book(bomb + package("<dc:title>x&a;&f;</dc:title>")), "a")
    assert "SECRET" not in content.title
    assert "root" not in content.title


@settings(deadline=None)
@given(st.floats(0, 1), st.binary(max_size=20))
def test_damaged_books_are_read_or_refused(place: float, put: bytes) -> None:
    whole = book()
    at = int(place * len(whole))
    for data in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        with suppress(Unreadable):
            check(read(data, "a.epub"))
