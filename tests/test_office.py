"""Office files: documents and slides, and damage to a file of any kind, all made by hand."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office import (
    FACTS,
    SPACES,
    WORD,
    WORD_HEAD,
    blocks,
    call,
    cell,
    check,
    compound,
    notes,
    odf_file,
    package,
    pages,
    para,
    refusal,
    row,
    shape,
    sheet_file,
    slide,
    slides_file,
    word_file,
    xls_stream,
    zipped,
)

from index.errors import Unreadable
from index.readers import read

# --- Word ------------------------------------------------------------------------------------


def test_word_notes_follow_what_calls_them() -> None:
    row = f"<w:tr><w:tc>{para('Seats', call(3))}</w:tc><w:tc>{para('400')}</w:tc></w:tr>"
    body = f"{para('One', call(2))}<w:tbl>{row}</w:tbl>{para('Last')}"
    data = word_file(body, footnotes=notes(_1="nowhere", _2="of the first", _3="of the row"))
    content = read(data, "a.docx")
    assert blocks(content) == [
        ("paragraph", "One"),
        ("paragraph", "of the first"),
        ("row", "Seats | 400"),
        ("paragraph", "of the row"),
        ("paragraph", "Last"),
    ]
    assert (content.title, content.published, content.language) == ("The Hall", "2016-04-28", "az")
    assert content.metadata == FACTS


def test_word_note_that_calls_itself() -> None:
    data = word_file(
        para("One", call(1)),
        footnotes=f'<w:footnotes {SPACES}><w:footnote w:id="1">{para("note", call(1))}'
        "</w:footnote></w:footnotes>",
    )
    assert read(data, "a").text == "One\n\nnote"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>", "A"),
        ('<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r>', "Ashown"),
        (
            "<w:r><w:ruby><w:rt><w:r><w:t>reading</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>base"
            "</w:t></w:r></w:rubyBase></w:ruby></w:r>",
            "Abase",
        ),
        (
            "<m:oMath><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r>"
            "</m:den></m:f></m:oMath>",
            "Ax/2",
        ),
        ('<w:r><w:commentReference w:id="1"/></w:r>', "A"),
        ("<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>", "A"),
    ],
)
def test_word_runs(inner: str, text: str) -> None:
    assert read(word_file(para("A", inner)), "a").text == text


def test_word_in_strict_conformance() -> None:
    parts = {
        "word/document.xml": f"<w:document {SPACES}><w:body>{para('Strict')}</w:body></w:document>"
    }
    data = zipped(
        {
            "[Content_Types].xml": "<Types/>",
            **{name: source.replace(WORD, "http://purl.oclc.org/ooxml/wordprocessingml/main")
               for name, source in parts.items()},
        }
    )  # fmt: skip
    assert read(data, "a").text == "Strict"


def test_word_shows_a_web_page_within_it() -> None:
    page = "<html><body><p>from the web</p><ul><li>one</li></ul></body></html>"
    data = word_file(f'{para("Before")}<w:altChunk r:id="h"/>', chunk=page)
    assert blocks(read(data, "a")) == [
        ("paragraph", "Before"),
        ("paragraph", "from the web"),
        ("item", "one"),
    ]


def test_word_of_many_pictures_is_read() -> None:
    data = word_file(para("Kept"), picture=bytes(201 << 20))
    assert read(data, "a.docx").text == "Kept"


def test_what_a_zip_says_of_its_sizes_is_not_believed() -> None:
    """A part that unpacks to more than it says, and one that says more than is read."""
    size = 201 << 20
    data = word_file(para("x" * 100), styles=b" " * size)
    assert refusal(data).startswith("too large")
    lying = data.replace(struct.pack("<I", size), struct.pack("<I", 1000))
    assert "damaged" in refusal(lying)


# --- Slides ----------------------------------------------------------------------------------


def frame(inner: str) -> str:
    return f"<p:graphicFrame><a:graphic>{inner}</a:graphic></p:graphicFrame>"


def test_slides_in_order_with_titles_items_and_tables() -> None:
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>".format
    rows = f"<a:tr>{cell('Seats')}{cell('400')}</a:tr><a:tr>{cell('')}{cell('6')}</a:tr>"
    table = f"<a:tbl>{rows}</a:tbl>"
    data = slides_file(
        slide(
            shape("one\ntwo", "body"), shape("The\nHall", "ctrTitle"), shape("7", "sldNum"),
            f"<p:grpSp>{shape('in a group')}</p:grpSp>", shape("Foot", "ftr"),
        ),
        slide(shape("No title here"), frame(table)),
        slide(frame(table)),
    )  # fmt: skip
    content = read(data, "a.pptx")
    check(content)
    assert content.type == "slides"
    assert blocks(content) == [
        ("heading1", "The Hall"),
        ("item", "one"),
        ("item", "two"),
        ("paragraph", "in a group"),
        ("heading1", "No title here"),
        ("row", "Seats | 400"),
        ("row", "6"),
        ("heading1", "Slide 3"),
        ("row", "Seats | 400"),
        ("row", "6"),
    ]
    assert pages(content) == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert content.metadata == FACTS


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ("", "paragraph"),
        ('<a:pPr><a:buChar char="-"/></a:pPr>', "item"),
        ("<a:pPr><a:buNone/></a:pPr>", "paragraph"),
    ],
)
def test_slides_bullets(properties: str, kind: str) -> None:
    data = slides_file(slide(shape("T", "title"), shape("a\nb", None, properties)))
    assert [block.kind for block in read(data, "a").blocks] == ["heading", kind, kind]


def test_slides_notes_charts_and_schemes() -> None:
    point = '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'.format
    series = (
        f"<c:ser><c:tx><c:strRef><c:strCache>{point(0, 'Visitors')}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{point(0, 'May')}{point(1, 'June')}</c:strCache></c:strRef>"
        "</c:cat><c:val><c:numRef><c:numCache><c:formatCode>0.0%</c:formatCode>"
        f"{point(0, '0.25')}{point(1, '0.5')}</c:numCache></c:numRef></c:val></c:ser>"
    )
    data = slides_file(
        slide(
            shape("T", "title"),
            frame('<c:chart r:id="c"/>'),
            frame('<dgm:relIds r:dm="d"/>'),
            frame('<c:chart r:id="missing"/>'),
        ),
        notes=slide(shape("Say this.", "body"), shape("1", "sldNum")).replace("p:sld ", "p:notes ")
        .replace("/p:sld>", "/p:notes>"),
        chart=f"<c:chartSpace {SPACES}><c:title><a:p><a:r><a:t>By month</a:t></a:r></a:p></c:title>"
        f"{series}</c:chartSpace>",
        data=f"<dgm:dataModel {SPACES}><dgm:pt><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t>"
        "</dgm:pt></dgm:dataModel>",
    )  # fmt: skip
    assert blocks(read(data, "a")) == [
        ("heading1", "T"),
        ("paragraph", "By month"),
        ("row", "May | Visitors: 25.0%"),
        ("row", "June | Visitors: 50.0%"),
        ("item", "Plan"),
        ("heading2", "Notes"),
        ("paragraph", "Say this."),
    ]


def test_slides_without_text() -> None:
    assert refusal(slides_file(slide())).startswith("no text")


# --- Any damage ------------------------------------------------------------------------------

WHOLE = {
    "a.docx": word_file(para("One", call(1)), footnotes=notes(_1="note")),
    "a.pptx": slides_file(slide(shape("T", "title"), shape("a\nb", "body"))),
    "a.xlsx": sheet_file(row(1, cell("A1", "word", "str"), cell("B1", "5"))),
    "a.odt": odf_file("text", "<text:p>Some words</text:p>"),
    "a.xls": compound(Workbook=xls_stream()),
    "a.doc": compound(WordDocument=WORD_HEAD),
    "a.csv": b"Hall;Seats\nNorth;400\n",
}


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.binary(max_size=20))
def test_damaged_files_are_read_or_refused(name: str, place: float, put: bytes) -> None:
    whole = WHOLE[name]
    at = int(place * len(whole))
    for data in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        with suppress(Unreadable):
            check(read(data, name))


@settings(deadline=None)
@given(st.text(alphabet='<>/="&; wprtc:sia1#x', max_size=80))
def test_any_markup_within_is_read_or_refused(markup: str) -> None:
    for data in (word_file(markup), slides_file(slide(markup)), sheet_file(markup)):
        with suppress(Unreadable):
            check(read(data, "a"))


def test_entities_are_not_expanded() -> None:
    bomb = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    part = (
        f'<!DOCTYPE d [<!ENTITY a0 "ha"><!ENTITY x SYSTEM "file:///etc/passwd">{bomb}]>'
        f"<w:document {SPACES}><w:body>{para('Kept')}{para('&a9;&x;')}</w:body></w:document>"
    )
    assert read(package("word/document.xml", {"word/document.xml": part}), "a").text == "Kept"
