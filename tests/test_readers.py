"""Readers at their public surface: ``read``, on files made here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from email.message import EmailMessage
from io import BytesIO

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import read
from index.values import Content

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


# --- Files -----------------------------------------------------------------------------------


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


# --- Names and content -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "type"),
    [
        (pdf_file(set_lines("Some text in it.")), "pdf"),
        (word_document(), "docx"),
        (ARTICLE.encode(), "html"),
        (ARTICLE.encode("utf-16"), "html"),
        (b'<?xml version="1.0"?>\n<!-- note -->\n<html><body><p>Text</p></body></html>', "html"),
        (mail_message().as_bytes(), "mail"),
        (b"Just some words.", "text"),
    ],
)
@pytest.mark.parametrize("name", ["file", "file.txt", "file.pdf", "file.docx"])
def test_content_decides_over_name(data: bytes, type: str, name: str) -> None:
    content = read(data, name)
    check(content)
    assert content.type == type


def test_name_decides_between_texts() -> None:
    data = b"# Words\n\nFrom *us* <b>all</b>."
    assert {read(data, f"a.{s}").type for s in ("md", "txt", "html", "eml")} == {
        "markdown",
        "text",
        "html",
        "mail",
    }


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \r\n\0\t", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image"),
        (b"\x7fELF\2\1\1\0" + bytes(50), "program"),
        (bytes(range(256)) * 8, "binary"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old Office file"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.docx", "a.pdf", "a"])
def test_refusal_says_what_it_is(data: bytes, words: str, name: str) -> None:
    assert words in refusal(data, name)


# --- Plain text ------------------------------------------------------------------------------


def test_text_between_blank_lines_keeps_its_line_breaks() -> None:
    content = read(b"First line\r\nsecond line.\r\n\r\n \r\nAnother one.\r\n", "a.txt")
    assert content.text == "First line\nsecond line.\n\nAnother one."
    assert [text for _, text in blocks(content)] == ["First line\nsecond line.", "Another one."]
    assert content.title == ""


def test_text_with_one_paragraph_a_line() -> None:
    lines = ["A meeting was held", PROSE.strip() * 2, PROSE.strip(), "It ended.", PROSE.strip() * 3]
    content = read("\n".join(lines).encode(), "a.txt")
    assert [text for _, text in blocks(content)] == lines
    assert content.title == "A meeting was held"
    assert blocks(content)[0][0] == "heading1"


def test_text_lists_and_headings() -> None:
    source = f"{PROSE}\n\nWhat to bring\n\n{PROSE}\n\nBring these:\n- a coat\n  of wool\n- a hat\n"
    assert blocks(read(source.encode(), "a.txt"))[1:] == [
        ("heading2", "What to bring"),
        ("paragraph", PROSE.strip()),
        ("paragraph", "Bring these:"),
        ("item", "- a coat\n  of wool"),
        ("item", "- a hat"),
    ]


@pytest.mark.parametrize("first", ["This is a sentence.", "one two three", PROSE.strip(), "12345"])
def test_text_whose_first_line_is_no_title(first: str) -> None:
    assert read(f"{first}\n\n{PROSE}".encode(), "a.txt").title == ""


RUSSIAN = "Однажды, в студёную зимнюю пору, я из лесу вышел; был сильный мороз."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "utf-8"),
        (RUSSIAN, "utf-8-sig"),
        (RUSSIAN, "utf-16"),
        (RUSSIAN, "utf-32"),
        (RUSSIAN, "cp1251"),
        (PROSE.strip(), "utf-16-le"),
        (PROSE.strip(), "utf-16-be"),
        ("Der schöne Tag für große Übungen über Äpfel", "cp1252"),
        ("これは日本語の文章です。", "iso2022_jp"),
        ("吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。", "shift_jis"),
    ],
)
def test_text_in_any_encoding(text: str, encoding: str) -> None:
    assert read(text.encode(encoding), "a.txt").text == text


def test_text_with_a_few_wrong_bytes_stays_utf8() -> None:
    data = (RUSSIAN * 5).encode() + b"\xff" + "мороз".encode() + "е".encode()[:1]
    assert read(data, "a.txt").text == RUSSIAN * 5 + "\ufffdмороз\ufffd"


def test_text_is_cleaned() -> None:
    dirty = "A \x1b[31mred\x1b[0m bell\x07, a soft\xadhyphen,\u2028a line,\x0ca page\rand an end."
    clean = "A red bell, a softhyphen,\na line,\n\na page\nand an end."
    assert read(dirty.encode(), "a.txt").text == clean


# --- Markdown --------------------------------------------------------------------------------


def test_markdown_is_what_a_person_reads() -> None:
    source = """# The *Hall*

