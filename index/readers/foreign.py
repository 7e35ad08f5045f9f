"""The reason for which a file of a kind that is not read is refused."""

from __future__ import annotations

from index.errors import Unreadable
from index.readers.encoding import is_binary

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # [MS-CFB]: Office files before 2007, and encrypted ones
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # [MS-OFFCRYPTO] 2.3.4.4

_SIGNATURES = (
    (b"\x89PNG\r\n", "an image (PNG), not text"),
    (b"\xff\xd8\xff", "an image (JPEG), not text"),
    (b"GIF8", "an image (GIF), not text"),
    (b"II*\0", "an image (TIFF), not text"),
    (b"MM\0*", "an image (TIFF), not text"),
    (b"\x7fELF", "a program, not text"),
    (b"MZ\x90", "a program, not text"),
    (b"{\\rtf", "an RTF document, which is not supported: save it as .docx"),
    (b"%!PS", "a PostScript file, which is not supported: convert it to PDF"),
    (b"\x1f\x8b", "a compressed file (gzip): unpack it"),
    (b"Rar!\x1a", "a compressed archive (RAR): unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a compressed archive (7z): unpack it"),
    (b"PK\x03\x04", "a ZIP archive or a document of an unsupported kind: unpack it or save as PDF"),
    (b"PK\x05\x06", "an empty ZIP archive"),
)


def refuse(data: bytes, expected: str) -> None:
    """Raise ``Unreadable`` when ``data`` is no text; ``expected`` is the kind its name promised."""
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise Unreadable("encrypted: save it without a password")
        raise Unreadable("an old Office file (.doc, .xls, .ppt or .msg): save it as .docx or PDF")
    for signature, reason in _SIGNATURES:
        if data.startswith(signature):
            cut = expected == "docx" and signature == b"PK\x03\x04"
            raise Unreadable("damaged: not a complete Word document" if cut else reason)
    if is_binary(data):
        promised = "" if expected == "text" else f" and not {expected}"
        raise Unreadable(f"it holds binary data, not text{promised}")
