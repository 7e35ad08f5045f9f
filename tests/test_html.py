"""Pages of which the article is hard to tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from lxml.html import fromstring
from test_readers import PROSE, blocks, check

from index.readers import html, read

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
