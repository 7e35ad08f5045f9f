"""Rich text: what a person would read of it, in any encoding that it may be in."""

from __future__ import annotations

from contextlib import suppress

import pytest
from content import blocks, check, refusal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import read
from index.values import Content

FONTS = (
    r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}"
    r"{\f2\fcharset128 MS Mincho{\*\falt x};}{\f3\fcharset2 Symbol;}{\f4\fcharset238 Arial CE;}}"
)


def rtf(body: str, header: str = FONTS) -> Content:
    content = read(rf"{{\rtf1\ansi\ansicpg1252\deff0{header}{body}}}".encode("latin-1"), "a.txt")
    check(content)
    assert content.type == "rtf"
    return content


def test_paragraphs_headings_lists_and_rows() -> None:
    content = rtf(
        r"{\colortbl;\red0\green0\blue0;}"
        r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 \'dcberschrift;}{\s2 heading 2;}"
        r"{\*\cs10 Default;}}"
        r"\pard\s1 The Hall\par\pard It was {\b opened} in\line spring.\par"
        r"{\pntext\f3\'b7\tab}\pard\ls1 a stage\par{\listtext 2.\tab}a foyer\par"
        r"\trowd\cellx1\cellx2\pard\intbl Seats\cell 4\par 00\cell\row"
        r"\pard\intbl Doors\cell 6\cell\row"
        r"\trowd\cellx1\pard\intbl a frame\par around text\cell\row"
        r"\pard\s2 Later\par\pard\plain It still stands."
    )
    assert blocks(content) == [
        ("heading1", "The Hall"),
        ("paragraph", "It was opened in\nspring."),
        ("item", "a stage"),
        ("item", "2. a foyer"),
        ("row", "Seats | 4 00"),
        ("row", "Doors | 6"),
        ("paragraph", "a frame"),
        ("paragraph", "around text"),
        ("heading2", "Later"),
        ("paragraph", "It still stands."),
    ]
    assert content.title == "The Hall"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"\'e9t\'e9", "été"),
        (r"{\f1 \'cc\'ee\'f0\'ee\'e7}", "Мороз"),
        (r"{\f2 \'83\'65\'83X\'83g}", "テスト"),  # the second byte may be a letter
        (r"{\f4 \'f9}\'f9", "ůù"),
        (r"{\f3 m}g", "μg"),
        (r"\u1052?\u-27424\'3f!", "М\u94e0!"),
        (r"\uc2\u26085\'93\'fa\u-10179??\u-8704??", "日😀"),
        (r"\uc0\u8804 {\uc1\u8805>}\u8804", "≤≥≤"),
        (r"\u8220\ldblquote x\u8221\par", "“x”"),
        (r"a\~b\_c\-d\emdash\bullet\{\\\}", "a\xa0b-cd—•{\\}"),
        ("a\r\nb\\\nc", "ab\n\nc"),
        (r"{\upr{wrong}{\*\ud{\u321\'3f}}}", "Ł"),
    ],
)
def test_characters(body: str, text: str) -> None:
    assert rtf(body).text == text


@pytest.mark.parametrize("page", [1250, 1251, 1253, 936, 949, 950, 932, 65001])
def test_code_page_of_the_document(page: int) -> None:
    text = {1250: "Łódź", 1251: "Мороз", 1253: "Αθήνα", 949: "서울"}.get(page, "東京")
    codec = "utf-8" if page == 65001 else f"cp{page}"
    escaped = "".join(rf"\'{byte:02x}" for byte in text.encode(codec))
    data = rf"{{\rtf1\ansi\ansicpg{page} {escaped}}}".encode()
    assert read(data, "a").text == text


def test_unescaped_utf8_is_read() -> None:
    assert read("{\\rtf1\\ansi Мороз \\'e9}".encode(), "a").text == "Мороз é"


def test_what_is_not_read() -> None:
    content = rtf(
        r"{\*\generator Some writer;}{\header Page head}{\*\unknown{\b lost}}{\pict 89504e47}"
        r"{\v hidden}{\deleted gone}{\xe entry}{\*\annotation a comment}"
        r"{\pict\bin5 }{\\x}kept{\*\bkmkstart mark}"
    )
    assert content.text == "kept"


