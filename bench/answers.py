"""Answers through the product itself: reading, finding, refusing, and whether each quote is true.

    python bench/answers.py [--data DIR] [--questions N] [--json FILE]

Articles of SQuAD that the reader was not trained on. Questions that a collection can't answer are
those of articles taken out of it, and those that SQuAD 2.0 wrote to deceive. The questions of an
article are answered with a verdict that was fitted on others. Every reply is serialised and read
again, and each quote in it compared with the text in the catalog.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import re
import sqlite3
import string
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from quality import HOMES, documents, judgements, lines, ndcg
from quality import opened as opened_whole
from texts import DATA

from index.embeddings import Encoder
from index.home import Home
from index.values import Document, Passage
from search.engine import Engine
from search.figures import auc, calibration_error
from search.quotes import around, verified
from search.reader import Reader
from search.results import Answer, Citation
from web.replies import AnswerReply

SQUAD, DECEIVING = "squad-v1.1-dev", "squad-v2.0-dev"
FOLDS = 6  # as tools/fit_verdict.py deals the articles
NO_LOSS = ("scifact", "cranfield", "npl-vaswani")  # where the reader must do no harm


@dataclass(frozen=True)
class Asked:
    """A question, its article, the paragraph that answers it, and the answers; or none."""

    text: str
    article: str
    paragraph: str | None
    answers: tuple[str, ...]


def held_out(folder: Path) -> list[str]:
    """The articles that the reader was not trained on, as tools/reader_examples.py deals them."""
    return sorted({row["title"] for row in lines(folder / "corpus.jsonl")})[1::2]


def questions(folder: Path, articles: Collection[str]) -> list[Asked]:
    """The questions of some articles."""
    titles = {row["_id"]: row["title"] for row in lines(folder / "corpus.jsonl")}
    wanted = judgements(folder / "qrels" / "test.tsv")
    answers = {row["_id"]: row["answers"] for row in lines(folder / "answers.jsonl")}
    found, article = [], ""
    for row in lines(folder / "queries.jsonl"):  # unanswerable ones follow those of their article
        paragraph = next(iter(wanted.get(row["_id"], ())), None)
        article = titles[paragraph] if paragraph else article
        if article in articles:
            told = tuple(dict.fromkeys(answer["text"] for answer in answers[row["_id"]]))
            found.append(Asked(row["text"], article, paragraph, told))
    return found


def opened(name: str, folder: Path, keep: Callable[[str], bool], encoder: Encoder) -> Home:
    """A home that holds the paragraphs of the articles that ``keep`` accepts."""
    path = HOMES / f"answers-{name}"
    path.mkdir(parents=True, exist_ok=True)
    corpus = path / "corpus.jsonl"
    rows = [row for row in lines(folder / "corpus.jsonl") if keep(row["title"])]
    corpus.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    home = Home(path / "home")
    home.encoder = home.indexer.encoder = encoder
    home.index([corpus], lambda progress: None, jsonl=True)
    return home


# --- Reading ----------------------------------------------------------------------------------


def normal(text: str) -> list[str]:
    """The words of an answer as SQuAD compares them (Rajpurkar et al., 2016)."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def exact(told: str, answers: Sequence[str]) -> float:
    """Whether an answer is one of those expected."""
    return float(any(normal(told) == normal(answer) for answer in answers))


def overlap(told: str, answers: Sequence[str]) -> float:
    """The best F1 of an answer's words with those of an expected one."""
    return max(_overlap(normal(told), normal(answer)) for answer in answers)


def _overlap(told: list[str], answer: list[str]) -> float:
    same = sum((Counter(told) & Counter(answer)).values())
    return 2 * same / (len(told) + len(answer)) if same else 0.0


def holds(quote: str, answers: Sequence[str]) -> bool:
    """Whether a quote holds one of the answers, white space and case aside."""
    folded = " ".join(quote.lower().split())
    return any(" ".join(answer.lower().split()) in folded for answer in answers)


def reading(reader: Reader, folder: Path, asked: Sequence[Asked]) -> dict[str, float]:
    """What the reader makes of the paragraph that answers."""
    texts = {row["_id"]: (row["title"], row["text"]) for row in lines(folder / "corpus.jsonl")}
    rows = []
    for one in asked:
        title, text = texts[one.paragraph or ""]
        document = Document(1, "", "", title, "text", None, None, (), "")
        passage = Passage(1, document, 0, len(text), text, "", None)
        (read,) = reader.read(one.text, [passage])
        quote = text[slice(*around(passage, read.start, read.end))]
        told, wanted = read.text, one.answers
        rows.append((overlap(told, wanted), exact(told, wanted), holds(quote, wanted)))
    f1, em, inside = np.mean(rows, axis=0)
    return {"span F1": f1, "exact match": em, "answer in the quoted sentence": inside}


