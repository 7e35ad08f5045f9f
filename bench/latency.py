"""Questions to a service at rest, and while its worker indexes new files with the real model.

python bench/latency.py [--questions 300] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import quantiles

from live import Http, fresh, serving
from stand_in import StandIn
from texts import paragraphs

from index.indexer import Indexer
from index.store import Store

SLOWER = 3.0  # times as long as at rest that a question may take while indexing runs
SETTLED = 60  # seconds of indexing that are measured, at most


def latency(questions: int) -> dict[str, float]:
    """The 95th percentile of a question at rest, and while the worker indexes."""
    every = paragraphs()
    files, home = fresh("latency-files"), fresh("latency")
    stored = [next(every) for _ in range(2_000)]
    for start in range(0, len(stored), 10):
        (files / f"{start:06}.txt").write_text("\n\n".join(stored[start : start + 10]))
    store = Store(home)
    Indexer(store, StandIn()).index([files], lambda progress: None)
    store.close()
    asked = _questions(stored)
    with serving(home) as address:
        ask = Http(address)

        def timed() -> float:
            query = next(asked)
            began = time.perf_counter()
            ask.get("search", q=query)
            return time.perf_counter() - began

        for _ in range(20):
            timed()
        rest = [timed() for _ in range(questions)]
        for number in range(600):
            (files / f"new-{number:06}.txt").write_text("\n\n".join(next(every) for _ in range(10)))
        job = ask.get("reindex", method="POST")["id"]
        while not ask.get(f"jobs/{job}")["progress"].get("passages"):
            time.sleep(0.1)  # until the model is at work
        busy, began = [], time.perf_counter()
        while len(busy) < questions or time.perf_counter() - began < SETTLED / 4:
            busy.append(timed())
            if len(busy) % 20 == 0 and ask.get(f"jobs/{job}")["status"] != "running":
                break
        state = ask.get(f"jobs/{job}")
        if state["status"] == "running":
            ask.get(f"jobs/{job}/cancel", method="POST")
            while ask.get(f"jobs/{job}")["status"] == "running":
                time.sleep(0.2)
    at_rest, while_indexing = (quantiles(times, n=20)[18] * 1000 for times in (rest, busy))
    return {
        "at rest: 95th percentile, ms": at_rest,
        "indexing: 95th percentile, ms": while_indexing,
        "indexing: questions": len(busy),
        "indexing: passages a second": state["progress"].get("rate", 0.0),
        "indexing / at rest": while_indexing / at_rest,
    }


def _questions(texts: Sequence[str]) -> Iterator[str]:
    """Questions without end, each asked once: the vector of one that was asked is remembered."""
    chance = random.Random(3)
    while True:
        words = chance.choice(texts).split()
        yield " ".join([*chance.sample(words, min(len(words), 8)), str(chance.randrange(10**6))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = latency(options.questions)
    for name, value in figures.items():
        print(f"{name:40} {value:12.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    if figures["indexing / at rest"] > SLOWER:
        sys.exit("too much: indexing / at rest")


if __name__ == "__main__":
    main()
