"""Bytes to text: whatever encoding, never an exception."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import CharsetMatch, from_bytes

_SAMPLE = 64 * 1024  # bytes: enough to tell an encoding by
_BINARY = 0.02  # share of control characters that no text has
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b")) + b"\x7f"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Encodings that people have used for files; rarer ones only take text away from these.
_LEGACY = [
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("koi8_r", "cp866", "cp932", "euc_jp", "cp949", "gb18030", "big5"),
]
_TURKISH = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]")  # Ğ İ Ş ğ ı ş
_FOREIGN_LINE = re.compile(rb"[^\n]{0,400}[\x80-\xff][^\n]{0,400}\n?")


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode text: by its mark, the ``declared`` charset, as UTF-8, else by what fits best.

    Bytes that are wrong in the encoding chosen become U+FFFD.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    for encoding in filter(None, (_wide(data), declared, _japanese(data), "utf-8")):
        try:
            return data.decode(encoding)
        except (UnicodeError, LookupError, ValueError):  # ValueError: a NUL in the name
            continue
    return _damaged_utf8(data) or data.decode(_guess(data), errors="replace")


def is_binary(data: bytes) -> bool:
    """Say whether ``data`` is no text in any encoding, by its share of control characters."""
    if any(data.startswith(mark) for mark, _ in _MARKS) or _wide(data):
        return False
    middle = len(data) // 2
    sample = data[:_SAMPLE] + data[max(middle, _SAMPLE) :][:_SAMPLE]
    if len(sample) - len(sample.translate(None, _CONTROLS)) > _BINARY * len(sample):
        return True
    return b"\0" in sample and "\ufffd" in sample.decode("utf-8", errors="replace")[:-3]


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: text in it has a NUL in nearly every other byte."""
    sample = data[:_SAMPLE]
    if len(data) % 2 or len(data) < 4:
        return None
    high, low = sample[0::2].count(0) / len(sample), sample[1::2].count(0) / len(sample)
    if min(high, low) > 0.02:
        return None
    return "utf-16-be" if high > 0.35 else "utf-16-le" if low > 0.35 else None


def _japanese(data: bytes) -> str | None:
    """ISO-2022-JP is seven-bit, so that it would pass for UTF-8."""
    return "iso2022_jp" if b"\x1b$" in data[:_SAMPLE] else None


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 with a few wrong bytes or a cut end, rather than an encoding that takes any byte."""
    text = data.decode("utf-8", errors="replace")
    return text if len(data) - len(text) > 10 * text.count("\ufffd") else None


def _guess(data: bytes) -> str:
    sample = b""
    for match in _FOREIGN_LINE.finditer(data):
        sample += match.group()
        if len(sample) > _SAMPLE:
            break
    fitting = list(from_bytes(sample, cp_isolation=_LEGACY))
    names = {name for fit in fitting if fit.chaos <= fitting[0].chaos for name in _names(fit)}
    if "cp1252" not in names:
        return fitting[0].encoding if fitting else "cp1252"
    # Equally good: the western one, or the Turkish one for what no large western language has.
    return "cp1254" if _TURKISH.search(sample) else "cp1252"


def _names(fit: CharsetMatch) -> list[str]:
    """The encodings in which the sample reads the same."""
    return [fit.encoding, *fit.could_be_from_charset]