# --- Finding ----------------------------------------------------------------------------------


class Checker:
    """Reads each serialised reply again and compares its quotes with what the catalog stores."""

    def __init__(self, home: Home) -> None:
        with sqlite3.connect(home.path / "catalog.db") as db:
            stored = db.execute(
                "SELECT document_id, text, text_hash FROM texts JOIN documents"
                " ON documents.id = document_id"
            )
            self.texts = {id: (bytes(text).decode(), hash) for id, text, hash in stored}
        db.close()
        self.replies = self.quotes = self.wrong = 0

    def check(self, answer: Answer) -> None:
        """Count what is wrong in one reply."""
        reply = json.loads(AnswerReply.of(answer).model_dump_json())
        self.replies += 1
        for cited in reply["citations"]:
            text, hash = self.texts[cited["document"]["id"]]
            start, end = cited["start"], cited["end"]
            first, last = cited["answer"] or (start, end)
            inside = start <= first < last <= end
            true = text[start:end] == cited["quote"] != "" and hash == cited["text_hash"] and inside
            self.quotes += 1
            self.wrong += not true
        answered = any(cited["role"] == "answers" for cited in reply["citations"])
        self.wrong += not (answered == reply["answered"] == bool(reply["text"]))


def corruptions(citation: Citation) -> Iterator[Citation]:
    """A citation with each of its fields wrong in turn."""
    passage, document = citation.passage, citation.passage.document
    for wrong in (
        {"start": citation.start + 1},
        {"end": citation.end - 1},
        {"quote": citation.quote + "."},
        {"answer": (citation.end, citation.end + 1)},
        {"passage": replace(passage, id=passage.id + 1)},
        {"passage": replace(passage, start=passage.start + 1)},
        {"passage": replace(passage, document=replace(document, id=document.id + 1))},
        {"passage": replace(passage, document=replace(document, text_hash="0" * 64))},
        {"passage": replace(passage, document=replace(document, title="Another"))},
    ):
        yield replace(citation, **wrong)


