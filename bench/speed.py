"""Speed of indexing and of a question, each as a ratio to what the model alone takes.

    python bench/speed.py [--passages 5000] [--questions 200] [--json FILE]

Indexing: plain text files to searchable, in passages of 62 and of 103 words, against the product's
encoder alone over all of these passages, and against stock ``SentenceTransformer.encode`` in
float32 over a random sample of them (its rate does not depend on how many), with the most memory
held in either half. A question: hybrid search against encoding it alone. Ratios are of one run;
the text is that of ``scale/`` in the development data, or made of the samples.
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
from stock import Stock

from index.home import Home
from index.keyword import terms
from index.values import embedding_text
from search.engine import Engine

WORK = Path("build/bench/speed")
FILE = 10  # paragraphs of a file
LENGTHS = (62, 103)  # words of a passage


def cut(count: int, length: int) -> list[str]:
    """So many paragraphs of just so many words."""
    found: list[str] = []
    words: list[str] = []
    for one in texts.paragraphs():  # which may have no end
        words += one.split()
        while len(words) >= length and len(found) < count:
            found.append(" ".join(words[:length]))
            words = words[length:]
        if len(found) == count:
            return found
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


def resident() -> float:
    """Megabytes that this process holds beside mapped files."""
    told = Path("/proc/self/status").read_text()
    return int(told.split("RssAnon:")[1].split()[0]) / 1024


def indexing(length: int, count: int, sampled: int) -> tuple[Home, list[str], dict[str, float]]:
    """Index passages of ``length`` words; also the home, and the texts as they were encoded."""
    folder = WORK / str(length)
    write_files(cut(count, length), folder / "files")
    shutil.rmtree(folder / "home", ignore_errors=True)
    home = Home(folder / "home")
    home.encoder.load()
    held: list[float] = []
    seconds = timed(
        lambda: home.indexer.index([folder / "files"], lambda progress: held.append(resident()))
    )
    half = len(held) // 2
    with home.store.snapshot() as snapshot:
        stored = [
            embedding_text(p.document.title, p.heading, p.text)
            for document in snapshot.documents(0, 10**6)[1]
            for p in snapshot.passages(document.id)
        ]
    alone = len(stored) / timed(lambda: home.encoder.encode(stored))
    stock = Stock(home.encoder.path)
    sample = random.Random(3).sample(stored, min(sampled, len(stored)))
    plain = len(sample) / timed(lambda: stock.encode(sample))
    rate = len(stored) / seconds
    return (
        home,
        stored,
        {
            f"{length} words: passages": len(stored),
            f"{length} words: indexing, a second": rate,
            f"{length} words: encoder alone": alone,
            f"{length} words: stock encode": plain,
            f"{length} words: indexing / encoder": rate / alone,
            f"{length} words: indexing / stock": rate / plain,
            f"{length} words: memory, first half": max(held[:half]),
            f"{length} words: memory, second half": max(held[half:]),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passages", type=int, default=5000, help="of each length")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--stock", type=int, default=1000, help="passages for stock encode")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for length in LENGTHS:
        home, stored, told = indexing(length, options.passages, options.stock)
        figures |= told
    figures |= questions(home, stored, options.questions)
    for name, value in figures.items():
        print(f"{name:32} {value:10.2f}")
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
