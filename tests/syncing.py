"""What a run did, and what a store holds after it, as the tests of re-indexing look at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from index.progress import Progress
from index.store import Store
from index.values import Document

Write = Callable[[str, str], Path]


def by_name(store: Store) -> dict[str, Document]:
    with store.snapshot() as snapshot:
        return {Path(d.uri).name: d for d in snapshot.documents(limit=1000)[1]}


def ids(store: Store) -> dict[str, int]:
    return {name: document.id for name, document in by_name(store).items()}


def texts(store: Store) -> dict[str, str]:
    """The text of each document, by its path."""
    with store.snapshot() as snapshot:
        return {d.uri: snapshot.text(d.id)[0] for d in snapshot.documents(limit=1000)[1]}


def failures(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {f.uri: f.reason for f in snapshot.failures()}


def generation(store: Store) -> int:
    with store.snapshot() as snapshot:
        return snapshot.generation


def counts(progress: Progress) -> dict[str, int]:
    names = ("added", "changed", "moved", "removed", "unchanged", "withheld")
    told = {name: getattr(progress, name) for name in names}
    return {name: number for name, number in told.items() if number}


def aged(folder: Path) -> None:
    """Make files look as if they had been written a minute ago."""
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 60_000_000_000))


def unlink(folder: Path, count: int) -> None:
    for path in sorted(folder.iterdir())[:count]:
        path.unlink()
