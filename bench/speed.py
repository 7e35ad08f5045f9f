"""Speed of indexing and of a question, each as a ratio to what the model alone takes.

    python bench/speed.py [--passages 20000] [--questions 200] [--json FILE]

Indexing: plain text files to searchable, against stock ``SentenceTransformer.encode`` in
float32 over a random sample of the same passages (its rate does not depend on how many). A
question: hybrid search against encoding it alone. Both ratios are of one run; the text is that of
``scale/`` in the development data, or made of the samples.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import texts
from sentence_transformers import SentenceTransformer

from index.home import Home
from index.keyword import terms
from search.engine import Engine

WORK = Path("build/bench/speed")
FILE = 10  # paragraphs of a file


def distinct(count: int) -> list[str]:
    """Distinct paragraphs of 25 to 150 words."""
    found: dict[str, None] = {}
    for one in texts.paragraphs():  # which may have no end
        if 25 <= len(one.split()) <= 150:
            found[one] = None
        if len(found) == count:
            return list(found)
    raise SystemExit(f"only {len(found)} paragraphs are there; ask for fewer")


def write_files(stored: list[str], folder: Path) -> None:
    """One text file for each ten paragraphs."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for start in range(0, len(stored), FILE):
        (folder / f"{start:07}.txt").write_text("\n\n".join(stored[start : start + FILE]))


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--stock", type=int, default=2000, help="passages for stock encode")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = distinct(options.passages)
    write_files(chosen, WORK / "files")
    shutil.rmtree(WORK / "home", ignore_errors=True)
    home = Home(WORK / "home")
    home.encoder.load()
    seconds = timed(lambda: home.indexer.index([WORK / "files"], lambda progress: None))
    with home.store.snapshot() as snapshot:
        count = snapshot.count().passages
        stored = [
            p.text
            for id in (d.id for d in snapshot.documents(0, 10**6)[1])
            for p in snapshot.passages(id)
        ]
    stock = SentenceTransformer(home.encoder.path)
    sample = random.Random(3).sample(stored, min(options.stock, len(stored)))
    stock_seconds = timed(lambda: stock.encode(sample, show_progress_bar=False))
    stock_rate = len(sample) / stock_seconds
    figures = {
        "passages": count,
        "indexing passages/s": count / seconds,
        "stock encode passages/s": stock_rate,
        "indexing / stock encode": count / seconds / stock_rate,
    }
    figures |= questions(home, stored, options.questions)
    for name, value in figures.items():
        print(f"{name:28} {value:10.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def questions(home: Home, stored: list[str], count: int) -> dict[str, float]:
    """Medians and 95th percentiles of a question, alternating with encoding it alone."""
    chance = random.Random(2)
    asked = []
    while len(asked) < count:
        words = chance.choice(stored).split()
        start = chance.randrange(max(1, len(words) - 12))
        text = " ".join(words[start : start + 12])
        if terms(text):
            asked.append(text)
    engine = Engine(home.store, home.encoder)
    engine.search(asked[0])
    alone, whole = [], []
    for text in asked:
        alone.append(timed(lambda text=text: home.encoder.encode([text])))
        whole.append(timed(lambda text=text: engine.search(text)))
    return {
        "encoding a question, ms": statistics.median(alone) * 1000,
        "hybrid question, ms": statistics.median(whole) * 1000,
        "hybrid question p95, ms": statistics.quantiles(whole, n=20)[18] * 1000,
        "question / encoding it": statistics.median(whole) / statistics.median(alone),
    }


if __name__ == "__main__":
    main()
