"""Outlook items ([MS-OXMSG] on [MS-CFB]), written anew as mail so that ``mail`` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.message import EmailMessage
from email.parser import HeaderParser
from email.policy import SMTP
from email.utils import format_datetime
from io import BytesIO

from compressed_rtf import decompress
from olefile import OleFileIO
from oxmsg.domain import encodings
from oxmsg.properties import Properties
from oxmsg.storage import Storage

from index.errors import Unreadable
from index.readers import mail, rtf
from index.readers.blocks import one_line
from index.readers.encoding import decode
from index.readers.format import Format, Inner
from index.readers.names import single
from index.values import Content

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PROPERTIES = "__properties_version1.0"  # the stream that each item must have ([MS-OXMSG] 2.4)
_DEEPEST = 8  # items within items
_UNICODE, _BYTES, _BINARY, _STORAGE = 0x001F, 0x001E, 0x0102, 0x000D  # types ([MS-OXCDATA] 2.11.1)
# Where the properties begin in that stream ([MS-OXMSG] 2.4.1): of the file, of an item within.
_TOP, _WITHIN = 32, 24

# Properties by their number in [MS-OXPROPS].
_SUBJECT, _BODY, _RTF, _HTML = 0x0037, 0x1000, 0x1009, 0x1013
_HEADERS, _SENDER, _SENDER_ADDRESS, _SENDER_SMTP = 0x007D, 0x0C1A, 0x0C1F, 0x5D01
_SUBMITTED, _DELIVERED, _IN_REPLY_TO = 0x0039, 0x0E06, 0x1042
_NAME, _ADDRESS, _SMTP, _ROLE = 0x3001, 0x3003, 0x39FE, 0x0C15
_DATA, _LONG_NAME, _SHORT_NAME = 0x3701, 0x3707, 0x3704
_MESSAGE_CODEPAGE, _INTERNET_CODEPAGE = 0x3FFD, 0x3FDE
_ROLES = {"To": 1, "Cc": 2}
# What items other than mails say besides their subject and body.
_FACTS = {
    "Company": 0x3A16,
    "Job title": 0x3A17,
    "Business phone": 0x3A08,
    "Home phone": 0x3A09,
    "Mobile phone": 0x3A1C,
    "Business fax": 0x3A24,
    "Address": 0x3A15,
    "Web page": 0x3A51,
}
# Likewise, by the numbers that the file maps to its own ([MS-OXMSG] 2.2.3).
_NAMED_FACTS = {"E-mail": 0x8083, "Where": 0x8208, "Start": 0x820D, "End": 0x820E}
_NAMED = "__nameid_version1.0"
_ENTRIES = "__substg1.0_00030102"


def recognise(data: bytes) -> bool:
    """Say whether the content is a compound file with the properties of an Outlook item."""
    if not data.startswith(_OLE) or _PROPERTIES.encode("utf-16-le") not in data:
        return False
    try:
        with OleFileIO(BytesIO(data)) as ole:
            return bool(ole.exists(_PROPERTIES))
    except Exception:  # olefile fails on damage in many ways
        return False


def read(data: bytes) -> Content:
    """Read an item as the mail that it is: people, date, body and the names of what is attached.

    The plain body counts, else that in HTML, else the one in RTF.
    """
    top = _open(data)
    return mail.read(_Item(top, _TOP, _named(top)).mail(whole=False))


def unpack(data: bytes) -> Iterator[Inner]:
    """The files attached; items within become mails."""
    top = _open(data)
    yield from _Item(top, _TOP, _named(top)).attachments(0)


def _open(data: bytes) -> Storage:
    with OleFileIO(BytesIO(data)) as ole:
        streams = [entry.size for entry in ole.direntries if entry and entry.entry_type == 2]
        if sum(streams) > len(data):  # such streams share their bytes, so that few become many
            raise Unreadable("damaged: its parts are larger than the file")
        return Storage.from_ole(ole)


def _named(top: Storage) -> dict[int, int]:
    """The property's number in this file by its number in the specification."""
    folder = next((inner for inner in top.storages if inner.name == _NAMED), None)
    entries = next((s.bytes_ for s in folder.streams if s.name == _ENTRIES), b"") if folder else b""
    return {
        int.from_bytes(entries[at : at + 4], "little"): 0x8000
        + int.from_bytes(entries[at + 6 : at + 8], "little")
        for at in range(0, len(entries) - 7, 8)
        if not entries[at + 4] & 1  # the others have names in words
    }


