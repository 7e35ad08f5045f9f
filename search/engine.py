"""The engine: a question becomes ranked passages, each with the reasons for its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import Literal, TypeVar, cast

import numpy as np

from index.embeddings import Encoder, Half
from index.errors import KhazriError
from index.keyword import terms, words
from index.languages import among
from index.snapshot import SOUGHT, Selection, Snapshot
from index.store import Store
from index.values import Passage
from search.answers import READ, Asked, compose
from search.cache import Cache
from search.confidence import THRESHOLD
from search.fusion import (
    FOREIGN,
    NOTHING,
    REACH,
    SEMANTIC,
    answering,
    convex,
    reciprocal_rank,
)
from search.question import LONGEST, PARTS, Question, asks, parse, parts
from search.ranked import NONE, Leg, Ranked, by_date, column, columns
from search.reader import UNREAD, Reader, Reading
from search.reasons import explain
from search.results import Answer, Found, Mode, Order, Result
from search.together import Together

DEPTH = 300  # passages that each leg proposes

Fusion = Literal["convex", "reciprocal"]
Reply = TypeVar("Reply", Found, Answer)
Step = Callable[[str], AbstractContextManager[object]]  # entered for the named step of answering
Vector = Callable[[], Half]  # of a question: waits until it is made


class Engine:
    """Answers from a store. One engine serves any number of threads."""

    def __init__(
        self,
        store: Store,
        encoder: Encoder,
        fusion: Fusion = "convex",
        weight: float = SEMANTIC,
        *,
        reader: Reader | None = None,
        read: int = READ,
        threshold: float = THRESHOLD,
        step: Step = nullcontext,
        cache: int = 0,
    ) -> None:
        """``weight`` is the semantic leg's share in the convex fusion, from 0 to 1.

        ``reader`` reads the best ``read`` passages of a question, and as many more where those say
        next to nothing; None leaves quotes to be chosen by sentence. An answer is given from the
        probability ``threshold`` on. Each step is taken within ``step``, which may measure it, or
        stop the question there by raising. ``cache`` is how many replies are kept, to be given
        again while the collection stays as it is.
        """
        self.store = store
        self.encoder = encoder
        self.fusion = fusion
        self.weight = weight
        self.reader = reader
        self.read = read
        self.threshold = threshold
        self.step = step
        self.cache = Cache(cache)
        self._together = Together()
        # A page asks twice, for results and for an answer, and people page on.
        self._vectors = lru_cache(maxsize=256)(self._together.vector)
        self._readings: Callable[[str, tuple[Passage, ...]], tuple[Reading, ...]] = lru_cache(
            maxsize=256
        )(lambda question, passages: reader.read(question, passages) if reader else ())

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        offset: int = 0,
        mode: Mode = "hybrid",
        filter: str = "",
        order: Order = "relevance",
        read: bool = False,
        count: bool = False,
    ) -> Found:
        """Find passages. Raises ``KhazriError`` when nothing is asked or too much.

        With ``read`` the reader takes part in the order of the first few, which costs time; so
        does ``count``, with which all that is found is counted by source, type, tag and year.
        """
        return self._cached(
            lambda: self._search(query, limit, offset, mode, filter, order, read, count),
            (query, limit, offset, mode, filter, order, read, count),
        )

    def _search(
        self,
        query: str,
        limit: int,
        offset: int,
        mode: Mode,
        filter: str,
        order: Order,
        read: bool,
        count: bool,
    ) -> Found:
        started = time.perf_counter()
        question = ask(query, filter)
        with self.asked(question.text, mode) as (snapshot, vector):
            question, selection = self._narrowed(snapshot, question)
            every = count or order == "date"  # the newest may rank the lowest
            depth = None if every else offset + limit
            ranked = self.rank(snapshot, question.text, vector, selection, mode, depth)
            if order == "date":
                ranked = by_date(snapshot, ranked)
            elif read and mode == "hybrid" and len(parts(question.text)) == 1:
                ranked = self.reread(snapshot, question.text, ranked)
            with self.step("explaining"):
                results = explain(snapshot, question.text, ranked, offset, limit)
                facets = snapshot.facets(ranked.ids) if count else None
        return Found(
            query,
            mode,
            order,
            ranked.total,
            limit,
            offset,
            tuple(results),
            question.notes,
            snapshot.generation,
            _since(started),
            facets,
        )

    def answer(self, question: str, *, filter: str = "", limit: int = 5) -> Answer:
        """Answer with verified quotes, or say why not. Raises ``KhazriError`` like ``search``."""
        return self._cached(
            lambda: self._answer(question, filter, limit), (question, filter, limit)
        )

    def _cached(self, find: Callable[[], Reply], key: tuple[object, ...]) -> Reply:
        """A reply that was given before in the present generation, or a new one."""
        if not self.cache.size:
            return find()
        started = time.perf_counter()
        with self.store.snapshot() as snapshot:
            generation = snapshot.generation
        if kept := self.cache.get(generation, key):
            return replace(cast(Reply, kept), took_ms=_since(started))
        found = find()
        self.cache.put(found.generation, key, found)
        return found

    def _answer(self, question: str, filter: str, limit: int) -> Answer:
        started = time.perf_counter()
        asked = ask(question, filter)
        with self.asked(asked.text) as (snapshot, vector):
            asked, selection = self._narrowed(snapshot, asked)
            single = parts(asked.text)
            ranked = self.rank(snapshot, asked.text, vector, selection, "hybrid", limit)
            if len(single) == 1:
                ranked = self.reread(snapshot, asked.text, ranked)
            with self.step("explaining"):
                results = explain(snapshot, asked.text, ranked, 0, max(limit, READ))
            known = vector() if vector else None
            whole = Asked.of(snapshot, asked.text, known, results, ranked.readings)
            each = [whole] if len(single) == 1 else self._each(snapshot, single, selection)
            with self.step("quoting"):
                reply = compose(snapshot, self.encoder, each, self.threshold)
        return Answer(
            question,
            bool(reply.citations),
            reply.text,
            reply.citations,
            tuple(results[:limit]),
            reply.reason,
            reply.confidence,
            asked.notes + reply.notes + _unread(single[PARTS:]),
            snapshot.generation,
            _since(started),
        )

    def _each(self, snapshot: Snapshot, single: Sequence[str], selection: Selection) -> list[Asked]:
        """What is found for the first of several questions, each by itself."""
        found = []
        for text in single[:PARTS]:
            vector = self.vector(text)
            ranked = self.rank(snapshot, text, vector, selection, "hybrid", READ)
            ranked = self.reread(snapshot, text, ranked)
            with self.step("explaining"):
                results = explain(snapshot, text, ranked, 0, READ)
            found.append(Asked.of(snapshot, text, vector(), results, ranked.readings))
        return found

    def export(self, query: str, *, filter: str = "") -> Iterator[Result]:
        """Every passage that matches a keyword query or a filter, best or oldest first."""
        question = ask(query, filter)
        with self.store.snapshot() as snapshot:
            question, selection = self._narrowed(snapshot, question)
            ranked = self.rank(snapshot, question.text, None, selection, "keyword", None)
            for start in range(0, len(ranked.ids), 100):
                yield from explain(snapshot, question.text, ranked, start, 100)

    def vector(self, text: str) -> Vector:
        """The vector of a question: it is being made while the caller goes on."""
        made = self._vectors(self.encoder, text)

        def vector() -> Half:
            with self.step("encoding"):
                try:
                    return made.result()
                except Exception:
                    self._vectors.cache_clear()  # or it would fail for ever
                    raise

        return vector

    def _narrowed(self, snapshot: Snapshot, question: Question) -> tuple[Question, Selection]:
        with self.step("filtering"):
            return narrowed(snapshot, question)

    @contextmanager
    def asked(self, text: str, mode: Mode = "hybrid") -> Iterator[tuple[Snapshot, Vector | None]]:
        """A snapshot, and the question's vector of the model that the snapshot's are of.

        There is none where the mode or the question calls for none. Should the index have changed
        to another model, the vector is made again.
        """
        while True:
            encoder = self.encoder
            vector = None if mode == "keyword" or not text else self.vector(text)
            with self.store.snapshot() as snapshot:
                if vector is None or snapshot.model in ("", encoder.identity):
                    yield snapshot, vector
                    return
                model = snapshot.model
            self.encoder = Encoder.of(model)

    def rank(
        self,
        snapshot: Snapshot,
        text: str,
        vector: Vector | None,
        selection: Selection,
        mode: Mode,
        depth: int | None,
    ) -> Ranked:
        """Order the candidates of a question; ``depth`` is how many a single leg must give.

        The keyword leg goes first: meanwhile the vector is made.
        """
        if not text:
            ids = tuple(snapshot.selected(selection))
            return Ranked(ids, (0.0,) * len(ids), NONE, NONE, len(ids))
        asked = terms(text, snapshot.languages)
        if mode == "keyword" or vector is None:
            wanted = None if depth is None else max(depth, DEPTH)
            with self.step("keyword"):
                hits, total = snapshot.keyword(asked, wanted, selection)
            return Ranked(*columns(hits), Leg.of(hits), NONE, total)
        hits = []
        if mode == "hybrid":
            with self.step("keyword"):
                hits = snapshot.best(asked, DEPTH, selection)
        sought = vector()
        with self.step("semantic"):
            nearest = snapshot.semantic(sought, DEPTH, selection)
        if mode == "semantic":
            return Ranked(*columns(nearest), NONE, Leg.of(nearest), len(nearest))
        spoken = among(text, snapshot.languages)
        weight = self.weight if self.encoder.speaks(spoken) else min(self.weight, FOREIGN)
        with self.step("fusing"):
            return self._fused(snapshot, asked, sought, weight, Leg.of(hits), Leg.of(nearest))

    def _fused(
        self,
        snapshot: Snapshot,
        asked: Sequence[str],
        vector: Half,
        weight: float,
        by_word: Leg,
        by_meaning: Leg,
    ) -> Ranked:
        """Fuse both legs over the union of their candidates, with the exact scores of both."""
        unmeant = [id for id in by_word.scores if id not in by_meaning.scores]
        unworded = [id for id in by_meaning.scores if id not in by_word.scores]
        cosines = snapshot.semantic_scores(vector, unmeant).tolist()
        bm25 = snapshot.keyword_weights(asked, unworded).sum(axis=1).tolist()
        by_meaning = by_meaning.more(dict(zip(unmeant, cosines, strict=True)))
        by_word = by_word.more({id: s for id, s in zip(unworded, bm25, strict=True) if s > 0})
        ids = np.array(sorted(by_meaning.scores), np.int64)
        if self.fusion == "convex":
            fused = convex(column(by_word.scores, ids), column(by_meaning.scores, ids), weight)
        else:
            fused = reciprocal_rank(column(by_word.places, ids), column(by_meaning.places, ids))
        order = np.lexsort((ids, -fused))
        return Ranked(
            tuple(ids[order].tolist()),
            tuple(fused[order].tolist()),
            by_word,
            by_meaning,
            len(ids),
        )

    def reread(self, snapshot: Snapshot, text: str, ranked: Ranked) -> Ranked:
        """The same candidates, the first few of them ordered by what the reader finds in them too.

        Where it finds next to nothing to a question, as many more are read, and those that say more
        take part. Nothing is read without a reader, or where the first is in a language it has not
        learnt; and none that stands so far below the first that it would hardly answer better.
        """
        passages = snapshot.fetch(ranked.ids[: self.read]) if text and self.reader else []
        if not passages or not self._reads(passages[0]):
            return ranked
        place = {id: i for i, id in enumerate(ranked.ids[: 2 * self.read])}
        best = ranked.scores[place[passages[0].id]]  # damaged ones are not fetched

        def near(passage: Passage) -> bool:
            score = ranked.scores[place[passage.id]]
            return self._reads(passage) and score >= best - REACH

        readings = self._read(text, passages, near)
        if asks(text) and max(reading.score for reading in readings) < NOTHING:
            more = snapshot.fetch(ranked.ids[self.read : 2 * self.read])
            readings += [r for r in self._read(text, more, near) if r.score >= NOTHING]
        first = [place[reading.passage.id] for reading in readings]
        fused = np.array([ranked.scores[i] for i in first])
        scores = fused + answering(np.array([r.score for r in readings]), asks(text))
        order = np.argsort(-scores, kind="stable").tolist()
        read = set(first)
        others = [i for i in range(len(ranked.ids)) if i not in read]
        return replace(
            ranked,
            ids=tuple(ranked.ids[i] for i in [*(first[i] for i in order), *others]),
            scores=(*scores[order].tolist(), *(ranked.scores[i] for i in others)),
            readings=tuple(readings[i] for i in order),
        )

    def _read(
        self, text: str, passages: Sequence[Passage], near: Callable[[Passage], bool]
    ) -> list[Reading]:
        """What the reader finds in each passage; nothing in those that aren't near enough."""
        with self.step("reading"):
            read = self._readings(text, tuple(filter(near, passages)))
        found = {reading.passage.id: reading for reading in read}
        return [found.get(p.id) or Reading(p, p.start, p.end, UNREAD) for p in passages]

    def _reads(self, passage: Passage) -> bool:
        return self.reader is not None and self.reader.reads(passage.document.language)


