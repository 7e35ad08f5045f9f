"""Real files of all formats, from the tests of other parsers: what a person looks for is found.

The files are the development data in ``formats/`` (``KHAZRI_DATA``) and no part of the project;
without them nothing here runs. ``gold_strings.jsonl`` says what is looked for, in whose words, in
which file it must be found, and in which place of it.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, CheapEncoder, quiet

from index import indexer, sources
from index.embeddings import Half
from index.indexer import Indexer
from index.progress import Progress
from index.readers.inside import parts
from index.readers.process import Process
from index.store import Store
from index.values import Content, Document
from search.engine import Engine

DATA = Path(os.environ.get("KHAZRI_DATA", ROOT / ".." / "shared" / "data"))
FOLDER = DATA.resolve() / "formats"
MANIFEST = FOLDER / "MANIFEST.jsonl"
GOLD = [
    json.loads(line)
    for line in (ROOT / "tests" / "gold_strings.jsonl").read_text("utf-8").splitlines()
]
KINDS = set("docx pptx xlsx xls odt rtf epub eml mbox msg html mhtml pdf csv md txt".split())
DAMAGED = 200
TWINS = "expected.html"
LARGEST = 200_000  # bytes of a file that is damaged

pytestmark = pytest.mark.skipif(not MANIFEST.is_file(), reason=f"{MANIFEST} is not there")


class Quick(CheapEncoder):
    """A window like that of the real model, and vectors that no search by words looks at."""

    window = 250

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        rows = np.zeros((len(texts), self.dimensions), np.float16)
        rows[:, 0] = 1
        return rows


def manifest() -> list[dict[str, Any]]:
    return [json.loads(line) for line in MANIFEST.read_text("utf-8").splitlines()]


# --- What is looked for ----------------------------------------------------------------------

Collection = tuple[Store, Progress]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    """The files in one home, in one commit: merging is tested elsewhere and takes as long.

    Left out is what another program makes of web pages that are there themselves.
    """
    store = Store(tmp_path_factory.mktemp("formats"))
    sources.add(store, FOLDER, exclude=[TWINS])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer, "BATCH", 1 << 20)
        progress = Indexer(store, Quick()).index([FOLDER], quiet)
    yield store, progress
    store.close()


@pytest.fixture(scope="module")
def engine(collection: Collection) -> Engine:
    return Engine(collection[0], Quick())


def names(document: Document) -> tuple[str, ...]:
    """All the names of a document, relative to the data."""
    return tuple(name.removeprefix(f"{FOLDER}/") for name in (document.uri, *document.also))


def test_the_table_is_of_all_formats() -> None:
    assert {gold["where"].split(",")[0] for gold in GOLD} == KINDS
    assert len(GOLD) >= 60
    assert len({gold["find"] for gold in GOLD}) == len(GOLD)


@pytest.mark.parametrize("gold", GOLD, ids=lambda gold: gold["find"])
def test_what_is_looked_for_is_found(engine: Engine, gold: dict[str, str]) -> None:
    """The right document is among the first five."""
    found = engine.search(gold["find"], mode="keyword", limit=30)
    documents = dict.fromkeys(names(result.passage.document) for result in found.results)
    first = list(documents)[:5]
    assert any(f"/{name}".endswith(f"/{gold['file']}") for one in first for name in one), first


def test_each_file_is_stored_or_refused_for_a_reason(collection: Collection) -> None:
    """No file is lost: it has a document, holds one, or is told with its reason."""
    store, progress = collection
    with store.snapshot() as snapshot:
        _, documents = snapshot.documents(limit=10_000)
    stored = {name.split("//")[0] for one in documents for name in names(one)}
    failed = {one.uri.removeprefix(f"{FOLDER}/").split("//")[0] for one in progress.failed}
    paths = (one["path"] for one in manifest())
    asked = {path for path in paths if "/." not in path and not path.endswith(TWINS)}
    assert asked - stored - failed == set()
    assert all(one.reason for one in progress.failed)
    broken = ("damaged: it broke", "too slow", "too large")
    assert [one for one in progress.failed if one.reason.startswith(broken)] == []


def test_no_text_is_binary(collection: Collection) -> None:
    """Bytes that are no text are refused rather than stored as characters that nobody reads."""
    store, _ = collection
    with store.snapshot() as snapshot:
        _, documents = snapshot.documents(limit=10_000)
        texts = {names(one)[0]: snapshot.text(one.id)[0] for one in documents}
    strange = {name: text.count("\ufffd") / len(text) for name, text in texts.items()}
    assert [name for name, share in strange.items() if share > 0.1] == []


# --- Damage ----------------------------------------------------------------------------------

Damage = Callable[[bytes, str, random.Random, list[bytes]], tuple[bytes, str]]


def truncated(data: bytes, name: str, dice: random.Random, _: list[bytes]) -> tuple[bytes, str]:
    return data[: dice.randrange(len(data))], name


def flipped(data: bytes, name: str, dice: random.Random, _: list[bytes]) -> tuple[bytes, str]:
    spoilt = bytearray(data)
    for _bit in range(dice.randint(1, 40)):
        spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
    return bytes(spoilt), name


def misnamed(data: bytes, name: str, dice: random.Random, _: list[bytes]) -> tuple[bytes, str]:
    return data, f"{Path(name).stem}.{dice.choice(sorted(KINDS))}"


def nameless(data: bytes, name: str, dice: random.Random, _: list[bytes]) -> tuple[bytes, str]:
    return data, Path(name).stem.replace(".", "-")


def glued(data: bytes, name: str, dice: random.Random, others: list[bytes]) -> tuple[bytes, str]:
    return data + dice.choice(others), name


DAMAGES: tuple[Damage, ...] = (truncated, flipped, misnamed, nameless, glued)


def damaged() -> Iterator[tuple[str, bytes, str]]:
    """Damaged copies of good files: what was done to which, the bytes, and a name."""
    dice = random.Random(20)
    good = [one["path"] for one in manifest() if one["opens"] and 0 < one["bytes"] < LARGEST]
    chosen = dice.sample(good, DAMAGED)
    others = [(FOLDER / path).read_bytes() for path in dice.sample(good, 20)]
    for number, path in enumerate(chosen):
        damage = DAMAGES[number % len(DAMAGES)]
        data = (FOLDER / path).read_bytes()
        yield f"{damage.__name__} {path}", *damage(data, Path(path).name, dice, others)


def check(content: Content) -> None:
    """Blocks are in order and exact, and nothing but white space is outside them."""
    end = 0
    for block in content.blocks:
        assert end <= block.start < block.end <= len(content.text)
        assert not content.text[end : block.start].strip()
        text = content.text[block.start : block.end]
        assert text == text.strip()
        end = block.end
    assert content.blocks
    assert not content.text[end:].strip()


def test_damaged_files_break_nothing() -> None:
    """Whatever was done to a file, it gives exact text or a reason, and nothing is raised."""
    texts = 0
    for what, data, name in damaged():
        found = list(parts(data, name))
        assert found, what
        for part in found:
            if part.content is None:
                assert part.reason, what
            else:
                check(part.content)
                texts += 1
    assert texts > DAMAGED / 2


def test_a_summary_may_not_hold_up_the_text() -> None:
    """A list in a summary that claims two billion members of no size is passed over."""
    path = next(FOLDER.glob("tika/**/testEXCEL_1img.xls"))
    endless = b"\x05\x10\0\0\xff\xff\xff\x7f"  # a vector of VT_R8, and its count
    data, lists = re.subn(rb"\x1e\x10\0\0.{4}", endless, path.read_bytes(), flags=re.DOTALL)
    process = Process(seconds=5)
    [part] = process.parts(data, path.name)
    process.close()
    assert lists
    assert part.content is not None, part.reason
    assert "quick brown fox" in part.content.text
