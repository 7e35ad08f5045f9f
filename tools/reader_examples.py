"""What the reader learns from: questions, passages, answers, and passages that mislead.

Every collection is indexed and searched by the product itself. The passages that it ranks high
for a question, and that do not hold the answer, are what the reader must learn to refuse.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from index.embeddings import Encoder
from index.home import Home
from index.snapshot import Snapshot
from index.values import Filter, Passage
from search.engine import Engine

HOMES = Path("build/reader")
FOLDS = 6  # of the articles that are kept for validation, for figures of what is fitted on them
KEPT = 10  # passages of each kind that are kept for a question, best first
Keep = Callable[[str], bool]


@dataclass(frozen=True)
class Text:
    """A passage as the reader is given it."""

    title: str
    heading: str
    text: str


@dataclass(frozen=True)
class Example:
    """A question; the passage and the places in it of each answer noted, if any; and others.

    Of the others, best first, those that are ``misleading`` don't hold the answer's words, and the
    ``rivals`` do, though the question was asked of another passage.
    """

    id: str
    question: str
    passage: Text | None
    answers: tuple[tuple[int, int], ...]
    misleading: tuple[Text, ...]
    rivals: tuple[Text, ...]


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def held_out(folder: Path) -> set[str]:
    """The titles of the articles that are kept for validation: every other one by name."""
    return set(sorted({row["title"] for row in rows(folder / "corpus.jsonl")})[1::2])


def folds(folder: Path) -> dict[str, int]:
    """The fold of each article that is kept for validation."""
    return {title: i % FOLDS for i, title in enumerate(sorted(held_out(folder)))}


def opened(name: str, paragraphs: Iterable[dict[str, Any]], encoder: Encoder) -> Engine:
    """The product's engine over some paragraphs."""
    home = HOMES / name
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    corpus = home / "corpus.jsonl"
    corpus.write_text("\n".join(json.dumps(row) for row in paragraphs), encoding="utf-8")
    inside = Home(home / "home")
    inside.indexer.encoder = encoder
    inside.index([corpus], lambda progress: None, jsonl=True)
    return Engine(inside.store, encoder)


def examples(folder: Path, encoder: Encoder, keep: Keep = lambda title: True) -> list[Example]:
    """The examples of a collection, of the articles whose title ``keep`` accepts."""
    paragraphs = [row for row in rows(folder / "corpus.jsonl") if keep(row["title"])]
    engine = opened(folder.name, paragraphs, encoder)
    kept = {row["_id"] for row in paragraphs}
    relevant = dict(
        line.split("\t")[:2] for line in (folder / "qrels/test.tsv").read_text().splitlines()
    )
    answers = {row["_id"]: row["answers"] for row in rows(folder / "answers.jsonl")}
    asked = []
    paragraph = ""
    for row in rows(folder / "queries.jsonl"):  # unanswerable ones follow those of their paragraph
        paragraph = relevant.get(row["_id"], paragraph)
        if paragraph in kept:
            asked.append((row["_id"], row["text"], paragraph))
    vectors = encoder.encode([text for _, text, _ in asked], batch=128)
    found = []
    with engine.store.snapshot() as snapshot:
        held = _by_document(snapshot)
        everything = snapshot.select(Filter())
        for (id, text, paragraph), vector in zip(asked, vectors, strict=True):
            ranked = engine.rank(
                snapshot, text, partial(np.asarray, vector), everything, "hybrid", 20
            )
            best = snapshot.fetch(ranked.ids[:20])
            one = _example(id, text, answers[id], held.get(paragraph, []), best)
            if one.passage or not answers[id]:  # else the splitting has cut through the answer
                found.append(one)
    engine.store.close()
    return found


def _by_document(snapshot: Snapshot) -> dict[str, list[Passage]]:
    held = defaultdict(list)
    for document in snapshot.documents(limit=1_000_000)[1]:
        held[document.uri] = snapshot.passages(document.id)
    return held


def _example(
    id: str, question: str, answers: list[dict[str, Any]], own: list[Passage], best: list[Passage]
) -> Example:
    passage, places = None, []
    for answer in answers:
        start, end = answer["start"], answer["start"] + len(answer["text"])
        for one in own:
            if one.start <= start and end <= one.end and passage in (None, one):
                passage = one
                places.append((start - one.start, end - one.start))
    wanted = {answer["text"].lower() for answer in answers}
    others: dict[bool, list[Text]] = {True: [], False: []}
    if not answers:  # the paragraph that the question was written to deceive of comes first
        best = [*own, *(one for one in best if one not in own)]
    for one in best:
        if one != passage:
            others[any(answer in one.text.lower() for answer in wanted)].append(_text(one))
    return Example(
        id,
        question,
        _text(passage) if passage else None,
        tuple(places),
        tuple(others[False][:KEPT]),
        tuple(others[True][:KEPT]),
    )


def _text(passage: Passage) -> Text:
    return Text(passage.document.title, passage.heading, passage.text)


def training(data: Path, encoder: Encoder) -> dict[str, list[Example]]:
    """The training examples of each collection, found once and kept."""
    HOMES.mkdir(parents=True, exist_ok=True)
    kept = HOMES / "examples.pickle"
    if not kept.exists():
        kept.write_bytes(pickle.dumps(dict(_training(data, encoder))))
    found: dict[str, list[Example]] = pickle.loads(kept.read_bytes())
    return found


def _training(data: Path, encoder: Encoder) -> Iterator[tuple[str, list[Example]]]:
    """None is of a held-out article."""
    held = held_out(data / "squad-v1.1-dev")
    yield "reddit", examples(data / "squadshifts-reddit", encoder)
    yield "amazon", examples(data / "squadshifts-amazon-reviews", encoder)
    yield "squad", examples(data / "squad-v1.1-dev", encoder, lambda t: t not in held)
    yield (
        "deceiving",
        [
            example
            for example in examples(data / "squad-v2.0-dev", encoder, lambda t: t not in held)
            if example.passage is None
        ],
    )
