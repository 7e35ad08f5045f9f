"""Retrieval quality through the product's own search: nDCG@10 and success@1/@5 by mode.

    python bench/quality.py [--data DIR] [--questions N] [scifact squad-v1.1-dev ...]

Each collection is indexed as ``khazri index --jsonl`` does, into a home that is kept under
``build/bench`` for the next run. A document is as good as its best passage.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from texts import DATA

from index.home import Home
from search.engine import Engine
from search.results import Mode

HOMES = Path("build/bench")
MODES: tuple[Mode, ...] = ("keyword", "semantic", "hybrid")
DEEP = 60  # passages that are read to find ten documents


def lines(path: Path) -> Iterable[dict[str, Any]]:
    """The objects of a JSON lines file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def judgements(path: Path) -> dict[str, dict[str, int]]:
    """``qrels``: for each question the documents that should be found, and how good they are."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for line in path.read_text().splitlines():
        query, document, grade = line.split("\t")[:3]
        if grade.lstrip("-").isdigit() and int(grade) > 0:
            found[query][document] = int(grade)
    return found


def ndcg(ranking: Sequence[str], wanted: Mapping[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002), gain = grade."""
    gains = [wanted.get(id, 0) / math.log2(place + 2) for place, id in enumerate(ranking[:k])]
    best = sorted(wanted.values(), reverse=True)[:k]
    return sum(gains) / sum(grade / math.log2(place + 2) for place, grade in enumerate(best))


def documents(engine: Engine, question: str, mode: Mode, *, read: bool = False) -> list[str]:
    """The names of the ten best documents."""
    found = engine.search(question, limit=DEEP, mode=mode, read=read)
    return list(dict.fromkeys(result.passage.document.uri for result in found.results))[:10]


def measure(
    engine: Engine,
    questions: Mapping[str, str],
    wanted: Mapping[str, Mapping[str, int]],
    mode: Mode,
) -> dict[str, float]:
    """The three figures in per cent, over all questions."""
    total = {"nDCG@10": 0.0, "success@1": 0.0, "success@5": 0.0}
    for id, text in questions.items():
        ranking = documents(engine, text, mode)
        total["nDCG@10"] += ndcg(ranking, wanted[id])
        total["success@1"] += bool(set(ranking[:1]) & wanted[id].keys())
        total["success@5"] += bool(set(ranking[:5]) & wanted[id].keys())
    return {name: round(100 * value / len(questions), 1) for name, value in total.items()}


def opened(name: str, folder: Path) -> Home:
    """The indexed home of a collection."""
    home = Home(HOMES / name)
    home.index([folder / "corpus.jsonl"], lambda progress: None, jsonl=True)
    return home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("collections", nargs="*", default=["scifact", "squad-v1.1-dev"])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument(
        "--questions", type=int, help="a sample of N of each collection's, always the same"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name in options.collections:
        folder = options.data / "retrieval" / name
        if not folder.is_dir():
            raise SystemExit(f"{folder} is not there; say where the data is with KHAZRI_DATA")
        wanted = judgements(folder / "qrels" / "test.tsv")
        texts = {q["_id"]: q["text"] for q in lines(folder / "queries.jsonl") if q["_id"] in wanted}
        if options.questions and options.questions < len(texts):
            texts = dict(random.Random(1).sample(list(texts.items()), options.questions))
        home = opened(name, folder)
        engine = Engine(home.store, home.encoder)
        with home.store.snapshot() as snapshot:
            count = snapshot.count()
        print(
            f"{name}: {count.documents} documents, {count.passages} passages,"
            f" {len(texts)} questions",
            flush=True,
        )
        figures[name] = {mode: measure(engine, texts, wanted, mode) for mode in MODES}
        for mode, row in figures[name].items():
            print(f"  {mode:9}" + "".join(f"  {k} {v:5.1f}" for k, v in row.items()), flush=True)
        home.close()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
