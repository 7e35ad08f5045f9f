"""The terms of a segment in their order: those that begin so, and those that are spelt much so.

Read from the postings when first asked for and kept with the segment, which never changes; so a
commit costs no more than the terms of what it added.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from index.postings import Postings

_OF_TEXT = b"text\0"  # headings and titles stand in this field too


@dataclass(frozen=True)
class Vocabulary:
    """Distinct terms, ascending: term ``i`` is ``joined[starts[i] : starts[i + 1] - 1]``.

    ``counts`` are the passages that hold each. Kept as one run of UTF-8 with a NUL after each
    term: hundreds of thousands of strings would take ten times the memory.
    """

    joined: bytes
    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, postings: Postings) -> Vocabulary:
        """That of one segment."""
        names, sizes = postings.names.tobytes(), np.diff(postings.offsets).tolist()
        at, skip = pairwise(postings.name_offsets.tolist()), len(_OF_TEXT)
        found = sorted(
            (names[start + skip : end], size)
            for (start, end), size in zip(at, sizes, strict=True)
            if names.startswith(_OF_TEXT, start)
        )
        lengths = np.fromiter((len(term) + 1 for term, _ in found), np.int64, len(found))
        return cls(
            b"".join(term + b"\0" for term, _ in found),
            np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
            np.fromiter((size for _, size in found), np.int64, len(found)),
        )

    def __len__(self) -> int:
        return len(self.counts)

    def beginning(self, prefix: str, most: int) -> Iterator[tuple[str, int]]:
        """The ``most`` frequent terms that begin with ``prefix``, and their counts."""
        first = self._from(prefix.encode("utf-8", "replace"))
        last = self._from(prefix.encode("utf-8", "replace") + b"\xff")  # in no UTF-8
        held = self.counts[first:last]
        for i in first + np.argsort(-held, kind="stable")[:most]:
            yield self._term(int(i)).decode(), int(self.counts[i])

    def near(self, word: str, distance: int) -> Iterator[tuple[str, int, int]]:
        """Terms that at most so many slips of the pen make of ``word``: term, slips, count."""
        sought = word.encode("utf-8", "replace")
        width = max(len(letter.encode("utf-8", "replace")) for letter in word)
        # A slip changes at most two letters, so that few terms are left to be compared.
        unlike = _ones(self._letters ^ _letters(sought))
        off = np.abs(np.diff(self.starts) - 1 - len(sought))
        for i in np.flatnonzero((unlike <= 2 * width * distance) & (off <= width * distance)):
            term = self._term(int(i)).decode()
            if (slips := edits(word, term, distance)) <= distance:
                yield term, slips, int(self.counts[i])

    def _term(self, i: int) -> bytes:
        return self.joined[self.starts[i] : self.starts[i + 1] - 1]

    def _from(self, key: bytes) -> int:
        return bisect_left(range(len(self)), key, key=self._term)

    @cached_property
    def _letters(self) -> npt.NDArray[np.uint64]:
        """Which bytes each term holds, each as one of 64 bits (letters of ASCII differ)."""
        if not len(self):
            return np.zeros(0, np.uint64)
        bits = np.uint64(1) << (np.frombuffer(self.joined, np.uint8) & 63).astype(np.uint64)
        return np.bitwise_or.reduceat(bits, self.starts[:-1])


def _letters(word: bytes) -> np.uint64:
    bits = 1  # of the NUL
    for byte in word:
        bits |= 1 << (byte & 63)
    return np.uint64(bits)


def _ones(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """How many bits are set in each number, counted side by side."""
    one, two, four, sums = (
        np.uint64(mask)
        for mask in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
    )
    bits = bits - ((bits >> np.uint64(1)) & one)
    bits = (bits & two) + ((bits >> np.uint64(2)) & two)
    return (((bits + (bits >> np.uint64(4))) & four) * sums) >> np.uint64(56)


def edits(a: str, b: str, most: int) -> int:
    """How many letters are to be put in, left out, changed or swapped to make ``b`` of ``a``.

    The distance of optimal string alignment; ``most + 1`` where it is more than ``most``.
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
