"""The reason for which a file of a kind that is not read is refused."""

from __future__ import annotations

import re

from index.errors import Unreadable
from index.readers import compound
from index.readers.encoding import is_binary

_ZIP = b"PK\x03\x04"
# Kinds of compound files that no library under a free licence reads ([MS-DOC], [MS-PPT] …).
_COMPOUND = {
    "doc": "a Word document of before 2007 (.doc): save it as .docx",
    "ppt": "a PowerPoint presentation of before 2007 (.ppt): save it as .pptx",
    "msg": "an Outlook item that cannot be read: save it as .eml",
    "vsd": "a Visio drawing: save it as PDF",
    "pub": "a Publisher document: save it as PDF",
    "": "an old Office file (.doc, .xls, .ppt or the like): save it as .docx, .xlsx or PDF",
}
_ZIPPED = {
    "docx": "a complete Word document",
    "slides": "a complete presentation",
    "sheet": "a complete spreadsheet",
    "odt": "a complete OpenDocument text",
    "epub": "a complete EPUB book",
}
_WORKSHEET = "an Excel worksheet of before 1993: save it as .xlsx"

_HEAD = 1000  # bytes in which XML names its program
_PROGRAM = re.compile(rb'<\?mso-application\s+progid="(Word.Document|Excel.Sheet)"')
_OFFICE_2003 = {
    b"Word.Document": "a Word 2003 XML document: save it as .docx",
    b"Excel.Sheet": "an Excel 2003 XML workbook: save it as .xlsx",
}

_SIGNATURES = (
    (b"\x89PNG\r\n", "an image (PNG), not text"),
    (b"\xff\xd8\xff", "an image (JPEG), not text"),
    (b"GIF8", "an image (GIF), not text"),
    (b"II*\0", "an image (TIFF), not text"),
    (b"MM\0*", "an image (TIFF), not text"),
    (b"\x7fELF", "a program, not text"),
    (b"MZ\x90", "a program, not text"),
    (b"%!PS", "a PostScript file, which is not supported: convert it to PDF"),
    (b"\x1f\x8b", "a compressed file (gzip): unpack it"),
    (b"Rar!\x1a", "a compressed archive (RAR): unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive (7z): unpack it"),
    (b"PK\x03\x04", "a ZIP archive or a document of an unsupported kind: unpack it or save as PDF"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xffWPC", "a WordPerfect document: save it as .docx"),
    (b"\xdb\xa5", "a Word document of before 1997 (.doc): save it as .docx"),
    *((bytes((9, version)), _WORKSHEET) for version in (2, 4)),  # BOF of BIFF3 and BIFF4
)


def refuse(data: bytes, expected: str) -> None:
    """Raise ``Unreadable`` when ``data`` is no text; ``expected`` is the kind its name promised."""
    if data.startswith(compound.SIGNATURE):
        compound.refuse_encrypted(data)
        raise Unreadable(f"unsupported: {_COMPOUND.get(compound.kind(data), _COMPOUND[''])}")
    for signature, reason in _SIGNATURES:
        if data.startswith(signature):
            if signature == _ZIP and expected in _ZIPPED:
                raise Unreadable(f"damaged: not {_ZIPPED[expected]}")
            raise Unreadable(f"unsupported: {reason}")
    if named := _PROGRAM.search(data[:_HEAD]):
        raise Unreadable(f"unsupported: {_OFFICE_2003[named.group(1)]}")
    if is_binary(data):
        promised = "" if expected == "text" else f" and not {expected}"
        raise Unreadable(f"unsupported: it holds binary data, not text{promised}")
