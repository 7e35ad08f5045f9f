"""Text in the encodings that files have come in, told from their bytes alone."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from index.readers import read
from index.readers.encoding import decode

SAMPLES = {
    "Russian": (
        "Однажды, в студёную зимнюю пору, я из лесу вышел; был сильный мороз. Гляжу, поднимается.",
        "cp1251 koi8_r cp866 iso8859_5 mac_cyrillic",
    ),
    "Ukrainian": ("Ще не вмерла України і слава, і воля. Її ґанок і єдність.", "cp1251 koi8_u"),
    "German": (
        "Der schöne Tag für große Übungen über Äpfel. Die Straße führt durch das Tal.",
        "cp1252 iso8859_1 iso8859_15 cp850 mac_roman",
    ),
    "French": (
        "L'été dernier, nous avons traversé la forêt à vélo; c'était très agréable, où êtes-vous?",
        "cp1252 iso8859_1 cp850 mac_roman",
    ),
    "Spanish": (
        "El niño comió piñas y caña de azúcar. ¿Dónde está el baño? ¡Qué día más frío!",
        "cp1252 iso8859_1 cp850 mac_roman",
    ),
    "Polish": (
        "Zażółć gęślą jaźń. Święta Bożego Narodzenia są obchodzone w grudniu, a łąki są zielone.",
        "cp1250 iso8859_2",
    ),
    "Czech": (
        "Příliš žluťoučký kůň úpěl ďábelské ódy. Včera jsme šli do města a koupili čerstvý chléb.",
        "cp1250 iso8859_2",
    ),
    "Hungarian": (
        "Árvíztűrő tükörfúrógép. Az ősz hűvös volt, és a szőlő későn érett meg a dombokon.",
        "cp1250 iso8859_2",
    ),
    "Turkish": (
        "Pijamalı hasta yağız şoföre çabucak güvendi. İstanbul'da güneşli bir gün, çocuklar.",
        "cp1254 iso8859_9",
    ),
    "Greek": (
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Η Αθήνα είναι η πρωτεύουσα της Ελλάδας.",
        "cp1253 iso8859_7",
    ),
    "Hebrew": (
        "דג סקרן שט בים מאוכזב ולפתע מצא חברה. ירושלים היא עיר עתיקה מאוד.",
        "cp1255 iso8859_8",
    ),
    "Arabic": (
        "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق.",
        "cp1256 iso8859_6",
    ),
    "Thai": ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย และเป็นเมืองที่ใหญ่ที่สุด", "cp874"),
    "Japanese": (
        "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。何でも薄暗い所でニャーニャー。",
        "shift_jis euc_jp cp932 iso2022_jp",
    ),
    "Chinese": (
        "北京是中华人民共和国的首都，也是一座有着三千多年历史的古都。今天的天气很好，我们去公园散步。",
        "gb18030 gbk gb2312",
    ),
    "Chinese in Taiwan": (
        "臺北是中華民國的首都，也是臺灣的政治中心。今天的天氣很好，我們去公園散步，然後回家吃飯。",
        "big5 cp950",
    ),
    "Korean": (
        "서울은 대한민국의 수도이며 한강이 도시를 가로질러 흐른다. 오늘은 날씨가 좋다.",
        "euc_kr cp949",
    ),
    "English": ("The wind that gave the hall its name blows from the north.", "ascii cp1252 cp500"),
}
UNICODE = "utf_8 utf_8_sig utf_16 utf_32 utf_16_le utf_16_be utf_32_le utf_32_be"
CASES = [
    pytest.param(text, encoding, id=f"{language} in {encoding}")
    for language, (text, encodings) in SAMPLES.items()
    for encoding in f"{encodings} {UNICODE}".split()
]


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_encoding_is_told(text: str, encoding: str) -> None:
    assert read(text.encode(encoding), "a.txt").text == text


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_encoding_of_many_lines_is_told(text: str, encoding: str) -> None:
    whole = "\n".join([text] * 20)
    assert decode(whole.encode(encoding)) == whole


@pytest.mark.parametrize("encoding", ["shift_jis", "euc_jp"])
@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_character_cut_by_the_sample_misleads_nobody(encoding: str, before: str) -> None:
    whole = before + SAMPLES["Japanese"][0] * 1000
    assert decode(whole.encode(encoding)) == whole


@given(st.text(st.characters(exclude_categories=["C"])), st.sampled_from(["utf-8", "utf-8-sig"]))
def test_utf8_comes_back(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


@given(
    st.text(st.characters(exclude_categories=["C"])),
    st.sampled_from(["utf-16", "utf-32"]),
    st.sampled_from(["", "-le", "-be"]),
)
def test_marked_text_comes_back(text: str, encoding: str, order: str) -> None:
    mark = "\ufeff" if order else ""
    assert decode((mark + text).encode(encoding + order)) == text


@given(st.text(st.characters(categories=["L", "N"], max_codepoint=0x24F), min_size=40))
def test_western_utf16_without_a_mark_comes_back(text: str) -> None:
    assert decode(text.encode("utf-16-le")) == text


def test_one_long_line_takes_no_longer_than_many() -> None:
    assert decode(b"x" * 20_000_000 + b"\xe9t\xe9").endswith("été")


@given(st.binary(), st.none() | st.text())
@example(b"\xc7\xd1\x0e<p>\xe9\xb0\xa1\xb0\xa1\xe9\x88a<p>\xe9", None)
def test_any_bytes_give_text(data: bytes, declared: str | None) -> None:
    assert isinstance(decode(data, declared), str)


@pytest.mark.parametrize("declared", ["punycode", "idna", "unicode-escape", "rot13", "hex", "\0"])
def test_codecs_that_are_no_charsets_are_passed_over(declared: str) -> None:
    data = b"caf\\x65-" + b"kva" * 100_000
    assert decode(data, declared) == data.decode()
