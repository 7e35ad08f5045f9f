"""Sheets and delimited text: rows with the names of their columns, as a person sees them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import FACTS, blocks, cell, check, pages, refusal, row, sheet_file

from index.readers import read

# --- Sheets ----------------------------------------------------------------------------------


def test_sheet_rows_carry_the_names_of_their_columns() -> None:
    strings = (
        "<si><t>Hall</t></si><si><r><t>Se</t></r><r><t>ats</t></r><rPh><t>reading</t></rPh></si>"
    )
    data = sheet_file(
        row(1, cell("A1", "All halls", "str"))
        + row(2, cell("A2", "0", "s"), cell("C2", "1", "s"))
        + row(3, cell("A3", "North", "str"), cell("C3", "400"))
        + row(4, cell("A4", "South", "str"), cell("C4", "6.5"), cell("XFD4", "1", "b"))
        + row(5, cell("A5", "The end", "str"))
        + row(9, cell("A9", "5"), cell("B9", "#N/A", "e")),
        row(1),
        row(1048576, cell("XFD1048576", "far away", "str")),
        strings=strings,
    )
    content = read(data, "a.xlsx")
    check(content)
    assert blocks(content) == [
        ("heading1", "Sheet 1"),
        ("row", "All halls"),
        ("row", "Hall | Seats"),
        ("row", "North | 400"),
        ("row", "South | 6.5 | TRUE"),
        ("row", "The end"),
        ("row", "5 | #N/A"),
        ("heading1", "Sheet 3"),
        ("row", "far away"),
    ]
    assert pages(content) == [1] * 7 + [3] * 2
    assert content.metadata == FACTS
    even = sheet_file(
        row(1, cell("B1", "Hall", "str"), cell("C1", "Seats:", "str"))
        + row(2, cell("B2", "North", "str"), cell("C2", "400"))
    )
    assert blocks(read(even, "a"))[1:] == [
        ("row", "Hall | Seats:"),
        ("row", "Hall: North | Seats: 400"),
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("0.025", "0%", "3%"),
        ("0.1", "General", "0.1"),
        ("0.30000000000000004", "", "0.3"),
        ("1234567.5", "#,##0.00", "1,234,567.50"),
        ("-5", "$#,##0.00;[Red]($#,##0.00)", "($5.00)"),
        ("1.5", "[$€-407] #,##0.00", "€ 1.50"),
        ("1234567", "#,##0,", "1,235"),
        ("7", "000", "007"),
        ("3", "0.0#&quot; kg&quot;", "3.0 kg"),
        ("42488", "dd/mm/yyyy", "2016-04-28"),
        ("42488.5", "yyyy-mm-dd h:mm AM/PM", "2016-04-28 12:00"),
        ("0.260428240740741", "h:mm:ss", "06:15:01"),
        ("1.25", "[h]:mm", "30:00:00"),
        ("12", "mmm", "1900-01-12"),
        ("-1", "d/m/y", "-1"),
        ("0.5", "# ?/?", "0.5"),
        ("150000000", "0.00E+00", "150000000"),
        ("none", "0", "none"),
        ("1e400", "0", "inf"),
    ],
)
def test_sheet_numbers_as_a_person_sees_them(value: str, code: str, shown: str) -> None:
    data = sheet_file(row(1, cell("A1", value, style=1)), codes=(code,))
    assert blocks(read(data, "a"))[1:] == [("row", shown)]


def test_sheet_without_cells() -> None:
    assert refusal(sheet_file(row(1)), "a.xlsx").startswith("no text")


# --- Delimited text --------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_delimited(delimiter: str, encoding: str) -> None:
    rows = (("Зал", "Мест"), ("Северный, большой", "400"), ('Южный "новый"', "60"))
    text = "\r\n".join(
        delimiter.join('"' + field.replace('"', '""') + '"' for field in fields) for fields in rows
    )
    content = read(text.encode(encoding), "a.csv")
    check(content)
    assert content.type == "csv"
    assert blocks(content) == [
        ("row", "Зал | Мест"),
        ("row", "Зал: Северный, большой | Мест: 400"),
        ("row", 'Зал: Южный "новый" | Мест: 60'),
    ]


def test_delimited_names_its_delimiter() -> None:
    assert read(b"sep=;\na,b;c\nd;e,f\n", "a.csv").text == "a,b | c\nd | e,f"


def test_delimited_without_a_header() -> None:
    assert read(b"Ada,London\nBob,Paris\n", "a.csv").text == "Ada | London\nBob | Paris"
    assert read(b"1,2\n3,4\n", "a.csv").text == "1 | 2\n3 | 4"


def test_delimited_is_read_up_to_a_limit() -> None:
    line = "word " * 200
    content = read((f"{line},{line}\n" * 3000).encode(), "a.csv")
    assert len(content.text) < 2_100_000
    assert "too large to be read to its end" in content.text[-100:]


@given(st.lists(st.lists(st.text("ab1 é\n\"'"), min_size=1), min_size=1))
def test_delimited_loses_no_word(rows: list[list[str]]) -> None:
    text = "\n".join("\t".join('"' + f.replace('"', '""') + '"' for f in fields) for fields in rows)
    words = [word for fields in rows for field in fields for word in field.split()]
    if words:
        found = read(text.encode(), "a.tsv").text.split()
        assert set(words) <= set(found) | {word.rstrip(":") for word in found}
