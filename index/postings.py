"""The postings of one segment as flat arrays, and BM25 over them.

A Whoosh segment never changes, so its postings are decoded once into arrays that are opened by
memory map. Each term of a field owns a run of ``(document number, frequency, length)``; a question
adds the weights of its terms into one buffer and takes the highest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import log

import numpy as np
import numpy.typing as npt

K1, B = 0.6, 0.3  # measured by bench/quality.py
FIELDS = ("text", "heading", "title")
BOOSTS = {"text": 1.0, "heading": 0.1, "title": 0.1}
_HIGHEST = 255  # a term frequency is kept in one byte; nothing in BM25 changes beyond that

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[np.generic]]
Run = tuple[str, str, Sequence[int], Sequence[float], Sequence[int]]


def bm25(idf: float, frequency: Floats, length: Floats, average: float) -> Floats:
    """Whoosh's BM25: ``idf·tf·(K1+1) / (tf + K1·((1-B) + B·length/average))``."""
    return idf * ((frequency * (K1 + 1)) / (frequency + K1 * ((1 - B) + B * length / average)))


def inverse_frequency(passages: int, containing: int) -> float:
    """Whoosh's idf: ``ln(N / (df + 1)) + 1``."""
    return log(passages / (containing + 1)) + 1


def pack(runs: Iterable[Run], ids: Sequence[int], totals: Mapping[str, int]) -> Arrays:
    """Make the arrays of a segment from its runs.

    Each run is ``(field, term, document numbers ascending, frequencies, length bytes)``; ``ids``
    are the passage ids by document number, ``totals`` the sum of the lengths of each field.
    """
    keyed = sorted(((_key(run[0], run[1]), run) for run in runs), key=lambda pair: pair[0])
    sizes = [len(run[2]) for _, run in keyed]
    names = [f"{run[0]}\0{run[1]}".encode() for _, run in keyed]
    docs = np.fromiter((n for _, run in keyed for n in run[2]), np.uint32, sum(sizes))
    tf = np.fromiter((n for _, run in keyed for n in run[3]), np.float64, sum(sizes))
    length = np.fromiter((n for _, run in keyed for n in run[4]), np.uint8, sum(sizes))
    return {
        "ids": np.asarray(ids, np.int64),
        "totals": np.asarray([totals.get(name, 0) for name in FIELDS], np.int64),
        "keys": np.fromiter((key for key, _ in keyed), np.uint64, len(keyed)),
        "offsets": np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]),
        "docs": docs,
        "codes": (np.minimum(tf, _HIGHEST).astype(np.uint16) << 8) | length,
        "names": np.frombuffer(b"".join(names), np.uint8),
        "name_offsets": np.concatenate([[0], np.cumsum([len(n) for n in names], dtype=np.int64)]),
    }


def _key(field: str, term: str) -> int:
    name = f"{field}\0{term}".encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


@dataclass(frozen=True, slots=True)
class Postings:
    """The opened arrays of one segment."""

    ids: Ints
    totals: Ints
    keys: npt.NDArray[np.uint64]
    offsets: Ints
    docs: npt.NDArray[np.uint32]
    codes: npt.NDArray[np.uint16]
    names: npt.NDArray[np.uint8]
    name_offsets: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def run(
        self, field: str, term: str
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint16]] | None:
        """Document numbers and codes (frequency, length byte) of a term, or None."""
        key = np.uint64(_key(field, term))
        i = int(np.searchsorted(self.keys, key))
        if i == len(self.keys) or self.keys[i] != key:
            return None
        name = self.names[self.name_offsets[i] : self.name_offsets[i + 1]].tobytes()
        if name != f"{field}\0{term}".encode():
            return None
        start, end = self.offsets[i], self.offsets[i + 1]
        return self.docs[start:end], self.codes[start:end]

    def any_of_each(self, field: str, groups: Sequence[Iterable[str]]) -> npt.NDArray[np.int64]:
        """The document numbers, ascending, that hold a term of each group in ``field``."""
        each = []
        for terms in groups:
            runs = [run[0] for term in terms if (run := self.run(field, term))]
            each.append(np.unique(np.concatenate(runs)) if runs else np.zeros(0, np.uint32))
        found = reduce(np.intersect1d, each) if each else np.zeros(0, np.uint32)
        return np.asarray(found, np.int64)

    def holding(self, terms: Sequence[str]) -> list[int]:
        """The document numbers in whose text all of the terms stand."""
        runs = [self.run("text", term) for term in terms]
        if not runs or None in runs:
            return []
        found = [run[0] for run in runs if run]
        return [int(n) for n in reduce(np.intersect1d, found)]


class Statistics:
    """What BM25 needs to know of the whole collection: all segments of one generation."""

    def __init__(self, segments: Sequence[Postings], lengths: Sequence[int]) -> None:
        """``lengths`` tells the length that each of the 256 length bytes stands for."""
        self.passages = sum(len(segment) for segment in segments)
        self._segments = segments
        code = np.arange(1 << 16)
        frequency, length = (code >> 8).astype(float), np.asarray(lengths, float)[code & 255]
        self._weights: dict[str, Floats] = {}
        for i, name in enumerate(FIELDS):
            average = sum(int(s.totals[i]) for s in segments) / max(self.passages, 1) or 1
            self._weights[name] = BOOSTS[name] * bm25(1.0, frequency, length, average)

    def idf(self, field: str, term: str) -> float:
        """The inverse document frequency of a term over all segments."""
        runs = (segment.run(field, term) for segment in self._segments)
        found = sum(len(run[0]) for run in runs if run)
        return inverse_frequency(max(self.passages, 1), found)

    def weights(self, field: str) -> Floats:
        """BM25 with idf 1 for each code: an array of 65,536."""
        return self._weights[field]
