"""The pages: asking, reading, the collection, and indexing. All of it works without scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from flask import Blueprint, Flask, redirect, render_template, request, url_for
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from index.keyword import words
from index.values import Block, Document, Passage
from search.anchors import Quoted, anchor
from search.judgements import Judgement, append
from search.question import LONGEST, parse
from search.results import Citation, Mode, Order, Result, Why
from web.marks import Piece, excerpt, pieces
from web.problems import invalid
from web.schemas import MAX_OFFSET, says_something, short_question
from web.services import (
    add_documents,
    cancel_job,
    no_document,
    remove_document,
    services,
    start_reindexing,
)
from web.uploads import from_files

PER_PAGE = 20  # passages on a page of results
LISTED = 50  # documents on a page of the collection
SHOWN = 2  # passages of one document in the open; the others on demand
EXCERPT = 360  # characters
NEAR = 30  # places among the nearest in meaning that are worth the name
CHOICES = 5  # passages of which one can be told to be the right one
KEPT = "questions.jsonl"  # in the home: questions kept for testing
QUOTED = 120  # characters of a passage that its link carries, to find it again

TYPES = {
    "text": "Text",
    "markdown": "Markdown",
    "html": "Web page",
    "pdf": "PDF",
    "docx": "Word",
    "mail": "Mail",
}
MODES = {"hybrid": "Words and meaning", "keyword": "Words only", "semantic": "Meaning only"}
ORDERS = {"relevance": "Best first", "date": "Newest first"}

ACCEPTED = ".txt,.text,.md,.markdown,.html,.htm,.xhtml,.pdf,.docx,.eml,.log,.rst"  # to choose from

_ID = "<int(max=9223372036854775807):id>"

pages = Blueprint("pages", __name__)


def register(app: Flask) -> None:
    """Add the pages to ``app``."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(day=_day, moment=_moment, type_name=_type_name, short=_name)
    app.jinja_env.filters.update(duration=_duration, date=_date)
    app.jinja_env.globals.update(passage_link=_passage_link, quote_link=_quote_link, quoted=_quoted)
    app.register_blueprint(pages)


# Asking

