"""Rich Text Format (Microsoft's specification 1.9.1): paragraphs, lists, tables, footnotes."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, field

from index.errors import Unreadable
from index.readers.blocks import Piece, assemble, one_line
from index.readers.dates import iso_date
from index.readers.format import Format
from index.readers.rtf_flow import Flow, Look
from index.readers.rtf_fonts import CHARSETS, CODE_PAGES, Font, code_page, is_utf8
from index.values import Content

_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{\s*\\rtf", re.IGNORECASE)
_TOKEN = re.compile(
    rb"\\([A-Za-z]{1,32})(-?\d{1,10})?[ ]?|\\'([0-9A-Fa-f]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)",
    re.DOTALL,
)
_DEEPEST = 10_000  # groups within groups; real files have a few dozen
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
# A link's address on the net, not a place in this or in a neighbouring file.
_LINK = re.compile(r'\s*HYPERLINK\s+"?(?:mailto:)?([^"\s\\#.][^"\s\\]{3,})', re.IGNORECASE)

_CHARACTERS = {
    **{"tab": "\t", "line": "\n", "lbr": "\n", "emdash": "—", "endash": "–", "bullet": "•"},
    **{"lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "qmspace": "\u2005"},
    **{"emspace": "\u2003", "enspace": "\u2002", "zwj": "\u200d", "zwnj": "\u200c"},
    **{"~": "\xa0", "_": "-", "\t": "\t"},
}
_PARAGRAPH_ENDS = frozenset(("par", "sect", "page", "column", "\n", "\r"))
_ASIDES = frozenset(("footnote", "shptxt", "dptxbxtext"))  # text of their own, beside a paragraph
_MARGINS = frozenset(f"{edge}{page}" for edge in ("header", "footer") for page in ("", *"lrf"))
_NO_DATE = "1601-01-01"  # the zero of Windows' clock
_NUMBERS = frozenset(("listtext", "pntext"))
_FACTS = frozenset(("title", "author", "creatim", "revtim"))
_SKIPPED = frozenset(
    "annotation background bkmkend bkmkstart colortbl comment datafield docvar filetbl ftncn"
    " ftnsep ftnsepc aftncn aftnsep aftnsepc keywords listname listtable mmathPict nextfile"
    " nonesttables objdata operator pict pntxta pntxtb private rxe shprslt sp subject tc template"
    " txe xe".split()
)
# Groups that other readers may ignore, but that hold text.
_OPEN = frozenset("do moMath moMathPara nesttableprops shpinst".split())


@dataclass(slots=True)
class _Style:
    name: str = ""
    level: int = 0

    def depth(self) -> int:
        """The level of the headings so styled, 0 for other text."""
        name = self.name.strip(" ;").lower()
        match = _HEADING.match(name)
        return self.level or (int(match[1]) if match else int(name == "title"))


@dataclass(slots=True)
class _Field:
    """A field, such as a link: what it is told to show, and where its text began."""

    start: int
    told: str = ""


@dataclass(slots=True)
class _Group:
    """What holds until the group's closing brace."""

    target: str = "body"  # where its text goes: the body, a fact, a table of the header, nowhere
    font: int | None = None
    fallback: int = 1  # characters that stand in for a \u
    unseen: bool = False
    style: int | None = None
    level: int = 0
    listed: bool = False
    in_table: bool = False
    link: _Field | None = None
    margin: bool = False  # it stands at the edge of every page
    flow: Flow = field(default_factory=Flow)


def recognise(data: bytes) -> bool:
    """Say whether the content begins as RTF does."""
    return _START.match(data) is not None


def read(data: bytes) -> Content:
    """Read a document. Comments and hidden or deleted text are left out, and headers and footers
    too unless there is nothing else.

    A footnote or text box stands after the paragraph or row that it hangs on; a link is followed
    by its address where that is not what it shows.
    """
    parser = _Parser(data)
    found = parser.pieces()
    if not found and (b"\\pict" in data or b"\\objdata" in data):
        raise Unreadable("no text: it only holds pictures or other files")
    facts = {name: one_line(value) for name, value in parser.facts.items()}
    created, changed = _day(facts.get("creatim")), _day(facts.get("revtim"))
    stated = {"author": facts.get("author"), "created": created, "changed": changed}
    top = next((piece.text for piece in found if piece.level == 1), "")
    return assemble(
        "rtf",
        found,
        title=facts.get("title") or top,
        published=created,
        metadata={name: value for name, value in stated.items() if value},
    )


def _day(stated: str | None) -> str | None:
    return iso_date(stated) if stated and stated != _NO_DATE else None


