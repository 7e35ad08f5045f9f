"""The text that the benches store: real paragraphs, or, where those are missing, made ones."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

DATA = Path(os.environ.get("KHAZRI_DATA", "../shared/data"))


def paragraphs() -> Iterator[str]:
    """Paragraphs of English, without end where they are made of the samples."""
    scale = DATA / "scale" / "win32-docs-paragraphs" / "corpus.jsonl.gz"
    if scale.is_file():
        with gzip.open(scale, "rt", encoding="utf-8") as file:
            for line in file:
                yield " ".join(json.loads(line)["text"].split())
        return
    words = " ".join(p.read_text() for p in sorted(Path("samples").glob("*.txt"))).split()
    chance = random.Random(1)
    while True:
        start = chance.randrange(len(words) - 80)
        piece = words[start : start + 62]
        chance.shuffle(piece)
        yield " ".join(piece).capitalize() + "."