_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Asked(BaseModel):
    """The search form as it was filled in; fields left empty are left out."""

    q: Annotated[str, AfterValidator(short_question)] = ""
    type: Literal["", "text", "markdown", "html", "pdf", "docx", "mail"] = ""
    after: _Day | Literal[""] = ""
    before: _Day | Literal[""] = ""
    order: Order = "relevance"
    mode: Mode = "hybrid"
    page: Annotated[int, Field(ge=1, le=MAX_OFFSET // PER_PAGE)] = 1

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.q:
            says_something(self.q, self.filter)
        return self

    @property
    def filter(self) -> str:
        """The filters in the grammar of questions."""
        fields = {"type": self.type, "after": self.after, "before": self.before}
        return " ".join(f"{name}:{value}" for name, value in fields.items() if value)

    @property
    def narrowed(self) -> bool:
        """Whether anything but the question is chosen."""
        return bool(self.filter) or self.order != "relevance" or self.mode != "hybrid"

    def link(self, page: int) -> str:
        """The address of another page of the same results."""
        chosen = {**self.model_dump(exclude_defaults=True), "page": page}
        return url_for("pages.ask", **chosen)


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as a page shows it."""

    passage: Passage
    excerpt: list[Piece]
    reason: str
    why: Why


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one document: some in the open, the others on demand."""

    document: Document
    first: Sequence[Shown]
    rest: Sequence[Shown]


@pages.get("/")
def ask() -> str:
    """Ask a question, and read the answer and the passages."""
    try:
        asked = Asked.model_validate({k: v for k, v in request.args.items() if v.strip()})
    except ValidationError as error:
        invalid(error)
    chosen = {"asked": asked, "types": TYPES, "modes": MODES, "orders": ORDERS}
    if not asked.q:
        with services().home.store.snapshot() as snapshot:
            return render_template("search.html", counts=snapshot.count(), **chosen)
    engine = services().engine
    first = asked.page == 1 and bool(parse(asked.q).text)  # no answer to filters alone
    found = engine.search(
        asked.q,
        limit=PER_PAGE,
        offset=(asked.page - 1) * PER_PAGE,
        mode=asked.mode,
        filter=asked.filter,
        order=asked.order,
        read=first,
    )
    answer = engine.answer(asked.q, filter=asked.filter) if first else None
    return render_template(
        "search.html",
        found=found,
        answer=answer,
        kept=_kept() if "kept" in request.args else None,
        choices=[result.passage for result in found.results[:CHOICES]],
        groups=_grouped(found.results),
        last_page=min(-(-found.total // PER_PAGE), MAX_OFFSET // PER_PAGE),
        **chosen,
    )


def _grouped(results: Iterable[Result]) -> list[Group]:
    """Results by document, each document where its best passage stands."""
    groups: dict[int, list[Shown]] = {}
    for result in results:
        groups.setdefault(result.passage.document.id, []).append(_shown(result))
    return [Group(s[0].passage.document, s[:SHOWN], s[SHOWN:]) for s in groups.values()]


def _shown(result: Result) -> Shown:
    passage, why = result.passage, result.why
    heading = passage.heading.rpartition(" › ")[2]  # shown above the excerpt, so not again in it
    body = passage.text.removeprefix(heading).lstrip() or passage.text
    language = passage.document.language
    wanted = {word.term for matched in why.terms for word in words(matched.word, language)}
    return Shown(passage, excerpt(body, wanted, EXCERPT, language), _reason(why), why)


def _reason(why: Why) -> str:
    """Why a passage was found, in words."""
    if why.keyword is None and why.semantic is None:
        return "Matches the filters"
    near = why.semantic is not None and why.semantic.rank is not None and why.semantic.rank <= NEAR
    if why.terms:
        return "Matches in words and meaning" if near else "Matches in words"
    return "Matches in meaning" if near else "Far from the question in words and meaning"


# Keeping questions for testing

_Passage = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Keeping(Asked):
    """A question that was asked, and what should have been found."""

    right: Literal["nothing"] | _Passage | None = None
    answer: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _expects(self) -> Self:
        if not self.q:
            raise PydanticCustomError("no_question", "There is no question to keep. Ask one first.")
        if self.right is None and not self.answer:
            raise PydanticCustomError(
                "no_choice", "Choose the right passage, or write words of the answer."
            )
        if self.right == "nothing" and self.answer:
            raise PydanticCustomError(
                "both", "Either nothing answers the question, or there are words of the answer."
            )
        return self


@pages.post("/questions")
def keep() -> Response:
    """Keep a question for testing, and go back to it."""
    try:
        kept = Keeping.model_validate({k: v for k, v in request.form.items() if v.strip()})
    except ValidationError as error:
        invalid(error)
    judged = Judgement(
        kept.q,
        passage=_text_of(kept.right) if isinstance(kept.right, int) else "",
        answers=(kept.answer.strip(),) if kept.answer else (),
        filter=kept.filter,
        found=kept.right != "nothing",
    )
    append(_kept(), judged)
    asked = kept.model_dump(exclude_defaults=True, include=set(Asked.model_fields))
    return redirect(url_for("pages.ask", **asked, kept=1), 303)


def _kept() -> Path:
    return services().home.path / KEPT


def _text_of(id: int) -> str:
    with services().home.store.snapshot() as snapshot:
        passages = snapshot.fetch([id])
    if not passages:
        raise NotFound("That passage has changed or is gone. Ask again, and choose anew.")
    return passages[0].text


# Reading


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A block as a page shows it; ``page`` is set where a new page of the document begins."""

    tag: str
    pieces: list[Piece]
    page: int | None


@pages.get(f"/documents/{_ID}")
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
    error = no_document(id, _date(removed) if removed else "")
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


# The collection


@pages.get("/documents")
def documents() -> str:
    """See the collection, add to it, remove from it."""
    removed = request.args.get("removed", "")
    return _collection(removed=removed)


@pages.post("/documents")
def upload() -> tuple[str, int]:
    """Add files, and say what became of each."""
    outcomes = add_documents(from_files(request.files.getlist("file")))
    stored = all(outcome.stored for outcome in outcomes)
    return _collection(outcomes=outcomes), 201 if stored else 200


@pages.post(f"/documents/{_ID}/remove")
def remove(id: int) -> Response:
    """Remove a document."""
    remove_document(id)
    return redirect(url_for("pages.documents", removed=id), 303)


def _collection(**values: Any) -> str:
    text = request.args.get("q", "").strip()[:500]
    page = max(request.args.get("page", 1, type=int), 1)
    page = min(page, 10**9)
    with services().home.store.snapshot() as snapshot:
        total, listed = snapshot.documents((page - 1) * LISTED, LISTED, text)
        return render_template(
            "documents.html",
            documents=listed,
            total=total,
            text=text,
            page=page,
            last_page=-(-total // LISTED),
            link=lambda page: url_for("pages.documents", q=text or None, page=page),
            failures=snapshot.failures(),
            accept=ACCEPTED,
            **values,
        )


# Indexing


@pages.get("/jobs")
def jobs() -> str:
    """Start indexing, follow it, and look back."""
    with services().home.store.snapshot() as snapshot:
        sources, counts = snapshot.sources(), snapshot.count()
    listed = services().home.jobs.list()
    return render_template(
        "jobs.html",
        sources=sources,
        counts=counts,
        rereadable=any(source.kind in ("folder", "file", "jsonl") for source in sources),
        active=[job for job in listed if job.status in ("queued", "running")],
        history=[job for job in listed if job.status not in ("queued", "running")],
    )


@pages.post("/jobs")
def reindex() -> Response:
    """Read the known sources again."""
    start_reindexing()
    return redirect(url_for("pages.jobs"), 303)


@pages.post(f"/jobs/{_ID}/cancel")
def cancel(id: int) -> Response:
    """Ask a job to stop."""
    cancel_job(id)
    return redirect(url_for("pages.jobs"), 303)


# How things are shown


def _quoted(citation: Citation) -> list[Piece]:
    """A quote with the answer in it marked."""
    spans = [citation.answer] if citation.answer else []
    own = [(start - citation.start, end - citation.start) for start, end in spans]
    return pieces(citation.quote, 0, len(citation.quote), own)


def _passage_link(passage: Passage) -> str:
    return _link(passage.document, passage.start, passage.end, passage.text[:QUOTED])


def _quote_link(citation: Citation) -> str:
    return _link(citation.passage.document, citation.start, citation.end, citation.quote)


def _link(document: Document, start: int, end: int, quote: str) -> str:
    """A link that lasts: it holds what is needed to find the quote again, or to tell of its end."""
    return url_for(
        "pages.document",
        id=document.id,
        text_hash=document.text_hash,
        start=start,
        end=end,
        quote=quote,
        uri=document.uri,
        _anchor="cited",
    )


def _day(published: str) -> str:
    """``2016-04-28`` as ``28 April 2016``; anything else as it is."""
    try:
        day = date.fromisoformat(published[:10])
    except ValueError:
        return published
    return f"{day.day} {day:%B %Y}"


def _date(stored: str) -> str:
    """The day of a stored time, in the time zone of this machine."""
    return _day(datetime.fromisoformat(stored).astimezone().date().isoformat())


def _moment(stored: str) -> str:
    """A stored time, in the time zone of this machine."""
    return f"{datetime.fromisoformat(stored).astimezone():%d %b %Y, %H:%M}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min"


def _type_name(type: str) -> str:
    return TYPES.get(type, type)


def _name(uri: str) -> str:
    """The last part of a path or address."""
    return uri.rstrip("/").rpartition("/")[2] or uri
