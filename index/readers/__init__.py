"""File readers: bytes in, ``Content`` out. A new format is one file and one line in FORMATS."""

from __future__ import annotations

from pathlib import PurePath

from index.errors import Unreadable
from index.readers import (
    docx,
    epub,
    foreign,
    html,
    json_document,
    jsonl,
    mail,
    markdown,
    mhtml,
    pdf,
    restructured,
    rtf,
    text,
)
from index.readers.format import Format
from index.values import Content

__all__ = ["read", "supported"]

# In the order in which their content is looked at: those that must begin in one way come first.
FORMATS: tuple[Format, ...] = (
    html.FORMAT,
    mhtml.FORMAT,
    mail.FORMAT,
    rtf.FORMAT,
    pdf.FORMAT,
    epub.FORMAT,
    docx.FORMAT,
    jsonl.FORMAT,
    json_document.FORMAT,
    restructured.FORMAT,
    markdown.FORMAT,
    text.FORMAT,
)

_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
_PADDING = b"\0 \t\r\n\f\v\xef\xbb\xbf\xfe\xff"


def supported(name: str) -> bool:
    """Say whether the suffix of ``name`` is that of a format read here."""
    return PurePath(name).suffix.lower() in _BY_SUFFIX


def read(data: bytes, name: str) -> Content:
    """Read the text of one file. Its content decides the format; ``name`` settles only doubt.

    Raises ``Unreadable``, and nothing else, with the reason: empty, encrypted, damaged,
    without text, or of a kind that is not read.
    """
    if not data.strip(_PADDING):
        raise Unreadable("empty: the file holds no text")
    format = _format(data, name)
    try:
        if format.read is None:
            raise Unreadable("no text of its own: it only holds other files")
        return format.read(data)
    except Unreadable:
        raise
    except Exception as error:  # whatever a parser fails with, the file is at fault
        reason = str(error).split("\n")[0][:120] or type(error).__name__
        raise Unreadable(f"damaged: it cannot be read as {format.type} ({reason})") from error


def _format(data: bytes, name: str) -> Format:
    for format in FORMATS:
        if format.recognise(data):
            return format
    named = _BY_SUFFIX.get(PurePath(name).suffix.lower(), text.FORMAT)
    foreign.refuse(data, named.type)
    return named if named.textual else text.FORMAT
