"""Files to read, made here, and what holds of everything that is read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from io import BytesIO

import docx
import pytest

from index.errors import Unreadable
from index.readers import read
from index.values import Content

RUSSIAN = "Однажды, в студёную зимнюю пору, я из лесу вышел; был сильный мороз."
PROSE = (
    "The wind that gave the hall its name blows from the north, and in some years it does so "
    "for a whole week without a pause. "
)


def blocks(content: Content) -> list[tuple[str, str]]:
    """Kind and text of each block, a heading with its level."""
    return [
        (f"{block.kind}{block.level or ''}", content.text[block.start : block.end])
        for block in content.blocks
    ]


def check(content: Content) -> None:
    """The invariants of every ``Content``."""
    end = 0
    for block in content.blocks:
        assert end <= block.start < block.end <= len(content.text)
        assert not content.text[end : block.start].strip()
        piece = content.text[block.start : block.end]
        assert piece == piece.strip()
        assert (block.kind == "heading") == (block.level > 0)
        end = block.end
    assert content.blocks
    assert not content.text[end:].strip()
    assert not any(c < " " and c not in "\n\t" for c in content.text + content.title)
    assert "\n" not in content.title
    content.text.encode("utf-8")  # no lone surrogates


def refusal(data: bytes, name: str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(data, name)
    return str(caught.value)


def pdf_file(
    *pages: Sequence[tuple[float, float, float, str]],
    info: str = "",
    more: str = "",
    page: str = "",
) -> bytes:
    """A PDF of pages with lines (x, y, size, text) set in Helvetica; ``more`` joins the trailer."""
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        drawn = "\n".join(f"BT /F {s} Tf {x} {y} Td ({t}) Tj ET" for x, y, s, t in lines) + page
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        ]
    objects.append(f"<< {info} >>")
    out = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    return out + (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n"
        f"<< /Size {size} /Root 1 0 R /Info {len(objects)} 0 R {more} >>\n"
        f"startxref\n{len(out)}\n%%EOF\n"
    ).encode("latin-1")


def set_lines(
    *lines: str, top: float = 700, x: float = 72
) -> list[tuple[float, float, float, str]]:
    """Lines of 10 points set 12 points apart."""
    return [(x, top - 12 * number, 10, line) for number, line in enumerate(lines)]


def docx_file(document: object) -> bytes:
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def word_document() -> bytes:
    document = docx.Document()
    document.core_properties.title = "The Hall"
    document.core_properties.created = datetime(2016, 4, 28, 9, 30)
    document.core_properties.language = "en-GB"
    document.add_heading("Opening", level=1)
    paragraph = document.add_paragraph("It was ")
    paragraph.add_run("opened").bold = True
    paragraph.add_run(" in spring.")
    document.add_paragraph("a stage", style="List Bullet")
    document.add_paragraph("a foyer", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, (("Seats", "400"), ("Doors", "6")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_heading("Later", level=2)
    document.add_paragraph("It still stands.")
    return docx_file(document)


def mail_message() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Aysel Əliyeva <aysel@example.org>"
    message["To"] = "board@example.org"
    message["Subject"] = "Çıxış in the hall"
    message["Date"] = "Thu, 28 Apr 2016 23:30:00 +0400"
    message.set_content("Dear all,\n\nthe meeting is moved to Friday.\n")
    return message


ARTICLE = f"""<!DOCTYPE html><html lang="az"><head><meta charset="utf-8">
<title>Wind in the hall | Daily Khazri</title>
<meta property="article:published_time" content="2016-04-28T10:00:00+04:00"></head><body>
<nav><a href="/">Start page</a> <a href="/sport">Sport</a> <a href="/jobs">Vacancies</a></nav>
<article><h1>Wind in the hall</h1><p>{PROSE * 3}</p><h2>What was <em>built</em></h2>
<p>{PROSE * 2}<br>A new line.</p><ul><li>one stage</li><li>two foyers</li></ul>
<table><tr><th>Part</th><th>Seats</th></tr><tr><td>Parterre</td><td>300</td></tr></table>
<p style="display: none">Seen by nobody at all.</p><p>{PROSE * 3}</p></article>
<footer><a href="/imprint">Imprint</a></footer><script>var x = "code";</script></body></html>"""
