"""Nothing that Khazri shows is ever markup: hostile words in every field, on every page.

What the pages are made of is learnt from a home whose every field is a plain word. In the same home
with a hostile string in each field no page may hold an element or attribute besides these.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from browser import opened
from clients import client_of
from conftest import CheapEncoder, commit, drafted
from flask.testing import FlaskClient
from lxml import html
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from index.changes import Failed
from index.errors import KhazriError
from index.home import Home
from index.progress import Progress
from index.rows import now
from index.sources import register

HOSTILE = (
    # Elements and handlers
    "<script>alert(1)</script>",
    "<ScRiPt\t>alert(1)</sCrIpT\n>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(1)>'>",
    "<details open ontoggle=alert(1)>",
    "<base href=//evil.example/><a href=x>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<form action=//evil.example><button autofocus>",
    "<object data='data:text/html,<script>alert(1)</script>'></object>",
    # Out of where it stands
    "</title></textarea></script></noscript></style><script>alert(1)</script>",
    "'\" autofocus onfocus=alert(1) x='",
    "`onmouseover=alert(1) a=`",
    "]]><!--><iframe src=//evil.example srcdoc='<script>alert(1)</script>'>",
    "<!-- --!><script>alert(1)</script>",
    "</mark></p></main></body></html><script>alert(1)</script>",
    # Addresses
    "javascript:alert(1)",
    "JaVa\tScRiPt:alert(1)//",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/%2e%2e/..;/#fragment?q=1&q=2",
    "vbscript:msgbox(1)",
    # Languages of templates, queries and styles
    "{{ 7 * 7 }}{% print(7) %}${7*7}#{7*7}<%= 7*7 %>",
    "{{ config.__class__.__init__.__globals__ }}",
    "'; DROP TABLE documents; --",
    '" OR title:* AND (a* [a TO z] NEAR/3',
    "</style><style>*{display:none}</style> x:expression(alert(1)) url(//evil.example)",
    "<link rel=stylesheet href=//evil.example/x.css>",
    # A way around the policy
    "<script nonce='' src='/static/khazri.js'></script><script src=data:,alert(1)></script>",
    "<a href='/api/v1/export?q=x' ping=//evil.example download>",
    "&lt;b&gt; &amp; <b>bold</b> &#60;script&#62;alert(1)&#60;/script&#62; &NotANamedOne;",
    # Characters
    "\u202eevil\u202c \u2066bidi\u2069 \u200bzero \u00adsoft \ufeff ﷽ 🦦 e\u0301\u0301\u0301\u0301",
    "null\x00 bell\x07 escape\x1b[31m red \x7f \x85 \u2028 \u2029 end",
    "half \ud83e surrogates \udda6 <b>",
    "W" * 3_000,
    "%s %d %n %00 %0d%0aSet-Cookie:a=b \r\nX-Evil: 1 ../../etc/passwd \\\\host\\share",
    '=HYPERLINK("//evil.example";1) +1 -1 @SUM(1)',
)
PLAIN = tuple(f"otter {n}" for n in range(len(HOSTILE)))
TREE = """
    return [...document.querySelectorAll("*")].flatMap((node) =>
        [node.localName, ...node.getAttributeNames().map((name) => node.localName + " " + name)])