def ask(query: str, filter: str) -> Question:
    """Parse a question. Raises ``KhazriError`` when there is nothing to look for, or too much."""
    if len(query) > LONGEST:
        raise KhazriError(
            f"The question has {len(query):,} characters; at most {LONGEST:,} can be asked."
            " Ask for what matters most in it."
        )
    question = parse(query, filter)
    if not any(True for _ in words(question.text)):
        if question.filter.empty:
            raise KhazriError("The question is empty. Type a word, a question or a filter.")
        question = replace(question, text="")
    return question


def narrowed(snapshot: Snapshot, question: Question) -> tuple[Question, Selection]:
    """What a question's filter leaves. A phrase that stands nowhere is searched as words."""
    standing, notes = [], list(question.notes)
    base = replace(question.filter, phrases=())
    most = SOUGHT // max(len(question.filter.phrases), 1)
    for phrase in question.filter.phrases:
        found = snapshot.standing(phrase, most)
        if found:
            standing.append(phrase)
        else:
            notes.append(f"“{phrase}” stands nowhere word for word, so its words were searched.")
        if not found.whole:
            notes.append(
                f"The words of “{phrase}” are frequent: it was looked for in the {most:,} passages"
                " that hold them the most."
            )
    filter = replace(base, phrases=tuple(standing))
    return Question(question.text, filter, tuple(notes)), snapshot.select(filter)


def _unread(texts: Sequence[str]) -> tuple[str, ...]:
    """A note for the questions that were too many."""
    if not texts:
        return ()
    asked = " ".join(f"“{text}”" for text in texts)
    return (f"At most {PARTS} questions are answered at once; ask these again: {asked}",)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
