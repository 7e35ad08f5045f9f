"""A collection that ever changes, of documents whose texts tell which they are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from index.documents import Given
from index.embeddings import Half
from index.indexer import Indexer
from index.keyword import words
from index.snapshot import Snapshot
from index.values import Document

Placed = tuple[str, int]  # the name of a document, and the version of its text
Shelf = dict[int, Placed]  # by number: a document keeps its number when it is renamed


class CheapEncoder:
    """Each text is as long as another; a vector is the sum of those of the text's terms."""

    identity = "cheap@1"
    window = 60

    def measure(self, texts: Sequence[str]) -> list[int]:
        """So many that each paragraph is a passage."""
        return [20] * len(texts)

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        """Unit vectors, distinct for distinct sets of words."""
        rows = np.stack([sum((_vector(w.term) for w in words(t)), _vector("")) for t in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


@cache
def _vector(term: str) -> np.ndarray:
    return np.random.default_rng(list(term.encode())).normal(size=64)


def paragraphs(number: int, version: int) -> list[str]:
    """The text of a document: one paragraph that never changes, up to three that do."""
    count = random.Random(f"{number}.{version}").randrange(4)
    return (
        [f"common words of number {number} version {version}"]
        + [f"common words {word}" for word in rare(number, version)[1 : count + 1]]
        + [f"common words {rare(number, version)[0]}"]
    )


def rare(number: int, version: int) -> list[str]:
    """Words that stand in one document only: the first in each of its versions."""
    return [f"rare{number}always", *(f"rare{number}v{version}p{i}" for i in range(3))]


def mutated(shelf: Shelf, chance: random.Random) -> Shelf:
    """A few documents added, changed, renamed and deleted: files, or documents handed over."""
    after = dict(shelf)
    for one in chance.sample(sorted(shelf), min(len(shelf), chance.randrange(4))):
        name, version = after[one]
        kind = chance.random()
        if kind < 0.4 or (kind < 0.7 and not name.endswith(".txt")):
            after[one] = name, version + 1
        elif kind < 0.7:
            after[one] = f"{one}-{chance.randrange(10**6)}.txt", version
        else:
            del after[one]
    for _ in range(chance.randrange(1, 4) if len(shelf) < 30 else 0):
        number = chance.randrange(10**9)  # never used again
        after[number] = (f"{number}.txt" if chance.random() < 0.8 else f"given-{number}"), 1
    return after


def bring(indexer: Indexer, folder: Path, shelf: Shelf) -> None:
    """Make the files those of ``shelf``, and the home what the files and the rest say."""
    texts = {name: "\n\n".join(paragraphs(n, version)) for n, (name, version) in shelf.items()}
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()
    for name, text in texts.items():
        path = folder / name
        if name.endswith(".txt") and not (path.exists() and path.read_text() == text):
            (folder / f".{name}").write_text(text)  # hidden until it is whole
            (folder / f".{name}").replace(path)
    indexer.index([folder], lambda progress: None, allow_deletions=True)
    with indexer.store.snapshot() as snapshot:
        given = {d.uri: d.id for d in every(snapshot) if d.source == "api"}
        stored = {name: snapshot.text(id)[0] for name, id in given.items()}
    for name in given.keys() - texts.keys():
        indexer.remove(given[name])
    fresh = {n: t for n, t in texts.items() if not n.endswith(".txt") and stored.get(n) != t}
    if fresh:
        indexer.add([Given(name, text) for name, text in fresh.items()])
    while indexer.store.merge():
        pass


def every(snapshot: Snapshot) -> list[Document]:
    """All documents."""
    return snapshot.documents(limit=10**6)[1]
