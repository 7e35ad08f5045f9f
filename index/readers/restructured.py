"""reStructuredText (docutils' specification): headings, lists, tables, directives as they read.

Nothing is included from other files and nothing is run, whatever a directive asks for.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator

from index.readers import text
from index.readers.blocks import Piece, assemble, clean
from index.readers.dates import iso_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import BlockKind, Content

_LONGEST_TABLE = 2_000  # lines of a table without a frame
_DEEPEST = 30  # blocks within blocks; deeper ones are read as plain text
_TABLE_EDGE = re.compile(r"\+(?:[-=]+\+)+\s*$")
_SIMPLE_EDGE = re.compile(r"=+(?: +=+)+\s*$")
_SIMPLE_RULE = re.compile(r"[-= ]+$")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1+\s*$")
_BULLET = re.compile(r"[-*+•‣⁃](?: +|$)")
_NUMBER = re.compile(r"\(?(?:\d{1,4}|#|[A-Za-z]|[ivxlcIVXLC]{1,6})[.)] +(?=\S)")
_FIELD = re.compile(r":((?:\\.|[^:\\\n])+):(?: +|$)")
_EXPLICIT = re.compile(r"(?:\.\.|__)(?: +|$)")
_DIRECTIVE = re.compile(r"(?:\|([^|\n]+)\| +)?([A-Za-z][\w:.+-]*?) ?::(?: +(.*)|$)")
_NOTE = re.compile(r"\[(\w[\w.-]*|#[\w.-]*|\*)\](?: +(.*)|$)")
_TARGET = re.compile(r"_(?:`([^`]+)`|([^:\n]+)):")

_VERBATIM = frozenset(
    "code code-block sourcecode highlight parsed-literal math productionlist doctest testcode"
    " testoutput prompt console".split()
)
# What points elsewhere or is for the machine; of a picture only its description is read.
_UNREAD = frozenset(
    "include literalinclude raw toctree contents sectnum section-numbering meta role default-role"
    " title index highlight-lang module currentmodule tabularcolumns graphviz digraph graph uml"
    " mermaid plot testsetup testcleanup autosummary target-notes restructuredtext-test-directive"
    " header footer codeauthor sectionauthor highlightlang date".split()
)
_SAID = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}

_INLINE = re.compile(
    r"``(?P<literal>[^`]+(?:`[^`]+)*?)``"
    r"|\\(?P<escaped>[\s\S])"
    r"|(?::[A-Za-z][\w:.+-]{0,60}:|_)?`(?P<marked>[^`]+)`(?::[A-Za-z][\w:.+-]{0,60}:)?_{0,2}"
    r"|(?<![\w*])\*\*(?=\S)(?P<strong>[^*]+)(?<=\S)\*\*(?!\w)"
    r"|(?<![\w*])\*(?=\S)(?P<emphasis>[^*]+)(?<=\S)\*(?!\w)"
    r"|\|(?P<name>[^|\s][^|\n]{0,80})\|_{0,2}"
    r"|(?P<note>\[[\w#*][\w.-]*\])_(?!\w)"
    r"|(?<![\w_])(?P<word>[^\W_](?:[\w.+-]{0,80}[^\W_])?)_{1,2}(?!\w)"
)


def read(data: bytes) -> Content:
    """Read a document; its first heading is its title, its field list says who and when."""
    reader = _Reader(clean(decode(data)))
    found = list(reader.pieces())
    title = next((piece.text for piece in found if piece.kind == "heading"), "")
    author = reader.facts.get("author") or reader.facts.get("authors") or ""
    return assemble(
        "rst",
        found,
        title=title,
        published=iso_date(reader.facts.get("date", "")),
        metadata={"author": author} if author else {},
    )


class _Reader:
    """One document: the styles of its headings, and what its substitutions stand for."""

    def __init__(self, source: str) -> None:
        self.facts: dict[str, str] = {}
        self._lines = source.expandtabs(8).split("\n")
        self._styles: list[tuple[str, bool]] = []
        self._replaced: dict[str, str] = {}
        self._targets: set[str] = set()

    def pieces(self) -> Iterator[Piece]:
        """The blocks in order."""
        for line in self._lines:
            self._learn(line.strip())
        yield from self._blocks(self._lines, 0)

    def _learn(self, line: str) -> None:
        """Note the names that are defined, perhaps below where they are used."""
        if not line.startswith(".. "):
            return
        explicit = line[3:].strip()
        if match := _TARGET.match(explicit):
            self._targets.add((match[1] or match[2]).lower())
        elif (match := _DIRECTIVE.match(explicit)) and match[1] and match[2] == "replace":
            self._replaced[match[1]] = match[3] or ""

    # --- Blocks ---

    def _blocks(self, lines: list[str], depth: int) -> Iterator[Piece]:
        if depth > _DEEPEST:
            yield from text.pieces("\n".join(lines))
            return
        at = 0
        while at < len(lines):
            if not lines[at].strip():
                at += 1
                continue
            taken, found = self._block(lines, at, depth)
            yield from found
            at += max(taken, 1)

    def _block(self, lines: list[str], at: int, depth: int) -> tuple[int, list[Piece]]:
        """The block that begins at a line: how many lines it has, and what is in it."""
        line = lines[at]
        if line[0] == " ":
            body = _indented(lines, at)
            return len(body), list(self._blocks(_dedented(body), depth + 1))
        if heading := self._heading(lines, at):
            return heading
        if _TABLE_EDGE.match(line):
            return self._grid(lines, at)
        if _SIMPLE_EDGE.match(line):
            return self._simple_table(lines, at)
        if _ADORNMENT.match(line) and len(line.rstrip()) > 3 and not _continues(lines, at):
            return 1, []  # a rule across the page
        if match := _EXPLICIT.match(line):
            first, body = line[match.end() :], _indented(lines, at + 1)
            return 1 + len(body), list(self._explicit(first, body, depth))
        if match := _BULLET.match(line):
            return self._item(lines, at, match.end(), "", depth)
        if (match := _NUMBER.match(line)) and _is_item(lines, at):
            number = match.group().strip()
            return self._item(lines, at, match.end(), "" if "#" in number else number, depth)
        if match := _FIELD.match(line):
            return self._field(lines, at, match, depth)
        if line.startswith("| ") or line.strip() == "|":
            block = _run(lines, at, _is_text)
            shown = "\n".join(part.removeprefix("|").strip() for part in block)
            return len(block), [Piece(self._inline(shown))]
        return self._paragraph(lines, at, depth)

    def _heading(self, lines: list[str], at: int) -> tuple[int, list[Piece]] | None:
        """A line underlined, or lined on both sides; styles are levels in the order they come."""
        line, *after = [part.rstrip() for part in lines[at : at + 3]]
        over = len(after) == 2 and after[1] == line and _ADORNMENT.match(line) is not None
        title, under = (after[0], after[1]) if over else (line, after[0] if after else "")
        match = _ADORNMENT.match(under)
        if not match or not title.strip() or _ADORNMENT.match(title):
            return None
        if len(under) < min(len(title.strip()), 4):
            return None
        style = (match[1], over)
        if style not in self._styles:
            self._styles.append(style)
        level = min(self._styles.index(style) + 1, 9)
        return 3 if over else 2, [Piece(self._inline(title.strip()), "heading", level)]

    def _paragraph(self, lines: list[str], at: int, depth: int) -> tuple[int, list[Piece]]:
        """Text up to a blank line; a line over an indented one is a term over its definition."""
        block = _run(lines, at, _is_text)
        if len(block) > 1 and block[1][0] == " ":
            body = _indented(lines, at + 1)
            found = [Piece(self._inline(block[0]), "item")]
            found += _as_items(self._blocks(_dedented(body), depth + 1))
            return 1 + len(body), found
        block = _run(block, 0, lambda line: line[0] != " ")
        source = "\n".join(block)
        if not source.endswith("::"):
            shown = source if source.startswith(">>>") else self._inline(source)
            return len(block), [Piece(shown)]
        shown = self._inline(source[:-2].rstrip() + ("" if source[-3:-2] in (" ", "") else ":"))
        body = _indented(lines, at + len(block))
        return len(block) + len(body), [Piece(shown.rstrip("\n")), Piece(_verbatim(body))]

    def _item(
        self, lines: list[str], at: int, indent: int, number: str, depth: int
    ) -> tuple[int, list[Piece]]:
        body = _indented(lines, at + 1)
        inside = [lines[at][indent:], *_dedented(body)]
        found = _as_items(self._blocks(inside, depth + 1))
        if found and number:
            found[0] = Piece(f"{number} {found[0].text}", found[0].kind, found[0].level)
        return 1 + len(body), found

    def _field(
        self, lines: list[str], at: int, match: re.Match[str], depth: int
    ) -> tuple[int, list[Piece]]:
        body = _indented(lines, at + 1)
        name, first = match[1], lines[at][match.end() :]
        value = " ".join(" ".join([first, *body]).split()).strip("$")
        if not depth:
            self.facts.setdefault(name.lower(), self._inline(value))
        if first and not body:
            return 1, [Piece(self._inline(f"{name}: {value}"))]
        found = list(self._blocks([first, *_dedented(body)], depth + 1))
        if found and found[0].kind == "paragraph":
            found[0] = Piece(f"{name}: {found[0].text}")
        return 1 + len(body), found

    # --- Explicit markup ---

    def _explicit(self, first: str, body: list[str], depth: int) -> Iterator[Piece]:
        """A directive or a note; targets, substitutions and comments are not read."""
        if match := _NOTE.match(first):
            found = list(self._blocks([match[2] or "", *_dedented(body)], depth + 1))
            if found:
                yield Piece(f"[{match[1]}] {found[0].text}")
                yield from found[1:]
        elif (match := _DIRECTIVE.match(first)) and not match[1]:
            yield from self._directive(match[2].lower(), match[3] or "", _dedented(body), depth)

    def _directive(self, name: str, argument: str, body: list[str], depth: int) -> Iterator[Piece]:
        options, body = _options(body)
        name = name.rpartition(":")[2]
        if name in ("image", "figure"):
            yield Piece(self._inline(options.get("alt", "")))
            argument = ""
        if name in _UNREAD or name.startswith("auto"):
            return
        if name in _VERBATIM:
            yield Piece("\n".join([*([argument] if name == "math" else []), *body]))
        elif name == "csv-table":
            yield Piece(self._inline(argument))
            yield from map(_row, csv.reader([options.get("header", ""), *body]))
        elif name == "list-table":
            yield Piece(self._inline(argument))
            yield from self._list_table(body, depth)
        elif name in _SAID:
            version, _, said = argument.partition(" ")
            yield Piece(f"{_SAID[name]} {version}: {self._inline(said)}".rstrip(": "))
            yield from self._blocks(body, depth + 1)
        else:
            yield from self._blocks([argument, *body], depth + 1)

    # --- Tables ---

    def _list_table(self, body: list[str], depth: int) -> Iterator[Piece]:
        """Each item of the list is a row, each item of that a cell."""
        at = 0
        while at < len(body):
            inside = _indented(body, at + 1)
            if match := _BULLET.match(body[at]):
                cells, row = [], [body[at][match.end() :], *_dedented(inside)]
                start = 0
                while start < len(row):
                    taken, found = 1, list[Piece]()
                    if row[start].strip():
                        taken, found = self._block(row, start, depth + 1)
                        cells.append(" ".join(piece.text for piece in found))
                    start += max(taken, 1)
                yield _row(cells)
            at += 1 + len(inside)

    def _grid(self, lines: list[str], at: int) -> tuple[int, list[Piece]]:
        """A table drawn with +--+ around its cells."""
        block = _run(lines, at, lambda line: line[:1] in ("+", "|"))
        found: list[Piece] = []
        row: list[list[str]] = []
        for line in block:
            cells = line.strip().strip("|").split("|")
            if line.startswith("+"):
                found.append(self._cells(row))
                row = []
            elif row and len(row) == len(cells):
                for cell, part in zip(row, cells, strict=True):
                    cell.append(part)
            else:  # cells that span are told apart where they begin
                found.append(self._cells(row))
                row = [[cell] for cell in cells]
        return len(block), [*found, self._cells(row)]

    def _simple_table(self, lines: list[str], at: int) -> tuple[int, list[Piece]]:
        """A table under and over lines of = that say where its columns begin."""
        starts = [match.start() for match in re.finditer("=+", lines[at])]
        rest = [line.rstrip() for line in lines[at + 1 : at + 1 + _LONGEST_TABLE]]
        edges = [number for number, line in enumerate(rest) if _SIMPLE_EDGE.match(line)][:3]
        ends = [e for e in edges if e + 1 == len(rest) or not rest[e + 1]]
        block = rest[: ends[0] if ends else len(_run(rest, 0, bool))]
        rows: list[list[list[str]]] = []
        for line in block:
            if not line or _SIMPLE_RULE.match(line):
                continue
            cells = [line[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
            if cells[0].strip() or not rows:
                rows.append([[cell] for cell in cells])
            else:
                for cell, part in zip(rows[-1], cells, strict=True):
                    cell.append(part)
        return 1 + len(block) + bool(ends), [self._cells(row) for row in rows]

    def _cells(self, row: list[list[str]]) -> Piece:
        return _row([self._inline(" ".join(" ".join(cell).split())) for cell in row])

    # --- Running text ---

    def _inline(self, source: str) -> str:
        """Text without its marks; what roles and links say is shown, where they point is not."""
        return _INLINE.sub(self._shown, source)

    def _shown(self, match: re.Match[str]) -> str:
        kind = match.lastgroup
        inside = match[kind] if kind else ""
        if kind == "escaped":
            return "" if inside.isspace() else inside
        if kind == "marked":
            name, _, address = inside.rpartition("<")
            shown = name.rstrip() if name.strip() and address.endswith(">") else inside
            return shown.rpartition(".")[2] if shown.startswith("~") else shown.removeprefix("!")
        if kind == "name":
            return self._replaced.get(inside, match.group())
        if kind == "word":
            return inside if inside.lower() in self._targets else match.group()
        return inside


def _run(lines: list[str], at: int, goes_on: Callable[[str], object]) -> list[str]:
    """The lines from there on of which something holds."""
    end = at
    while end < len(lines) and goes_on(lines[end]):
        end += 1
    return lines[at:end]


def _is_text(line: str) -> bool:
    return bool(line.strip())


def _row(cells: list[str]) -> Piece:
    return Piece(" | ".join(filter(None, (" ".join(cell.split()) for cell in cells))), "row")


def _as_items(found: Iterator[Piece]) -> list[Piece]:
    """A paragraph in a list item is still the item."""
    kinds: dict[BlockKind, BlockKind] = {"paragraph": "item"}
    return [Piece(p.text, kinds.get(p.kind, p.kind), p.level) for p in found if p.text.strip()]


def _indented(lines: list[str], at: int) -> list[str]:
    """The lines from there on that are indented or blank, without blank ones at their end."""
    block = _run(lines, at, lambda line: not line.strip() or line[0] == " ")
    while block and not block[-1].strip():
        block.pop()
    return block


def _dedented(lines: list[str]) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def _verbatim(body: list[str]) -> str:
    return "\n".join(_dedented(body)).strip("\n")


def _continues(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and bool(lines[at + 1].strip())


def _is_item(lines: list[str], at: int) -> bool:
    """A line that begins like a numbered item is one unless plain text goes on below it."""
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return not below.strip() or below[0] == " " or _NUMBER.match(below) is not None


def _options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    """The options of a directive, which stand before its content."""
    options: dict[str, str] = {}
    at = 0
    while at < len(body) and (match := _FIELD.match(body[at])):
        options[match[1].lower()] = body[at][match.end() :].strip()
        at += 1
        while at < len(body) and body[at].startswith(" "):
            at += 1
    return options, body[at:]


FORMAT = Format("rst", (".rst", ".rest"), lambda data: False, read, textual=True)
