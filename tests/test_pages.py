"""The pages, as a browser without scripts gets them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from clients import client_of, small_home
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from lxml import html
from werkzeug.test import TestResponse

from index.documents import Given
from index.embeddings import Encoder
from index.home import Home
from index.indexer import Progress
from index.keyword import terms
from web.marks import excerpt, pieces

COST = "What did it cost to build the Harbour Line?"
PAGES = ("/", f"/?q={COST}", "/?q=zzzz", "/documents", "/documents/1", "/jobs", "/nowhere")


@pytest.fixture(scope="module")
def samples(sample_home: Home) -> FlaskClient:
    """A client over the sample documents, for tests that only read."""
    return client_of(sample_home)


@pytest.fixture
def home(tmp_path: Path, encoder: Encoder) -> Iterator[Home]:
    """Three small documents, for tests that write."""
    with small_home(tmp_path, encoder) as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    """A client over three small documents."""
    return client_of(home)


def page(reply: TestResponse, status: int = 200) -> Any:
    """The document tree of a page."""
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "text/html"
    return html.fromstring(reply.text)


def words(found: Any) -> str:
    """The text of a node, or of the main part of a page."""
    (main,) = found.xpath("//main") if found.tag == "html" else [found]
    return " ".join(main.text_content().split())


def see(client: FlaskClient, path: str, **query: Any) -> Any:
    return page(client.get(path, query_string=query))


# Asking


def test_the_first_page_asks(samples: FlaskClient) -> None:
    (box,) = see(samples, "/").xpath("//form[@role='search']//input[@name='q']")
    assert "autofocus" in box.attrib
    assert "13 documents" in words(see(samples, "/"))


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert "Add your first documents" in words(see(client_of(home), "/"))
    assert "Nothing is indexed yet" in words(see(client_of(home), "/documents"))
    asked = words(see(client_of(home), "/", q="otters"))
    assert "Add your first documents" in asked
    assert "Keep this question" not in asked
    home.close()


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("/home/me/letters.zip//1998/cook.md", "letters.zip › cook.md"),
        ("/home/me/all.tar//in/letters.zip//cook.md", "letters.zip › cook.md"),
        ("letters.zip//cook.md", "letters.zip › cook.md"),
        ("/home/me/cook.md", "cook.md"),
        ("https://example.org/cook/", "cook"),
        ("https://example.org", "example.org"),
        ("note", "note"),
    ],
)
def test_the_short_name_of_a_document(samples: FlaskClient, uri: str, name: str) -> None:
    assert samples.application.jinja_env.filters["short"](uri) == name


def test_an_answer_is_quoted_and_each_number_leads_to_its_passage(samples: FlaskClient) -> None:
    found = see(samples, "/", q=COST)
    quotes = found.xpath("//section[@aria-labelledby='answer']//blockquote")
    assert "1.24 billion crowns" in words(quotes[0])
    for quote in quotes:
        (link,) = quote.xpath(".//a")
        target = urlsplit(link.get("href"))
        assert target.fragment == "cited"
        document = page(samples.get(link.get("href")))
        marked = document.xpath("//mark[@id='cited']")[0].text_content()
        assert marked == parse_qs(target.query)["quote"][0]
        assert words(quote).startswith(" ".join(marked.split()))


def test_what_is_not_there_is_said(samples: FlaskClient) -> None:
    found = see(samples, "/", q="What is the capital of Mongolia?")
    assert not found.xpath("//blockquote")
    assert "No answer found" in words(found)
    assert "Mongolia" in words(found.xpath("//section[@aria-labelledby='answer']")[0])
    assert "Nearest passages, not answers" in words(found)


def test_results_are_grouped_by_document_with_their_words_marked(samples: FlaskClient) -> None:
    found = see(samples, "/", q="harbour line stations")
    titles = [words(title) for title in found.xpath("//article/h3")]
    assert len(titles) == len(set(titles)) > 1
    first = found.xpath("//article")[0]
    assert len(first.xpath("./ul/li")) <= 2  # the others are one click away
    assert first.xpath("./details[@class='more']")
    marked = {mark.text.lower() for mark in first.xpath(".//p[@class='excerpt']/mark")}
    assert marked >= {"harbour", "line", "stations"}
    assert marked <= {"harbour", "line", "lines", "station", "stations"}
    assert "Matches in words and meaning" in words(first)
    assert first.xpath(".//time[@datetime='2025-03-01']")


def test_filters_and_pages_keep_the_question(samples: FlaskClient) -> None:
    chosen = {"q": "crowns", "type": "pdf", "order": "date", "mode": "keyword"}
    found = see(samples, "/", **chosen)
    assert found.xpath("//details[@class='filters'][@open]")
    for name, value in chosen.items():
        if name != "q":
            assert found.xpath(f"//select[@name='{name}']/option[@selected]/@value") == [value]
    assert set(found.xpath("//article//p[@class='facts']/span[1]/text()")) == {"PDF"}
    first = see(samples, "/", q="harbour")
    (following,) = first.xpath("//a[@rel='next']/@href")
    second = page(samples.get(following))
    assert "Page 2 of" in words(second)
    assert second.xpath("//input[@name='q']/@value") == ["harbour"]
    assert not second.xpath("//section[@aria-labelledby='answer']")
    links = "//article//li/div/a/@href"
    assert not set(first.xpath(links)) & set(second.xpath(links))


def test_a_filter_alone_lists_and_answers_nothing(samples: FlaskClient) -> None:
    found = see(samples, "/", q="type:pdf")
    assert not found.xpath("//section[@aria-labelledby='answer']")
    assert "Matches the filters" in words(found)


def test_a_date_filter(samples: FlaskClient) -> None:
    found = see(samples, "/", q="metro", after="2025-06-01", before="2025-09-01")
    days = found.xpath("//article//time/@datetime")
    assert days
    assert all("2025-06-01" <= day < "2025-09-01" for day in days)


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"q": "???"}, 400, "question is empty"),
        ({"q": "a " * 10_000}, 414, "too long"),
        ({"q": "a", "type": 'a"b'}, 400, "type should match"),
        ({"q": "a", "page": "0"}, 400, "page should be"),
        ({"q": "a", "after": "soon"}, 400, "after"),
    ],
)
def test_a_bad_question_gets_a_page_with_a_sentence(
    samples: FlaskClient, query: dict[str, str], status: int, said: str
) -> None:
    assert said in words(page(samples.get("/", query_string=query), status))


def test_a_page_beyond_the_last_says_so(samples: FlaskClient) -> None:
    assert "nothing on this page" in words(see(samples, "/", q="harbour", page=400))


# Reading


def test_a_document_keeps_its_structure(samples: FlaskClient) -> None:
    (link,) = {
        link
        for link in see(samples, "/documents", q="metro-opens").xpath("//tbody//a/@href")
        if link.startswith("/documents/")
    }
    found = page(samples.get(link))
    assert found.xpath("//h1/text()") == ["Port Ardal Metro opens the Harbour Line"]
    assert "Stations and trains" in found.xpath("//h2/text()")
    assert "Salt Street" in found.xpath("//ul/li/text()")
    assert not found.xpath("//mark")


def test_every_word_of_a_document_is_shown(samples: FlaskClient) -> None:
    for id in range(1, 14):
        document = samples.get(f"/api/v1/documents/{id}").json or {}
        shown = "".join(words(see(samples, f"/documents/{id}")).split())
        for line in document["text"].splitlines():
            assert "".join(line.split()) in shown


def test_a_link_finds_its_quote_again_or_says_that_it_is_gone(
    client: FlaskClient, home: Home
) -> None:
    found = see(client, "/", q="How many otters were counted in the Reed Lake?")
    link = found.xpath("//blockquote//a/@href")[0]
    quote = "The wardens counted 47 otters in the Reed Lake this spring."
    before = page(client.get(link))
    assert before.xpath("//mark/text()") == [quote]
    assert "has changed" not in words(before)

    moved = "A new first line.\n\nThe wardens counted\n47 otters in the Reed Lake this spring."
    home.indexer.add([Given("otters", moved)])
    after = page(client.get(link))
    assert " ".join(after.xpath("//mark[@id='cited']/text()")[0].split()) == quote
    assert "has changed" in words(after)

    home.indexer.add([Given("otters", "Nothing is left of it.")])
    gone = page(client.get(link))
    assert not gone.xpath("//mark")
    assert "no longer in this document" in words(gone)


@pytest.mark.parametrize(
    "query",
    [
        {"start": "x", "end": "y"},
        {"start": 10**30, "end": 10**31},
        {"start": -5, "end": 3},
        {"start": 5, "end": 2},
        {"quote": "\\(.*", "start": 1},
        {"quote": " \n "},
    ],
)
def test_an_odd_link_still_opens_the_document(samples: FlaskClient, query: dict[str, Any]) -> None:
    assert not see(samples, "/documents/1", **query).xpath("//mark")


def test_a_document_that_is_gone_has_a_page_that_says_so(samples: FlaskClient) -> None:
    assert "no document 999" in words(page(samples.get("/documents/999"), 404))


# The collection


def test_the_collection_is_listed_and_searched(client: FlaskClient) -> None:
    assert len(see(client, "/documents").xpath("//tbody/tr")) == 3
    (title,) = see(client, "/documents", q="granary").xpath("//tbody//th/a/text()")
    assert title == "A concert in the granary"
    assert "No document has that" in words(see(client, "/documents", q="zzz"))
    assert "Nothing is indexed" not in words(see(client, "/documents", page=9))


def test_files_are_added_and_each_is_told_of(client: FlaskClient) -> None:
    form = see(client, "/documents").xpath("//form[@enctype='multipart/form-data']")[0]
    assert (form.get("method"), form.get("action")) == ("post", "/documents")
    files = [(io.BytesIO(b"Herons nest by the canal."), "heron.txt"), (io.BytesIO(b""), "no.txt")]
    found = page(client.post("/documents", data={"file": files}))
    told = words(found.xpath("//section[@role='status']")[0])
    assert "Added: heron.txt" in told
    assert "Not added: no.txt – empty" in told
    assert "Herons nest" in words(see(client, "/", q="herons"))
    assert "Choose at least one" in words(page(client.post("/documents"), 400))


def test_a_document_is_removed_by_a_form(client: FlaskClient) -> None:
    row = see(client, "/documents", q="granary").xpath("//tbody/tr")[0]
    (form,) = row.xpath(".//form[@method='post']")
    foreign = client.post(form.get("action"), headers={"Origin": "https://evil.example"})
    assert "Another site" in words(page(foreign, 403))
    reply = client.post(form.get("action"))
    assert reply.status_code == 303
    assert "was removed" in words(page(client.get(reply.headers["Location"])))
    assert "granary" not in words(see(client, "/documents"))
    page(client.post(form.get("action")), 404)


def test_a_file_that_could_not_be_read_is_listed_with_its_reason(
    client: FlaskClient, home: Home, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "hollow.txt").write_bytes(b"")
    home.indexer.index([folder], lambda progress: None)
    (section,) = see(client, "/documents").xpath("//section[@aria-labelledby='failures']")
    assert "hollow.txt – empty" in words(section)


# Indexing


def test_indexing_is_started_followed_and_stopped(client: FlaskClient, home: Home) -> None:
    assert client.post("/jobs").status_code == 303
    waiting = see(client, "/jobs")
    assert "Waiting to start" in words(waiting)
    assert waiting.xpath("//noscript/meta[@http-equiv='refresh']")
    (stop,) = waiting.xpath("//section[@class='job']//form/@action")

    job = home.jobs.take()
    assert job
    seen = []

    def work(watch: Any) -> Progress:
        progress = Progress(total=8, done=2, passages=30, current="/a/folder/report.txt")
        watch(progress)
        seen.append(see(client, "/jobs"))
        progress.added = 8
        return progress

    home.jobs.run(job, work)
    assert "2 of 8 files read" in words(seen[0])
    assert "report.txt" in words(seen[0])
    assert seen[0].xpath("//progress[@value='2'][@max='8']")
    done = see(client, "/jobs")
    assert "8 added" in words(done)
    assert not done.xpath("//noscript/meta")

    client.post("/jobs")
    (stop,) = see(client, "/jobs").xpath("//section[@class='job']//form/@action")
    assert client.post(stop).status_code == 303
    assert "stopped" in words(see(client, "/jobs"))


def test_indexing_tells_where_documents_come_from(samples: FlaskClient) -> None:
    assert "samples" in words(see(samples, "/jobs"))


# Every page


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_well_made(samples: FlaskClient, path: str) -> None:
    reply = samples.get(path)
    tree = html.fromstring(reply.text)
    assert tree.get("lang") == "en"
    assert tree.xpath("//title")[0].text
    assert len(tree.xpath("//h1")) == 1
    assert len(tree.xpath("//main")) == 1
    assert tree.xpath("//a[@class='skip']/@href") == ["#main"]
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for field in tree.xpath("//input[not(@type='hidden')] | //select"):
        assert field.xpath("ancestor::label") or tree.xpath(f"//label[@for='{field.get('id')}']")
    for name in tree.xpath("//@aria-labelledby"):
        assert name in ids
    assert len(reply.data) < 100_000


# Marked text

_texts = st.text(alphabet="ab c.\n", max_size=80)


@given(_texts, st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80))), st.data())
def test_pieces_join_to_the_text(
    text: str, spans: list[tuple[int, int]], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    cut = pieces(text, start, end, sorted(spans))
    assert "".join(piece.text for piece in cut) == text[start:end]
    assert all(piece.text for piece in cut)


@given(st.lists(st.sampled_from("red green blue of a the house houses".split()), max_size=200))
def test_an_excerpt_is_short_and_marks_the_words_asked_for(listed: list[str]) -> None:
    text = " ".join(listed)
    cut = excerpt(text, set(terms("houses blue")), 100)
    shown = "".join(piece.text for piece in cut)
    assert shown.removeprefix("… ").removesuffix(" …") in text
    assert len(shown) <= 120 + len("…  …")
    marked = {piece.text for piece in cut if piece.marked}
    assert marked <= {"house", "houses", "blue"}
    assert bool(marked) == bool(set(listed) & {"house", "houses", "blue"})


def test_a_question_among_several_that_nothing_answers_is_named(samples: FlaskClient) -> None:
    both = "How fast was the strongest gust? Who is the king of Spain?"
    page = see(samples, "/", q=both).text_content()
    assert "No passage answers “Who is the king of Spain?”." in page


def test_another_value_is_shown_as_such(samples: FlaskClient) -> None:
    tree = see(samples, "/", q="How many passengers did the metro carry in March?")
    (answer,) = tree.xpath("//blockquote[@class='answers']//mark")
    (differs,) = tree.xpath("//blockquote[@class='differs']//mark")
    assert {answer.text, differs.text} == {"4.58 million", "4.62 million"}
