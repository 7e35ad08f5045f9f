"""PDF (ISO 32000): what PDFium gives of it, from the pages to the attachments."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from ctypes import byref, c_ulong, create_string_buffer
from logging import ERROR, getLogger
from threading import Lock
from typing import Any

import pypdfium2 as pdfium
from lxml import etree
from pypdfium2 import raw

from index.errors import Unreadable
from index.readers.annotations import added, text_of
from index.readers.blocks import Piece, assemble, one_line
from index.readers.columns import in_reading_order, without_running_heads
from index.readers.dates import iso_date
from index.readers.format import Format, Inner
from index.readers.layout import pieces, plain
from index.readers.letters import Line, sheets
from index.values import Content

getLogger("pypdfium2").setLevel(ERROR)  # that it reads no XFA is known
_PDFIUM = Lock()  # PDFium may be used by one thread at a time
_HEADER = re.compile(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n\0])%PDF-\d")
_NO_TITLE = re.compile(
    r"(?i)\(?(?:untitled|anonymous)|microsoft \w+ - |\\\d{3}|"
    r".*\.(?:docx?|pdf|tex|dvi|indd|rtf|odt|p65)$"
)
_NO_AUTHOR = re.compile(r"(?i)\(?(?:anonymous|unknown|unspecified)\)?$")
_LARGEST = 200 * 1024 * 1024  # bytes of an attachment
_MOST_TITLES = 10_000  # of an outline
_DEEPEST_TITLE = 6
_LARGEST_XMP = 1 << 20
_XMP = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}


def recognise(data: bytes) -> bool:
    """Say whether the header of a PDF stands in the first 1,024 bytes, not in mid-sentence."""
    return _HEADER.search(data[:1024]) is not None


def read(data: bytes) -> Content:
    """Read a PDF by page. The title is the stated one if it is sane, else the largest heading.

    Running heads and page numbers are left out; filled form fields and notes follow the text of
    their page. Raises ``Unreadable`` where it is encrypted, damaged, or holds pictures instead
    of text.
    """
    with _PDFIUM:
        document = _open(data)
        try:
            pages, further = _pages(document)
            if not further and not any(any(sides) for sides in pages):
                raise Unreadable(_why_silent(document))
            outline = _outline(document)
            language = text_of(lambda out, size: raw.FPDFCatalog_GetLanguage(document, out, size))
            facts = {**_xmp(data), **_info(document)}
        finally:
            document.close()
    found = pieces(_in_order(pages), outline)
    found = sorted(found + further, key=lambda piece: piece.page or 0)
    created = iso_date(facts.get("created", ""))
    metadata = {
        "author": facts.get("author", ""),
        "created": created,
        "changed": iso_date(facts.get("changed", "")),
    }
    return assemble(
        "pdf",
        found,
        title=_title(facts.get("title", ""), found),
        published=created,
        language=language or facts.get("language"),
        metadata={name: fact for name, fact in metadata.items() if fact},
    )


def unpack(data: bytes) -> Iterator[Inner]:
    """The files attached to a PDF (ISO 32000, 7.11.4), read one at a time."""
    with _PDFIUM:
        document = _open(data)
        count = document.count_attachments()
    try:
        for index in range(count):
            with _PDFIUM:
                inner = _attachment(document, index)
            yield inner
    finally:
        with _PDFIUM:
            document.close()


def _open(data: bytes) -> pdfium.PdfDocument:
    """Open a PDF, also an encrypted one that needs no password to be read."""
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


def _pages(document: pdfium.PdfDocument) -> tuple[list[list[list[Line]]], list[Piece]]:
    """The sides of each page as they were drawn, and what people put on the pages."""
    document.init_forms()
    pages: list[list[list[Line]]] = []
    further: list[Piece] = []
    for number in range(len(document)):
        sides, more = _page(document, number)
        pages.append(sides)
        further += more
    return pages, [piece for piece in further if piece.text]


def _page(document: pdfium.PdfDocument, number: int) -> tuple[list[list[Line]], list[Piece]]:
    """One page; nothing of a page that cannot be opened."""
    try:
        page = document[number]
    except pdfium.PdfiumError:
        return [], []
    try:
        more = list(added(page, document.formenv and document.formenv.raw, number + 1))
        letters = page.get_textpage()
    except pdfium.PdfiumError:
        page.close()
        return [], []
    try:
        return sheets(letters, number + 1), more
    finally:
        letters.close()
        page.close()


def _in_order(pages: list[list[list[Line]]]) -> list[list[Line]]:
    """The lines of all pages as a person reads them; what stands sideways comes after its page."""
    upright = [sides[0] if sides else [] for sides in pages]
    kept = without_running_heads(upright)
    if not any(kept):
        kept = upright
    sideways = Counter(line.text for sides in pages for side in sides[1:] for line in side)
    ordered: list[list[Line]] = []
    for lines, sides in zip(kept, pages, strict=True):
        ordered.append(in_reading_order(lines))
        for side in sides[1:]:
            often = max(3, len(pages) / 2)
            ordered.append([line for line in side if sideways[line.text] < often])
    return ordered if any(ordered) else upright


def _outline(document: pdfium.PdfDocument) -> dict[int, dict[str, int]]:
    """By page, the titles of the outline without case and spaces, with their levels."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for count, mark in enumerate(document.get_toc(max_depth=_DEEPEST_TITLE)):
        if count == _MOST_TITLES:
            break
        place = mark.get_dest()
        index = place.get_index() if place else None
        title = plain(one_line(mark.get_title()))
        if index is not None and title:
            found[index + 1].setdefault(title, mark.level + 1)
    return found


