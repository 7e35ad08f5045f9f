"""File readers: bytes in, ``Content`` out. A new format is one file and one line in FORMATS."""

from __future__ import annotations

from pathlib import PurePath

from index.errors import Unreadable
from index.readers import (
    archives,
    delimited,
    docx,
    epub,
    foreign,
    html,
    json_document,
    jsonl,
    mail,
    markdown,
    mbox,
    mhtml,
    msg,
    opendocument,
    pdf,
    pptx,
    restructured,
    rtf,
    sheets,
    text,
)
from index.readers.format import Format
from index.values import Content

__all__ = ["by_name", "content", "kind", "read"]

# In the order in which their content is looked at: those that must begin in one way come first.
FORMATS: tuple[Format, ...] = (
    html.FORMAT,
    mhtml.FORMAT,
    mbox.FORMAT,
    mail.FORMAT,
    msg.FORMAT,
    rtf.FORMAT,
    pdf.FORMAT,
    epub.FORMAT,
    docx.FORMAT,
    pptx.FORMAT,
    sheets.FORMAT,
    opendocument.TEXT,
    opendocument.SLIDES,
    archives.FORMAT,
    jsonl.FORMAT,
    json_document.FORMAT,
    delimited.FORMAT,
    restructured.FORMAT,
    markdown.FORMAT,
    text.FORMAT,
)

_BY_SUFFIX = {suffix: format for format in FORMATS for suffix in format.suffixes}
_PADDING = b"\0 \t\r\n\f\v\xef\xbb\xbf\xfe\xff"


def by_name(name: str) -> str:
    """The type that the name of a file promises; empty where it promises none."""
    format = _BY_SUFFIX.get(PurePath(name).suffix.lower())
    return format.type if format else ""


def read(data: bytes, name: str) -> Content:
    """Read the text of one file. Its content decides the format; ``name`` settles only doubt.

    Raises ``Unreadable``, and nothing else, with the reason: empty, encrypted, damaged,
    without text, or of a kind that is not read.
    """
    return content(kind(data, name), data)


def kind(data: bytes, name: str) -> Format:
    """The format of a file. Raises ``Unreadable`` for an empty file and for a kind not read."""
    if not data.strip(_PADDING):
        raise Unreadable("empty: the file holds no text")
    return _format(data, name)


def content(format: Format, data: bytes) -> Content:
    """The text of a file of this format. Raises ``Unreadable``."""
    if format.read is None:
        raise Unreadable("no text of its own: it only holds other files")
    try:
        return format.read(data)
    except (Unreadable, MemoryError):
        raise
    except RecursionError as error:
        raise Unreadable("damaged: it is nested too deeply to be read") from error
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
