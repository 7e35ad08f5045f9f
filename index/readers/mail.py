"""Mail (RFC 5322 with MIME): who wrote to whom, the body, and the names of what is attached."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

from index.readers import markup, text
from index.readers.blocks import Piece, assemble, one_line
from index.readers.dates import iso_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

_HEAD = 64 * 1024  # bytes within which headers end
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]?.*")
_SURE = frozenset(b"from message-id mime-version received return-path".split())
_SIGNS = _SURE.union(b"to subject date content-type reply-to sender delivered-to".split())
_PEOPLE = ("From", "To", "Cc", "Date")


def recognise(data: bytes) -> bool:
    """Say whether the content begins with a block of headers, at least two of them mail's."""
    names: set[bytes] = set()
    for number, line in enumerate(data[:_HEAD].lstrip(b"\r\n").splitlines()):
        if number == 0 and line.startswith(b"From "):  # the line before a mail in a mailbox
            continue
        if line[:1] in (b" ", b"\t") and line.strip() and names:  # folded
            continue
        header = _HEADER.match(line)
        if not header:
            return not line.strip() and _is_mail(names)
        names.add(header.group(1).lower())
    return _is_mail(names)


def _is_mail(names: set[bytes]) -> bool:
    return len(names & _SIGNS) >= 2 and bool(names & _SURE)


def read(data: bytes) -> Content:
    """Read one message. Its title is the subject, its date the one in the sender's time zone."""
    # compat32 never raises on a broken header, which the modern policy does on access.
    message = message_from_bytes(data.lstrip(b"\r\n"), policy=policy.compat32)
    people = [f"{name}: {value}" for name in _PEOPLE if (value := _header(message, name))]
    found = [Piece("\n".join(people)), *_body(message)]
    if attached := [name for part in _leaves(message) if (name := _attachment(part))]:
        found.append(Piece("Attachments: " + ", ".join(attached)))
    return assemble(
        "mail",
        found,
        title=_header(message, "Subject"),
        published=iso_date(_header(message, "Date")),
        language=_header(message, "Content-Language").split(",")[0],
    )


def _header(part: Message, name: str) -> str:
    """A header on one line, decoded as far as it can be; "" where there is none."""
    raw = part.get(name, "")
    try:
        return one_line(str(make_header(decode_header(raw))))
    except (HeaderParseError, ValueError, LookupError):  # broken base64, an unknown charset
        return one_line(str(raw))


def _body(part: Message) -> list[Piece]:
    """The text of a part: of alternatives, the plain one where it says anything."""
    if part.get_content_type() == "multipart/alternative":
        variants = [found for child in _children(part) if (found := _body(child))]
        plain = [c for c in _children(part) if c.get_content_type() == "text/plain"]
        return next(filter(None, map(_body, plain)), variants[-1] if variants else [])
    if part.is_multipart():
        return [piece for child in _children(part) for piece in _body(child)]
    if part.get_content_maintype() != "text" or _attachment(part):
        return []
    payload = part.get_payload(decode=True)
    characters = decode(payload, part.get_content_charset()) if isinstance(payload, bytes) else ""
    if part.get_content_subtype() == "html":
        return markup.page(characters)
    return text.pieces(characters)


def _children(part: Message) -> list[Message]:
    """The parts of a multipart; an attached message counts as an attachment, not as text."""
    payload = part.get_payload()
    if part.get_content_maintype() != "multipart" or not isinstance(payload, list):
        return []
    return [child for child in payload if isinstance(child, Message)]


def _leaves(part: Message) -> Iterator[Message]:
    children = _children(part)
    if not children:
        yield part
    for child in children:
        yield from _leaves(child)


def _attachment(part: Message) -> str:
    """The name under which a part is attached; "" for a part of the body."""
    name = one_line(str(part.get_filename() or ""))
    if part.get_content_type() == "message/rfc822":
        inner = part.get_payload()
        first = inner[0] if isinstance(inner, list) and inner else None
        subject = _header(first, "Subject") if isinstance(first, Message) else ""
        return name or subject or "a message"
    if part.get_content_disposition() == "attachment":
        return name or part.get_content_type()
    return name if part.get_content_maintype() != "text" else ""


FORMAT = Format("mail", (".eml",), recognise, read, textual=True)