"""


@contextmanager
def home_of(path: Path, words: tuple[str, ...]) -> Iterator[Home]:
    """A home in which each of ``words`` stands in every field of a document of its own.

    It is also the name of a source, of a file that can't be read, and the reason why; a job was
    busy with such a file, and another failed for that reason.
    """
    home = Home(path)
    home.encoder = home.indexer.encoder = cheap = CheapEncoder()
    stored = [_stored(each) for each in words]
    commit(home.store, drafted("first", "The first."), encoder=cheap)
    with home.store.catalog.write() as db:
        sources = [register(db, "folder", f"/{each}", each) for each in stored]
        for source, each in zip(sources, stored, strict=True):
            db.execute(
                "INSERT INTO failures VALUES (?, ?, ?, 0, 0, ?)", [source, each, each, now()]
            )
    commit(
        home.store,
        *(
            replace(
                drafted(
                    f"/{each}/{each}",
                    f"The otter wrote: {each}",
                    "And so on, says the otter.",
                    title=each,
                    headings=(each, f"{each} › {each}"),
                    type=each,
                    published=each,
                    language=each,
                    tags=(each, each),
                ),
                source_id=source,
                metadata={"author": each, "created": each, "changed": each, each: each},
            )
            for source, each in zip(sources, stored, strict=True)
        ),
        encoder=cheap,
    )
    for each in stored:
        _job(home, each)
    yield home
    home.close()


def _stored(word: str) -> str:
    """A word as a reader of files lets it in."""
    return word.encode("utf-8", "replace").decode()


def _job(home: Home, word: str) -> None:
    """A job that met ``word`` as a name and a reason, and one that failed for it."""

    def meets(watch: Any) -> Progress:
        progress = Progress(total=2, done=1, current=word)
        progress.failed.append(Failed(1, word, word))
        watch(progress)
        return progress

    def fails(watch: Any) -> Progress:
        raise KhazriError(word)

    for work in (meets, fails):
        home.jobs.submit("reindex")
        taken = home.jobs.take()
        assert taken
        with suppress(KhazriError):  # a job that fails says so to its worker too
            home.jobs.run(taken, work)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with home_of(tmp_path_factory.mktemp("plain") / "home", PLAIN) as home:
        yield home


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    with home_of(tmp_path_factory.mktemp("hostile") / "home", HOSTILE) as home:
        yield home


def addresses(word: str, document: int) -> list[str]:
    """Every page, with the word in everything that a visitor can say to it."""
    said = urlencode(
        {"quote": word, "start": 4, "end": 40, "uri": word, "q": word}, errors="replace"
    )
    asked = urlencode({"q": f"What did the otter write? {word}"}, errors="replace")
    named = quote(word, errors="replace")
    return [
        f"/?{urlencode({'q': word}, errors='replace')}",
        f"/?{asked}",
        f"/?q=otter&type={named}&tag={named}&source={named}",
        f"/?q=otter&order={named}&after={named}&page={named}",
        f"/documents?{said}&removed={named}&source={named}&status={named}",
        f"/documents/{document}?{said}",
        f"/documents/{document}?quote=The+otter+wrote&start=0&end=900",
        f"/documents/999999?{said}",
        f"/jobs?{said}",
        f"/{named}",
    ]


def skeleton(tree: Any) -> set[str]:
    """The elements of a page, and their attributes."""
    nodes = [node for node in tree.iter() if isinstance(node.tag, str)]
    return {n.tag for n in nodes} | {f"{n.tag} {name}" for n in nodes for name in n.attrib}


def numbered(home: Home) -> dict[str, int]:
    """The documents by title."""
    with home.store.snapshot() as snapshot:
        return {d.title: d.id for d in snapshot.documents(0, 100, "")[1]}


@pytest.fixture(scope="module")
def ours(plain: Home) -> set[str]:
    """What the pages are made of."""
    client = client_of(plain)
    found: set[str] = set()
    (document,) = (id for title, id in numbered(plain).items() if title == PLAIN[0])
    for path in ["/", "/jobs", "/documents", *addresses(PLAIN[0], document)]:
        found |= skeleton(html.fromstring(client.get(path).data))
    added = client.post("/documents", data={"file": [(io.BytesIO(b""), PLAIN[0])]})
    return found | skeleton(html.fromstring(added.data))


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_that_is_shown_is_ever_markup(hostile: Home, ours: set[str], word: str) -> None:
    client = client_of(hostile)
    document = numbered(hostile)[_stored(word)]
    for path in ("/documents", "/jobs", *addresses(word, document)):
        harmless(client.get(path), ours)
    harmless(client.post("/documents", data={"file": [(io.BytesIO(b""), _stored(word))]}), ours)
    read = html.fromstring(client.get(f"/documents/{document}").data)
    assert (
        _visible(read.text_content()).count(_visible(_stored(word))) >= 2
    )  # as its title and in its text, all of it


def _visible(text: str) -> str:
    return "".join(ch for ch in text if ch.isprintable() and ch not in " \ufffd")


def harmless(reply: TestResponse, ours: set[str]) -> None:
    """A page of our own making, under a policy that runs nothing but our own files."""
    assert reply.status_code < 500, reply.text
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy  # so that the default holds
    assert "X-Evil" not in reply.headers
    assert "Set-Cookie" not in reply.headers
    tree = html.fromstring(reply.data)
    assert skeleton(tree) <= ours
    assert len(tree.xpath("//script")) == len(tree.xpath("//title")) == len(tree.xpath("//h1")) == 1
    for address in tree.xpath("//@href | //@src | //@action | //@formaction"):
        assert address.startswith(("/", "#", "data:image/svg+xml,")), address
        assert not address.startswith("//"), address


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_what_programs_get_is_json_that_says_what_is_stored(hostile: Home, word: str) -> None:
    client, stored = client_of(hostile), _stored(word)
    document = numbered(hostile)[stored]
    read = told(client, f"/documents/{document}")
    assert read["document"]["title"] == stored if "document" in read else read["title"] == stored
    asked = quote(word, errors="replace")
    for path in (
        f"/search?q={asked}",
        f"/search?q=otter+{asked}&limit=100",
        f"/answer?q=What+did+the+otter+write%3F+{asked}",
        f"/search?q=otter&{asked}={asked}",
        f"/documents?q={asked}",
        f"/documents/{asked}",
        "/jobs",
    ):
        told(client, path)
    sent = client.post("/api/v1/documents", json={asked: word})
    assert sent.status_code == 400
    assert sent.mimetype.endswith("json")


def told(client: FlaskClient, path: str) -> dict[str, Any]:
    reply = client.get(f"/api/v1{path}")
    assert reply.status_code < 500, reply.text
    assert reply.mimetype in ("application/json", "application/problem+json")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"  # never taken for a page
    found: dict[str, Any] = json.loads(reply.data)
    return found


@contextmanager
def served(home: Home) -> Iterator[str]:
    """The address of a home's pages, in a thread."""
    server = make_server("127.0.0.1", 0, client_of(home).application, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def built(browser: Chrome) -> set[str]:
    return set(browser.execute_script(TREE))


def test_a_browser_runs_none_of_it(plain: Home, hostile: Home) -> None:
    with opened() as browser, served(plain) as safe, served(hostile) as service:
        ours = set()
        (document,) = (id for title, id in numbered(plain).items() if title == PLAIN[0])
        for path in ("/", "/jobs", "/documents", *addresses(PLAIN[0], document)):
            browser.get(safe + path)
            ours |= built(browser)
        browser.get_log("browser")
        numbers = numbered(hostile)
        paths = [f"/documents/{numbers[_stored(word)]}?quote=The&start=0&end=3" for word in HOSTILE]
        paths += ["/documents", "/jobs", "/?q=otter", *(f"/?q=otter&page={n}" for n in (2, 3, 4))]
        paths += [addresses(word, 1)[1] for word in HOSTILE[::4]]
        for path in paths:
            browser.get(service + path)  # an alert would fail the next command
            assert built(browser) <= ours, path
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= 1280, path
        WebDriverWait(browser, 1).until(lambda b: b.execute_script("return true"))
        assert [each["message"] for each in browser.get_log("browser")] == []