class _Parser:
    """One pass over the file."""

    def __init__(self, data: bytes) -> None:
        self.facts: dict[str, str] = {}
        self._data = data
        self._encoding = "cp1252"
        self._unescaped = "utf-8" if is_utf8(data) else None
        self._fonts: dict[int, Font] = {}
        self._default_font: int | None = None
        self._styles: dict[int, _Style] = {}
        self._group = _Group()
        self._stack: list[_Group] = []
        self._bytes = bytearray()  # text that waits for its encoding: characters may take two
        self._skip = 0  # characters left that only stand in for a \u
        self._fresh = False  # right after a group's brace, where its destination is named
        self._optional = False  # after \*: a destination that may be ignored
        self._margins: list[Piece] = []

    def pieces(self) -> list[Piece]:
        """The blocks of the whole document."""
        position = self._data.find(b"{")
        while match := _TOKEN.match(self._data, position):
            position = match.end()
            word, number, code, symbol, brace, characters = match.groups()
            if code:
                self._add_bytes(bytes.fromhex(code.decode()))
            elif characters:
                self._add_characters(characters)
            elif brace == b"{":
                self._open()
            elif brace and len(self._stack) > 1:
                self._close()
            elif brace:  # what follows the document is none of it, but for a further one
                self._end_paragraph()
                self._group = self._stack.pop()
                position = self._data.find(b"{\\rtf", position)
                if position < 0:
                    break
            elif word:
                argument = int(number) if number else None
                if word == b"bin":
                    position += max(argument or 0, 0)
                else:
                    self._word(word.decode(), argument)
            elif symbol:
                self._symbol(symbol.decode("latin-1"))
        while len(self._stack) > 1:  # cut files lack some braces
            self._close()
        return self._finished() or self._margins

    # --- Groups ---

    def _open(self) -> None:
        self._flush()
        if len(self._stack) >= _DEEPEST:
            raise Unreadable("damaged: its groups are nested without end")
        self._skip, self._optional, self._fresh = 0, False, True
        self._stack.append(self._group)
        self._group = copy(self._group)

    def _close(self) -> None:
        self._flush()
        self._skip, self._optional, self._fresh = 0, False, False
        outer = self._stack.pop()
        if self._group.flow is not outer.flow:
            beside = self._margins if self._group.margin else outer.flow.asides
            beside += self._finished()
        ended, self._group = self._group, outer
        if ended.link and ended.link is not self._group.link:
            self._show_address(ended.link)

    def _show_address(self, link: _Field) -> None:
        match = _LINK.match(link.told)
        running = self._group.flow.running
        if not match or self._silent():
            return
        shown = "".join(running[link.start :]).strip()
        if shown and match[1].rstrip("/") not in shown:
            running.append(f" ({match[1]})")

    # --- Text ---

    def _add_characters(self, raw: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(raw))
            self._skip -= skipped
            raw = raw[skipped:]
        if self._unescaped and not raw.isascii():
            self._add(raw.decode(self._unescaped, errors="replace"))
        else:
            self._bytes += raw
        self._fresh = False

    def _add_bytes(self, raw: bytes) -> None:
        if self._skip:
            self._skip -= 1
        else:
            self._bytes += raw

    def _flush(self) -> None:
        """Decode the bytes that wait, in the encoding of their font."""
        if self._bytes:
            raw = bytes(self._bytes)
            self._bytes.clear()
            number = self._default_font if self._group.font is None else self._group.font
            font = self._fonts.get(-1 if number is None else number) or Font()
            self._put(font.decode(raw, self._encoding))

    def _add(self, text: str) -> None:
        self._flush()
        self._put(text)

    def _put(self, text: str) -> None:
        group = self._group
        target = group.target
        if target == "fonttbl":
            font = self._fonts.get(-1 if group.font is None else group.font)
            if font and text.strip(" ;").lower() == "symbol":
                font.symbols = True
        elif target == "stylesheet":
            self._styles.setdefault(group.style or 0, _Style()).name += text
        elif target == "field":
            if group.link:
                group.link.told += text
        elif target in _FACTS:
            self.facts[target] = self.facts.get(target, "") + text
        elif target == "number":
            group.flow.number = (group.flow.number or "") + text
        elif not self._silent():
            group.flow.running.append(text)

    def _silent(self) -> bool:
        return self._group.target != "body" or self._group.unseen

    # --- Control words and symbols ---

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._optional = self._fresh
        elif symbol in _PARAGRAPH_ENDS:
            self._end_paragraph()
        elif self._skip:
            self._skip -= 1
        elif symbol in "{}\\":
            self._bytes += symbol.encode()
        elif symbol in _CHARACTERS:
            self._add(_CHARACTERS[symbol])

    def _word(self, word: str, number: int | None) -> None:
        optional, self._optional, self._fresh = self._optional, False, False
        if self._skip and word in _CHARACTERS:
            self._skip -= 1
            return
        self._flush()
        self._skip = 0
        group = self._group
        if word == "u":
            self._unicode(number or 0)
        elif word in _CHARACTERS:
            self._put(_CHARACTERS[word])
        elif word in _PARAGRAPH_ENDS:
            self._end_paragraph()
        elif word == "uc":
            group.fallback = max(number or 0, 0)
        elif self._header_word(word, number) or self._paragraph_word(word, number):
            return
        else:
            self._destination(word, optional)

    def _unicode(self, number: int) -> None:
        code = number + 0x10000 if number < 0 else number
        self._put(chr(code) if 0 < code <= 0x10FFFF else "\ufffd")
        self._skip = self._group.fallback

    def _header_word(self, word: str, number: int | None) -> bool:
        """Code pages, fonts and dates."""
        group = self._group
        if word in CODE_PAGES:
            self._encoding = CODE_PAGES[word]
        elif word == "ansicpg":
            self._encoding = code_page(number) or self._encoding
        elif word == "deff":
            self._default_font = number
        elif word == "f":
            group.font = number
            if group.target == "fonttbl" and number is not None:
                self._fonts[number] = Font()
        elif word in ("fcharset", "cpg") and group.target == "fonttbl":
            encoding = CHARSETS.get(number or 0) if word == "fcharset" else code_page(number)
            if encoding and group.font in self._fonts:
                self._fonts[group.font].encoding = encoding
        elif word in ("yr", "mo", "dy") and group.target in _FACTS:
            separator = "" if word == "yr" else "-"
            self._put(f"{separator}{number or 0:02d}")
        else:
            return False
        return True

    def _paragraph_word(self, word: str, number: int | None) -> bool:
        """What paragraphs and tables are made of."""
        group = self._group
        if word == "pard":
            group.style, group.level, group.listed, group.in_table = None, 0, False, False
        elif word == "plain":
            group.unseen = False
        elif word in ("v", "deleted"):
            group.unseen = number != 0
        elif word == "s":
            group.style = number
        elif word == "outlinelevel":
            level = number + 1 if number is not None and 0 <= number < 9 else 0  # 9 is body text
            if group.target == "stylesheet":
                self._styles.setdefault(group.style or 0, _Style()).level = level
            else:
                group.level = level
        elif word == "ls":
            group.listed = bool(number)
        elif word in ("intbl", "itap"):
            group.in_table = number != 0
        elif word in ("cell", "nestcell", "row", "nestrow"):
            self._table_word(word)
        else:
            return False
        return True

    def _table_word(self, word: str) -> None:
        """A table within a cell is flattened into it."""
        flow = self._group.flow
        if word == "nestrow":
            if flow.running and flow.running[-1] == " | ":
                flow.running[-1] = "\n"
        elif self._silent():
            return
        elif word == "nestcell":
            flow.running.append(" | ")
        elif word == "cell":
            flow.end_cell(self._look())
        else:
            flow.end_row(self._look())

    def _destination(self, word: str, optional: bool) -> None:
        group = self._group
        if word == "upr":  # its first group says it in ANSI, \ud says it again in Unicode
            group.target = "upr:" + group.target
        elif word == "ud":
            group.target = group.target.removeprefix("upr:")
        elif word == "info":
            group.target = "info" if group.target == "body" else "skipped"
        elif word in _FACTS:
            group.target = word if group.target == "info" else group.target
        elif group.target not in ("body", "info"):
            if optional or word in _SKIPPED:
                group.target = "skipped"
        elif word in ("fonttbl", "stylesheet"):
            group.target, group.style = word, None
        elif word == "field":
            group.link = _Field(len(group.flow.running))
        elif word == "fldinst":
            group.target = "field"
        elif word in _NUMBERS:
            group.target = "number"
        elif word in _ASIDES or word in _MARGINS:
            group.flow = Flow()
            group.margin = group.margin or word in _MARGINS
            group.in_table, group.listed, group.style, group.level = False, False, None, 0
        elif word in _SKIPPED or word.endswith("Pr") or (optional and word not in _OPEN):
            group.target = "skipped"

    # --- Paragraphs ---

    def _end_paragraph(self) -> None:
        self._flush()
        if self._group.target == "body":
            self._group.flow.end_paragraph(self._look())

    def _look(self) -> Look:
        group = self._group
        style = self._styles.get(-1 if group.style is None else group.style) or _Style()
        return Look(group.level or style.depth(), group.listed, group.in_table)

    def _finished(self) -> list[Piece]:
        """All blocks of the flow that ends here."""
        self._flush()
        return self._group.flow.finish(self._look())


FORMAT = Format("rtf", (".rtf",), recognise, read)
