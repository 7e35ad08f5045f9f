"""What a run did, and what a store holds after it, as the tests of the indexer look at it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from index.indexer import Progress
from index.keyword import terms
from index.store import Store
from index.values import Document, Passage

Write = Callable[[str, str], Path]
LONG = " ".join(f"filler{n}" for n in range(25))  # a paragraph that stands alone


def paragraph(text: str) -> str:
    return f"{text} {LONG}"


def documents(store: Store) -> dict[str, Document]:
    """The stored documents, by the names of their files."""
    with store.snapshot() as snapshot:
        return {Path(d.uri).name: d for d in snapshot.documents(limit=1000)[1]}


def found(store: Store, word: str) -> list[Passage]:
    with store.snapshot() as snapshot:
        return snapshot.fetch([h.passage_id for h in snapshot.keyword(terms(word), None)[0]])


def failures(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {Path(f.uri).name: f.reason for f in snapshot.failures()}


def counts(progress: Progress) -> dict[str, int]:
    """What a run did, as far as it did anything."""
    names = ("added", "changed", "moved", "removed", "unchanged")
    told = {name: getattr(progress, name) for name in names} | {"failed": len(progress.failed)}
    return {name: number for name, number in told.items() if number}
