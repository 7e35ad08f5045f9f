"""What tests share: the sample documents, the real model loaded once, and a cheap stand-in."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest
from browser import DESK, opened, scheme, screen
from hypothesis import settings
from selenium.webdriver import Chrome
from syncing import aged

import search.reader
from index import embeddings
from index.changes import Changes, Draft
from index.documents import embedding_texts
from index.embeddings import Encoder, Half, text_key
from index.home import Home
from index.indexer import Given, Indexer, Progress, Upload
from index.keyword import words
from index.rows import digest
from index.sources import register
from index.store import Store
from index.values import Block, Span, embedding_text
from search.engine import DEPTH, Engine
from search.reader import Reader
from search.results import Answer

# How long an example takes depends on the machine; on a clean checkout they are the same each time.
settings.register_profile("khazri", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("khazri")

MANY = DEPTH + 90  # passages: more than each leg proposes

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
QUESTIONS = [
    json.loads(line)
    for line in (ROOT / "tests" / "sample_questions.jsonl").read_text().splitlines()
]


@pytest.fixture(scope="session", autouse=True)
def one_model() -> Iterator[None]:
    """However many encoders and readers a run makes, each model is read from the disk once."""
    patch = pytest.MonkeyPatch()
    patch.setattr(embeddings, "_load", cache(embeddings._load))
    patch.setattr(search.reader, "_default", cache(search.reader._default))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    """The real embedded model."""
    return Encoder()


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory, one_model: None) -> Iterator[Home]:
    """A home that holds the sample documents. Shared by the whole run: nobody changes it."""
    home = Home(tmp_path_factory.mktemp("samples") / "home")
    home.indexer.index([SAMPLES], quiet)
    yield home
    home.close()


@pytest.fixture(scope="session")
def reader() -> Reader:
    """The real embedded reader."""
    return Reader()


@pytest.fixture(scope="session")
def sample_engine(sample_home: Home, reader: Reader) -> Engine:
    """The engine over the sample documents."""
    return Engine(sample_home.store, sample_home.encoder, reader=reader)


@pytest.fixture(scope="session")
def sample_answers(sample_engine: Engine) -> dict[str, Answer]:
    """What is answered to each of ``QUESTIONS``."""
    return {q["question"]: sample_engine.answer(q["question"]) for q in QUESTIONS}


def quiet(progress: Progress) -> None:
    """A watcher that wants to know nothing."""


class CheapEncoder:
    """Stands in for a model: tokens are words, a vector is the sum of those of its terms.

    ``encoded`` keeps every text that was given to it, so that tests can count.
    """

    name = "cheap"
    identity = "cheap@1"
    window = 100
    dimensions = 32

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def speaks(self, language: str) -> bool:
        return True

    def measure(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        self.encoded += texts
        rows = np.stack([sum((_vector(w.term) for w in words(t)), _vector("")) for t in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


@cache
def _vector(term: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(term.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=CheapEncoder.dimensions)


@pytest.fixture
def cheap() -> CheapEncoder:
    """A model that costs nothing."""
    return CheapEncoder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    (tmp_path / "home").mkdir()
    opened = Store(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def indexer(store: Store, cheap: CheapEncoder) -> Indexer:
    """An indexer with a model that costs nothing."""
    return Indexer(store, cheap)


@pytest.fixture
def engine(store: Store, cheap: CheapEncoder) -> Engine:
    """An engine over the store of ``indexer``."""
    return Engine(store, cheap)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file of the folder ``tmp_path / "files"``."""

    def writing(name: str, text: str) -> Path:
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return writing


@pytest.fixture
def folder(write: Callable[[str, str], Path], tmp_path: Path) -> Path:
    """A folder of three files."""
    for name in ("one", "two", "three"):
        write(f"{name}.txt", f"the text of {name}")
    return tmp_path / "files"


@pytest.fixture
def indexed(folder: Path, indexer: Indexer, cheap: CheapEncoder) -> Path:
    """Three files, written a minute ago and indexed."""
    aged(folder)
    indexer.index([folder], quiet)
    cheap.encoded.clear()
    return folder


@pytest.fixture
def many(write: Callable[[str, str], Path], tmp_path: Path, indexer: Indexer) -> Path:
    """A folder of 24 files, indexed."""
    for n in range(24):
        write(f"{n:02}.txt", f"text {n}")
    indexer.index([tmp_path / "files"], quiet)
    return tmp_path / "files"


# --- Commits made by hand --------------------------------------------------------------------


