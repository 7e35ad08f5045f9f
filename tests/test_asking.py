"""The page of questions: what it suggests, offers to narrow by, folds and lets copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import DOCUMENTS, client_of
from conftest import CheapEncoder
from flask.testing import FlaskClient
from lxml import html

from index.documents import Given
from index.facets import Facets
from index.home import Home
from index.vocabulary import edits
from search.alike import Print
from search.spelling import spelling
from search.suggestions import suggestions
from web.copying import _escaped
from web.marks import excerpt

TWIN = "The lock keeper counted 12 barges on the old canal. Each of them carried gravel for roads."


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    home = Home(tmp_path_factory.mktemp("asking") / "home")
    home.encoder = home.indexer.encoder = CheapEncoder()
    home.indexer.add(
        [
            *DOCUMENTS,
            Given("a", TWIN, title="Barges", published="2023-01-05", tags=("canal", "two words")),
            Given("b", TWIN.replace("roads", "paths"), title="Gravel", type="pdf", tags=("canal",)),
            Given("c", TWIN.replace("12", "13"), title="More barges", tags=("Ärger",)),
            Given("d", TWIN, title="Barges", published="2023-01-05", tags=("canal", "two words")),
            Given("e", "مرحبا بكم في المكتبة العامة", title="المكتبة العامة"),
            Given("f", "東京都は日本の首都です。", title="東京都"),
        ]
    )
    yield home
    home.close()


@pytest.fixture(scope="module")
def client(home: Home) -> FlaskClient:
    return client_of(home)


def see(client: FlaskClient, path: str = "/", **query: Any) -> Any:
    reply = client.get(path, query_string=query or None)
    assert reply.status_code == 200, reply.text
    return html.fromstring(reply.text)


def suggested(home: Home, typed: str) -> list[tuple[str, str]]:
    with home.store.snapshot() as snapshot:
        return [(each.kind, each.text) for each in suggestions(snapshot, typed)]


@pytest.mark.parametrize(
    ("typed", "kind", "text"),
    [
        ("ott", "title", "Otters return to the Reed Lake"),
        ("ott", "words", "otters"),
        ("reed l", "title", "Otters return to the Reed Lake"),
        ("where are the barg", "words", "where are the barges"),
        ("المكتبة", "title", "المكتبة العامة"),
        ("東京", "title", "東京都"),
    ],
)
def test_what_was_typed_is_gone_on_with(home: Home, typed: str, kind: str, text: str) -> None:
    assert (kind, text) in [
        (k, t if k == "title" else t.lower()) for k, t in suggested(home, typed)
    ]


@pytest.mark.parametrize("typed", ["", " ", "o", "?!", "zzzz", '"', "-", "otters (", "\x00"])
def test_nothing_is_made_up(home: Home, typed: str) -> None:
    assert all("otter" in text.lower() for _, text in suggested(home, typed))


def test_suggestions_as_json(client: FlaskClient) -> None:
    reply = client.get("/api/v1/suggest?q=granary").json or {}
    assert {"text": "A concert in the granary", "kind": "title"} in reply["suggestions"]
    assert client.get(f"/api/v1/suggest?q={'a' * 201}").status_code == 400


def test_what_may_have_been_meant_is_a_link(client: FlaskClient) -> None:
    (link,) = see(client, q="ottres in the lkae", tag="nature").xpath("//p[@class='meant']/a")
    assert link.text == "otters in the lake"
    assert "tag=nature" in link.get("href")
    assert not see(client, q="otters").xpath("//p[@class='meant']")


def test_filters_and_numbers_are_not_corrected(home: Home) -> None:
    with home.store.snapshot() as snapshot:
        found = spelling(snapshot, "barjes 2099")
    assert found.unknown == ("barjes", "2099")
    assert found.corrected("barjes 2099 tag:barjes -barjes") == "barges 2099 tag:barjes -barjes"


@pytest.mark.parametrize(
    ("a", "b", "far"), [("", "", 0), ("ab", "ba", 1), ("cat", "cart", 1), ("abc", "xyz", 3)]
)
def test_the_slips_between_two_words(a: str, b: str, far: int) -> None:
    assert edits(a, b, 2) == far == edits(b, a, 2)


def test_facets_count_all_that_was_found(client: FlaskClient, home: Home) -> None:
    page = see(client, q="barges", mode="keyword")
    assert "3 passages" in page.xpath("//p[contains(@class,'counted')]")[0].text_content()
    offered = {
        li.xpath("./a")[0].text: (li.xpath("./span")[0].text, li.xpath("./a/@href")[0])
        for li in page.xpath("//nav[@class='facets']//li")
    }
    assert {name: count for name, (count, _) in offered.items()} == {
        "Text": "2", "PDF": "1", "canal": "2", "two words": "1", "Ärger": "1",
    }  # fmt: skip
    for count, link in offered.values():
        narrowed = see(client, link)
        assert f"{count} passage" in narrowed.xpath("//p[contains(@class,'counted')]")[0].text
        (without,) = narrowed.xpath("//ul[@class='chosen']//a/@href")
        assert see(client, without).xpath("//nav[@class='facets']")
        assert narrowed.xpath("//form[@id='ask']//*[@name='type' or @name='tag']")
    with home.store.snapshot() as snapshot:
        assert snapshot.facets([]) == Facets()


def test_the_form_keeps_the_filters(client: FlaskClient) -> None:
    page = see(client, q="barges", tag="two words", after="2023-01-01", before="2024-01-01")
    assert page.xpath("//form[@id='ask']//input[@name='tag']/@value") == ["two words"]
    assert page.xpath("//form[@id='ask']//input[@name='after']/@value") == ["2023-01-01"]
    chosen = [
        li.text_content().split("Take")[0].split() for li in page.xpath("//ul[@class='chosen']/li")
    ]
    assert chosen == [["Tag:", "two", "words", "×"], ["Year:", "2023", "×"]]


def test_passages_that_say_the_same_are_folded(client: FlaskClient) -> None:
    page = see(client, q="barges", mode="keyword")
    titles = {title.text_content() for title in page.xpath("//article/h3/a")}
    assert len(titles) == 2  # another number is another statement
    (also,) = page.xpath("//p[@class='also']/a")
    assert {also.text_content(), *titles} == {"Barges", "Gravel", "More barges"}
    assert "Also stored as d" in " ".join(page.text_content().split())


def test_what_is_alike() -> None:
    assert Print.of("A b  c").like(Print.of("a B c"))
    assert not Print.of("").like(Print.of("x"))
    assert not Print.of("It cost 3 crowns.").like(Print.of("It cost 4 crowns."))


def test_a_quote_is_shown_in_its_passage_and_copied_with_its_source(sample_home: Home) -> None:
    page = see(client_of(sample_home), q="What did it cost to build the Harbour Line?")
    for number in page.xpath("//a[@class='number']"):
        passage = page.get_element_by_id(number.get("data-source"))
        (quote,) = passage.xpath("./mark/text()")
        plain, markdown = number.xpath(
            "ancestor::blockquote/following-sibling::p[@class='copy'][1]/button/@data-copy"
        )
        assert " ".join(quote.split()) in plain
        assert "http://localhost/documents/" in plain
        assert markdown.startswith("> ")
        assert "](<http://localhost/documents/" in markdown


def test_nothing_copied_is_markup_to_markdown() -> None:
    assert _escaped("[a](b) *c* <d>") == r"\[a\](b) \*c\* \<d\>"
    assert _escaped("1. one") == r"\1. one"


def test_the_best_sentence_is_told_apart_and_shown() -> None:
    text = "Nothing here. " * 40 + "The otter is found. " + "Nothing more. " * 40
    at = text.index("The otter")
    cut = excerpt(text, {"otter"}, 200, sentence=(at, at + 19))
    assert "".join(p.text for p in cut if p.best) == "The otter is found."
    assert [p.text for p in cut if p.marked] == ["otter"]
    assert len("".join(p.text for p in cut)) < 300


@pytest.mark.parametrize("value", ['a"b', "“", "x" * 501])
def test_what_a_filter_cannot_say_is_refused(client: FlaskClient, value: str) -> None:
    assert client.get("/", query_string={"q": "barges", "tag": value}).status_code == 400


def test_there_is_a_way_out_of_nothing(client: FlaskClient, tmp_path: Path) -> None:
    page = see(client, q="zzzz", mode="keyword", tag="canal")
    assert "mentions “zzzz”" in page.text_content()
    (link,) = page.xpath("//section[@aria-labelledby='passages']//a/@href")
    assert "tag" not in link


def test_who_looks_for_words_is_not_told_that_there_is_no_answer(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.application.extensions["khazri"].engine
    monkeypatch.setattr(engine, "threshold", 1.0)  # nothing is sure enough then
    words = see(client, q="barges gravel")
    assert not words.xpath("//section[contains(@class,'answer')]")
    assert words.xpath("//h2[@id='passages']")[0].text == "Passages"
    for query in ("zeppelin", "Where are the barges?"):
        assert see(client, q=query).xpath("//section[contains(@class,'none')]")
