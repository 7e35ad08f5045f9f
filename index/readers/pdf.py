"""PDF (ISO 32000): paragraphs put together again from the lines of each page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from ctypes import byref, c_double
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from threading import Lock

import pypdfium2 as pdfium
from pypdfium2 import raw

from index.errors import Unreadable
from index.readers.blocks import Piece, assemble, clean, one_line
from index.readers.dates import iso_date
from index.readers.format import Format
from index.values import Content

_PDFIUM = Lock()  # PDFium may be used by one thread at a time
_HEADER = re.compile(rb"(?:\A|[\r\n\0])%PDF-\d")
_LINE_ENDS = frozenset((0x0D, 0x0A))
_HYPHEN = 0x02  # what PDFium puts for a hyphen at the end of a line
_BULLET = re.compile(r"(?:[•‣▪◦●○■–—*]|\(?\d{1,3}[.)])\s+\S")
_SENTENCE_END = re.compile(r"[.!?:…。！？؟۔][\"'”’»)\]]*$")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_NO_TITLE = re.compile(r"(?i)untitled|microsoft \w+ - |.*\.(?:docx?|pdf|tex|dvi|indd|rtf|odt|p65)$")
_A_WORD = re.compile(r"[^\W\d_]{3}|[^\W\d_]*[\u2e80-\uffef]")  # large formulas are no headings
_LARGER = 1.15  # times the size of the body: a heading
_LONGEST_HEADING = 200  # characters


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was set: where it stands and how tall its letters are, in points."""

    text: str
    page: int
    left: float
    right: float
    baseline: float
    size: float
    hyphenated: bool = False


def recognise(data: bytes) -> bool:
    """Say whether the header of a PDF stands in the first 1,024 bytes, not in mid-sentence."""
    return _HEADER.search(data[:1024]) is not None


def read(data: bytes) -> Content:
    """Read a PDF by page. The title is the stated one if it is sane, else the largest heading.

    Raises ``Unreadable`` where it is encrypted, damaged, or holds pictures instead of text.
    """
    with _PDFIUM:
        document = _open(data)
        try:
            stated = document.get_metadata_dict()
            pages = [_merged(_page(document, number)) for number in range(len(document))]
            if not any(pages):
                raise Unreadable(_why_silent(document))
        finally:
            document.close()
    everything = [line for lines in pages for line in lines]
    found = _pieces(_without_running_heads(pages) or everything)
    return assemble(
        "pdf",
        found,
        title=_title(stated.get("Title", ""), found),
        published=iso_date(stated.get("CreationDate", "")),
    )


def _open(data: bytes) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Unreadable("encrypted: save it without a password") from error
        raise Unreadable("damaged: it is not a complete PDF") from error


def _why_silent(document: pdfium.PdfDocument) -> str:
    for number in range(len(document)):
        try:
            if next(document[number].get_objects([raw.FPDF_PAGEOBJ_IMAGE]), None):
                return "no text: the pages are images (needs OCR)"
        except pdfium.PdfiumError:
            continue
    return "no text: the pages are empty or drawn without letters"


def _page(document: pdfium.PdfDocument, number: int) -> list[Line]:
    """The lines of a page in reading order; none of a page that cannot be opened."""
    try:
        page = document[number]
        letters = page.get_textpage()
    except pdfium.PdfiumError:
        return []
    try:
        return list(_lines(letters, number + 1))
    finally:
        letters.close()
        page.close()


def _lines(letters: pdfium.PdfTextPage, page: int) -> Iterator[Line]:
    codes = [raw.FPDFText_GetUnicode(letters, index) for index in range(letters.count_chars())]
    start = 0
    for index, code in enumerate([*codes, 0x0A]):
        if code != _HYPHEN and code not in _LINE_ENDS:
            continue
        text = " ".join(clean(_characters(codes[start:index])).split())
        if text:
            yield _line(letters, text, page, range(start, index), code == _HYPHEN)
        start = index + 1


def _characters(codes: Sequence[int]) -> str:
    """Letters beyond the 65,536th may come as UTF-16 pairs."""
    return (
        "".join(map(chr, codes)).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    )


