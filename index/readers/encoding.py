"""Bytes to text: whatever encoding, never an exception."""

from __future__ import annotations

import codecs
import re
from unicodedata import category

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
# Python's codecs for other things than files, some of them slow or noisy on long input.
_NO_CHARSETS = frozenset(("punycode", "idna", "unicode_escape", "raw_unicode_escape"))
_NO_TEXT = ("Cc", "Cn", "Co", "Cs")  # controls, and what Unicode leaves without a meaning
# Encodings that people have used for files; rarer ones only take text away from these.
_LEGACY = [
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp874"),
    *("koi8_r", "cp866", "cp932", "euc_jp", "cp949", "gb18030", "big5"),
    *("iso8859_2", "iso8859_5", "iso8859_6", "koi8_u", "cp850", "mac_roman", "mac_cyrillic"),
]
# Signs of a wrong guess: a symbol within a word, a capital after a small letter, two scripts in
# one word, frames, and characters that hardly any text has.
_MESS = re.compile(
    r"(?<=[A-Za-zª-\u06ff])[^\w\s\0-\x7f·’‘´–—](?=[A-Za-zª-\u06ff])"
    r"|[а-яёa-zà-öø-ÿ][А-ЯЁÀ-ÖØ-Þ]|(?<=\w)[°-¿×÷¡-§©-¯](?=\w)|[─-▟]"
    r"|[A-Za-z][Ѐ-ӿͰ-Ͽ֐-׿؀-ۿ㐀-鿿가-힣]|[Ѐ-ӿ][A-Za-zͰ-Ͽ]|[㐀-鿿가-힣][a-z]"
    r"|[\x80-\x9f\u0e4f-\u0e5b\u3130-\u318f\uff61-\uff9f]"
)
# What of a double-byte encoding nearly all texts keep to.
_USUAL = {"cp949": "iso2022_kr", "gb18030": "gbk"}
_TURKISH = re.compile(rb"[\xd0\xdd\xde\xf0\xfd\xfe]")  # Ğ İ Ş ğ ı ş
_HUNGARIAN = re.compile(rb"[\xf5\xfb]")  # ő ű; the same bytes are õ û
_WESTERN = re.compile(rb"[\xe0\xe2-\xe8\xea\xeb\xee-\xf2\xf4\xf8]")  # à â ã … not in Hungarian
_AROUND = 400  # bytes of a line before and after one that is not ASCII
_FOREIGN = re.compile(rb"[\x80-\xff][^\n]{0,%d}\n?" % _AROUND)


def decode(data: bytes, declared: str | None = None) -> str:
    """Decode text: by its mark, the ``declared`` charset, as UTF-8, else by what fits best.

    Bytes that are wrong in the encoding chosen become U+FFFD.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    if other := _wide(data) or _mainframe(data):
        return data.decode(other, errors="replace")
    for encoding in filter(None, (declared, _japanese(data), "utf-8")):
        try:
            if codecs.lookup(encoding).name.replace("-", "_") not in _NO_CHARSETS:
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
    """UTF-32 or UTF-16 without a mark: read as bytes it is full of control characters."""
    sample = data[:_SAMPLE]
    if len(data) < 4 or len(sample) - len(sample.translate(None, _CONTROLS)) <= _BINARY * len(
        sample
    ):
        return None
    if len(data) % 4 == 0 and _decoded(sample, "utf-32-le"):
        return "utf-32-le"
    if len(data) % 4 == 0 and _decoded(sample, "utf-32-be"):
        return "utf-32-be"
    # Text keeps to few rows of 256 characters; read in the wrong order it is all over the place.
    found = {name: _decoded(sample, name) for name in ("utf-16-le", "utf-16-be")}
    rows = {name: len({ord(c) >> 8 for c in text}) for name, text in found.items() if text}
    return min(rows, key=rows.__getitem__, default=None)


def _decoded(sample: bytes, encoding: str) -> str:
    """The sample in that encoding; "" where it is no text in it."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError:
        return ""
    wrong = sum(c not in "\t\n\v\f\r\b\x1b" and category(c) in _NO_TEXT for c in text)
    return text if wrong <= _BINARY * len(text) else ""


def _mainframe(data: bytes) -> str | None:
    """EBCDIC: its space is the @ of ASCII, and its letters are not in ASCII at all."""
    sample = data[:_SAMPLE]
    spaced = sample.count(b"@") > 0.08 * len(sample) > 8 * sample.count(b" ")
    letters = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    return "cp500" if spaced and letters > 0.3 * len(sample) else None


def _japanese(data: bytes) -> str | None:
    """ISO-2022-JP is seven-bit, so that it would pass for UTF-8."""
    return "iso2022_jp" if b"\x1b$" in data[:_SAMPLE] else None


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 with a few wrong bytes or a cut end, rather than an encoding that takes any byte."""
    text = data.decode("utf-8", errors="replace")
    return text if len(data) - len(text) > 10 * text.count("\ufffd") else None


def _guess(data: bytes) -> str:
    fitting = _fitting(sample := _foreign(data))
    names = {name for fit in fitting if fit.chaos <= fitting[0].chaos for name in _names(fit)}
    if "cp1252" not in names:
        return fitting[0].encoding if fitting else "cp1252"
    if "cp1250" in names and _HUNGARIAN.search(sample) and not _WESTERN.search(sample):
        return "cp1250"
    # Equally good: the western one, or the Turkish one for what no large western language has.
    return "cp1254" if _TURKISH.search(sample) else "cp1252"


def _foreign(data: bytes) -> bytes:
    """The first lines, or pieces of lines, in which there is more than ASCII."""
    sample, end = b"", 0
    for match in _FOREIGN.finditer(data):
        before = data[max(match.start() - _AROUND, end) : match.start()]
        sample += before.rpartition(b"\n")[2] + match.group()
        end = match.end()
        if len(sample) > _SAMPLE:
            break
    return sample


def _fitting(sample: bytes) -> list[CharsetMatch]:
    """What charset-normalizer makes of the sample, best first; its last character may be cut."""
    left = _tidiest(sample)
    found: list[CharsetMatch] = []
    for cut in range(4):
        if left:
            found += from_bytes(sample[: len(sample) - cut], cp_isolation=left)
        left = [encoding for encoding in left if not _whole(sample, cut, encoding)]
    return sorted(found)


def _whole(sample: bytes, cut: int, encoding: str) -> bool:
    try:
        return bool(sample[: len(sample) - cut].decode(encoding))
    except UnicodeError:
        return False


def _tidiest(sample: bytes) -> list[str]:
    """The encodings in which the words of the sample are most like words."""
    messes: dict[str, int] = {}
    for encoding in _LEGACY:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(sample)  # its end may be cut
        except UnicodeError:
            continue
        messes[encoding] = len(_MESS.findall(text)) + _rare(text, encoding)
    least = min(messes.values(), default=0)
    least += len(sample) // 1000  # a few are in any text
    return [encoding for encoding, mess in messes.items() if mess <= least] or _LEGACY


def _rare(text: str, encoding: str) -> int:
    """How many characters only the extended form of a double-byte encoding has."""
    usual = _USUAL.get(encoding)
    # What Python encodes in ISO-2022 it need not decode: controls in the text pass for its own.
    return len(text) - len(text.encode(usual, "ignore").decode(usual, "ignore")) if usual else 0


def _names(fit: CharsetMatch) -> list[str]:
    """The encodings in which the sample reads the same."""
    return [fit.encoding, *fit.could_be_from_charset]
