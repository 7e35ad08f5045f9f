"""Which bytes are which characters in a Rich Text file: code pages, and those of fonts."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

# Windows' character sets of fonts; 2 are symbols, of which only the Greek letters are text.
CHARSETS = {
    **{77: "mac_roman", 81: "mac_arabic", 83: "mac_greek", 84: "mac_cyrillic", 88: "cp874"},
    **{89: "mac_latin2", 128: "cp932", 129: "cp949", 130: "johab", 134: "gb18030", 136: "cp950"},
    **{161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257"},
    **{204: "cp1251", 222: "cp874", 238: "cp1250", 254: "cp437", 255: "cp850"},
}
_GREEK = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ",
)
CODE_PAGES = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}


@dataclass(slots=True)
class Font:
    """A font of the file's table, with the encoding of its text where that is told."""

    encoding: str | None = None
    symbols: bool = False

    def decode(self, raw: bytes, otherwise: str) -> str:
        """Text set in it."""
        text = raw.decode(self.encoding or otherwise, errors="replace")
        return text.translate(_GREEK) if self.symbols else text


def code_page(number: int | None) -> str | None:
    """The codec of a Windows code page, where there is one."""
    known = {65001: "utf-8", 936: "gb18030", 10000: "mac_roman", 1361: "johab"}
    name = known.get(number or 0, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def is_utf8(data: bytes) -> bool:
    """Some programs write UTF-8 where the specification asks for seven bits."""
    try:
        return not data.isascii() and bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False
