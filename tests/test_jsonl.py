"""Documents in JSON: one, one a line, or an array of them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from content import blocks, check, refusal
from hypothesis import given
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import kind, read
from index.readers.format import Inner

WIND = {
    "_id": "MED-10.pdf",
    "title": "The Hall",
    "text": "It was opened.\n\n- a stage\n- a foyer",
    "published": "2016-04",
    "language": "en",
    "author": ["Ann", "Bob"],
    "metadata": {"x": 1},
}
SAND = {"id": 7, "text": "Sand – and more."}


def inner(data: bytes, name: str = "a.txt") -> list[Inner]:
    unpack = kind(data, name).unpack
    assert unpack is not None
    return list(unpack(data))


def lines(*values: Any, ascii: bool = True) -> bytes:
    return "\n".join(json.dumps(value, ensure_ascii=ascii) for value in values).encode()


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a", "a.txt"])
def test_one_document(indent: int | None, name: str) -> None:
    content = read(json.dumps(WIND, indent=indent).encode(), name)
    check(content)
    assert (content.type, content.title, content.published, content.language) == (
        "json",
        "The Hall",
        "2016-04",
        "en",
    )
    assert content.metadata == {"author": "Ann, Bob"}
    assert blocks(content) == [
        ("paragraph", "It was opened."),
        ("item", "- a stage"),
        ("item", "- a foyer"),
    ]


def test_one_line_is_one_document() -> None:
    assert read(lines(SAND) + b"\n", "a.jsonl").text == "Sand – and more."


@pytest.mark.parametrize(
    "data",
    [lines(WIND, SAND), b"\xef\xbb\xbf" + lines(WIND, SAND, ascii=False), lines([WIND, SAND])],
)
def test_each_document_is_a_file_named_by_its_id(data: bytes) -> None:
    found = inner(data)
    assert [part.name for part in found] == ["MED-10.pdf", "7"]
    assert [read(part.data, part.name).text for part in found] == [
        WIND["text"],
        "Sand – and more.",
    ]
    assert "only holds other files" in refusal(data, "a.jsonl")


def test_bad_lines_say_why() -> None:
    data = lines(WIND, SAND, {"text": "third"}) + b'\n\n{"text": 3}\n{"text"\n"text"\n'
    found = inner(data)
    assert [part.name for part in found][2:] == ["line 3", "line 5", "line 6", "line 7"]
    assert [part.reason.split(":")[0] for part in found[2:]] == [
        "",
        "no document",
        "damaged",
        "no document",
    ]


@pytest.mark.parametrize(
    "data",
    [b'{"a": {"text": 1}}', b'[{"a": 1}]', b"[1, 2]", b'{"text": ', b'{"b": 1}\n{"text": "x"}'],
)
def test_other_json_is_plain_text(data: bytes) -> None:
    assert read(data, "a.json").type == "text"


def test_document_without_words() -> None:
    assert refusal(b'{"text": " "}', "a.json").startswith("no text")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "text", "title", "author"]), inside, max_size=4)
    ),
    max_leaves=20,
)


@given(st.lists(VALUES, max_size=5), st.sampled_from(["\n", ",", "{", "["]))
def test_any_json_is_read_or_refused(values: list[Any], between: str) -> None:
    data = between.join(map(json.dumps, values)).encode()
    with suppress(Unreadable):
        format = kind(data, "a.jsonl")
        for part in format.unpack(data) if format.unpack else [Inner("a", data)]:
            with suppress(Unreadable):
                check(read(part.data, part.name))


def test_deep_json_is_no_document() -> None:
    assert read(b'{"text": ' + b"[" * 100_000, "a.json").type == "text"
