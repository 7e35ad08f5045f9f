"""Cost follows the change: adding one document to a large collection and to a small one.

    python bench/additions.py [--large 200000] [--small 2000] [--files 10000] [--json FILE]

The same 200 documents are handed to both homes in turn, in one warm process: read, split, stored,
committed and merged. Vectors are drawn, not computed, since embedding a document costs the same
everywhere. The large home is built once and kept in ``build/bench``; each run works on a copy.
The text is that of ``scale/`` in the development data, or made of the samples.

A run over unchanged files is timed as a person sees it: the whole of ``khazri index``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import mean, median
from typing import Any

from large import PARAGRAPHS, building, drafted
from stand_in import StandIn
from texts import paragraphs

from index.changes import Changes
from index.documents import Given, embedding_texts
from index.indexer import Indexer
from index.store import Store

WORK = Path("build/bench/additions")
BATCH = 5_000  # passages of a commit while a home is built
ADDITIONS = 200
ALLOWED = 1.5  # what an addition to the large home may cost, of one to the small home
UNCHANGED = 5.0  # seconds


def documents() -> Iterator[list[str]]:
    """The paragraphs of one document after the other."""
    every = paragraphs()
    while group := list(islice(every, PARAGRAPHS)):
        yield group


def built(passages: int, encoder: StandIn) -> Path:
    """A home with so many passages, made once."""
    home = WORK / str(passages)
    if not home.is_dir():
        with building(home) as store:
            _fill(store, passages, encoder)
    return home


def _fill(store: Store, passages: int, encoder: StandIn) -> None:
    every = enumerate(islice(documents(), passages // PARAGRAPHS))
    while some := list(islice(every, BATCH // PARAGRAPHS)):
        drafts = [drafted(f"document {number}", parts) for number, parts in some]
        texts = embedding_texts(drafts)
        store.embeddings.put(encoder.identity, list(texts), encoder.encode(list(texts.values())))
        store.apply(Changes(drafts), encoder.identity)
        while store.merge():
            pass
        print(f"building {passages}: {(some[-1][0] + 1) * PARAGRAPHS}", file=sys.stderr)


def copied(home: Path) -> Path:
    """A copy to work on."""
    WORK.mkdir(parents=True, exist_ok=True)
    copy = WORK / f"{home.name}.copy"
    shutil.rmtree(copy, ignore_errors=True)
    return shutil.copytree(home, copy)


class Additions:
    """A warm home that is given one document after the other."""

    def __init__(self, home: Path, encoder: StandIn) -> None:
        self.store = Store(home)
        self.indexer = Indexer(self.store, encoder)
        self.wall: list[float] = []
        self.busy: list[float] = []
        self.seen: list[float] = []

    def add(self, number: int, parts: list[str]) -> None:
        """Add a document, and time it, and what the first question after it waits for."""
        given = Given(f"added {number}", "\n\n".join(parts), title=f"Added {number}")
        wall, busy = time.perf_counter(), time.process_time()
        self.indexer.add([given])
        while self.store.merge():
            pass
        self.wall.append(time.perf_counter() - wall)
        self.busy.append(time.process_time() - busy)
        wall = time.perf_counter()
        with self.store.snapshot() as snapshot:
            snapshot.keyword(["nothing"], 1)
        self.seen.append(time.perf_counter() - wall)

    def forget(self) -> None:
        """Begin to count: what came before was to get warm."""
        for times in (self.wall, self.busy, self.seen):
            times.clear()


def additions(small: int, large: int) -> dict[str, float]:
    """What an addition costs, in both homes."""
    encoder = StandIn()
    sizes = {"small": small, "large": large}
    homes = {name: Additions(copied(built(size, encoder)), encoder) for name, size in sizes.items()}
    fresh = list(islice(documents(), max(large, small) // PARAGRAPHS, None))[: ADDITIONS + 8]
    if len(fresh) < ADDITIONS + 8:
        raise SystemExit(f"no text is left for {ADDITIONS} additions; ask for a smaller --large")
    for number, parts in enumerate(fresh):
        if number == 8:
            gc.collect()
            for home in homes.values():
                home.forget()
        for home in homes.values():
            home.add(number, parts)
    figures: dict[str, float] = {}
    for name, home in homes.items():
        with home.store.snapshot() as snapshot:
            figures[f"{name}: passages"] = snapshot.count().passages
        figures[f"{name}: an addition, ms"] = 1000 * mean(home.wall)
        figures[f"{name}: its median, ms"] = 1000 * median(home.wall)
        figures[f"{name}: of it processor time, ms"] = 1000 * mean(home.busy)
        figures[f"{name}: opening the new generation, ms"] = 1000 * mean(home.seen)
        home.store.close()
    figures["large / small"] = mean(homes["large"].wall) / mean(homes["small"].wall)
    figures["large / small, processor time"] = mean(homes["large"].busy) / mean(homes["small"].busy)
    return figures


def unchanged(count: int) -> dict[str, float]:
    """How long a run over unchanged files takes, from the command to its end."""
    folder, home = WORK / "files", WORK / "files.home"
    for path in (folder, home):
        shutil.rmtree(path, ignore_errors=True)
    home.mkdir(parents=True)
    an_hour_ago = time.time() - 3600
    every = paragraphs()
    for number in range(count):
        path = folder / f"{number // 500:03}" / f"{number:06}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(next(every))
        os.utime(path, (an_hour_ago, an_hour_ago))
    store = Store(home)
    indexer = Indexer(store, StandIn())
    indexer.index([folder], lambda progress: None)
    started = time.perf_counter()
    again = indexer.index([folder], lambda progress: None)
    inside = time.perf_counter() - started
    store.close()
    if (again.unchanged, again.embedded) != (count, 0):
        raise SystemExit(f"{again.unchanged} of {count} files count as unchanged")
    command = [sys.executable, "-m", "khazri", "--home", str(home), "index", str(folder)]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = time.perf_counter() - started
    return {
        "unchanged files": count,
        "unchanged: a run, s": inside,
        "unchanged: khazri index, s": whole,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--large", type=int, default=200_000)
    parser.add_argument("--small", type=int, default=2_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = additions(options.small, options.large) | unchanged(options.files)
    for name, value in figures.items():
        print(f"{name:40} {value:12.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    slow = figures["large / small"] > ALLOWED or figures["unchanged: khazri index, s"] > UNCHANGED
    sys.exit(slow)


if __name__ == "__main__":
    main()
