"""The page of one document, with the cited passage and the words asked for marked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby
from typing import Any

from flask import Response, redirect, render_template, request, send_file, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as Reply

from index.errors import KhazriError
from index.keyword import terms
from index.originals import original
from index.snapshot import Snapshot
from index.values import Block, Document, Passage
from search.anchors import Quoted, anchor
from search.question import LONGEST, parse
from web.marks import matched, pieces
from web.pages import ID, day_of, pages
from web.services import no_document, services

SIMILAR = 5  # passages of other documents that are shown beside a cited one
ALIKE = 0.5  # cosine from which two passages are about the same
NUMBERED = 20  # hits that have a link of their own

LINKED = ("text_hash", "start", "end", "quote", "uri", "q")  # what a link to a passage holds

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A run of text; ``hit`` is its number where it holds words that were asked for, else 0."""

    text: str
    hit: int


@dataclass(frozen=True, slots=True)
class Run:
    """The parts of a text that are cited as a whole or not at all."""

    cited: bool
    parts: list[Part]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A block as a page shows it; ``page`` is set where a new page of the document begins."""

    tag: str
    runs: list[Run]
    page: int | None


@dataclass(frozen=True, slots=True)
class Alike:
    """A passage elsewhere, and its text without the heading that stands above it."""

    passage: Passage
    text: str


@pages.get(f"/documents/{ID}")
def document(id: int) -> str | tuple[str, int] | Reply:
    """Read a document, with the cited passage and the words asked for marked."""
    cited = _cited()
    asked = request.args.get("q", "").strip()[:LONGEST]
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(id)
        if found is None:
            return _elsewhere(snapshot, id, cited.quote)
        text, blocks = snapshot.text(id)
        place = anchor(text, found.text_hash, _whole(cited, text, found.text_hash))
        span = None if place.start is None or place.end is None else (place.start, place.end)
        wanted = terms(parse(asked).text, snapshot.languages) if asked else ()
        changed = snapshot.changed(id)
        around = snapshot.around(found)
        similar = _similar(snapshot, found, span)
    paragraphs = _paragraphs(found, text, blocks, span, wanted)
    return render_template(
        "document.html",
        document=found,
        runs=[(items, list(run)) for items, run in groupby(paragraphs, lambda p: p.tag == "li")],
        first=next((p for p in paragraphs if any(run.cited for run in p.runs)), None),
        span=span,
        page=_page(blocks, span),
        moved=place.state == "moved" and cited.text_hash != found.text_hash,
        asked=bool(cited.quote) or cited.start >= 0,
        quote=cited.quote,
        changed=changed,
        around=around,
        q=asked,
        hits=max((part.hit for p in paragraphs for run in p.runs for part in run.parts), default=0),
        numbered=NUMBERED,
        similar=similar,
        original=original(services().home.store, id),
    )


@pages.get(f"/documents/{ID}/original")
def original_file(id: int) -> Response:
    """Save the file that a document was read from. It is never shown: it may hold anything."""
    found = original(services().home.store, id)
    if found is None:
        raise NotFound("The original of this document is not there any more.")
    try:
        file = found.open()
    except KhazriError as error:
        raise NotFound(str(error)) from error
    reply = send_file(
        file,
        "application/octet-stream",
        as_attachment=True,
        download_name="".join(c for c in found.name if c.isprintable()) or "document",
    )
    reply.headers["Content-Security-Policy"] = "sandbox"
    return reply


def _cited() -> Quoted:
    """What the link points at, if it does; the links of an older Khazri have no hash."""
    start, end = (request.args.get(name, -1, type=int) for name in ("start", "end"))
    quote = request.args.get("quote", "")[:LONGEST]
    return Quoted(request.args.get("text_hash", ""), start, end, quote)


def _whole(cited: Quoted, text: str, text_hash: str) -> Quoted:
    """All of a passage of whose text its link carries the beginning, where that did not change."""
    same = cited.text_hash in ("", text_hash)
    if same and 0 <= cited.start < cited.end <= len(text):
        stands = text[cited.start : cited.end]
        if stands.startswith(cited.quote):
            return replace(cited, quote=stands)
    return replace(cited, end=cited.start + len(cited.quote))


def _elsewhere(snapshot: Snapshot, id: int, quote: str) -> tuple[str, int] | Reply:
    """Where to read on when a document is gone: under its name, if it came back, or nowhere.

    What was quoted of one that is gone is still shown.
    """
    uri = request.args.get("uri", "")
    if uri and snapshot.had(id) and len(again := snapshot.named(uri)) == 1:
        kept: dict[str, Any] = {name: request.args[name] for name in LINKED if name in request.args}
        return redirect(url_for("pages.document", id=again[0], **kept))
    removed = snapshot.removed(uri)
    error = no_document(id, day_of(removed) if removed else "")
    shown = render_template("problem.html", title=error.name, detail=error.description, quote=quote)
    return shown, 404


def _similar(snapshot: Snapshot, document: Document, span: Span | None) -> list[Alike]:
    """Passages of other documents that are about the same as the cited one."""
    found = snapshot.similar(document.id, *span, SIMILAR, ALIKE) if span else []
    return [Alike(passage, _body(passage)) for passage in found]


def _body(passage: Passage) -> str:
    heading = passage.heading.rpartition(" › ")[2] or passage.document.title
    return passage.text.removeprefix(heading).lstrip() or passage.text


def _page(blocks: Sequence[Block], span: Span | None) -> int | None:
    """The page on which the cited passage begins."""
    return next((block.page for block in blocks if span and block.end > span[0]), None)


def _paragraphs(
    document: Document,
    text: str,
    blocks: Sequence[Block],
    span: Span | None,
    wanted: Collection[str],
) -> list[Paragraph]:
    paragraphs: list[Paragraph] = []
    page = None
    numbers = count(1)
    above: list[int] = []  # the levels of the headings that a block stands under
    for block in blocks:
        hits = _hits(text, block, wanted, document.language)
        runs = list(_runs(text, block, [span] if span else [], hits, numbers))
        if not paragraphs and _is_title(block, runs, document.title):
            numbers = count(1)  # it stands above the text already
            continue
        turned = block.page is not None and block.page != page
        page = block.page
        if block.kind == "heading":
            above = [*(level for level in above if level < block.level), block.level]
        paragraphs.append(Paragraph(_tag(block, above), runs, page if turned else None))
    return paragraphs


def _hits(text: str, block: Block, wanted: Collection[str], language: str | None) -> list[Span]:
    """Where words that were asked for stand in a block; neighbours are one hit."""
    found: list[Span] = []
    if not wanted:
        return found
    for word in matched(text[block.start : block.end], wanted, language):
        start, end = block.start + word.start, block.start + word.end
        if found and not text[found[-1][1] : start].strip():
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _runs(
    text: str, block: Block, cited: Sequence[Span], hits: Sequence[Span], numbers: Iterator[int]
) -> Iterator[Run]:
    at = block.start
    for run in pieces(text, block.start, block.end, cited):
        end = at + len(run.text)
        parts = [
            Part(p.text, next(numbers) if p.marked else 0) for p in pieces(text, at, end, hits)
        ]
        yield Run(run.marked, parts)
        at = end


def _tag(block: Block, above: Sequence[int]) -> str:
    """The element for a block. No level of headings is left out, whatever the document does."""
    if block.kind == "heading":
        return f"h{min(len(above) + 1, 6)}"
    return {"item": "li", "row": "pre"}.get(block.kind, "p")


def _is_title(block: Block, runs: Sequence[Run], title: str) -> bool:
    cited = any(run.cited for run in runs)
    return (
        block.kind == "heading"
        and not cited
        and "".join(part.text for run in runs for part in run.parts) == title
    )