def _info(document: pdfium.PdfDocument) -> dict[str, str]:
    """Facts from the information dictionary (ISO 32000, 14.3.3), where it states them."""
    stated = document.get_metadata_dict()
    facts = {
        "title": one_line(stated.get("Title", "")),
        "author": one_line(stated.get("Author", "")),
        "created": stated.get("CreationDate", ""),
        "changed": stated.get("ModDate", ""),
    }
    if _NO_AUTHOR.match(facts["author"]):
        del facts["author"]
    return {name: fact for name, fact in facts.items() if fact.strip()}


def _xmp(data: bytes) -> dict[str, str]:
    """Facts from the last packet of XMP (ISO 16684-1), which is stored as it is to be found."""
    start = data.rfind(b"<rdf:RDF")
    end = data.find(b"</rdf:RDF>", start) + len(b"</rdf:RDF>")
    if start < 0 or not start < end <= start + _LARGEST_XMP:
        return {}
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, recover=True, remove_comments=True
    )
    try:
        tree = etree.fromstring(data[start:end], parser)
    except etree.XMLSyntaxError:
        return {}
    if tree is None:
        return {}
    facts = {
        "title": _stated(tree, "dc:title//rdf:li")[:1],
        "author": _stated(tree, "dc:creator//rdf:li"),
        "created": _stated(tree, "xmp:CreateDate"),
        "changed": _stated(tree, "xmp:ModifyDate"),
        "language": _stated(tree, "dc:language//rdf:li")[:1],
    }
    return {name: ", ".join(found) for name, found in facts.items() if found}


def _stated(tree: Any, path: str) -> list[str]:
    """What a property says, as an element or as an attribute."""
    found = tree.xpath(f"//{path}/text() | //@{path.split('/')[0]}", namespaces=_XMP)
    return [text for text in map(one_line, found) if text]


def _title(stated: str, found: list[Piece]) -> str:
    if any(letter.isalpha() for letter in stated) and not _NO_TITLE.match(stated):
        return stated
    headings = [piece for piece in found if piece.kind == "heading" and piece.page == 1]
    return min(headings, key=lambda piece: piece.level, default=Piece("")).text


def _attachment(document: pdfium.PdfDocument, index: int) -> Inner:
    name = f"attachment {index + 1}"
    try:
        attachment = document.get_attachment(index)
        name = one_line(attachment.get_name()) or name
        size = c_ulong()
        raw.FPDFAttachment_GetFile(attachment, None, 0, byref(size))
        if size.value > _LARGEST:
            return Inner(name, b"", "too large: it unpacks to more than 200 MB")
        buffer = create_string_buffer(size.value)
        if size.value and raw.FPDFAttachment_GetFile(attachment, buffer, size, byref(size)):
            return Inner(name, buffer.raw)
    except pdfium.PdfiumError:
        pass
    return Inner(name, b"", "damaged: it can't be unpacked")


FORMAT = Format("pdf", (".pdf",), recognise, read, unpack=unpack)
