"""Saved web pages (MHTML, RFC 2557): the page, without the pictures and styles saved with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser

from index.errors import Unreadable
from index.readers import html
from index.readers.blocks import one_line
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

_HEAD = 64 * 1024  # bytes within which headers end
_SENT = ("To", "Cc", "Bcc", "Received", "Delivered-To", "Return-Path", "In-Reply-To")
_UTF8_MARK = b"\xef\xbb\xbf"


def recognise(data: bytes) -> bool:
    """Say whether the content is a page with its parts that nobody sent to anybody."""
    head = data[:_HEAD].lstrip(b"\r\n").lower()
    if b"multipart/related" not in head or b"text/html" not in head:
        return False
    parser = BytesParser(policy=policy.compat32)
    headers = parser.parsebytes(data[:_HEAD].lstrip(b"\r\n"), headersonly=True)
    if headers.get_content_type() != "multipart/related" or any(n in headers for n in _SENT):
        return False
    saved = "Snapshot-Content-Location" in headers or "Content-Location" in headers
    return saved or "@" not in str(headers.get("From", ""))


def read(data: bytes) -> Content:
    """Read the page that was saved; where it is only a frame, what it first shows."""
    message = message_from_bytes(data.lstrip(b"\r\n"), policy=policy.compat32)
    reason = Unreadable("damaged: no page is in it")
    for part in dict.fromkeys([*_root(message), *_pages(message)]):
        try:
            content = html.read(_page(part))
        except Unreadable as error:
            reason = error
        else:
            return replace(content, title=content.title or _subject(message))
    raise reason


def _root(message: Message) -> Iterator[Message]:
    """The part that ``start`` names (RFC 2387, 3.2)."""
    start = str(message.get_param("start") or "")
    for part in _pages(message) if start else ():
        if str(part.get("Content-ID", "")).strip() == start.strip():
            yield part


def _pages(message: Message) -> Iterator[Message]:
    types = ("text/html", "application/xhtml+xml")
    return (part for part in message.walk() if part.get_content_type() in types)


def _page(part: Message) -> bytes:
    """The bytes of a page. Its headers know the charset better than it does itself."""
    payload = part.get_payload(decode=True)
    page = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    if charset is None or charset == "x-user-defined":
        return page
    return _UTF8_MARK + decode(page, charset).encode("utf-8", "replace")


def _subject(message: Message) -> str:
    stated = message.get("Subject", "")
    try:
        return one_line(str(make_header(decode_header(stated))))
    except (ValueError, LookupError):  # broken base64, an unknown charset
        return one_line(str(stated))


FORMAT = Format("html", (".mhtml", ".mht"), recognise, read)
