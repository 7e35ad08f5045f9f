"""Bombs: small files that want to become large, slow or deep. Each costs itself alone.

They are read as every file is, by a process of its own. The process that asks keeps its size.
"""

from __future__ import annotations

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from office import SPACES, para
from office import zipped as office
from test_archives import zip_file
from test_epub import book

from index.readers import inside
from index.readers.process import Process

PROSE = "The ferry to Skarrow leaves at nine o'clock every morning of the week, in any weather."
MB = 1 << 20


LAUGHS = (
    '<!DOCTYPE r [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 20}">' for n in range(12))
    + "]>"
)


def swollen(name: str, **rest: bytes | str) -> bytes:
    """A ZIP in which one part unpacks to more than is read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for other, data in rest.items():
            archive.writestr(other, data)
        with archive.open(name, "w", force_zip64=True) as part:
            for _ in range(27):
                part.write(bytes(10 * MB))
    return out.getvalue()


def within(data: bytes, depth: int, width: int = 1) -> bytes:
    """An archive of archives of archives …"""
    for _ in range(depth):
        data = zip_file({f"{n}.zip": data for n in range(width)})
    return data


def pdf_of(stream: bytes, more: str = "/Filter /FlateDecode", kids: str = "3 0 R") -> bytes:
    """A PDF of one page, whose content is this stream."""
    head = (
        "%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        f"2 0 obj\n<< /Type /Pages /Kids [{kids}] /Count 1 >>\nendobj\n"
        "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>\nendobj\n"
        f"4 0 obj\n<< /Length {len(stream)} {more} >>\nstream\n"
    )
    return head.encode() + stream + b"\nendstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"


def forwarded(depth: int) -> bytes:
    """A mail within a mail within a mail …"""
    head = b"Subject: A\nMIME-Version: 1.0\nContent-Type: message/rfc822\n\n"
    return head * depth + b"Subject: The last\n\n" + PROSE.encode()


def parted(depth: int) -> bytes:
    """A mail whose parts have parts which have parts …"""
    parts = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )
    return b"From: a@b.example\nSubject: A\nMIME-Version: 1.0\n" + parts + b"\n" + PROSE.encode()


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "docx": ("a.docx", lambda: swollen("word/document.xml")),
    "xlsx": ("a.xlsx", lambda: swollen("xl/workbook.xml")),
    "pptx": ("a.pptx", lambda: swollen("ppt/presentation.xml")),
    "odt": (
        "a.odt",
        lambda: swollen("content.xml", mimetype="application/vnd.oasis.opendocument.text"),
    ),
    "zip": ("a.zip", lambda: swollen("a.txt")),
    "gzip": ("a.gz", lambda: gzip.compress(bytes(270 * MB), 1)),
    "gzip of gzip": ("a.gz", lambda: gzip.compress(gzip.compress(bytes(270 * MB), 1))),
    "zips 50 deep": ("a.zip", lambda: within(PROSE.encode(), 50)),
    "6 zips in each of 6 in each of 6 …": (
        "a.zip",
        lambda: within(zip_file({"a": bytes(MB)}), 5, 6),
    ),
    "entities in docx": (
        "a.docx",
        lambda: office(
            {
                "word/document.xml": f"{LAUGHS}<w:document {SPACES}><w:body>{para('&a12;')}"
                f"{para(PROSE)}</w:body></w:document>"
            }
        ),
    ),
    "entities in epub": (
        "a.epub",
        lambda: book(more={"OEBPS/text/first.xhtml": f"{LAUGHS}<html><p>&a12;</p></html>"}),
    ),
    "entities in html": ("a.html", lambda: f"{LAUGHS}<html><p>&a12;</p></html>".encode()),
    "aliases in yaml": (
        "a.md",
        lambda: (
            "---\na0: &a0 [x, x]\n"
            + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 20}]\n" for n in range(12))
            + f"title: *a12\n---\n{PROSE}"
        ).encode(),
    ),
    "pdf of one long stream": ("a.pdf", lambda: pdf_of(zlib.compress(bytes(200 * MB), 1))),
    "pdf of a stream in a stream": (
        "a.pdf",
        lambda: pdf_of(
            zlib.compress(zlib.compress(bytes(200 * MB), 1)),
            "/Filter [/FlateDecode /FlateDecode]",
        ),
    ),
    "pdf of many strokes": ("a.pdf", lambda: pdf_of(zlib.compress(b"0 0 m 1 1 l S\n" * 2_000_000))),
    "pdf whose pages are their own": ("a.pdf", lambda: pdf_of(b"", "", "2 0 R 2 0 R 1 0 R")),
    "pdf whose table leads to itself": (
        "a.pdf",
        lambda: b"%PDF-1.7\nxref\n0 0\ntrailer\n<< /Prev 9 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n",
    ),
    "mails 1,000 deep": ("a.eml", lambda: forwarded(1_000)),
    "parts 1,000 deep": ("a.eml", lambda: parted(1_000)),
    "a mail of 20,000 parts": (
        "a.eml",
        lambda: (
            b"Subject: A\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=c\n\n"
            + b"--c\nContent-Type: text/plain\n\nx\n" * 20_000
            + b"--c--\n"
        ),
    ),
    "rtf groups": ("a.rtf", lambda: rb"{\rtf1 " + b"{" * 2_000_000 + PROSE.encode()),
    "html tags": ("a.html", lambda: b"<html><body>" + b"<div>" * 1_000_000 + PROSE.encode()),
    "html attributes": ("a.html", lambda: b"<html><body><p " + b"a=b " * 1_000_000 + b">text"),
    "json": ("a.json", lambda: b"[" * 5_000_000),
    "csv": ("a.csv", lambda: b"a," * 2_000_000 + b"\n" + b"1," * 2_000_000),
    "markdown quotes": ("a.md", lambda: b"> " * 200_000 + PROSE.encode()),
    "markdown brackets": ("a.md", lambda: b"# A\n\n" + b"[" * 50_000 + b"](" * 50_000),
    "rst": ("a.rst", lambda: b"".join(b" " * n + b"* a\n\n" for n in range(1_000))),
}
GROWTH = 128 * MB  # that the asking process may have taken: the parts, until they are let go
LIMIT = 4 << 30


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    """A process that reads, with little time."""
    reading = Process(seconds=2, memory=LIMIT)
    yield reading
    reading.close()


@pytest.mark.parametrize(("name", "made"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_costs_itself_alone(process: Process, name: str, made: Callable[[], bytes]) -> None:
    data = made()
    before = resident()
    read = sum(
        len(part.content.text) if part.content else bool(part.reason)
        for part in process.parts(data, name)
    )
    assert 0 < read < 16 * MB
    assert resident() - before < GROWTH
    if process._child is not None:
        assert highest(process._child.pid) <= LIMIT
    assert [part.content is not None for part in process.parts(PROSE.encode(), "a.txt")] == [True]


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def highest(pid: int) -> int:
    """Bytes of addresses that a process has had at most."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition("VmPeak:")[2].split()[0]) << 10


def test_however_many_files_lie_within_one_there_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "FILES", 100)
    found = list(inside.parts(within(zip_file({"a.txt": PROSE.encode()}), 3, 8), "a.zip"))
    assert len(found) <= 100 + inside.DEPTH
    assert found[-1].reason.startswith("too many files")
    assert sum(part.reason.startswith("too many files") for part in found) <= inside.DEPTH