def test_headers_are_read_where_there_is_nothing_else() -> None:
    assert rtf(r"{\header Animal Hospital\par}{\footer Page 1}").text == (
        "Animal Hospital\n\nPage 1"
    )


def test_notes_and_boxes_stand_after_their_paragraph() -> None:
    content = rtf(
        r"One{\super\chftn{\footnote\pard See\par also.}}"
        r"{\shp{\*\shpinst{\sp{\sn name}{\sv 1}}{\shptxt\pard A box\par}}{\shprslt A box}}"
        r" two.\par Three."
    )
    assert content.text == "One two.\n\nSee\n\nalso.\n\nA box\n\nThree."


@pytest.mark.parametrize(
    ("address", "shown", "text"),
    [
        ('"http://a.org/x"', "the page", "the page (http://a.org/x)"),
        ('"http://a.org/x/"', "http://a.org/x", "http://a.org/x"),
        ('"mailto:me@a.org"', "me@a.org", "me@a.org"),
        (r'\\l "place"', "below", "below"),
        ('"http://a.org"', "", ""),
    ],
)
def test_links_tell_their_address(address: str, shown: str, text: str) -> None:
    field = rf"{{\field{{\*\fldinst{{HYPERLINK {address}}}}}{{\fldrslt{{\ul {shown}}}}}}}"
    assert rtf(f"See {field}.").text == f"See {text}."


def test_nested_table_is_flattened_into_its_cell() -> None:
    content = rtf(
        r"\trowd\pard\intbl before\cell\pard\intbl\itap2 a\nestcell b\nestcell"
        r"{\*\nesttableprops\trowd\cellx9\nestrow}{\nonesttables\par}\pard\intbl\cell\row"
    )
    assert blocks(content) == [("row", "before | a | b")]


def test_info() -> None:
    content = rtf(
        r"{\info{\title The \'e9}{\author Ann}{\operator Bob}{\creatim\yr2016\mo4\dy28\hr9}"
        r"{\revtim\yr1601\mo1\dy1}{\company C}}Text"
    )
    assert content.text == "Text"
    assert (content.title, content.published) == ("The é", "2016-04-28")
    assert content.metadata == {"author": "Ann", "created": "2016-04-28"}


def test_documents_one_after_the_other_are_all_read() -> None:
    data = rb"{\rtf1 First.\par} noise {\rtf1\ansi Second.}"
    assert read(data, "a").text == "First.\n\nSecond."


def test_cut_table_keeps_its_text() -> None:
    assert read(rb"{\rtf1\trowd\intbl one\cell two\cell thr", "a").text == "one | two | thr"


def test_refusals() -> None:
    assert refusal(rb"{\rtf1 }", "a.rtf").startswith("no text")
    assert "pictures" in refusal(rb"{\rtf1{\pict 00}}", "a.rtf")
    assert refusal(b"{\\rtf1" + b"{" * 20_000, "a.rtf").startswith("damaged")


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            r"{ } { } \par \pard \intbl \cell \row \nestcell \nestrow \u-1 \u99999999 \uc3 \'82 "
            r"\'0 \* {\footnote {\field{\*\fldinst{HYPERLINK }} {\fldrslt \bin9 \bin-1 \f3 \f "
            r"\fcharset \ansicpg0 \ansicpg {\fonttbl {\stylesheet {\info{\title \s1 \upr \ud é "
            r"word \outlinelevel9 {\listtext {\header \v \ls1 \yr".split(" ")
        )
    ).map("".join)
)
@example("}}{" * 50)
def test_any_rtf_is_read_or_refused(body: str) -> None:
    with suppress(Unreadable):
        check(read(("{\\rtf1 " + body).encode("latin-1"), "a"))


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_every_character_comes_back(word: str) -> None:
    units = word.encode("utf-16-le")
    codes = (
        int.from_bytes(units[n : n + 2], "little", signed=True) for n in range(0, len(units), 2)
    )
    assert rtf("".join(rf"\u{code}?" for code in codes)).text == word
