"""Web pages: the article, without the menus around it. Nothing is ever fetched."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from copy import deepcopy

from trafilatura import bare_extraction

from index.readers import markup
from index.readers.blocks import Piece, assemble, one_line
from index.readers.dates import iso_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # its verdicts are told in ours

_HEAD = 4096  # bytes in which a page declares itself
_LITTLE = 250  # characters, below which trafilatura too takes the whole page, but runs it together
_LEAST = 0.1  # share of the marked main part, below which the article was missed
_MAIN = "//*[self::article or self::main][not(ancestor::article or ancestor::main)]"
_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*|<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_JSON_DATE = re.compile(r'"datePublished"\s*:\s*"([^"]{8,40})"')
_DATE_NAMES = (
    "article:published_time",
    "og:published_time",
    "datepublished",
    "dc.date.issued",
    "dcterms.issued",
    "dc.date",
    "dcterms.date",
    "dcterms.created",
    "citation_publication_date",
    "citation_date",
    "parsely-pub-date",
    "sailthru.date",
    "pubdate",
    "publish-date",
    "date",
)


def recognise(data: bytes) -> bool:
    """Say whether the content begins as a page does."""
    head = data[:_HEAD]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16: what matters in it is ASCII
        head = head[2:].replace(b"\0", b"")
    return _START.match(head.removeprefix(b"\xef\xbb\xbf")) is not None


def read(data: bytes) -> Content:
    """Read a page: its article where one can be told, else all that it shows."""
    charset = _CHARSET.search(data[:_HEAD])
    page = decode(data, charset.group(1).decode("ascii") if charset else None)
    tree = markup.parse(page)
    if tree is None:
        return assemble("html", markup.page(page))
    title, published = _title(tree), _published(tree)
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    found = _article(tree)
    return assemble(
        "html",
        found if _length(found) >= _LITTLE else markup.page(page),
        title=title,
        published=published,
        language=language,
    )


def _article(tree: markup.Element) -> list[Piece]:
    """What trafilatura takes for the article; the tree is changed by it.

    Favouring recall and dropping hidden elements first did best on Readability's pages. Where it
    takes next to nothing of what the page itself marks as its main part, that is read.
    """
    markup.drop_hidden(tree)
    marked = max(map(_shown, tree.xpath(_MAIN)), key=_length, default=[])
    found = bare_extraction(tree, favor_recall=True, include_comments=False)
    body = getattr(found, "body", None)
    article = [] if body is None else markup.pieces(body)
    return marked if _length(article) < _LEAST * _length(marked) else article


def _shown(element: markup.Element) -> list[Piece]:
    return markup.shown(deepcopy(element))


def _length(found: list[Piece]) -> int:
    return sum(len(piece.text) for piece in found)


def _title(tree: markup.Element) -> str:
    """The title for sharing, else a heading with which <title> begins, else <title>."""
    for name, content in _meta(tree):
        if name in ("og:title", "twitter:title"):
            return content
    full = next(_texts(tree, "title"), "")
    if not full:
        return next(_texts(tree, "h1"), "")
    return next(filter(full.startswith, _texts(tree, "h1", "h2")), full)


def _texts(tree: markup.Element, *tags: str) -> Iterator[str]:
    """The text of each element so named that has any."""
    return filter(None, (one_line(element.text_content()) for element in tree.iter(*tags)))


def _published(tree: markup.Element) -> str | None:
    """The day that the page states in its metadata; none is guessed from its text."""
    stated = dict(reversed(list(_meta(tree))))  # the first of a name counts
    candidates = [stated[name] for name in _DATE_NAMES if name in stated]
    for script in tree.iter("script"):
        if script.get("type") == "application/ld+json":
            candidates += _JSON_DATE.findall(script.text or "")
    candidates += tree.xpath("//time[@pubdate or @itemprop='datePublished']/@datetime")
    return next((day for day in map(iso_date, candidates) if day), None)


def _meta(tree: markup.Element) -> Iterator[tuple[str, str]]:
    """Names (in lower case) and contents of the <meta> elements that have both."""
    for element in tree.iter("meta"):
        content = one_line(element.get("content") or "")
        names = element.get("property") or element.get("name") or element.get("itemprop") or ""
        for name in names.lower().split():
            if content:
                yield name, content


FORMAT = Format("html", (".html", ".htm", ".xhtml"), recognise, read, textual=True)
