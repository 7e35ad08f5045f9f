"""PDF files as most of them are: paragraphs, pages, running heads, refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from content import (
    blocks,
    check,
    pdf_file,
    refusal,
    set_lines,
)

from index.readers import read


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
