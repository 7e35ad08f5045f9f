"""One generation to read from: both legs, filters, and the text behind a hit."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from index import facets, keyword, ranking
from index.folding import pattern
from index.keyword import field_terms
from index.languages import ENGLISH
from index.postings import Run, Statistics
from index.segments import Segment
from index.stored import Stored, marks
from index.values import Filter, Hit, Passage
from index.vectors import nearest

SOUGHT = 1_000  # passages in which the phrases of a question are looked for, at most
NEAREST = 200  # passages among which those of other documents are looked for

Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """The opened segments of a generation, which of their passages are alive, and the languages.

    It never changes; any number of questions read from it at once.
    """

    generation: int
    segments: tuple[Segment, ...]
    alive: tuple[Mask | None, ...]
    languages: tuple[str, ...] = (ENGLISH,)

    @cached_property
    def statistics(self) -> Statistics:
        """BM25's view of the whole collection."""
        return Statistics([s.postings for s in self.segments], keyword.LENGTHS)


@dataclass(frozen=True, slots=True)
class Selection:
    """The passages that a filter leaves, as one mask for each segment (None: all of it)."""

    masks: tuple[Mask | None, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a phrase stands, as one mask for each segment.

    ``whole`` tells whether every passage was read that may hold it.
    """

    masks: tuple[Mask, ...]
    whole: bool

    def __bool__(self) -> bool:
        return any(mask.any() for mask in self.masks)


class Snapshot(Stored):
    """What a store held at one moment. Used by one question, in one thread."""

    def __init__(self, db: sqlite3.Connection, view: View) -> None:
        super().__init__(db)
        self._view = view
        self.generation = view.generation
        self._phrases: dict[str, Standing] = {}
        self._runs: dict[tuple[str, ...], list[Run]] = {}

    @property
    def model(self) -> str:
        """The identity of the model that its vectors are of; empty in a new home."""
        return str(self._db.execute("SELECT model FROM state").fetchone()[0])

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of its documents, the most frequent first; at most ``LANGUAGES``."""
        return self._view.languages

    # Selecting

    def select(self, filter: Filter) -> Selection:
        """The passages that meet ``filter``."""
        masks = list(self._view.alive)
        if filter.sources or filter.types or filter.tags or filter.before or filter.after:
            ids = self._documents_of(filter)
            adopted = self._db.execute("SELECT first, last, document_id FROM adoptions").fetchall()
            masks = [_and(m, _of_documents(s, ids, adopted)) for m, s in self._each(masks)]
        unwanted = {t for word in filter.without for t in keyword.terms(word, self.languages)}
        for term in unwanted:
            masks = [_and(m, ~_holding(s, term)) for m, s in self._each(masks)]
        for phrase in filter.phrases:
            found = self.standing(phrase).masks
            masks = [_and(m, f) for m, f in zip(masks, found, strict=True)]
        count = sum(len(s) if m is None else int(m.sum()) for m, s in self._each(masks))
        return Selection(tuple(masks), count)

    def _each(self, masks: Sequence[Mask | None]) -> Iterable[tuple[Mask | None, Segment]]:
        return zip(masks, self._view.segments, strict=True)

    def _documents_of(self, filter: Filter) -> npt.NDArray[np.int64]:
        clauses, values = [], []
        for column, wanted in (("sources.name", filter.sources), ("type", filter.types)):
            if wanted:
                places = marks(wanted)  # SQLite's lower() knows the letters of ASCII alone
                clauses.append(f"(lower({column}) IN ({places}) OR {column} IN ({places}))")
                values += [*(value.lower() for value in wanted), *wanted]
        if filter.tags:
            clauses.append(
                "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(documents.tags)"
                " THEN documents.tags ELSE '[]' END)"
                f" WHERE lower(value) IN ({marks(filter.tags)})"
                f" OR value IN ({marks(filter.tags)}))"
            )
            values += [*(tag.lower() for tag in filter.tags), *filter.tags]
        if filter.before:
            clauses.append("published < ?")
            values.append(filter.before)
        if filter.after:
            clauses.append("published >= ?")
            values.append(filter.after)
        meeting = " AND ".join(clauses)
        rows = self._db.execute(
            "WITH met AS (SELECT documents.id, text_hash, passages, type,"
            " documents.tags, published FROM documents"
            f" JOIN sources ON sources.id = source_id WHERE {meeting})"
            # One that is indexed under another name is found there.
            " SELECT id FROM met UNION SELECT twin.id FROM documents AS twin JOIN met"
            " ON met.passages = 0 AND met.text_hash = twin.text_hash AND met.type = twin.type"
            " AND met.published IS twin.published",
            values,
        )
        return np.fromiter((row[0] for row in rows), np.int64)

    def standing(self, phrase: str, most: int = SOUGHT) -> Standing:
        """Where a phrase stands word for word: its words by their stems, then read in the text.

        Of more than ``most`` passages that hold all of its words those are read that hold them
        the most, so that a phrase of common words takes no longer than another.
        """
        if phrase not in self._phrases:
            self._phrases[phrase] = self._stands(phrase, most)
        return self._phrases[phrase]

    def _stands(self, phrase: str, most: int) -> Standing:
        spoken = {tuple(w.term for w in keyword.words(phrase, one)) for one in self.languages}
        masks: list[Mask] = []
        for alive, segment in self._each(self._view.alive):
            mask = np.zeros(len(segment), bool)
            for terms in spoken:
                mask[segment.postings.holding(terms)] = True
            masks.append(_and(alive, mask))
        held = Selection(tuple(masks), sum(int(mask.sum()) for mask in masks))
        whole = held.count <= most
        if whole:
            ids = self.selected(held)
        else:
            each = list(dict.fromkeys(term for terms in spoken for term in terms))
            ids = [hit.passage_id for hit in self.best(each, most, held)]
        found = np.asarray(self.standing_in(ids, pattern(phrase)), np.int64)
        return Standing(tuple(np.isin(s.ids, found) for s in self._view.segments), whole)

    # The legs

    def keyword(
        self, terms: Sequence[str], k: int | None, selection: Selection | None = None
    ) -> tuple[list[Hit], int]:
        """The ``k`` best passages by BM25 (None: all), and how many hold any of the terms."""
        masks, runs = self._masks(selection), self._of(terms)
        return self.best(terms, k, selection), ranking.count(self._view.statistics, masks, runs)

    def best(
        self, terms: Sequence[str], k: int | None, selection: Selection | None = None
    ) -> list[Hit]:
        """The ``k`` best passages by BM25 alone, which need not look at all that hold a term."""
        return ranking.rank(self._view.statistics, self._masks(selection), self._of(terms), k)

    def _of(self, terms: Sequence[str]) -> list[Run]:
        """The runs of terms; those of a question are needed several times."""
        key = tuple(terms)
        if key not in self._runs:
            self._runs[key] = self._view.statistics.runs(key)
        return self._runs[key]

    def semantic(
        self, vector: npt.NDArray[np.float16], k: int | None, selection: Selection | None = None
    ) -> list[Hit]:
        """The ``k`` passages (None: all) whose vectors have the highest cosine with ``vector``."""
        masks = self._masks(selection)
        parts = [(s.vectors, m) for s, m in zip(self._view.segments, masks, strict=True)]
        ids, scores = nearest(parts, vector, k)
        return [Hit(*pair) for pair in zip(ids.tolist(), scores.tolist(), strict=True)]

    def _masks(self, selection: Selection | None) -> Sequence[Mask | None]:
        return self._view.alive if selection is None else selection.masks

    def keyword_weights(self, terms: Sequence[str], ids: Sequence[int]) -> Scores:
        """What each term adds to the score of each passage: shape ``(ids, terms)``."""
        weights = np.zeros((len(ids), len(terms)))
        statistics, runs = self._view.statistics, self._of(terms)
        for place, at, numbers in self._located(ids):
            for run in runs:
                if part := run.parts[place]:
                    hits, codes = part.look_up(numbers)
                    weights[at[hits], run.term] += statistics.weigh(run, codes)
        return weights

    def semantic_scores(self, vector: npt.NDArray[np.float16], ids: Sequence[int]) -> Scores:
        """The cosine of ``vector`` with each passage: shape ``(ids,)``."""
        scores = np.zeros(len(ids))
        for place, at, numbers in self._located(ids):
            scores[at] = self._view.segments[place].vectors.scores(vector, numbers)
        return scores

    def _located(
        self, ids: Sequence[int]
    ) -> Iterable[tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """The places of segments that hold some of ``ids``; which of these, and their numbers."""
        sought = np.asarray(ids, np.int64)
        for place, segment in enumerate(self._view.segments):
            numbers = segment.numbers(sought)
            at = np.flatnonzero(numbers >= 0)
            if len(at):
                yield place, at, numbers[at].astype(np.uint32)

    def frequencies(self, terms: Sequence[str]) -> list[int]:
        """In how many passages each term occurs, in any field (the most frequent counts)."""
        found = [0] * len(terms)
        for run in self._of(terms):
            found[run.term] = max(found[run.term], run.count)
        return found

    def beginning(self, prefix: str, most: int) -> list[str]:
        """The ``most`` frequent terms that begin with ``prefix``."""
        counted: Counter[str] = Counter()
        for segment in self._view.segments:
            for term, count in segment.vocabulary.beginning(prefix, most):
                counted[term] += count
        return [term for term, _ in counted.most_common(most)]

    def near(self, word: str, distance: int) -> list[str]:
        """The terms that differ from ``word`` by at most so many letters, the nearest first."""
        slips: dict[str, int] = {}
        counted: Counter[str] = Counter()
        for segment in self._view.segments:
            for term, far, count in segment.vocabulary.near(word, distance):
                slips[term] = far
                counted[term] += count
        return sorted(slips, key=lambda term: (slips[term], -counted[term], term))

    def holding(self, field: str, groups: Sequence[Iterable[str]], most: int) -> list[int]:
        """Passages that hold a term of each group in a field; of titles one of each document."""
        found: list[int] = []
        for mask, segment in self._each(self._view.alive):
            numbers = segment.postings.any_of_each(field, groups)
            numbers = numbers if mask is None else numbers[mask[numbers]]
            if field == "title":
                _, first = np.unique(segment.documents[numbers], return_index=True)
                numbers = numbers[first]
            found += segment.ids[numbers].tolist()
            if len(found) >= most:
                break
        return found[:most]

    def named_so(self, field: str, groups: Sequence[Iterable[str]], most: int) -> list[str]:
        """Titles, or headings, that hold a term of each group; ``field`` says which."""
        ids = self.holding(field, groups, most)
        rows = self._db.execute(
            f"SELECT DISTINCT {'title' if field == 'title' else 'heading'} FROM passages"
            f" JOIN documents ON documents.id = document_id WHERE passages.id IN ({marks(ids)})",
            ids,
        )
        return [str(row[0]) for row in rows]

    def facets(self, ids: Sequence[int]) -> facets.Facets:
        """How many of the passages there are of each source, type, tag and year."""
        return facets.count(self._db, self._view.segments, ids)

    def selected(self, selection: Selection) -> list[int]:
        """The ids of all selected passages, ascending."""
        ids = [s.ids if m is None else s.ids[m] for m, s in self._each(selection.masks)]
        return sorted(int(id) for part in ids for id in part)

    # Near by

    def similar(self, id: int, start: int, end: int, k: int, floor: float) -> list[Passage]:
        """The passages nearest in meaning to the one at ``text[start:end]`` of a document.

        At most ``k``, each of another document with another text, with a cosine from ``floor`` on.
        """
        row = self._db.execute(
            "SELECT passages.id FROM passages JOIN documents ON documents.id = document_id"
            " WHERE text_hash = (SELECT text_hash FROM documents WHERE id = ?)"
            ' AND start < ? AND "end" > ? ORDER BY min("end", ?) - max(start, ?) DESC LIMIT 1',
            [id, end, start, end, start],
        ).fetchone()
        for place, _, numbers in self._located([row[0]] if row else []):
            segment = self._view.segments[place]
            hits = self.semantic(segment.vectors.rows[numbers[0]], NEAREST)
            return self._elsewhere(id, [hit.passage_id for hit in hits if hit.score >= floor], k)
        return []

    def _elsewhere(self, id: int, ids: Sequence[int], k: int) -> list[Passage]:
        """The first ``k`` passages that are each of another document, and not of this text."""
        rows = self._db.execute(
            "SELECT passages.id, document_id FROM passages JOIN documents"
            f" ON documents.id = document_id WHERE passages.id IN ({marks(ids)})"
            " AND text_hash != (SELECT text_hash FROM documents WHERE id = ?)",
            [*ids, id],
        )
        of = {row[0]: row[1] for row in rows}
        first: dict[int, int] = {}
        for passage in ids:
            if passage in of:
                first.setdefault(of[passage], passage)
        return self.fetch(list(first.values())[:k])


def _of_documents(
    segment: Segment, ids: npt.NDArray[np.int64], adopted: Sequence[sqlite3.Row]
) -> Mask:
    """The passages of some documents; ``adopted`` are those that a segment gives to others."""
    found = np.isin(segment.documents, ids)
    if adopted:
        first, last, owners = np.array([tuple(row) for row in adopted], np.int64).T
        starts, ends = np.searchsorted(segment.ids, first), np.searchsorted(segment.ids, last + 1)
        for start, end, wanted in zip(starts, ends, np.isin(owners, ids), strict=True):
            found[start:end] = wanted
    return np.asarray(found)


def _and(mask: Mask | None, other: Mask) -> Mask:
    return other if mask is None else mask & other


def _holding(segment: Segment, term: str) -> Mask:
    holding = np.zeros(len(segment), bool)
    for field, _ in field_terms([term]):
        if run := segment.postings.run(field, term):
            holding[run.docs] = True
    return holding
