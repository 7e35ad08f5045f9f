"""Old Office files: sheets are read, and the rest is refused by what it is."""

from __future__ import annotations

import struct

import pytest
from office import WORD_HEAD, blocks, compound, refusal, xls_stream

from index.readers import read


def test_xls_is_read() -> None:
    content = read(compound(Workbook=xls_stream()), "a.doc")
    assert content.type == "sheet"
    assert blocks(content) == [("heading1", "Halls"), ("row", "Seats | 400")]


POINT_HEAD = struct.pack("<III", 0, 0, 0x14)


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ({"WordDocument": WORD_HEAD}, "unsupported: a Word document of before 2007"),
        ({"PowerPoint_Document": b"", "Current_User": POINT_HEAD}, "unsupported: a PowerPoint"),
        ({"Something": b""}, "unsupported: an old Office file"),
        ({"WordDocument": WORD_HEAD[:10] + b"\0\1"}, "encrypted: save it without a password"),
        (
            {"PowerPoint_Document": b"", "Current_User": POINT_HEAD + b"\xdf\xc4\xd1\xf3"},
            "encrypted: save it without a password",
        ),
        ({"Workbook": xls_stream(locked=True)}, "encrypted: save it without a password"),
        ({"EncryptedPackage": b"", "EncryptionInfo": b""}, "encrypted: save it without a password"),
        ({"WordDocument": WORD_HEAD, "\tDRMContent": b""}, "encrypted: its rights are managed"),
        ({"Workbook": b"\x09\x08\xff\xff"}, "damaged"),
    ],
)
@pytest.mark.parametrize("name", ["a.doc", "a.docx", "a.txt"])
def test_compound_files_are_refused_by_what_they_are(
    streams: dict[str, bytes], reason: str, name: str
) -> None:
    assert refusal(compound(**streams), name).startswith(reason)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b'<?xml version="1.0"?>\n<?mso-application progid="Word.Document"?><w/>',
            "save it as .docx",
        ),
        (
            b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><w/>',
            "save it as .xlsx",
        ),
        (b"\x09\x04\x06\0\0\0\x10\0", "save it as .xlsx"),
        (b"\xffWPC\x10\0\0\0", "WordPerfect"),
    ],
)
def test_older_files_are_refused_by_what_they_are(data: bytes, words: str) -> None:
    reason = refusal(data, "a.doc")
    assert reason.startswith("unsupported")
    assert words in reason
