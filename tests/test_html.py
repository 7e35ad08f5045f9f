"""Web pages: the article, what it states, and pages of which it is hard to tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from content import (
    ARTICLE,
    PROSE,
    RUSSIAN,
    blocks,
    check,
)
from lxml.html import fromstring

from index.readers import html, read


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


# --- Hard to tell ----------------------------------------------------------------------------

PAGE = (
    "<html><body><nav>Menu</nav><main><script>code</script>"
    f"<article><h1>The hall</h1><p>{PROSE * 9}</p></article></main><p>Other news</p></body></html>"
)


@pytest.mark.parametrize(
    ("taken", "first"),
    [("The hall", "The hall"), (PROSE * 9, PROSE.strip())],
    ids=["little", "all"],
)
def test_marked_main_part_is_read_where_the_article_was_missed(
    taken: str, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = fromstring(f"<div><p>{taken}</p></div>")
    monkeypatch.setattr(html, "bare_extraction", lambda *_, **__: SimpleNamespace(body=body))
    content = read(PAGE.encode(), "a.html")
    check(content)
    assert blocks(content)[0][1].startswith(first)
    assert content.text.count(PROSE.strip()) == 9
    assert not {"Menu", "code", "Other news"} & set(content.text.split("\n\n"))
