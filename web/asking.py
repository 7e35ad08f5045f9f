"""The page of questions: an answer, and the passages by document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from flask import redirect, render_template, request, url_for
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from index.keyword import words
from index.values import Document, Passage
from search.alike import alike
from search.engine import DEPTH
from search.judgements import Judgement, append
from search.question import asks, parse
from search.results import Citation, Mode, Order, Result, Why
from search.spelling import Spelling, spelling
from web.copying import Copied, copied
from web.inputs import MAX_OFFSET, says_something, short_question
from web.marks import Piece, excerpt, pieces
from web.narrowing import offered, taken
from web.pages import TYPES, day_in_words, pages, quote_link, type_name
from web.problems import invalid
from web.services import answer_to, services

PER_PAGE = 20  # passages on a page of results
SHOWN = 2  # passages of one document in the open; the others on demand
EXCERPT = 360  # characters
NEAR = 30  # places among the nearest in meaning that are worth the name
CHOICES = 5  # passages of which one can be told to be the right one
KEPT = "questions.jsonl"  # in the home: questions kept for testing

MODES = {"hybrid": "Words and meaning", "keyword": "Words only", "semantic": "Meaning only"}
FILTERS = ("source", "type", "tag", "after", "before")
ORDERS = {"relevance": "Best first", "date": "Newest first"}

# A value of a filter; the language of questions has no way to say quotation marks in one.
_Value = Annotated[str, Field(pattern='^[^"“”]{0,500}$')]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Asked(BaseModel):
    """The search form as it was filled in; fields left empty are left out."""

    q: Annotated[str, AfterValidator(short_question)] = ""
    source: _Value = ""
    type: _Value = ""
    tag: _Value = ""
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
        return " ".join(f'{name}:"{value}"' for name, value in self.narrowing.items())

    @property
    def narrowing(self) -> dict[str, str]:
        """The filters that are chosen, by the name of their field."""
        chosen = {name: getattr(self, name) for name in FILTERS}
        return {name: value for name, value in chosen.items() if value}

    def link(self, page: int = 1, **changes: str) -> str:
        """The address of another page of the same results, or with some fields set otherwise."""
        chosen = {**self.model_dump(exclude_defaults=True), "page": page, **changes}
        defaults = {name: field.default for name, field in Asked.model_fields.items()}
        kept = {name: value for name, value in chosen.items() if value != defaults[name]}
        return url_for("pages.ask", **kept)


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as a page shows it."""

    passage: Passage
    excerpt: list[Piece]
    reason: str
    why: Why
    also: Sequence[Passage]  # those that say the same


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one document: some in the open, the others on demand."""

    document: Document
    first: Sequence[Shown]
    rest: Sequence[Shown]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A citation as a page shows it: the quote in its passage, and what is copied of it."""

    citation: Citation
    context: list[Piece]
    copied: Copied


@pages.get("/")
def ask() -> str:
    """Ask a question, and read the answer and the passages."""
    try:
        asked = Asked.model_validate({k: v for k, v in request.args.items() if v.strip()})
    except ValidationError as error:
        invalid(error)
    with services().home.store.snapshot() as snapshot:
        counts = snapshot.count()
    chosen = {
        "asked": asked,
        "counts": counts,
        "types": TYPES if asked.type in {"", *TYPES} else {**TYPES, asked.type: asked.type},
        "modes": MODES,
        "orders": ORDERS,
        "taken": taken(asked.narrowing, type_name, day_in_words, asked.link),
    }
    if not asked.q:
        return render_template("search.html", **chosen)
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
        count=True,
    )
    answer = answer_to(asked.q, filter=asked.filter) if first else None
    spelt = _spelling(asked.q)
    # Who only looks for words has asked nothing that could stay unanswered.
    missed = bool(
        answer
        and not answer.answered
        and (asks(parse(asked.q).text) or spelt.unknown or not found.results)
    )
    return render_template(
        "search.html",
        found=found,
        answer=answer,
        missed=missed,
        nearest=found.mode == "hybrid" and found.total > DEPTH,
        quotes={c.number: _quoted(c) for c in answer.citations} if answer else {},
        unknown=spelt.unknown,
        meant=spelt.corrected(asked.q),
        facets=offered(found.facets, asked.narrowing, type_name, asked.link)
        if found.facets and found.total > 1
        else [],
        kept=_kept() if "kept" in request.args else None,
        choices=[result.passage for result in found.results[:CHOICES]],
        groups=_grouped(found.results),
        last_page=min(-(-found.total // PER_PAGE), MAX_OFFSET // PER_PAGE),
        **chosen,
    )


def _spelling(query: str) -> Spelling:
    with services().home.store.snapshot() as snapshot:
        return spelling(snapshot, parse(query).text)


def _quoted(citation: Citation) -> Quoted:
    passage = citation.passage
    span = (citation.start - passage.start, citation.end - passage.start)
    day = day_in_words(passage.document.published) if passage.document.published else ""
    return Quoted(
        citation,
        pieces(passage.text, 0, len(passage.text), [span]),
        copied(citation, day, quote_link(citation, _external=True)),
    )


def _grouped(results: Sequence[Result]) -> list[Group]:
    """Results by document, each document where its best passage stands.

    Of passages that say the same the best is shown, and with it where the others are.
    """
    by_passage = {result.passage.id: result for result in results}
    groups: dict[int, list[Shown]] = {}
    for passage, *also in alike([result.passage for result in results]):
        shown = _shown(by_passage[passage.id], also)
        groups.setdefault(passage.document.id, []).append(shown)
    return [Group(s[0].passage.document, s[:SHOWN], s[SHOWN:]) for s in groups.values()]


def _shown(result: Result, also: Sequence[Passage]) -> Shown:
    passage, why = result.passage, result.why
    body = passage.text
    for above in (passage.document.title, passage.heading.rpartition(" › ")[2]):
        body = body.removeprefix(above).lstrip() or body  # shown above it, so not again in it
    begins = passage.end - len(body)
    best = (why.sentence[0] - begins, why.sentence[1] - begins) if why.sentence else None
    language = passage.document.language
    wanted = {word.term for matched in why.terms for word in words(matched.word, language)}
    shown = excerpt(body, wanted, EXCERPT, language, best)
    return Shown(passage, shown, _reason(why), why, also)


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
        if not self.q or not parse(self.q).text:  # filters alone ask nothing
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
