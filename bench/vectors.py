"""The vector leg by size: what it finds, and what it costs, against comparing every row.

    python bench/vectors.py [--sizes 20000 200000 1000000] [--rows FILE.npy] [--json FILE]

The first rows are vectors that the real model gives to real paragraphs (embedded once and kept,
``--real`` says how many; or unit rows in half precision from FILE). The rest are drawn around
them: a real row and noise, with a cosine of 0.82 to 0.95 between the two. Questions are real ones,
and most paragraphs of other collections than these. Each size is stored as one segment, and as the
segments that merging leaves. What is measured is ``index.vectors.nearest`` for the 300 best, of
which recall counts the first 100; exact is the same with ``EXACT`` raised. Both take turns,
question by question, on one processor.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from statistics import median, quantiles
from unittest import mock

import numpy as np
import texts

from index import arrays, vectors
from index.embeddings import Encoder
from index.store import FANOUT
from index.vectors import Vectors, arrays_of, nearest

WORK = Path("build/bench/vectors")
QUESTIONS = WORK / "questions.npy"
WANTED, COUNTED = 300, 100
ASKED = 200
ENGLISH = "s*"  # collections with questions
NEAR = (0.82, 0.95)  # the cosine of a drawn row with the real one


def real_rows(count: int) -> np.ndarray:
    """The vectors of real paragraphs, on what is asked and on other things; embedded once."""
    path = WORK / f"real-{count}.npy"
    if not path.exists():
        files = sorted((texts.DATA / "retrieval").glob(f"{ENGLISH}/corpus.jsonl"))
        asked_of = (json.loads(line)["text"] for file in files for line in file.open())
        found = list(islice(dict.fromkeys(chain(asked_of, texts.paragraphs())), count))
        np.save(path, Encoder().encode(found))
    return np.load(path, mmap_mode="r")


def asked() -> np.ndarray:
    """The vectors of real questions, or of the beginnings of paragraphs where there are none."""
    files = sorted((texts.DATA / "retrieval").glob(f"{ENGLISH}/queries.jsonl"))
    found = [json.loads(line)["text"] for file in files for line in file.read_text().splitlines()]
    found = found or [" ".join(t.split()[:9]) for t in islice(texts.paragraphs(), 10 * ASKED)]
    chosen = np.random.default_rng(4).choice(len(found), ASKED, replace=False)
    return Encoder().encode([found[i] for i in chosen])


def grown(real: np.ndarray, size: int) -> np.ndarray:
    """As many rows: the real ones, and others drawn around them, in no order."""
    chance = np.random.default_rng(7)
    rows = np.empty((size, real.shape[1]), np.float16)
    rows[: len(real)] = real[np.sort(chance.permutation(len(real))[:size])]
    for start in range(len(real), size, 20_000):
        here = rows[start : start + 20_000]
        noise = unit(chance.standard_normal(here.shape, np.float32))
        near = chance.uniform(*NEAR, (len(here), 1)).astype(np.float32)
        around = real[chance.integers(0, len(real), len(here))].astype(np.float32)
        here[:] = unit(around * near + noise * np.sqrt(1 - near * near))
    chance.shuffle(rows)
    return rows


def unit(rows: np.ndarray) -> np.ndarray:
    """The rows with length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def merged(size: int) -> list[int]:
    """Sizes of the segments that merging leaves of so many passages, added 1,024 at a time."""
    tier, sizes = 1024, []
    while size >= tier:
        sizes += [tier] * (size // tier % FANOUT)
        tier *= FANOUT
    return [*sizes, size - sum(sizes)]


def store(rows: np.ndarray, sizes: Sequence[int], folder: Path) -> dict[str, float]:
    """Write the segments, and say what that takes."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start, spent = 0, 0.0
    for size in sizes:
        ids = np.arange(start + 1, start + size + 1)
        began = time.process_time()
        stored = arrays_of(ids, rows[start : start + size])
        spent += time.process_time() - began
        arrays.save(folder / f"{start:09}", stored)
        start += size
    on_disk = sum(path.stat().st_size for path in folder.iterdir())
    return {"build, ms a passage": 1000 * spent / start, "bytes a passage": on_disk / start}


def resident() -> dict[str, float]:
    """Megabytes of this process: its own, and mapped from files."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {"MB at most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
    said = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return {f"{name}, MB": int(said[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile")}


def measure(folder: Path) -> dict[str, float]:
    """What asking takes, in a process that has done nothing else."""
    questions = np.load(QUESTIONS)
    before = resident()
    began = time.perf_counter()
    parts = [(Vectors.of(arrays.load(path)), None) for path in sorted(folder.iterdir())]
    opened = time.perf_counter() - began
    nearest(parts, questions[0], WANTED)
    first = time.perf_counter() - began - opened
    found = [nearest(parts, question, WANTED)[0][:COUNTED] for question in questions]
    after = resident()
    quick, exact, recalls = [], [], []
    for question, got in zip(questions, found, strict=True):
        began = time.thread_time()
        nearest(parts, question, WANTED)
        quick.append(1000 * (time.thread_time() - began))
        with mock.patch.object(vectors, "EXACT", sys.maxsize):
            began = time.thread_time()
            best, _ = nearest(parts, question, WANTED)
            exact.append(1000 * (time.thread_time() - began))
        recalls.append(np.isin(best[:COUNTED], got).mean())
    return {
        "recall@100": float(np.mean(recalls)),
        "the lowest": float(min(recalls)),
        "CPU ms": median(quick),
        "p95": quantiles(quick, n=20)[18],
        "exact, CPU ms": median(exact),
        "exact / it": median(exact) / median(quick),
        "opening, ms": 1000 * opened,
        "first question, ms": 1000 * first,
        **{name: after[name] - before[name] for name in after},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[20_000, 200_000, 1_000_000])
    parser.add_argument("--real", type=int, default=20_000, help="paragraphs to embed")
    parser.add_argument("--rows", type=Path, help="vectors to take in place of these")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    WORK.mkdir(parents=True, exist_ok=True)
    real = np.load(options.rows, mmap_mode="r") if options.rows else real_rows(options.real)
    np.save(QUESTIONS, asked())
    figures = {}
    for size in options.sizes:
        rows = grown(real, size)
        for name, sizes in (("one segment", [size]), ("merged", merged(size))):
            folder = WORK / "segments"
            figures[f"{size:,} in {len(sizes)}, {name}"] = store(rows, sizes, folder)
            command = [sys.executable, __file__, "--measure", str(folder)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            figures[f"{size:,} in {len(sizes)}, {name}"] |= json.loads(said)
    for name, values in figures.items():
        print(f"\n{name}")
        for what, value in values.items():
            print(f"    {what:22} {value:12.3f}")
    shutil.rmtree(WORK / "segments")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