def drafted(
    uri: str,
    *paragraphs: str,
    title: str = "",
    headings: Sequence[str] = (),
    type: str = "text",
    published: str | None = None,
    language: str | None = None,
    tags: tuple[str, ...] = (),
) -> Draft:
    """A draft of the first source whose passages are just these paragraphs, one each."""
    text = "\n\n".join(paragraphs)
    spans, start = [], 0
    for paragraph, heading in zip_longest(paragraphs, headings, fillvalue=""):
        spans.append(Span(start, start + len(paragraph), heading))
        start += len(paragraph) + 2
    texts = [embedding_text(title, span.heading, text[span.start : span.end]) for span in spans]
    return Draft(
        1,
        uri,
        title,
        type,
        text,
        tuple(Block(span.start, span.end) for span in spans),
        tuple(spans),
        tuple(text_key(text) for text in texts),
        digest(text.encode()),
        published=published,
        language=language,
        tags=tags,
    )


def commit(store: Store, *drafts: Draft, encoder: CheapEncoder | None = None) -> int:
    """Embed and commit drafts, in one commit; return its generation."""
    encoder = encoder or CheapEncoder()
    if texts := embedding_texts(drafts):
        store.embeddings.put(encoder.identity, list(texts), encoder.encode(list(texts.values())))
    with store.catalog.write() as db:
        register(db, "api", "api", "api")
    return store.apply(Changes(drafts), encoder.identity)


# --- A home to damage ------------------------------------------------------------------------

TEXTS = {
    f"{n}.txt": f"Herring number{n} met cod.\n\nThe ferry of line{n} is late." for n in range(8)
}


class Cheap(CheapEncoder):
    """As a home makes it."""

    name = "cheap"

    def __init__(self, name: str) -> None:
        super().__init__()


@pytest.fixture
def cheap_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every home has a model that costs nothing."""
    monkeypatch.setattr("index.home.Encoder", Cheap)
    monkeypatch.setattr("index.backup.Encoder", Cheap)


@pytest.fixture
def home(tmp_path: Path, write: Callable[[str, str], Path], cheap_homes: None) -> Iterator[Home]:
    """A home of eight files, in two commits, and of one upload and one JSON document."""
    made = Home(tmp_path / "home")
    for name, text in TEXTS.items():
        write(name, text)
    made.indexer.index([tmp_path / "files"], quiet)
    made.indexer.add([Upload("letter.txt", b"The lighthouse keeper wrote."), Given("note", "Fog.")])
    yield made
    made.close()


@pytest.fixture
def harbour(cheap_homes: None, tmp_path: Path, write: Callable[[str, str], Path]) -> Iterator[Home]:
    """A home of four files, an upload and a JSON document."""
    made = Home(tmp_path / "home")
    for n in range(4):
        write(f"{n}.txt", f"Herring number{n} met cod.")
    made.indexer.index([tmp_path / "files"], quiet)
    made.indexer.add([Upload("letter.txt", b"The lighthouse keeper wrote."), Given("note", "Fog.")])
    yield made
    made.close()


@pytest.fixture(scope="session")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A collection of more passages than each leg proposes, over two segments.

    Shared by the whole run: nobody changes it.
    """
    store = Store(tmp_path_factory.mktemp("crowded"))
    dice = random.Random(7)
    drafts = [
        drafted(
            f"d{n:03}",
            f"herring number{n} " + " ".join(dice.choices("quota fleet port crown".split(), k=6)),
            title=dice.choice(["Fleet news", "Port news", ""]),
            type=dice.choice(["text", "pdf"]),
            published=dice.choice(
                [None, *(f"20{y}-0{m}-11" for y in range(20, 25) for m in range(1, 9))]
            ),
            tags=tuple(dice.sample(["sea", "land"], dice.randint(0, 2))),
        )
        for n in range(MANY)
    ]
    commit(store, *drafts[:250])
    commit(store, *drafts[250:])
    yield Engine(store, CheapEncoder())
    store.close()


# --- Browsers --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def one_browser(service: str) -> Iterator[Chrome]:
    """The browser of all tests of a module that need no profile of their own."""
    with opened() as browser:
        yield browser


@pytest.fixture
def browser(one_browser: Chrome) -> Iterator[Chrome]:
    """A browser at a desk, in light. Nothing that it is shown is refused or missing."""
    screen(one_browser, DESK)
    scheme(one_browser, "light")
    yield one_browser
    said = [entry["message"] for entry in one_browser.get_log("browser")]
    assert [each for each in said if "/nowhere" not in each] == []
