"""Hostile inputs for the parser of questions, the splitter and the reader of pages.

Each strategy comes with a check that raises ``AssertionError`` where a promise does not hold. The
tests try a few hundred of each, ``bench/hostile_inputs.py`` a hundred thousand.
"""

from __future__ import annotations

import html as entities
from collections.abc import Sequence
from contextlib import suppress

from conftest import SAMPLES
from content import PROSE
from content import check as check_content
from hypothesis import strategies as st
from test_paragraphs import by_letters, by_words, documents, documents_of
from test_paragraphs import check as check_spans

from index.errors import KhazriError, Unreadable
from index.paragraphs import split
from index.readers import html
from index.values import Content
from search.engine import Engine
from search.question import asks, parse, parts

NESTED = 10_000  # tags within each other
LONG = 200_000  # characters that one attribute or one run may have

any_text = st.text(st.characters(exclude_categories=()))  # also halves of surrogate pairs


def runs(units: Sequence[str], most: int) -> st.SearchStrategy[str]:
    """One of the units, over and over."""
    lengths = st.sampled_from([2, 30, 1_000, most])
    return st.builds(lambda unit, n: unit * (n // len(unit)), st.sampled_from(units), lengths)


# Questions

_SIGNS = """" “ ” ' - -a : type: type:pdf source: source:" tag:x before: after: before:2024
    after:2024-02-30 before:٢٠٢٤ after:9999-12-31 ? ?? ？ OR AND NOT ( ) * ~ ^ [a {b \\ / % ' ; --
    the otter otters perch "otter 汉字 ไทย नमस्ते שלום \u202e \u200d e\u0301 ﬁ İ ß 1,000,000 3.2
    1e999 \0 \ud800 \udfff 😀""".split()

questions = st.one_of(
    any_text,
    st.lists(st.one_of(st.sampled_from([*_SIGNS, " ", " ", "\n"]), any_text)).map("".join),
    st.lists(st.sampled_from(_SIGNS)).map(" ".join),
    runs([*_SIGNS, "a ", '"a" ', "-a ", "type:a "], 2_000),
)


def check_question(engine: Engine, query: str, more: str, *, mode: str = "keyword") -> None:
    """A question is parsed and searched, or refused in words; what is found stands there."""
    found = parse(query, more)
    assert found.text == " ".join(found.text.split())
    "".join((found.text, *found.filter.phrases, *found.notes)).encode()  # no lone surrogates
    assert all(found.filter.phrases)
    assert all(found.filter.without)
    assert all(part in query for part in parts(query))
    asks(query)
    try:
        reply = engine.search(query, filter=more, mode=mode, limit=3)
    except KhazriError as error:
        assert str(error).endswith(".")
        return
    with engine.store.snapshot() as snapshot:
        for result in reply.results:
            passage = result.passage
            text, _ = snapshot.text(passage.document.id)
            assert text[passage.start : passage.end] == passage.text


# Documents to split

_anything = st.one_of(
    any_text,
    st.lists(any_text).map(" ".join),
    runs(["a", "a ", ". ", "a. ", "\n", " \n ", "\u3000", "汉", "。", "ไ", "e\u0301", "😀"], 5_000),
    st.lists(st.sampled_from(["Dr. ", "e.g. ", "? ", "! ", "\n\n", "a", "Bb ", "…", "1.5 "])).map(
        "".join
    ),
)
contents = st.one_of(documents, documents_of(_anything, 60, [None, 1, 2, 1 << 40], 8))
limits = st.integers(2, 300)
measures = st.sampled_from([by_words, by_letters])
languages = st.sampled_from([None, "en", "de", "zh", "th", "xx", "not-a-language"])


def check_split(content: Content, limit: int, measure: object, language: str | None) -> None:
    """Nothing but white space is outside the passages, and none is too long."""
    check_content(content)
    spans = split(content.text, content.blocks, measure, limit, language)
    end = 0
    for span in spans:
        assert end <= span.start < span.end <= len(content.text)
        assert not content.text[end : span.start].strip()
        end = span.end
    assert not content.text[end:].strip()
    if language in (None, "en"):  # where it is known how sentences were cut
        check_spans(content, spans, measure, limit)


# Pages

_TAGS = """p div span table tr td th ul li dl dd h1 h6 pre code br article main section nav head
    title body html script style template noscript svg math iframe object select option textarea
    form button a img ruby font center marquee frameset plaintext xmp listing p:x x-y""".split()
_names = st.one_of(st.sampled_from(_TAGS), st.text("abc:-<>=\"'/ \0é", max_size=6))
_value = st.one_of(
    st.sampled_from(["", "display:none", "ltr", "javascript:1", "&#x110000;", "\ud800"]),
    any_text,
    runs(["x", "&amp;", "é", '"', "<"], LONG),
)
_attribute = st.builds(
    lambda name, quote, value: f" {name}={quote}{value}{quote}",
    st.sampled_from(["id", "style", "hidden", "lang", "xml:lang", "href", "content", "=", "a\0"]),
    st.sampled_from(['"', "'", ""]),
    _value,
)
_token = st.one_of(
    st.builds(lambda tag: f"<{tag}>", _names),
    st.builds(lambda tag: f"</{tag}>", _names),
    st.builds(lambda tag, more: f"<{tag}{more}>", _names, _attribute),
    any_text,
    any_text.map(entities.escape),
    st.sampled_from(
        ["&#0;", "&#xD800;", "&#99999999999;", "&nbsp;", "&lt", "&;", "<!--", "-->", "<![CDATA[",
         "]]>", "<?xml version='1.0'?>", "<!DOCTYPE html [<!ENTITY a '&a;'>]>", "<", ">", "\0",
         "<meta charset=utf-16>", "<meta name=date content=2024-99-99>", "<base href=//a/>", PROSE]
    ),
)  # fmt: skip
_markup = st.lists(_token, max_size=30).map("".join)
_nested = st.builds(
    lambda tag, depth, text, closed: (
        f"<{tag}>" * depth + text + f"</{tag}>" * (depth if closed else 0)
    ),
    st.sampled_from(_TAGS),
    st.sampled_from([3, 250, 256, 260, 2_000, NESTED]),
    st.sampled_from(["", "text", PROSE]),
    st.booleans(),
)
_codecs = st.sampled_from(
    "utf-8 utf-8-sig utf-16 utf-16-le utf-32 latin-1 cp1252 shift_jis euc-kr gb18030 koi8-r utf-7"
    " iso2022_jp cp037 big5".split()
)
_encoded = st.builds(
    lambda text, codec, said: (
        f"<html><head><meta charset={said}><title>{text}</title>{text}".encode(codec, "replace")
    ),
    _markup,
    _codecs,
    st.one_of(_codecs, st.sampled_from(["", "x" * 500, "rot13", "utf-8\0", "undefined"])),
)
_real = st.sampled_from(
    [
        *(path.read_bytes() for path in sorted(SAMPLES.glob("*.html"))),
        f"<html lang=en><title>A</title><article><h1>A</h1><p>{PROSE * 3}</article>".encode(),
        f"<table><tr><td>{PROSE}<td>1<tr><th>a<td>2</table><ul><li>{PROSE}</ul>".encode(),
    ]
)
_mutated = st.builds(
    lambda page, at, gone, put, again: (
        page[: int(at * len(page))] + (put * again)[:LONG] + page[int(at * len(page)) + gone :]
    ),
    _real,
    st.floats(0, 1),
    st.integers(0, 400),
    st.one_of(st.binary(max_size=20), _token.map(lambda text: text.encode("utf-8", "replace"))),
    st.sampled_from([1, 1, 1, 50]),
)
pages = st.one_of(
    st.binary(max_size=300),
    _markup.map(lambda text: text.encode("utf-8", "surrogatepass")),
    _markup.map(lambda text: text.encode("utf-8", "surrogatepass")),
    _nested.map(str.encode),
    _encoded,
    _mutated,
    _mutated,
)


def check_page(data: bytes) -> None:
    """A page is read, with exact blocks, or refused because there is nothing to read."""
    html.recognise(data)
    with suppress(Unreadable):
        content = html.read(data)
        check_content(content)
        spans = split(content.text, content.blocks, by_words, 60, content.language)
        assert spans
