"""The keyword leg against Whoosh's own searcher, tantivy, and bm25s with numpy.

    python bench/keyword_leg.py [--passages 100000] [--questions 200] [--json FILE]

The same analysed fields everywhere (text with title and heading, heading, title) and the same
parameters; the best 100 with their ids, every engine asked in turn in one process and one thread.
Half of the questions are SQuAD's and SQuADShifts', half runs of words from the paragraphs. The
indexes are kept in ``build/bench/keyword``; tantivy and bm25s are those of ``compare.py``'s
environment.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import large
import numpy as np
from compare import VENV, python
from quality import lines
from texts import DATA
from whoosh import query
from whoosh.reading import MultiReader
from whoosh.scoring import BM25F
from whoosh.searching import Searcher

from index import arrays, keyword, ranking
from index.keyword import Entry, terms, words
from index.postings import BOOSTS, FIELDS, K1, B, Postings, Statistics
from index.values import embedding_text

WORK = Path("build/bench/keyword")
BEST = 100
ASKED = ("squad-v1.1-dev", "squadshifts-reddit")
Search = Callable[[Sequence[str]], Sequence[int]]


def entries(count: int) -> list[Entry]:
    """Paragraphs under titles and headings that are the first words of one among them."""
    texts = large.real()[0][-count:]
    return [
        Entry(
            number + 1,
            text,
            " ".join(texts[number // 4 * 4].split()[:5]) if number // 4 % 2 else "",
            " ".join(texts[number // 10 * 10].split()[:6]),
        )
        for number, text in enumerate(texts)
    ]


def questions(stored: Sequence[Entry], count: int) -> list[str]:
    """Half real questions, half runs of 8 to 12 words."""
    chance, found = random.Random(3), []
    for name in ASKED:
        rows = lines(DATA / "retrieval" / name / "queries.jsonl")
        found += [row["text"] for row in chance.sample(list(rows), count // 4)]
    while len(found) < count:
        said = chance.choice(stored).text.split()
        start, length = chance.randrange(len(said)), chance.randint(8, 12)
        if terms(text := " ".join(said[start : start + length])):
            found.append(text)
    return found


def segments(stored: Sequence[Entry], count: int) -> list[Path]:
    """The entries in so many segments, written once."""
    found = []
    size = -(-len(stored) // count)
    for number in range(count):
        folder = WORK / f"{len(stored)}-{count}" / str(number)
        if not (folder / "postings").exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "whoosh").mkdir(parents=True)
            part = stored[number * size : (number + 1) * size]
            arrays.save(folder / "postings", keyword.write(folder / "whoosh", part))
        found.append(folder)
    return found


def ours(folders: Sequence[Path]) -> Search:
    """Khazri's ranking over some segments."""
    parts = [Postings(**arrays.load(folder / "postings")) for folder in folders]
    statistics = Statistics(parts, keyword.LENGTHS)
    masks = [None] * len(parts)

    def search(asked: Sequence[str]) -> list[int]:
        runs = statistics.runs(asked)
        return [hit.passage_id for hit in ranking.rank(statistics, masks, runs, BEST)]

    return search


def whooshs(folders: Sequence[Path]) -> Search:
    """Whoosh's own searcher over the same segments."""
    readers = [keyword.reader(folder / "whoosh") for folder in folders]
    reader = MultiReader(readers) if len(readers) > 1 else readers[0]
    searcher = Searcher(reader, weighting=BM25F(B=B, K1=K1))

    def search(asked: Sequence[str]) -> list[int]:
        sought = [query.Term(f, t, boost=BOOSTS[f]) for t in asked for f in FIELDS]
        found = searcher.search(query.Or(sought), limit=BEST)
        return [searcher.stored_fields(number)["id"] for _, number in found.top_n]

    return search


def analysed(entry: Entry) -> dict[str, list[str]]:
    """The terms of each field."""
    whole = embedding_text(entry.title, entry.heading, entry.text)
    fields = {"text": whole, "heading": entry.heading, "title": entry.title}
    return {name: [word.term for word in words(text)] for name, text in fields.items()}


