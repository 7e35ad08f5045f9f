"""PDF files, made here, through ``read`` and ``unpack``: order, rows, running heads, facts."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import kind, read
from index.values import Content

Set = tuple[float, float, float, str]  # x, y, size, text


def pdf(
    *pages: Sequence[Set] | str,
    catalog: str = "",
    page: str = "",
    info: str = "",
    further: Sequence[str | bytes] = (),
) -> bytes:
    """A PDF of pages with lines of Helvetica, or drawn by operators.

    Object 1 is the catalog, 2 the pages, 3 the font; ``further`` objects come from 4 on, then the
    pages. ``catalog`` and ``page`` join the dictionaries.
    """
    first = 4 + len(further)
    kids = " ".join(f"{first + 2 * n} 0 R" for n in range(len(pages)))
    objects: list[bytes] = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        *(o if isinstance(o, bytes) else o.encode("latin-1") for o in further),
    ]
    for number, lines in enumerate(pages):
        drawn = lines if isinstance(lines, str) else "\n".join(map(line, lines))
        objects += [
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] {page} /Resources "
                f"<< /Font << /F 3 0 R >> >> /Contents {first + 1 + 2 * number} 0 R >>"
            ).encode(),
            f"<< /Length {len(drawn)} >>\nstream\n{drawn}\nendstream".encode("latin-1"),
        ]
    objects.append(f"<< {info} >>".encode("latin-1"))
    out = b"%PDF-1.7\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< %b >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            len(objects) + 1,
            table,
            b"/Size %d /Root 1 0 R /Info %d 0 R" % (len(objects) + 1, len(objects)),
            len(out),
        )
    )


def line(where: Set, turn: str = "1 0 0 1") -> str:
    x, y, size, text = where
    return f"BT /F {size} Tf {turn} {x} {y} Tm ({text}) Tj ET"


def column(x: float, top: float, *texts: str) -> list[Set]:
    """Lines of ten points, twelve points apart."""
    return [(x, top - 12 * n, 10, text) for n, text in enumerate(texts)]


def blocks(content: Content) -> list[tuple[str, str]]:
    return [(block.kind, content.text[block.start : block.end]) for block in content.blocks]


def check(content: Content) -> None:
    end = 0
    for block in content.blocks:
        assert end <= block.start < block.end <= len(content.text)
        assert not content.text[end : block.start].strip()
        end = block.end
    assert not content.text[end:].strip()


LEFT = (
    "The first column tells of the wind that",
    "blows from the north over the old hall,",
    "and of the people who met in it for the",
    "first time in the spring of that year.",
)
RIGHT = (
    "The second column goes on with concerts",
    "and plays, which were given there every",
    "week until the roof was taken away by a",
    "storm, and never was put on once again.",
)
NOTE = "A note at the foot of the page, as wide as both of its columns and their gutter together."


# --- Order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("across", [True, False])
def test_two_columns_below_a_title(across: bool) -> None:
    left, right = column(72, 700, *LEFT), column(320, 700, *RIGHT)
    body = (
        [part for pair in zip(left, right, strict=True) for part in pair]
        if across
        else left + right
    )
    content = read(pdf([(72, 740, 20, "The Hall and its Wind"), *body]), "a.pdf")
    check(content)
    assert blocks(content) == [
        ("heading", "The Hall and its Wind"),
        ("paragraph", " ".join(LEFT)),
        ("paragraph", " ".join(RIGHT)),
    ]


def test_three_columns_drawn_across() -> None:
    texts = [[f"{name} column, line {n} of {t}" for n in range(5)] for name, t in
             (("First", "wind"), ("Second", "hall"), ("Third", "roof"))]  # fmt: skip
    drawn = [
        (72.0 + 170 * at, 700.0 - 12 * n, 9.0, texts[at][n]) for n in range(5) for at in range(3)
    ]
    text = " ".join(read(pdf(drawn), "a.pdf").text.split())
    assert text == " ".join(" ".join(lines) for lines in texts)


def test_what_is_drawn_out_of_order_is_read_from_the_top_and_by_column() -> None:
    drawn = [
        (72, 60, 8, NOTE),
        *column(320, 700, *RIGHT),
        *column(72, 700, *LEFT),
        (72, 760, 20, "Title drawn last"),
    ]
    assert [text for _, text in blocks(read(pdf(drawn), "a.pdf"))] == [
        "Title drawn last",
        " ".join(LEFT),
        " ".join(RIGHT),
        NOTE,
    ]


def test_text_set_sideways_stands_apart() -> None:
    body = [line(where) for where in column(72, 700, *LEFT)]
    body.insert(2, line((30, 300, 10, "arXiv:1604.00001 28 Apr 2016"), "0 1 -1 0"))
    assert [text for _, text in blocks(read(pdf("\n".join(body)), "a.pdf"))] == [
        " ".join(LEFT),
        "arXiv:1604.00001 28 Apr 2016",
    ]


@pytest.mark.parametrize("turn", ["0 1 -1 0", "-1 0 0 -1", "0 -1 1 0"])
def test_a_page_that_is_turned_reads_as_any_other(turn: str) -> None:
    step = {"0 1 -1 0": (12, 0), "-1 0 0 -1": (0, 12), "0 -1 1 0": (-12, 0)}[turn]
    at = [(300 + step[0] * n, 400 + step[1] * n, 10, text) for n, text in enumerate(LEFT)]
    content = read(pdf("\n".join(line(where, turn) for where in at)), "a.pdf")
    assert blocks(content) == [("paragraph", " ".join(LEFT))]


# --- Tables, lists, letters ------------------------------------------------------------------


def test_rows_of_a_table_and_what_is_wrapped_in_a_cell() -> None:
    rows = [
        ("Part", "Seats", "What it is"),
        ("Parterre", "300", "in front of"),
        ("Balcony", "80", "above"),
    ]
    drawn: list[Set] = [(72, 700, 10, "These are the seats of the hall, by part:")]
    for number, cells in enumerate(rows):
        y = 670 - 26 * number
        drawn += [(x, y, 10, cell) for x, cell in zip((72, 200, 300), cells, strict=True)]
        if number == 1:
            drawn.append((300, y - 11, 10, "the stage"))
    drawn += column(72, 560, "After the table come words again.")
    assert blocks(read(pdf(drawn), "a.pdf")) == [
        ("paragraph", "These are the seats of the hall, by part:"),
        ("row", "Part | Seats | What it is"),
        ("row", "Parterre | 300 | in front of the stage"),
        ("row", "Balcony | 80 | above"),
        ("paragraph", "After the table come words again."),
    ]


def test_words_spread_to_fill_a_line_are_no_table() -> None:
    spread = "BT /F 10 Tf 11 Tw 1 0 0 1 72 {} Tm ({}) Tj ET"
    drawn = [
        spread.format(700, "any material, compound, mixture"),
        spread.format(688, "of the following substances is"),
    ]
    assert [kind for kind, _ in blocks(read(pdf("\n".join(drawn)), "a"))] == ["paragraph"]


def test_leaders_are_short_and_each_title_on_its_line() -> None:
    drawn = column(72, 700, "The hall .................... 3", "the wind .................... 9")
    texts = [text for _, text in blocks(read(pdf(drawn), "a"))]
    assert texts == ["The hall … 3", "the wind … 9"]


def test_letters_set_apart_are_joined() -> None:
    spaced = "BT /F 10 Tf 6 Tc 6 Tw 1 0 0 1 72 700 Tm (WIND HALL) Tj ET\n"
    assert read(pdf(spaced), "a.pdf").text == "WIND HALL"


def test_a_hyphen_at_the_end_of_a_line_is_undone_unless_it_is_the_words_own() -> None:
    drawn = column(
        72,
        700,
        "The well-known wind comes over the moun-",
        "tains, and it is the well-",
        "known one.",
    )
    assert "over the mountains, and it is the well-known one" in read(pdf(drawn), "a.pdf").text


def test_bold_line_before_text_is_a_heading() -> None:
    bold = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
    drawn = "\n".join(map(line, column(72, 688, *LEFT, *RIGHT)))
    title = "BT /B 10 Tf 72 700 Td (What was built) Tj ET\n"
    data = pdf(title + drawn, further=[bold]).replace(b"/F 3 0 R", b"/F 3 0 R /B 4 0 R")
    assert blocks(read(data, "a.pdf"))[0] == ("heading", "What was built")


# --- Running heads ---------------------------------------------------------------------------


def test_heads_of_left_and_right_pages_and_page_numbers() -> None:
    pages = [
        [
            (72, 770, 8, "THE HALL" if number % 2 else f"{number} A Study of Wind"),
            *column(72, 700, f"Sheet {word} says this.", f"And {word} ends."),
            (300, 30, 8, f"- {number} -"),
        ]
        for number, word in enumerate("one two three four five six".split(), 11)
    ]
    text = read(pdf(*pages), "a.pdf").text
    assert "HALL" not in text
    assert "Study" not in text
    assert not any(letter.isdigit() for letter in text)
    assert text.count("says this") == 6


def test_numbers_that_do_not_count_the_pages_stay() -> None:
    pages = [[*column(72, 700, "The sum was"), (72, 600, 10, n)] for n in ("41", "97", "12", "33")]
    assert all(n in read(pdf(*pages), "a.pdf").text for n in ("41", "97", "12", "33"))


def test_a_damaged_page_loses_that_page_only() -> None:
    data = pdf(
        column(72, 700, "First sheet."), column(72, 700, "Second."), column(72, 700, "Third sheet.")
    )
    text = read(data.replace(b"(Second.) Tj", b"(Second. \xff\x00"), "a.pdf").text
    assert "First sheet." in text
    assert "Third sheet." in text


# --- Facts, forms, notes, attachments --------------------------------------------------------


def test_facts_and_language() -> None:
    info = "/Title (The Hall) /Author (A. Writer) /CreationDate (D:20160428) /ModDate (D:20170102)"
    content = read(pdf(column(72, 700, "Words."), info=info, catalog="/Lang (en-GB)"), "a.pdf")
    assert (content.title, content.published, content.language) == (
        "The Hall",
        "2016-04-28",
        "en-GB",
    )
    assert content.metadata == {
        "author": "A. Writer",
        "created": "2016-04-28",
        "changed": "2017-01-02",
    }


def test_facts_from_xmp_where_the_information_dictionary_says_nothing() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmp:CreateDate="2016-04-28T09:30:00Z"><dc:title><rdf:Alt><rdf:li>Of Wind</rdf:li>'
        "</rdf:Alt></dc:title><dc:creator><rdf:Seq>"
        "<rdf:li>A</rdf:li><rdf:li>B</rdf:li></rdf:Seq></dc:creator>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    stream = f"<< /Type /Metadata /Length {len(packet)} >>\nstream\n{packet}\nendstream"
    content = read(pdf(column(72, 700, "Words."), further=[stream], catalog="/Metadata 4 0 R"), "a")
    assert (content.title, content.published) == ("Of Wind", "2016-04-28")
    assert content.metadata["author"] == "A, B"


def test_the_outline_tells_headings() -> None:
    marks = [
        "<< /Type /Outlines /First 5 0 R /Last 5 0 R >>",
        "<< /Title (Opening) /Parent 4 0 R /Dest [6 0 R /Fit] >>",
    ]
    drawn = column(72, 700, "1. Opening", *LEFT)
    content = read(pdf(drawn, further=marks, catalog="/Outlines 4 0 R"), "a.pdf")
    assert blocks(content)[0] == ("heading", "1. Opening")


def test_fields_and_notes_follow_their_page() -> None:
    objects = [
        "<< /Fields [5 0 R 6 0 R] >>",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /TU (Full name) /V (Aysel) "
        "/Rect [72 600 200 620] >>",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (town) /Rect [72 500 200 520] >>",
        "<< /Type /Annot /Subtype /Text /Contents (Ask again in May.) /Rect [9 9 20 20] >>",
    ]
    data = pdf(
        column(72, 700, "A form."),
        further=objects,
        catalog="/AcroForm 4 0 R",
        page="/Annots [5 0 R 6 0 R 7 0 R]",
    )
    assert blocks(read(data, "a.pdf")) == [
        ("paragraph", "A form."),
        ("row", "Full name | Aysel"),
        ("paragraph", "Ask again in May."),
    ]


def test_attachments_are_unpacked() -> None:
    packed = zlib.compress(b"attached words")
    objects = [
        "<< /EmbeddedFiles << /Names [(a.txt) 5 0 R] >> >>",
        "<< /Type /Filespec /F (a.txt) /UF (a.txt) /EF << /F 6 0 R >> >>",
        b"<< /Type /EmbeddedFile /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream"
        % (len(packed), packed),
    ]
    data = pdf(column(72, 700, "See the attachment."), further=objects, catalog="/Names 4 0 R")
    unpack = kind(data, "a.pdf").unpack
    assert unpack is not None
    assert [(inner.name, inner.data, inner.reason) for inner in unpack(data)] == [
        ("a.txt", b"attached words", "")
    ]
    for inner in unpack(data):  # while one is open, another PDF may be read
        assert read(pdf(column(72, 700, "Inner.")), inner.name).text == "Inner."


# --- Any input -------------------------------------------------------------------------------

WHOLE = pdf(column(72, 700, *LEFT), column(72, 700, *RIGHT), info="/Title (Whole)")


@settings(deadline=None)
@given(st.floats(0, 1), st.binary(max_size=30))
def test_damage_is_read_or_refused(place: float, put: bytes) -> None:
    at = int(place * len(WHOLE))
    for data in (WHOLE[:at], WHOLE[:at] + put + WHOLE[at + len(put) :]):
        with suppress(Unreadable):
            check(read(data, "a.pdf"))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 600), st.integers(0, 780), st.sampled_from([6, 10, 24]),
            st.sampled_from(["Wind", "wind and hall", "12", "a", "* item", "1. one", "hall-"]),
        ),
        min_size=1,
        max_size=40,
    )
)  # fmt: skip
def test_wherever_words_stand_none_is_lost(lines: list[Set]) -> None:
    apart = list({(x // 80, y // 30): (x, y, size, text) for x, y, size, text in lines}.values())
    content = read(pdf(apart), "a.pdf")
    check(content)
    letters = sorted(c for _, _, _, text in apart for c in text if c.isalnum())
    assert sorted(c for c in content.text if c.isalnum()) == letters
