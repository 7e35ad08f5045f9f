"""Passages that say the same in nearly the same letters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from index.folding import fold
from index.values import Passage

SHINGLE = 12  # characters; so a word more or less counts little in a passage
ALIKE = 0.8  # of the shingles of both

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Print:
    """What two texts are compared by. Another number is another statement, however alike."""

    shingles: frozenset[str]
    numbers: frozenset[str]

    @classmethod
    def of(cls, text: str) -> Print:
        """That of a text."""
        folded = fold(text)
        last = max(len(folded) - SHINGLE, 0)
        shingles = frozenset(folded[at : at + SHINGLE] for at in range(last + 1))
        return cls(shingles, frozenset(_NUMBER.findall(folded)))

    def like(self, other: Print) -> bool:
        """Whether both say the same (Jaccard's index of their shingles)."""
        both = len(self.shingles & other.shingles)
        return self.numbers == other.numbers and both >= ALIKE * len(self.shingles | other.shingles)


def alike(passages: Sequence[Passage]) -> list[list[Passage]]:
    """The passages in their order, each with those after it that say the same."""
    kept: list[tuple[Print, list[Passage]]] = []
    for passage in passages:
        own = Print.of(passage.text)
        same = next((together for of, together in kept if own.like(of)), None)
        if same is None:
            kept.append((own, [passage]))
        else:
            same.append(passage)
    return [together for _, together in kept]
