"""What people put on the pages of a PDF: the values of form fields, and notes (ISO 32000, 12.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ctypes import c_ulong, c_ushort
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

from index.readers.blocks import Piece, one_line

_MOST = 5000  # annotations of a page
_LONGEST = 1 << 20  # bytes of one text
_TICKED = frozenset((raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON))
_SILENT = frozenset((raw.FPDF_FORMFIELD_PUSHBUTTON, raw.FPDF_FORMFIELD_SIGNATURE))
_NOTES = frozenset(
    getattr(raw, f"FPDF_ANNOT_{kind}")
    for kind in (
        "TEXT FREETEXT HIGHLIGHT UNDERLINE SQUIGGLY STRIKEOUT SQUARE CIRCLE LINE POLYGON POLYLINE "
        "STAMP CARET INK FILEATTACHMENT"
    ).split()
)


def added(page: pdfium.PdfPage, forms: Any, number: int) -> Iterator[Piece]:
    """The filled fields of a page as rows (``name | value``), then its notes.

    ``forms`` is PDFium's form environment, None where the document has no form.
    """
    count = min(raw.FPDFPage_GetAnnotCount(page), _MOST)
    rows: dict[str, None] = {}  # a field may show its value in several places
    notes: dict[str, None] = {}
    for index in range(count):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_WIDGET and forms:
                rows[_field(annotation, forms)] = None
            elif kind in _NOTES:
                notes[_stated(annotation, b"Contents").strip()] = None
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    yield from (Piece(row, "row", page=number) for row in rows)
    yield from (Piece(note, page=number) for note in notes)


def _field(annotation: Any, forms: Any) -> str:
    """Name and value of a filled field, empty for any other."""
    kind = raw.FPDFAnnot_GetFormFieldType(forms, annotation)
    if kind in _SILENT:
        return ""

    def ask(function: Callable[..., int]) -> str:
        return one_line(text_of(lambda out, size: function(forms, annotation, out, size)))

    if kind in _TICKED:
        if not raw.FPDFAnnot_IsChecked(forms, annotation):
            return ""
        value = ask(raw.FPDFAnnot_GetFormFieldExportValue)
        value = "yes" if value.casefold() in ("on", "") else value
    else:
        value = ask(raw.FPDFAnnot_GetFormFieldValue)
    name = ask(raw.FPDFAnnot_GetFormFieldAlternateName) or ask(raw.FPDFAnnot_GetFormFieldName)
    return f"{name} | {value}" if name and value else value


def _stated(annotation: Any, key: bytes) -> str:
    return text_of(lambda out, size: raw.FPDFAnnot_GetStringValue(annotation, key, out, size))


def text_of(get: Callable[[Any, int], int]) -> str:
    """A text that PDFium writes into a buffer, and says how many bytes it has."""
    size = get(None, 0)
    if not 2 < size <= _LONGEST:
        return ""
    buffer = (c_ushort * (size // 2 + 1))()
    size = min(size, get(buffer, c_ulong(size).value))
    return bytes(buffer)[: max(0, size - 2)].decode("utf-16-le", "replace")
