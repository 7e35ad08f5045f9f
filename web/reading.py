"""The page of one document, with the cited passage highlighted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from flask import render_template, request

from index.values import Block, Document
from search.anchors import Quoted, anchor
from search.question import LONGEST
from web.marks import Piece, pieces
from web.pages import ID, day_of, pages
from web.services import no_document, services


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A block as a page shows it; ``page`` is set where a new page of the document begins."""

    tag: str
    pieces: list[Piece]
    page: int | None


@pages.get(f"/documents/{ID}")
def document(id: int) -> str | tuple[str, int]:
    """Read a document, with the cited passage highlighted."""
    cited = _cited()
    with services().home.store.snapshot() as snapshot:
        found = snapshot.document(id)
        if found is None:
            return _gone(id, cited.quote, snapshot.removed(request.args.get("uri", ""))), 404
        text, blocks = snapshot.text(id)
        changed = snapshot.changed(id)
    place = anchor(text, found.text_hash, _whole(cited, text, found.text_hash))
    span = None if place.start is None or place.end is None else (place.start, place.end)
    paragraphs = _paragraphs(found, text, blocks, span)
    return render_template(
        "document.html",
        document=found,
        runs=[(items, list(run)) for items, run in groupby(paragraphs, lambda p: p.tag == "li")],
        first=next((p for p in paragraphs if any(piece.marked for piece in p.pieces)), None),
        span=span,
        moved=place.state == "moved" and cited.text_hash != found.text_hash,
        asked=bool(cited.quote) or cited.start >= 0,
        quote=cited.quote,
        changed=changed,
    )


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


def _gone(id: int, quote: str, removed: str | None) -> str:
    """The page of a document that is not there: what was quoted of it is still shown."""
    error = no_document(id, day_of(removed) if removed else "")
    return render_template("problem.html", title=error.name, detail=error.description, quote=quote)


def _paragraphs(
    document: Document, text: str, blocks: Sequence[Block], span: tuple[int, int] | None
) -> list[Paragraph]:
    paragraphs = []
    page = None
    for block in blocks:
        marked = pieces(text, block.start, block.end, [span] if span else [])
        turned = block.page is not None and block.page != page
        page = block.page
        paragraphs.append(Paragraph(_tag(block), marked, page if turned else None))
    if paragraphs and _is_title(paragraphs[0], document.title):
        del paragraphs[0]  # it stands above the text already
    return paragraphs


def _tag(block: Block) -> str:
    if block.kind == "heading":
        return f"h{min(block.level + 1, 6)}"
    return {"item": "li", "row": "pre"}.get(block.kind, "p")


def _is_title(paragraph: Paragraph, title: str) -> bool:
    first = paragraph.pieces[0]
    return paragraph.tag[0] == "h" and not first.marked and first.text == title