def tantivys(stored: Sequence[Entry]) -> Search:
    """tantivy, fetching the stored ids."""
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", stored=True)
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="freq")
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer(heap_size=500_000_000, num_threads=1)
    for entry in stored:
        fields: dict[str, Any] = {name: " ".join(t) for name, t in analysed(entry).items()}
        writer.add_document(tantivy.Document(id=entry.id, **fields))
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher, of = index.searcher(), tantivy.Query

    def search(asked: Sequence[str]) -> list[int]:
        sought = [
            (
                tantivy.Occur.Should,
                of.boost_query(of.term_query(schema, f, t, index_option="freq"), BOOSTS[f]),
            )
            for t in asked
            for f in FIELDS
        ]
        hits = searcher.search(of.boolean_query(sought), BEST, count=False).hits
        return [searcher.doc(address)["id"][0] for _, address in hits]

    return search


def bm25s_with_numpy(stored: Sequence[Entry]) -> Search:
    """bm25s, a model for each field, their scores added up."""
    import bm25s

    terms_of = [analysed(entry) for entry in stored]
    models = {}
    for name in FIELDS:
        models[name] = bm25s.BM25(k1=K1, b=B)
        models[name].index([each[name] or ["\0"] for each in terms_of], show_progress=False)
    ids = np.array([entry.id for entry in stored])

    def search(asked: Sequence[str]) -> Sequence[int]:
        scores = np.zeros(len(ids), np.float32)
        for name, model in models.items():
            if known := [term for term in asked if term in model.vocab_dict]:
                scores += BOOSTS[name] * model.get_scores(known)
        best = np.argpartition(scores, -BEST)[-BEST:]
        return ids[best[np.argsort(-scores[best])]]

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    python("tantivy")  # makes the environment
    sys.path += [str(path) for path in VENV.glob("lib/*/site-packages")]
    stored = entries(options.passages)
    asked = [terms(text) for text in questions(stored, options.questions)]
    one, eight = segments(stored, 1), segments(stored, 8)
    engines: dict[str, Search] = {
        "khazri, 1 segment": ours(one),
        "khazri, 8 segments": ours(eight),
        "tantivy": tantivys(stored),
        "bm25s": bm25s_with_numpy(stored),
        "whoosh, 1 segment": whooshs(one),
        "whoosh, 8 segments": whooshs(eight),
    }
    took: dict[str, list[float]] = {name: [] for name in engines}
    same = {1: 0, 8: 0}
    for sought in asked:
        found = {}
        for name, search in engines.items():
            if not name.startswith("whoosh"):  # which is slow enough without a warm-up
                search(sought)
            started = time.thread_time()
            found[name] = list(search(sought))[:10]
            took[name].append((time.thread_time() - started) * 1000)
        for count in same:
            plural = "segment" if count == 1 else "segments"
            mine = found[f"khazri, {count} {plural}"]
            same[count] += mine == found[f"whoosh, {count} {plural}"]
    figures = {name: np.percentile(times, [50, 95]).tolist() for name, times in took.items()}
    print(f"{options.passages:,} passages, {len(asked)} questions: CPU ms, median and p95")
    for name, (mid, high) in figures.items():
        print(f"  {name:20} {mid:9.3f} {high:9.3f}")
    ratios = {
        "whoosh / khazri, 1 segment": ("whoosh, 1 segment", "khazri, 1 segment"),
        "whoosh / khazri, 8 segments": ("whoosh, 8 segments", "khazri, 8 segments"),
        "khazri / tantivy": ("khazri, 1 segment", "tantivy"),
        "khazri / bm25s": ("khazri, 1 segment", "bm25s"),
    }
    for name, (over, under) in ratios.items():
        print(f"  {name:28} {figures[over][0] / figures[under][0]:8.2f}")
    print(f"  the same first ten, in order, as Whoosh: {same[1]} and {same[8]} of {len(asked)}")
    if options.json:
        options.json.write_text(json.dumps({"CPU ms": figures, "same": same}, indent=1))


if __name__ == "__main__":
    main()