def _line(letters: pdfium.PdfTextPage, text: str, page: int, span: range, hyphenated: bool) -> Line:
    box = raw.FS_RECTF()
    lefts, rights, sizes = [], [], []
    for index in {span[0], span[len(span) // 2], span[-1]}:
        if raw.FPDFText_GetLooseCharBox(letters, index, byref(box)):
            lefts.append(box.left)
            rights.append(box.right)
            sizes.append(abs(box.top - box.bottom))
    x, y = c_double(), c_double()
    raw.FPDFText_GetCharOrigin(letters, span[0], byref(x), byref(y))
    return Line(
        text,
        page,
        min(lefts, default=0.0),
        max(rights, default=0.0),
        y.value,
        median(sizes) if sizes else 0.0,
        hyphenated or (text.endswith(("-", "\u2010")) and len(text) > 1),
    )


def _merged(fragments: list[Line]) -> list[Line]:
    """Put together what stands side by side: raised and lowered letters, cells of a table."""
    lines: list[Line] = []
    for right in fragments:
        left = lines[-1] if lines else right
        size = max(left.size, right.size)
        gap = right.left - left.right
        beside = abs(left.baseline - right.baseline) < 0.55 * size and gap > -0.5 * size
        if not lines or not beside:
            lines.append(right)
            continue
        main = max(left, right, key=lambda line: (line.size, len(line.text)))
        lines[-1] = replace(
            main,
            text=left.text + (" " if gap > 0.15 * size else "") + right.text,
            left=left.left,
            right=right.right,
            hyphenated=right.hyphenated,
        )
    return lines


def _without_running_heads(pages: list[list[Line]]) -> list[Line]:
    """All lines but those that head or foot most pages, whatever number is in them."""
    edges: Counter[str] = Counter()
    for lines in pages:
        edges.update({_pattern(line) for line in (lines[:1] + lines[-1:])})
    often = max(3, len(pages) / 2)
    running = {pattern for pattern, count in edges.items() if count >= often}
    return [
        line
        for lines in pages
        for number, line in enumerate(lines)
        if number not in (0, len(lines) - 1) or _pattern(line) not in running
    ]


def _pattern(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text)


def _pieces(lines: list[Line]) -> list[Piece]:
    body = _usual_size(lines)
    leading = _usual_leading(lines)
    words = {word.lower() for line in lines for word in _WORD.findall(line.text)}
    groups: list[list[Line]] = []
    for line in lines:
        if groups and _continues(groups[-1], line, leading, line.size > _LARGER * body):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [_piece(group, _join(group, words), body) for group in groups]


def _usual_size(lines: list[Line]) -> float:
    """The size of most letters, to half a point."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _usual_leading(lines: list[Line]) -> float:
    """The usual distance between lines, in sizes of their letters."""
    pairs = pairwise(lines)
    drops = [(a.baseline - b.baseline) / a.size for a, b in pairs if a.size and a.page == b.page]
    return median([drop for drop in drops if 0.5 < drop < 3] or [1.2])


def _continues(group: list[Line], line: Line, leading: float, large: bool) -> bool:
    """Say whether ``line`` goes on with the paragraph that ``group`` has begun."""
    first, last = group[0], group[-1]
    size = last.size or 1.0
    drop = last.baseline - line.baseline
    if not 0.88 < line.size / size < 1.14 or _BULLET.match(line.text):
        return False
    unfinished = last.hyphenated or not _SENTENCE_END.search(last.text)
    flows = unfinished and line.text[0].islower()
    if line.page != last.page or drop < -0.5 * size:  # the next column or page
        return flows
    if drop > 1.3 * leading * size:
        return False
    if large:
        return True
    indent = line.left - last.left
    if indent > 0.8 * size and not _BULLET.match(last.text):
        return flows
    hanging = len(group) > 1 and last.left - first.left > 0.8 * size
    if hanging and abs(line.left - first.left) < 0.3 * size:
        return flows
    margin = max(line.right, *(other.right for other in group))
    short = margin - last.right > 0.15 * (margin - first.left)
    return not short or unfinished


def _piece(group: list[Line], text: str, body: float) -> Piece:
    page = group[0].page
    scale = max(line.size for line in group) / (body or 1.0)
    if scale > _LARGER and len(text) <= _LONGEST_HEADING and _A_WORD.search(text):
        return Piece(text, "heading", 1 if scale > 1.7 else 2 if scale > 1.35 else 3, page)
    return Piece(text, "item" if _BULLET.match(text) else "paragraph", page=page)


def _join(group: list[Line], words: set[str]) -> str:
    """One text from wrapped lines, words divided at line ends made whole."""
    text = group[0].text
    for last, line in pairwise(group):
        if not last.hyphenated:
            text += " " + line.text
            continue
        text = text.removesuffix("-").removesuffix("\u2010")
        text += ("" if _divided(text, line.text, words) else "-") + line.text
    return text


def _divided(before: str, after: str, words: set[str]) -> bool:
    """Say whether a hyphen at a line end only divides a word, by the document's other words."""
    start, end = re.search(r"[^\W\d_]+$", before), re.match(r"[^\W\d_]+", after)
    if not start or not end or not after[0].islower():
        return False
    whole = (start.group() + end.group()).lower()
    return whole in words or f"{start.group()}-{end.group()}".lower() not in words


def _title(stated: str, found: list[Piece]) -> str:
    title = one_line(stated)
    if any(letter.isalpha() for letter in title) and not _NO_TITLE.match(title):
        return title
    headings = [piece for piece in found if piece.kind == "heading" and piece.page == 1]
    return min(headings, key=lambda piece: piece.level, default=Piece("")).text


FORMAT = Format("pdf", (".pdf",), recognise, read)
