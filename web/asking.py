"""The page of questions: an answer, and the passages by document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
from search.judgements import Judgement, append
from search.question import parse
from search.results import Mode, Order, Result, Why
from web.marks import Piece, excerpt
from web.pages import TYPES, pages
from web.problems import invalid
from web.schemas import MAX_OFFSET, says_something, short_question
from web.services import services

PER_PAGE = 20  # passages on a page of results
SHOWN = 2  # passages of one document in the open; the others on demand
EXCERPT = 360  # characters
NEAR = 30  # places among the nearest in meaning that are worth the name
CHOICES = 5  # passages of which one can be told to be the right one
KEPT = "questions.jsonl"  # in the home: questions kept for testing

MODES = {"hybrid": "Words and meaning", "keyword": "Words only", "semantic": "Meaning only"}
ORDERS = {"relevance": "Best first", "date": "Newest first"}

_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class Asked(BaseModel):
    """The search form as it was filled in; fields left empty are left out."""

    q: Annotated[str, AfterValidator(short_question)] = ""
    type: Annotated[str, Field(pattern=r"^[a-z0-9]{0,20}$")] = ""
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
