"""Compound files ([MS-CFB]): which old Office program wrote one, and whether it is locked."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from struct import unpack_from
from typing import Any

from olefile import OleFileIO

from index.errors import Unreadable
from index.readers.package import Properties, facts

SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

# By the stream that each kind has, most telling first. Excel 97 writes Workbook, Excel 5 Book.
_KINDS = (
    ("encryptedpackage", "encrypted"),  # [MS-OFFCRYPTO] 2.3.4.4
    ("__properties_version1.0", "msg"),
    ("powerpoint document", "ppt"),
    ("worddocument", "doc"),
    ("workbook", "xls"),
    ("book", "xls"),
    ("visiodocument", "vsd"),
    ("quill", "pub"),
)
_PACKAGE = "EncryptedPackage".encode("utf-16-le")
_DRM = "\tdrmcontent"  # [MS-OFFCRYPTO] 2.2
_PPT_LOCKED = 0xF3D1C4DF  # [MS-PPT] 2.3.2, the headerToken of CurrentUserAtom
_FILE_PASS = 0x2F  # [MS-XLS] 2.4.117
_GLOBALS = 50  # records within which it must stand
_LIST = 0x1000  # [MS-OLEPS] 2.2, VT_VECTOR
_ENCODINGS = {1200: "utf-16-le", 10000: "mac-roman", 65001: "utf-8"}


class _Summaries(OleFileIO):  # type: ignore[misc]
    """Without lists: none is needed, and a damaged one may claim to have billions of members."""

    def _parse_property(self, stream: bytes, at: int, id: int, type: int, *options: object) -> Any:
        return None if type & _LIST else super()._parse_property(stream, at, id, type, *options)


def kind(data: bytes) -> str:
    """What a compound file holds: ``doc``, ``ppt``, ``xls``, ``msg``, ``encrypted`` …

    Empty for another, a damaged one, and for what is no compound file.
    """
    streams = _streams(data)
    return next((kind for name, kind in _KINDS if name in streams), "")


def refuse_encrypted(data: bytes) -> None:
    """Raise ``Unreadable`` where a password or a right is needed to read the file."""
    streams = _streams(data)
    if _DRM in streams:
        raise Unreadable("encrypted: its rights are managed; save it without restrictions")
    locks = {"worddocument": _doc_locked, "current user": _ppt_locked}
    locks |= {"workbook": _xls_locked, "book": _xls_locked}
    damaged = not streams and _PACKAGE in data
    if (
        damaged
        or {"encryptedpackage", "encryptedsummary"} & streams.keys()
        or any(
            locked(_stream(data, streams[name]))
            for name, locked in locks.items()
            if name in streams
        )
    ):
        raise Unreadable("encrypted: save it without a password")


def properties(data: bytes) -> Properties:
    """What the summary of a compound file states ([MS-OLEPS] 3.1)."""
    try:
        with _Summaries(BytesIO(data)) as file:
            stated = file.get_metadata()
    except Exception:  # the document may be whole where its summary is not
        return Properties("", None, None, {})
    created = _day(stated.create_time)
    author = _decoded(stated.author, stated.codepage).replace(";", ",")
    return Properties(
        _decoded(stated.title, stated.codepage),
        created,
        None,
        facts(author, created, _day(stated.last_saved_time)),
    )


def _streams(data: bytes) -> dict[str, str]:
    """The streams and folders at the top, by their names in lower case."""
    if not data.startswith(SIGNATURE):
        return {}
    try:
        with OleFileIO(BytesIO(data)) as file:
            return {path[0].lower(): path[0] for path in file.listdir(streams=True, storages=True)}
    except Exception:  # olefile fails with whatever a damaged file provokes
        return {}


def _stream(data: bytes, name: str) -> bytes:
    try:
        with OleFileIO(BytesIO(data)) as file, file.openstream(name) as stream:
            return bytes(stream.read())
    except Exception:
        return b""


def _doc_locked(stream: bytes) -> bool:
    """[MS-DOC] 2.5.2, fEncrypted."""
    return len(stream) > 12 and bool(unpack_from("<H", stream, 10)[0] & 0x0100)


def _ppt_locked(stream: bytes) -> bool:
    return len(stream) > 16 and unpack_from("<I", stream, 12)[0] == _PPT_LOCKED


def _xls_locked(stream: bytes) -> bool:
    at = 0
    for _ in range(_GLOBALS):
        if at + 4 > len(stream):
            break
        type, size = unpack_from("<HH", stream, at)
        if type == _FILE_PASS:
            return True
        at += 4 + size
    return False


def _decoded(stated: bytes | str | None, page: int | None) -> str:
    if not isinstance(stated, bytes):
        return (stated or "").partition("\0")[0]
    number = (page or 1252) & 0xFFFF
    try:
        return (
            stated.decode(_ENCODINGS.get(number, f"cp{number}"), errors="replace")
            .partition("\0")[0]
            .strip()
        )
    except LookupError:
        return stated.decode("cp1252", errors="replace").partition("\0")[0].strip()


def _day(moment: datetime | None) -> str | None:
    """An ISO date; programs write the year 1601 where there is none."""
    return (
        moment.date().isoformat() if isinstance(moment, datetime) and moment.year > 1900 else None
    )
