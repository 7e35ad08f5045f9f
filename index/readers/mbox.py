"""Mailboxes (mbox, RFC 4155 and its variants): one mail after another in a file.

A line "From …" with an address and a date stands before each. Within mails, mboxo and mboxrd put
``>`` before such lines, which is taken away again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.parser import BytesHeaderParser
from email.policy import compat32
from itertools import islice

from index.readers.format import Format, Inner
from index.readers.mail import header
from index.readers.names import single

# With its date in full, or at least after a blank line and before a header.
_SEPARATOR = re.compile(
    rb"^From [^\n]{1,300}?\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? [^\n]{0,40}\d\d:\d\d[^\n]{0,40}\n"
    rb"|(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]{1,300}\n(?=[!-9;-~]{1,100}:)",
    re.MULTILINE,
)
_HEADER = re.compile(rb"[!-9;-~]{1,100}:")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_HEAD = 64 * 1024  # bytes within which a mail's subject stands
_LONGEST = 80  # characters of a subject that name a mail


def recognise(data: bytes) -> bool:
    """Say whether the content begins as a mailbox of at least two mails does."""
    if not data.startswith(b"From "):
        return False
    found = list(islice(_SEPARATOR.finditer(data), 2))
    headed = bool(found) and _HEADER.match(data, found[0].end()) is not None
    return len(found) == 2 and found[0].start() == 0 and headed


def unpack(data: bytes) -> Iterator[Inner]:
    """The mails in their order, each named by its number and subject."""
    separators = _SEPARATOR.finditer(data)
    start = 0
    number = 0
    for separator in separators:
        yield from _mail(data[start : separator.start()], number)
        start = separator.end()
        number += 1
    yield from _mail(data[start:], number)


def _mail(raw: bytes, number: int) -> Iterator[Inner]:
    """What stands between two separators; nothing where that is blank."""
    if not raw.strip():
        return
    message = _ESCAPED.sub(rb"\1", raw)
    headers = BytesHeaderParser(policy=compat32).parsebytes(message[:_HEAD])
    subject = single(header(headers, "Subject"))[:_LONGEST].strip()
    yield Inner(f"{number:04} {subject}".strip() + ".eml", message)


FORMAT = Format("mailbox", (".mbox", ".mbx"), recognise, None, textual=True, unpack=unpack)