class Errors(logging.Handler):
    """Counts what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def corrupted(engine: Engine, told: Sequence[Answer]) -> dict[str, float]:
    """How many corrupted citations the server drops, and logs as errors."""
    log, errors = logging.getLogger("khazri.quotes"), Errors()
    log.addHandler(errors)
    log.propagate = False
    tried = kept = 0
    with engine.store.snapshot() as snapshot:
        for citation in (c for answer in told for c in answer.citations):
            for wrong in corruptions(citation):
                tried += 1
                kept += len(verified(snapshot, [wrong]))
    log.removeHandler(errors)
    log.propagate = True
    return {"tried": tried, "kept": kept, "logged": errors.count}


class Judged:
    """An engine for each fold of the articles, whose verdict was not fitted on these articles."""

    def __init__(self, home: Home, encoder: Encoder, readers: Sequence[Reader]) -> None:
        self.engines = [Engine(home.store, encoder, reader=reader) for reader in readers]
        self.checker = Checker(home)

    def answers(self, asked: Sequence[Asked], articles: Sequence[str]) -> Iterator[Answer]:
        """The answers to some questions, each checked. All of the ``articles`` are held out."""
        for one in asked:
            fold = articles.index(one.article) % len(self.engines)
            answer = self.engines[fold].answer(one.text)
            self.checker.check(answer)
            yield answer


def first_holds(told: Sequence[Answer], asked: Sequence[Asked]) -> float:
    """How often the first quote holds the answer."""
    return float(
        np.mean(
            [
                bool(a.citations) and holds(a.citations[0].quote, one.answers)
                for a, one in zip(told, asked, strict=True)
            ]
        )
    )


def abstention(told: Sequence[Answer], refused: Sequence[Answer]) -> dict[str, float]:
    """How well the probability tells questions that are answered from those that are not."""
    truth = np.array([True] * len(told) + [False] * len(refused))
    likely = np.array([answer.confidence for answer in (*told, *refused)])
    return {
        "area under the ROC": auc(truth, likely),
        "calibration error": calibration_error(truth, likely),
        "answered of the answerable": float(np.mean([answer.answered for answer in told])),
        "refused of the others": float(np.mean([not answer.answered for answer in refused])),
    }


def graded(folder: Path) -> list[tuple[str, Mapping[str, int]]]:
    """The questions of a collection, each with the grades of what answers it."""
    wanted = judgements(folder / "qrels" / "test.tsv")
    return [
        (q["text"], wanted[q["_id"]]) for q in lines(folder / "queries.jsonl") if q["_id"] in wanted
    ]


def ranking(engine: Engine, asked: Sequence[tuple[str, Mapping[str, int]]]) -> dict[str, float]:
    """nDCG@10 and success@1 of fusion alone and with the reader."""
    figures: dict[str, list[float]] = {}
    for text, wanted in asked:
        for name, read in (("fusion", False), ("with the reader", True)):
            found = documents(engine, text, "hybrid", read=read)
            figures.setdefault(f"nDCG@10 {name}", []).append(ndcg(found, wanted))
            first = bool(set(found[:1]) & wanted.keys())
            figures.setdefault(f"success@1 {name}", []).append(first)
    return {name: float(np.mean(values)) for name, values in figures.items()}


def times(engine: Engine, texts: Sequence[str]) -> dict[str, float]:
    """Milliseconds of a whole answer, of a plain search, and of encoding the question alone."""
    took: dict[str, list[float]] = {"encode": [], "search": [], "answer": []}

    def fresh() -> Engine:  # it has seen no question yet
        return Engine(engine.store, engine.encoder, reader=engine.reader)

    for text in texts:
        for name, call in (
            ("encode", lambda text: engine.encoder.encode([text])),
            ("search", lambda text: fresh().search(text)),
            ("answer", lambda text: fresh().answer(text)),
        ):
            began = time.perf_counter()
            call(text)
            took[name].append((time.perf_counter() - began) * 1000)
    told = {f"{name} ms": median(values) for name, values in took.items()}
    return told | {"answer / encode": told["answer ms"] / told["encode ms"]}


# --- All of it --------------------------------------------------------------------------------


def show(name: str, figures: Mapping[str, float]) -> None:
    """Print one row."""
    told = "  ".join(f"{key} {value:.3f}" for key, value in figures.items())
    print(f"{name}: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--questions", type=int, help="at most N of each kind, always the same")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    data = options.data / "retrieval"
    if not data.is_dir():
        raise SystemExit(f"{data} is not there; say where the data is with KHAZRI_DATA")
    articles = held_out(data / SQUAD)
    chance = random.Random(1)

    def sample(asked: list[Asked]) -> list[Asked]:
        return chance.sample(asked, min(options.questions or len(asked), len(asked)))

    figures: dict[str, dict[str, float]] = {}

    def tell(name: str, row: dict[str, float]) -> None:
        figures[name] = row
        show(name, row)

    encoder, reader = Encoder(), Reader()
    readers = [Reader(fold=fold) for fold in range(FOLDS)]
    asked = sample(questions(data / SQUAD, articles))
    tell(f"reading ({len(asked)} questions)", reading(reader, data / SQUAD, asked))

    whole = opened_whole(SQUAD, data / SQUAD)
    finding = Judged(whole, encoder, readers)
    told = list(finding.answers(asked, articles))
    tell("finding and reading", {"first quote holds the answer": first_holds(told, asked)})
    plain = Engine(whole.store, encoder, threshold=0.0)
    some = asked[:: max(1, len(asked) // 1000)]
    untrained = first_holds([plain.answer(one.text) for one in some], some)
    tell(f"the same without a reader ({len(some)})", {"first quote holds the answer": untrained})

    engine = Engine(whole.store, encoder, reader=reader)
    tell("corrupted on purpose", corrupted(engine, told[:: max(1, len(told) // 500)]))

    away = set(articles[::2])
    without = opened("without", data / SQUAD, lambda title: title not in away, encoder)
    lost = sample(questions(data / SQUAD, away))
    missing = Judged(without, encoder, readers)
    refused = list(missing.answers(lost, articles))
    held = [answer for answer, one in zip(told, asked, strict=True) if one.article in away]
    few = min(len(held), len(refused))
    tell(f"with and without the article ({few} each)", abstention(held[:few], refused[:few]))

    among = set(articles)
    second = opened("deceiving", data / DECEIVING, lambda title: title in among, encoder)
    both = questions(data / DECEIVING, among)
    deceiving = Judged(second, encoder, readers)
    can = list(deceiving.answers(sample([one for one in both if one.paragraph]), articles))
    cannot = list(deceiving.answers(sample([one for one in both if not one.paragraph]), articles))
    tell(f"written to deceive ({len(can)} and {len(cannot)})", abstention(can, cannot))

    sought = [(one.text, {one.paragraph or "": 1}) for one in asked]
    tell(f"{SQUAD} ({len(sought)})", ranking(engine, sought))
    for name in NO_LOSS:
        home = opened_whole(name, data / name)
        tell(name, ranking(Engine(home.store, encoder, reader=reader), graded(data / name)))
        home.close()
    checkers = (finding.checker, missing.checker, deceiving.checker)
    replies, quotes, wrong = (
        sum(getattr(one, name) for one in checkers) for name in ("replies", "quotes", "wrong")
    )
    tell("checked", {"replies": replies, "quotes": quotes, "wrong": wrong})
    tell("time", times(engine, [one.text for one in asked[:100]]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
