"""Mail (RFC 5322 with MIME, RFC 2045 to 2049): people, the body, and what is attached."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from lxml.html import tostring

from index.readers import markup, replies, text
from index.readers.blocks import Piece, assemble, clean, one_line
from index.readers.dates import iso_date
from index.readers.encoding import decode
from index.readers.format import Format, Inner
from index.readers.names import single
from index.values import Content

_HEAD = 64 * 1024  # bytes within which headers end
_HEADER = re.compile(rb"([!-9;-~]+):[ \t]?.*")
_SURE = frozenset(b"from message-id mime-version received return-path".split())
_SIGNS = _SURE.union(b"to subject date content-type reply-to sender delivered-to".split())
_PEOPLE = ("From", "To", "Cc", "Date")
_MESSAGES = frozenset(("message/rfc822", "message/global"))
_QUOTES = "//blockquote[@type='cite' or contains(@class, 'gmail_quote')]"
# A line between parts, which their headers follow (RFC 2046 5.1.1).
_BOUNDARY = re.compile(r"^--([^\s\"][^\n\"]{0,68}?)[ \t\r]*\n(?=Content-[A-Za-z-]+:)", re.MULTILINE)
_MOST_MENDED = 20  # multiparts, each of which is parsed again with all that is in it
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
# Encoded words (RFC 2047 2), with those that follow: a character may lie across two of them.
_WORD = r"=\?[^?\s]+\?[bq]\?[^?]*\?="
_ONE_WORD = re.compile(_WORD, re.IGNORECASE)
_MOST_WORDS = 500  # decoded together
_WORDS = re.compile(rf"{_WORD}(?:\s*{_WORD})*", re.IGNORECASE)


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
    """Read one message. Its title is the subject, its date the one in the sender's time zone.

    What the body repeats of earlier mails is left out (``replies``); a mail that passes
    another one on keeps it.
    """
    message = _parse(data)
    people = [f"{name}: {value}" for name in _PEOPLE if (value := header(message, name))]
    found = [Piece("\n".join(people)), *_body(message, _is_reply(message))]
    if attached := [name for part in _leaves(message) if (name := _attachment(part))]:
        found.append(Piece("Attachments: " + ", ".join(attached)))
    day = iso_date(header(message, "Date"))
    facts = {"author": _author(message), "created": day or ""}
    return assemble(
        "mail",
        found,
        title=header(message, "Subject"),
        published=day,
        language=header(message, "Content-Language").split(",")[0],
        metadata={name: value for name, value in facts.items() if value},
    )


def unpack(data: bytes) -> Iterator[Inner]:
    """What is attached, inline images too, and attached messages as files of their own."""
    number = 0
    for part in _leaves(_parse(data)):
        name = single(_attachment(part))
        if not name and part.get_content_maintype() in ("text", "multipart", "message"):
            continue  # the body
        number += 1
        if part.get_content_type() in _MESSAGES:
            yield _attached_message(part, name)
        else:
            yield Inner(name or _numbered(part, number), _bytes(part))


def header(part: Message, name: str) -> str:
    """A header on one line, decoded as far as it can be; "" where there is none."""
    return _worded(_raw(part, name))


def _raw(part: Message, name: str) -> str:
    """A header with its encoded words. Bytes beyond ASCII, as RFC 6532 allows, are characters."""
    raw = next((value for key, value in part.raw_items() if key.lower() == name.lower()), "")
    return decode(str(raw).encode("utf-8", "surrogateescape"))


def _worded(raw: str) -> str:
    return one_line(_WORDS.sub(lambda words: _decoded(words.group()), raw))


def _decoded(words: str) -> str:
    single = _ONE_WORD.findall(words)
    if len(single) > _MOST_WORDS:  # together they would take a time that grows with the square
        return "".join(map(_decoded, single))
    try:
        parts = decode_header(words)
    except (HeaderParseError, ValueError):  # broken base64
        return words
    return "".join(
        decode(part, charset) if isinstance(part, bytes) else part for part, charset in parts
    )


def _parse(data: bytes) -> Message:
    data = data.lstrip(b"\r\n")
    if data.startswith(b"From "):  # one of a mailbox, where such lines of the text are escaped
        data = _ESCAPED.sub(rb"\1", data)
    # compat32 never raises on a broken header, which the modern policy does on access.
    message = message_from_bytes(data, policy=policy.compat32)
    mended = 0
    for part in message.walk():
        if mended < _MOST_MENDED:
            mended += _mend(part)
    return message


def _mend(part: Message) -> bool:
    """Find the parts of a multipart that stand between other lines than stated, or past its end."""
    if part.get_content_maintype() != "multipart":
        return False
    payload = part.get_payload()
    rest = payload if isinstance(payload, str) else part.epilogue or ""
    if boundary := _BOUNDARY.search(rest):
        head = f'Content-Type: multipart/mixed; boundary="{boundary.group(1)}"\n\n'
        whole = (head + rest).encode("utf-8", "surrogateescape")
        found = message_from_bytes(whole, policy=policy.compat32).get_payload()
        if isinstance(found, list):
            part.set_payload([*payload, *found] if isinstance(payload, list) else found)
            return True
    return False


def _author(message: Message) -> str:
    people = getaddresses([one_line(_raw(message, "From"))])
    names = (_worded(name) or address for name, address in people)
    return ", ".join(dict.fromkeys(filter(None, names)))


def _is_reply(message: Message) -> bool | None:
    """Whether the mail answers another one; None for one that passes another one on."""
    subject = header(message, "Subject")
    if replies.is_forward(subject):
        return None
    return replies.is_reply(subject) or bool(message["In-Reply-To"] or message["References"])


# --- Body ------------------------------------------------------------------------------------


def _body(part: Message, reply: bool | None) -> list[Piece]:
    """The text of a part: of alternatives, the plain one where it says anything."""
    children = _children(part)
    if part.get_content_type() == "multipart/alternative" and children:
        variants = [found for child in children if (found := _body(child, reply))]
        plain = [child for child in children if child.get_content_type() == "text/plain"]
        found = next(filter(None, (_body(child, reply) for child in plain)), [])
        return found or (variants[-1] if variants else [])
    if children:
        return [piece for child in children for piece in _body(child, reply)]
    if _attachment(part) or part.get_content_maintype() not in ("text", "multipart", "message"):
        return []
    characters = decode(_bytes(part), part.get_content_charset())
    if part.get_content_type() == "text/html":
        return _page(characters, reply)
    return _plain(characters, reply)


def _plain(characters: str, reply: bool | None) -> list[Piece]:
    lines = clean(characters).split("\n")
    if reply is not None:
        repeated = replies.repeated(lines, reply=reply)
        lines = [line for line, drop in zip(lines, repeated, strict=True) if not drop]
    return text.pieces("\n".join(lines))


def _page(characters: str, reply: bool | None) -> list[Piece]:
    """A body in HTML: what it marks as a quote becomes a quoted line, then as in plain text."""
    tree = None if reply is None else markup.parse(characters)
    if tree is None:
        return markup.page(characters)
    quotes = tree.xpath(_QUOTES)
    for quote in quotes:
        tail = quote.tail
        quote.clear()
        quote.tag, quote.tail, quote.text = "p", tail, ">"
    found = markup.page(tostring(tree, encoding="unicode")) if quotes else markup.page(characters)
    lines = [(number, line) for number, p in enumerate(found) for line in p.text.split("\n")]
    repeated = replies.repeated([line for _, line in lines], reply=bool(reply or quotes))
    if not any(repeated):
        return markup.page(characters) if quotes else found
    kept: list[list[str]] = [[] for _ in found]
    for (number, line), drop in zip(lines, repeated, strict=True):
        if not drop:
            kept[number].append(line)
    return [
        Piece("\n".join(own), piece.kind, piece.level)
        for piece, own in zip(found, kept, strict=True)
    ]


# --- Parts -----------------------------------------------------------------------------------


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
    if part.get_content_type() in _MESSAGES:
        inner = _inner_message(part)
        subject = header(inner, "Subject") if inner else ""
        return _file_name(part) or subject or "a message"
    if part.get_content_disposition() == "attachment":
        return _file_name(part) or part.get_content_type()
    return _file_name(part) if part.get_content_maintype() != "text" else ""


def _file_name(part: Message) -> str:
    """The stated name; where RFC 2047 is used in it, against the rules, it is decoded too."""
    stated = one_line(str(part.get_filename() or ""))
    return _worded(stated)


def _bytes(part: Message) -> bytes:
    """The decoded content. A report (RFC 3464) is made of headers, so that it has none."""
    payload = part.get_payload()
    if isinstance(payload, list):
        reports = [_report(inner) for inner in payload if isinstance(inner, Message)]
        return "\n\n".join(reports).encode("utf-8", "replace")
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _report(part: Message) -> str:
    return "\n".join(f"{name}: {header(part, name)}" for name in part)


def _numbered(part: Message, number: int) -> str:
    """A name for what has none, with a suffix where the type is one: ``image/png``."""
    kind = part.get_content_subtype()
    suffix = f".{kind}" if kind.isalnum() and len(kind) <= 5 else ""
    return f"attachment {number}{suffix}"


def _inner_message(part: Message) -> Message | None:
    payload = part.get_payload()
    inner = payload[0] if isinstance(payload, list) and payload else None
    return inner if isinstance(inner, Message) else None


def _attached_message(part: Message, name: str) -> Inner:
    name = name if name.lower().endswith(".eml") else f"{name}.eml"
    inner = _inner_message(part)
    if inner is None:
        return Inner(name, b"", "damaged: the attached message is not there")
    if not inner.keys() and part["Content-Transfer-Encoding"]:  # against RFC 2046 5.2.1
        try:
            return Inner(name, b64decode(str(inner.get_payload())))
        except ValueError:
            pass
    try:
        return Inner(name, inner.as_bytes())
    except Exception as error:  # the generator fails on some damaged headers
        return Inner(name, b"", f"damaged: {type(error).__name__} in the attached message")


FORMAT = Format("mail", (".eml",), recognise, read, textual=True, unpack=unpack)