class _Item:
    """A message, recipient or attachment: a folder of properties."""

    def __init__(self, folder: Storage, header: int, named: dict[int, int]) -> None:
        self._folder = folder
        self._named = named
        self._streams = {stream.name: stream.bytes_ for stream in folder.streams}
        self._fixed = Properties(folder, header)

    def text(self, number: int) -> str:
        """A property in words. oxmsg would fail on a single wrong byte of any."""
        if (wide := self._stream(number, _UNICODE)) is not None:
            return wide.decode("utf-16-le", errors="replace").rstrip("\0")
        plain = self._stream(number, _BYTES) or b""
        return decode(plain.rstrip(b"\0"), self._charset(_MESSAGE_CODEPAGE))

    def mail(self, depth: int = 0, *, whole: bool) -> bytes:
        """The item as RFC 5322 has it, headers in UTF-8 (RFC 6532).

        Only as a ``whole`` are the bytes of what is attached within.
        """
        if depth > _DEEPEST:
            raise Unreadable(f"too deep: more than {_DEEPEST} mails within each other")
        message = EmailMessage(policy=SMTP)
        body = self._facts() + self.text(_BODY)
        if not self.text(_BODY).strip():
            html = self._html()
            body += "" if html else self._rtf()
            if html:
                message.set_content(_sound(html), subtype="html", charset="utf-8", cte="base64")
        if not message.is_multipart() and message.get_content_type() != "text/html":
            message.set_content(_sound(body), charset="utf-8", cte="base64")
        for attachment in self.attachments(depth, whole=whole):
            message.add_attachment(
                attachment.data,
                maintype="application",
                subtype="octet-stream",
                filename=_sound(attachment.name),
            )
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers() if value)
        return head.encode("utf-8", "replace") + message.as_bytes()

    def attachments(self, depth: int, *, whole: bool = True) -> Iterator[Inner]:
        """What is attached, in its order; without bytes where not asked for as a ``whole``."""
        for number, folder in enumerate(self._folder.iter_attachment_storages(), 1):
            item = _Item(folder, 8, self._named)
            name = single(item.text(_LONG_NAME) or item.text(_SHORT_NAME) or item.text(_NAME))
            message = item._folder_of(_DATA)
            if message is None:
                data = item._stream(_DATA, _BINARY)
                reason = "" if data else "a link to a file that is not in the mail"
                yield Inner(name or f"attachment {number}", (data or b"") if whole else b"", reason)
                continue
            name = f"{name or 'a message'}.eml".replace(".eml.eml", ".eml")
            if _PROPERTIES not in {stream.name for stream in message.streams}:
                yield Inner(name, b"", "an embedded object, not a file: open it in Outlook")
                continue
            inner = _Item(message, _WITHIN, self._named)
            yield Inner(name, inner.mail(depth + 1, whole=True) if whole else b"")

    def _headers(self) -> Iterator[tuple[str, str]]:
        """Those that ``mail`` reads: as they came with the mail, else by its properties."""
        came = HeaderParser().parsestr(self.text(_HEADERS).lstrip())
        stated = {name: one_line(str(came[name] or "")) for name in ("From", "To", "Cc", "Date")}
        yield "Subject", one_line(self.text(_SUBJECT))
        yield "From", stated["From"] or self._sender()
        for name, role in _ROLES.items():
            yield name, stated[name] or ", ".join(self._recipients(role))
        sent = self._date(_SUBMITTED) or self._date(_DELIVERED)
        yield "Date", stated["Date"] or (format_datetime(sent) if sent else "")
        yield "In-Reply-To", one_line(self.text(_IN_REPLY_TO) or str(came["In-Reply-To"] or ""))

    def _sender(self) -> str:
        address = self.text(_SENDER_SMTP) or self.text(_SENDER_ADDRESS)
        return _person(self.text(_SENDER), address)

    def _recipients(self, role: int) -> Iterator[str]:
        for folder in self._folder.iter_recipient_storages():
            person = _Item(folder, 8, self._named)
            if person._number(_ROLE) == role:
                yield _person(person.text(_NAME), person.text(_SMTP) or person.text(_ADDRESS))

    def _facts(self) -> str:
        """What a contact or an appointment says in fields, a line each."""
        found = [(name, one_line(self.text(number))) for name, number in _FACTS.items()]
        for name, number in _NAMED_FACTS.items():
            own = self._named.get(number, 0)
            date = self._date(own)
            found.append((name, f"{date:%Y-%m-%d %H:%M} UTC" if date else one_line(self.text(own))))
        lines = "".join(f"{name}: {value}\n" for name, value in found if value)
        return lines and f"{lines}\n"

    def _html(self) -> str:
        data = self._stream(_HTML, _BINARY)
        return decode(data, self._charset(_INTERNET_CODEPAGE)) if data else self.text(_HTML)

    def _rtf(self) -> str:
        """The body that Outlook keeps as RTF, compressed after [MS-OXRTFCP]."""
        data = self._stream(_RTF, _BINARY)
        try:
            return rtf.read(decompress(data)).text if data else ""
        except Exception:  # the rest of the mail stands without it
            return ""

    def _stream(self, number: int, type: int) -> bytes | None:
        return self._streams.get(f"__substg1.0_{number:04X}{type:04X}")

    def _folder_of(self, number: int) -> Storage | None:
        name = f"__substg1.0_{number:04X}{_STORAGE:04X}"
        return next((inner for inner in self._folder.storages if inner.name == name), None)

    def _number(self, number: int) -> int | None:
        try:
            return self._fixed.int_prop_value(number)
        except Exception:  # properties that are not there, or cut
            return None

    def _date(self, number: int) -> datetime | None:
        try:
            date = self._fixed.date_prop_value(number)
        except Exception:
            return None
        return date if isinstance(date, datetime) and 1900 < date.year < 4000 else None

    def _charset(self, number: int) -> str | None:
        try:
            codepage = self._number(number) or self._number(_MESSAGE_CODEPAGE)
            return encodings.encoding_from_codepage(codepage) if codepage else None
        except Exception:  # a code page that Python does not have
            return None


def _person(name: str, address: str) -> str:
    """As a header has it. Exchange's own addresses (X.500) tell nobody anything."""
    name, address = one_line(name).strip("'\""), one_line(address)
    name = name.replace('"', "'")
    if "@" not in address:
        return f'"{name}"' if name else ""
    return f'"{name}" <{address}>' if name and name != address else address


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


FORMAT = Format("mail", (".msg",), recognise, read, unpack=unpack)
