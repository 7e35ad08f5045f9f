"""Large homes to measure with: real paragraphs with their real vectors, and variations of them.

    python bench/large.py 200000 1000000     # builds them, if they are not there

The paragraphs are those of ``scale/`` and the retrieval collections of the development data, about
225,000, embedded once by the real model. Beyond that number they come again with every fifth word
exchanged for one of another paragraph, and with a vector drawn between their own and another's.
Homes and vectors are kept in ``build/bench/large``.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
from texts import DATA, paragraphs

from index.changes import Changes, Draft
from index.embeddings import Encoder, Half, text_key
from index.rows import digest
from index.sources import register
from index.store import Store
from index.values import Block, Span, embedding_text

WORK = Path("build/bench/large")
OTHERS = (
    "squad-v1.1-dev",
    "scifact",
    "squadshifts-reddit",
    "squadshifts-amazon-reviews",
    "cranfield",
    "npl-vaswani",
)
PARAGRAPHS = 5  # of a document
COMMIT = 143_000  # passages: of a million in seven segments, one fewer than are merged
EXCHANGED = 5  # of so many words of a variation one is another's
OWN = 0.8  # part of its own vector in that of a variation


def real() -> tuple[list[str], Half]:
    """Distinct paragraphs and their vectors, ``(paragraphs, 384)``; embedded at the first call."""
    texts, rows = WORK / "texts.json", WORK / "rows.npy"
    if not rows.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        found = dict.fromkeys(paragraphs())
        for name in OTHERS:
            for line in (DATA / "retrieval" / name / "corpus.jsonl").open(encoding="utf-8"):
                found[" ".join(json.loads(line)["text"].split())] = None
        every = [text for text in found if text]
        texts.write_text(json.dumps(every))
        np.save(rows, Encoder().encode(every))
    return json.loads(texts.read_text()), np.load(rows)


def passages(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """So many distinct paragraphs, each with its vector."""
    texts, rows = real()
    chance = np.random.default_rng(4)
    for number in range(count):
        turn, at = divmod(number, len(texts))
        if turn == 0:
            yield texts[at], rows[at]
            continue
        other = int(chance.integers(len(texts)))
        words, others = texts[at].split(), texts[other].split()
        for place in range(turn % EXCHANGED, len(words), EXCHANGED):
            words[place] = others[place % len(others)]
        drawn = OWN * rows[at].astype(np.float32) + (1 - OWN) * rows[other].astype(np.float32)
        yield f"{' '.join(words)} {turn}", (drawn / np.linalg.norm(drawn)).astype(np.float16)


def drafted(name: str, parts: list[str]) -> Draft:
    """A draft with one passage for each paragraph."""
    spans, start = [], 0
    for part in parts:
        spans.append(Span(start, start + len(part)))
        start += len(part) + 2
    text = "\n\n".join(parts)
    keys = tuple(text_key(embedding_text(name, "", part)) for part in parts)
    blocks = tuple(Block(span.start, span.end) for span in spans)
    hash = digest(text.encode())
    return Draft(1, name, name, "text", text, blocks, tuple(spans), keys, hash, language="en")


@contextmanager
def building(home: Path) -> Iterator[Store]:
    """A store to fill, with a source for documents; it becomes the home when that is done."""
    part = home.with_name(f"{home.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    store = Store(part)
    with store.catalog.write() as db:
        register(db, "api", "api", "api")
    yield store
    while store.merge():
        pass
    store.close()
    part.rename(home)


def built(count: int) -> Path:
    """The home of so many passages; made at the first call."""
    home = WORK / str(count)
    if not home.is_dir():
        with building(home) as store:
            _fill(store, count)
    return home


def _fill(store: Store, count: int) -> None:
    every, number, model = passages(count), 0, Encoder().identity
    while some := list(islice(every, COMMIT)):
        drafts = []
        for start in range(0, len(some), PARAGRAPHS):
            group = some[start : start + PARAGRAPHS]
            drafts.append(drafted(f"Document {number}", [text for text, _ in group]))
            number += 1
        keys = (key for draft in drafts for key in draft.keys)
        vectors = dict(zip(keys, (row for _, row in some), strict=True))  # short ones may be alike
        store.embeddings.put(model, list(vectors), np.stack(list(vectors.values())))
        store.apply(Changes(drafts), model)
        print(f"{count:,}: {number * PARAGRAPHS:,}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    for size in sys.argv[1:]:
        print(built(int(size)))