It has **two** [doors](http://example.org/x), `one` stage
and ~~no~~ roof&nbsp;garden.<br>New &amp; <b>bold</b>.

Setext
------
- first
- second

  still second
1. third

> quoted ![a plan](plan.png)

| Part | Seats |
|------|-------|
| *A*  | 300   |

```python
if x:
    pass
```

<div><p>raw <i>HTML</i></p></div>
"""
    content = read(source.encode(), "a.md")
    check(content)
    assert content.title == "The Hall"
    assert blocks(content) == [
        ("heading1", "The Hall"),
        ("paragraph", "It has two doors, one stage and no roof\xa0garden.\nNew & bold."),
        ("heading2", "Setext"),
        ("item", "first"),
        ("item", "second"),
        ("item", "still second"),
        ("item", "third"),
        ("paragraph", "quoted a plan"),
        ("row", "Part | Seats"),
        ("row", "A | 300"),
        ("paragraph", "if x:\n    pass"),
        ("paragraph", "raw HTML"),
    ]
    assert "Part | Seats\nA | 300\n\n" in content.text


def test_markdown_front_matter() -> None:
    front = '---\ntitle: "Wind: a study"\ndate: 2016-04-28\nlang: en_GB\ntags: [a]\n---\n'
    content = read((front + "# Other\n\nText.").encode(), "a.md")
    assert (content.title, content.published, content.language) == (
        "Wind: a study",
        "2016-04-28",
        "en-GB",
    )
    assert content.text == "Other\n\nText."


def test_markdown_rule_is_no_front_matter() -> None:
    assert "kept: yes" in read(b"Text.\n\n---\nkept: yes\n\n---\nmore", "a.md").text


# --- HTML ------------------------------------------------------------------------------------


def test_html_is_the_article() -> None:
    content = read(ARTICLE.encode(), "a.html")
    check(content)
    assert (content.title, content.published, content.language) == (
        "Wind in the hall",
        "2016-04-28",
        "az",
    )
    prose = PROSE.strip()
    found = blocks(content)
    assert [kind for kind, _ in found] == [
        "heading1", "paragraph", "heading2", "paragraph", "item", "item", "row", "row", "paragraph",
    ]  # fmt: skip
    assert ("heading2", "What was built") in found
    assert ("paragraph", f"{prose} {prose}\nA new line.") in found
    assert ("row", "Part | Seats") in found
    for absent in ("Vacancies", "Imprint", "nobody", "code", "<", "Daily"):
        assert absent not in content.text


def test_html_of_little_text_is_read_whole() -> None:
    content = read(b"<html><body><div>Open <b>9</b>-17</div><div>Hall 3</div></body></html>", "a")
    assert content.text == "Open 9-17\n\nHall 3"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<meta property="og:title" content="Shared"><title>Shared - Site</title>', "Shared"),
        ("<title>  Only\n this </title>", "Only this"),
        ("", "On the page"),
    ],
)
def test_html_title(head: str, title: str) -> None:
    page = f"<html><head>{head}</head><body><h1>On the page</h1><p>{PROSE}</p></body></html>"
    assert read(page.encode(), "a.html").title == title


@pytest.mark.parametrize(
    ("stated", "day"),
    [
        ('<meta name="date" content="2016/04/28">', "2016-04-28"),
        ('<meta itemprop="datePublished" content="April 28, 2016">', "2016-04-28"),
        (
            '<script type="application/ld+json">{"datePublished": "2016-04-28T01:00Z"}</script>',
            "2016-04-28",
        ),
        ('<time pubdate datetime="2016-04-28">x</time>', "2016-04-28"),
        ('<meta name="date" content="04/05/2016">', None),
        ('<meta name="date" content="2016-13-45">', None),
        ("<p>Published on 2016-04-28</p>", None),
    ],
)
def test_html_date_only_where_stated(stated: str, day: str | None) -> None:
    page = f"<html><body>{stated}<p>{PROSE * 3}</p></body></html>"
    assert read(page.encode(), "a.html").published == day


@pytest.mark.parametrize(
    ("declaration", "encoding"),
    [
        ('<meta charset="windows-1251">', "cp1251"),
        ('<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">', "koi8-r"),
        ('<meta charset="no-such-charset">', "utf-8"),
        ("", "utf-16"),
    ],
)
def test_html_charset(declaration: str, encoding: str) -> None:
    page = f"<html><head>{declaration}</head><body><p>{RUSSIAN}</p></body></html>"
    assert read(page.encode(encoding), "a.html").text == RUSSIAN


@pytest.mark.parametrize("tag", ["div", "span", "ul><li", "table><tr><td", "b"])
def test_html_nested_absurdly_deep(tag: str) -> None:
    page = "<html><style>x{}</style><body>" + f"<{tag}>" * 100_000 + "deep &amp; down"
    assert read(page.encode(), "a.html").text == "deep & down"


# --- PDF -------------------------------------------------------------------------------------


def test_pdf_paragraphs_pages_and_metadata() -> None:
    first = [
        (72, 740, 24, "The Hall"),
        *set_lines(
            "It was opened in spring and has since been used for a great many meet-",
            "ings, concerts and plays. The well-known wind blows past it in most of the",
            "weeks.",
        ),
        *set_lines("A second paragraph stands apart from the first by a wider gap, and", top=640),
        *set_lines("well-", "known wind ends it.", top=628, x=72),
    ]
    data = pdf_file(
        first,
        set_lines("The second page."),
        info="/Title (The Hall and its Wind) /CreationDate (D:20160428093000+04'00')",
    )
    content = read(data, "a.pdf")
    check(content)
    assert (content.title, content.published) == ("The Hall and its Wind", "2016-04-28")
    assert [block.page for block in content.blocks] == [1, 1, 1, 2]
    assert blocks(content) == [
        ("heading1", "The Hall"),
        (
            "paragraph",
            "It was opened in spring and has since been used for a great many meetings, concerts "
            "and plays. The well-known wind blows past it in most of the weeks.",
        ),
        (
            "paragraph",
            "A second paragraph stands apart from the first by a wider gap, and well-known wind "
            "ends it.",
        ),
        ("paragraph", "The second page."),
    ]


@pytest.mark.parametrize("stated", ["", "Microsoft Word - draft.doc", "untitled", "42", "a.docx"])
def test_pdf_title_that_is_none(stated: str) -> None:
    page = [(72, 740, 20, "Real Title"), *set_lines("Words of the body, long enough to count.")]
    assert read(pdf_file(page, info=f"/Title ({stated})"), "a.pdf").title == "Real Title"


def test_pdf_indent_begins_a_paragraph_and_bullet_an_item() -> None:
    page = [
        (84, 700, 10, "The first line of this paragraph is set in, as in many books that"),
        (72, 688, 10, "are printed, and its second line is not set in at all, as one can see."),
        (84, 676, 10, "So this is another paragraph, although nothing else sets it off from"),
        (72, 664, 10, "the one before."),
        (72, 652, 10, "1. an item"),
        (72, 640, 10, "2. another"),
    ]
    assert [kind for kind, _ in blocks(read(pdf_file(page), "a"))] == [
        "paragraph",
        "paragraph",
        "item",
        "item",
    ]


def test_pdf_running_heads_are_left_out() -> None:
    pages = [
        [
            (72, 770, 8, "Yearly report 2016"),
            *set_lines(f"What is said on sheet {word} alone."),
            (300, 30, 8, f"Page {number} of 4"),
        ]
        for number, word in enumerate(("one", "two", "three", "four"), 1)
    ]
    text = read(pdf_file(*pages), "a.pdf").text
    assert "Yearly" not in text
    assert "Page" not in text
    assert text.count("What is said") == len(pages)


def test_pdf_of_running_heads_alone_keeps_them() -> None:
    assert "Draft" in read(pdf_file(*[set_lines("Draft")] * 4), "a.pdf").text


def test_pdf_refusals() -> None:
    whole = pdf_file(set_lines("Secret"))
    lock = f"/Filter /Standard /V 1 /R 2 /P -4 /O <{'11' * 32}> /U <{'22' * 32}>"
    locked = pdf_file(set_lines("Secret"), more=f"/Encrypt << {lock} >> /ID [<00> <00>]")
    picture = "\nq 100 0 0 100 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID \x80 EI Q"
    assert refusal(locked, "a.pdf").startswith("encrypted")
    assert refusal(pdf_file([], page=picture), "a.pdf") == (
        "no text: the pages are images (needs OCR)"
    )
    assert refusal(pdf_file([]), "a.pdf").startswith("no text")
    assert refusal(b"%PDF-1.7\n" + bytes(500), "a.pdf").startswith("damaged")
    assert refusal(whole[:60], "a.pdf").startswith("damaged")


def test_pdf_in_many_threads() -> None:
    data = pdf_file(*[set_lines("One thread at a time.")] * 5)
    with ThreadPoolExecutor(8) as pool:
        assert (
            len({content.text for content in pool.map(lambda _: read(data, "a"), range(40))}) == 1
        )


# --- DOCX ------------------------------------------------------------------------------------


def test_docx_in_document_order() -> None:
    content = read(word_document(), "a.docx")
    check(content)
    assert (content.title, content.published, content.language) == (
        "The Hall",
        "2016-04-28",
        "en-GB",
    )
    assert blocks(content) == [
        ("heading1", "Opening"),
        ("paragraph", "It was opened in spring."),
        ("item", "a stage"),
        ("item", "a foyer"),
        ("row", "Seats | 400"),
        ("row", "Doors | 6"),
        ("heading2", "Later"),
        ("paragraph", "It still stands."),
    ]


def test_docx_revisions_controls_and_boxes() -> None:
    document = docx.Document()
    document.add_heading("Styled title", level=0)
    for inner in (
        "<w:p {ns}><w:ins><w:r><w:t>added</w:t></w:r></w:ins><w:del><w:r><w:delText>gone"
        "</w:delText></w:r></w:del><w:r><w:tab/><w:t>kept</w:t><w:br/><w:t>below</w:t></w:r></w:p>",
        "<w:sdt {ns}><w:sdtContent><w:p><w:r><w:t>controlled</w:t></w:r></w:p></w:sdtContent>"
        "</w:sdt>",
        "<w:p {ns}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p>",
    ):
        document.element.body.insert_element_before(
            parse_xml(inner.format(ns=nsdecls("w"))), "w:sectPr"
        )
    content = read(docx_file(document), "a.docx")
    assert content.text == "Styled title\n\nadded\tkept\nbelow\n\ncontrolled\n\nboxed"
    assert content.title == "Styled title"


def test_docx_refusals() -> None:
    whole = word_document()
    locked = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
    )
    assert refusal(locked, "a.docx").startswith("encrypted")
    assert refusal(whole[: len(whole) // 2], "a.docx").startswith("damaged")
    assert refusal(docx_file(docx.Document()), "a.docx").startswith("no text")


# --- Any input -------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "a.txt", "a.md", "a.html", "a.eml", "a.pdf", "a.docx"])
MARKUP = st.lists(
    st.sampled_from(
        "<p> </p> <ul> <li> </ul> <table> <tr> <td> <h2> </h2> <br> <pre> <div> </div> <b> & | # "
        "- 1. > ``` * [ ]( ) \n \n\n a word Title: --- \x00 \x85 \ud800 é".split(" ")
    ),
    max_size=40,
).map(" ".join)
WHOLE = {
    "a.pdf": pdf_file(set_lines("Some text", "and more."), set_lines("Second page.")),
    "a.docx": word_document(),
    "a.eml": mail_message().as_bytes(),
    "a.html": ARTICLE.encode(),
}


def check_read(data: bytes, name: str) -> None:
    with suppress(Unreadable):
        check(read(data, name))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(), MARKUP), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]), NAMES)
@example("\ufeff\xad\x1b[0m", "utf-8", "a.txt")
def test_any_text_is_read_or_refused(text: str, encoding: str, name: str) -> None:
    check_read(text.encode(encoding, "surrogatepass"), name)


@settings(deadline=None)
@given(
    st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"<html>", b"From: a\nTo: b\n", b"---\n"]),
    st.binary(),
    NAMES,
)
def test_any_bytes_are_read_or_refused(start: bytes, rest: bytes, name: str) -> None:
    check_read(start + rest, name)


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.binary(max_size=20))
def test_cut_and_overwritten_files_are_read_or_refused(
    name: str, place: float, bytes_put: bytes
) -> None:
    whole = WHOLE[name]
    at = int(place * len(whole))
    check_read(whole[:at], name)
    check_read(whole[:at] + bytes_put + whole[at + len(bytes_put) :], name)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1))
def test_plain_text_loses_no_word(words: list[str]) -> None:
    content = read(" ".join(words).encode(), "a.txt")
    assert content.text.split() == words
