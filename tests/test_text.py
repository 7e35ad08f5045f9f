"""Plain text and Markdown."""

from __future__ import annotations

import pytest
from content import (
    PROSE,
    RUSSIAN,
    blocks,
    check,
)

from index.readers import read


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
