"""Khazri beside txtai, LanceDB, and bm25s with numpy: the same passages, questions and model.

    python bench/compare.py [--passages 20000] [--questions 300] [--json FILE]

The passages are SciFact's abstracts, as Khazri cuts them, among paragraphs of ``scale/`` in the
development data. Each system indexes in one process and answers in another, one after the other.
The others live in a virtual environment of their own, which is made at the first run (2 GB).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import texts
from quality import judgements, lines, ndcg
from rivals import SYSTEMS

from index.documents import Given, given_draft
from index.embeddings import Encoder

WORK = Path("build/bench/compare")
VENV = Path("build/bench/rivals")
REQUIREMENTS = Path(__file__).with_name("rivals.txt")
SCIFACT = texts.DATA / "retrieval" / "scifact"


def abstracts(encoder: Encoder) -> Iterator[dict[str, str]]:
    """SciFact's abstracts, each cut into passages named ``abstract#number``."""
    for row in lines(SCIFACT / "corpus.jsonl"):
        made = given_draft(0, Given(row["_id"], row["text"], title=row["title"]), encoder)
        for number, span in enumerate(made.spans):
            text = made.text[span.start : span.end]
            yield {"_id": f"{row['_id']}#{number}", "title": row["title"], "text": text}


def prepare(passages: int, questions: int) -> dict[str, dict[str, int]]:
    """Write what every system is given; return what should be found for each question."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    stored = list(abstracts(Encoder()))
    others = dict.fromkeys(text for text in texts.paragraphs() if len(text.split()) >= 25)
    for number, text in enumerate(islice(others, max(passages - len(stored), 0))):
        stored.append({"_id": f"other-{number}#0", "title": "", "text": text})
    wanted = judgements(SCIFACT / "qrels" / "test.tsv")
    asked = [row for row in lines(SCIFACT / "queries.jsonl") if row["_id"] in wanted][:questions]
    for name, rows in (("passages", stored), ("questions", asked)):
        told = "".join(json.dumps(row) + "\n" for row in rows)
        (WORK / f"{name}.jsonl").write_text(told)
    print(f"{len(stored):,} passages, {len(asked)} questions", flush=True)
    return {row["_id"]: wanted[row["_id"]] for row in asked}


def python(name: str) -> str:
    """The interpreter of a system, with what it needs."""
    if name == "khazri":
        return sys.executable
    stamp = VENV / REQUIREMENTS.name
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS]
        subprocess.run(pip, check=True)
        shutil.copy(REQUIREMENTS, stamp)
    return str(VENV / "bin" / "python")


def measure(name: str, wanted: dict[str, dict[str, int]]) -> dict[str, float]:
    """The figures of one system."""
    program = Path(__file__).with_name("rivals.py")
    for step in ("index", "ask"):
        subprocess.run([python(name), program, name, step, WORK], check=True)
    indexed = json.loads((WORK / f"{name}-index.json").read_text())
    asked = json.loads((WORK / f"{name}-ask.json").read_text())
    good = []
    for id, ranking in asked["rankings"].items():
        documents = list(dict.fromkeys(passage.partition("#")[0] for passage in ranking))
        good.append(ndcg(documents, wanted[id]))
    return {
        "index, s": indexed["seconds"],
        "question, ms": statistics.median(asked["milliseconds"]),
        "p95, ms": statistics.quantiles(asked["milliseconds"], n=20)[18],
        "memory above the model, MB": asked["resident"] - asked["loaded"],
        "indexing peak, MB": indexed["peak"] - indexed["loaded"],
        "nDCG@10": 100 * statistics.mean(good),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not SCIFACT.is_dir():
        raise SystemExit(f"{SCIFACT} is not there; say where the data is with KHAZRI_DATA")
    wanted = prepare(options.passages, options.questions)
    figures: dict[str, dict[str, float]] = {}
    for name in SYSTEMS:
        figures[name] = measure(name, wanted)

        print(
            f"{name:8}",
            *(f"{label} {value:.1f}" for label, value in figures[name].items()),
            flush=True,
        )
    for name in list(SYSTEMS)[1:]:
        ratios = {label: value / figures["khazri"][label] for label, value in figures[name].items()}
        print(f"{name} / khazri", *(f"{label} {value:.2f}" for label, value in ratios.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
