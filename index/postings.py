"""The postings of one segment as flat arrays, and BM25 over them.

A segment never changes, so its postings are laid out once in arrays that are opened by memory map.
Each term of a field owns a run of document numbers and of codes for frequency and length.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate, pairwise
from math import log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

K1, B = 0.6, 0.3  # measured by bench/quality.py
FIELDS = ("text", "heading", "title")
BOOSTS = {"text": 1.0, "heading": 0.1, "title": 0.1}
_HIGHEST = 255  # a term frequency is kept in one byte; nothing in BM25 changes beyond that

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[np.generic]]
Listed = tuple[bytes, "array[int]", "array[int]"]  # name, document numbers, codes


def bm25(idf: float, frequency: Floats, length: Floats, average: float) -> Floats:
    """Whoosh's BM25: ``idf·tf·(K1+1) / (tf + K1·((1-B) + B·length/average))``."""
    return idf * ((frequency * (K1 + 1)) / (frequency + K1 * ((1 - B) + B * length / average)))


def inverse_frequency(passages: int, containing: int) -> float:
    """Whoosh's idf: ``ln(N / (df + 1)) + 1``."""
    return log(passages / (containing + 1)) + 1


def code_of(frequency: int, length: int) -> int:
    """What is kept of a posting: its frequency, and the byte for the length of the field."""
    return min(frequency, _HIGHEST) << 8 | length


def pack(runs: Iterable[Listed], ids: Sequence[int], totals: Mapping[str, int]) -> Arrays:
    """Make the arrays of a segment from its runs, each of document numbers that ascend.

    ``ids`` are the passage ids by document number, ``totals`` the sum of each field's lengths.
    """
    each = list(runs)
    keys = keys_of(name for name, _, _ in each)
    order = np.argsort(keys, kind="stable")
    each = [each[i] for i in order.tolist()]
    names = [name for name, _, _ in each]
    return {
        "ids": np.asarray(ids, np.int64),
        "totals": np.asarray([totals.get(name, 0) for name in FIELDS], np.int64),
        "keys": keys[order],
        "offsets": _ends(len(docs) for _, docs, _ in each),
        "docs": np.frombuffer(b"".join(docs for _, docs, _ in each), np.uint32),
        "codes": np.frombuffer(b"".join(codes for _, _, codes in each), np.uint16),
        "names": np.frombuffer(b"".join(names), np.uint8),
        "name_offsets": _ends(map(len, names)),
    }


def _ends(lengths: Iterable[int]) -> Ints:
    return np.fromiter(accumulate(lengths, initial=0), np.int64)


class Tally:
    """The postings of passages as they are added, in the order of their ids."""

    def __init__(self) -> None:
        self._runs: dict[bytes, tuple[array[int], array[int]]] = {}
        self._ids: list[int] = []
        self._totals: Counter[str] = Counter()
        self.lengths: dict[str, bytearray] = {name: bytearray() for name in FIELDS}

    def add(self, id: int, fields: Mapping[str, Sequence[str]], byte: Callable[[int], int]) -> None:
        """Add a passage with the terms of its fields; ``byte`` is that of a length."""
        for field, terms in fields.items():
            self._totals[field] += len(terms)
            length = byte(len(terms))
            self.lengths[field].append(length)
            for term, count in Counter(terms).items():
                name = name_of(field, term)
                if name not in self._runs:
                    self._runs[name] = array("I"), array("H")
                docs, codes = self._runs[name]
                docs.append(len(self._ids))
                codes.append(code_of(count, length))
        self._ids.append(id)

    def arrays(self) -> Arrays:
        """The arrays of the segment."""
        return pack(((name, *run) for name, run in self._runs.items()), self._ids, self._totals)


def name_of(field: str, term: str) -> bytes:
    """The name of a term in a field."""
    return f"{field}\0{term}".encode()


def keys_of(names: Iterable[bytes]) -> npt.NDArray[np.uint64]:
    """The keys by which names are found: their hashes."""
    hashes = b"".join(hashlib.blake2b(name, digest_size=8).digest() for name in names)
    return np.frombuffer(hashes, "<u8")


class Part(NamedTuple):
    """Postings of a term in one segment: document numbers, ascending, and a code for each.

    A code is the frequency, shifted by eight bits, and the length byte.
    """

    docs: npt.NDArray[np.uint32]
    codes: npt.NDArray[np.uint16]

    def cut(self, numbers: Sequence[int]) -> list[Part]:
        """The postings before, between and after some document numbers, which ascend."""
        if not numbers:
            return [self]
        found = np.searchsorted(self.docs, np.array(numbers, np.uint32)).tolist()
        places = pairwise([0, *found, len(self.docs)])
        return [Part(self.docs[start:end], self.codes[start:end]) for start, end in places]

    def look_up(self, numbers: Ints) -> tuple[Ints, npt.NDArray[np.uint16]]:
        """The places in ``numbers`` of the documents that hold the term, and their codes."""
        sought = numbers.astype(np.uint32)  # of one type, or all would be converted
        places = np.searchsorted(self.docs, sought)
        hits = np.flatnonzero(self.docs.take(places, mode="clip") == sought)
        return hits, self.codes[places[hits]]


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

    def run(self, field: str, term: str) -> Part | None:
        """The postings of a term in a field, or None."""
        names = [name_of(field, term)]
        return self.runs(names, keys_of(names))[0]

    def runs(self, names: Sequence[bytes], keys: npt.NDArray[np.uint64]) -> list[Part | None]:
        """The postings of each name; ``keys`` are theirs."""
        found: list[Part | None] = [None] * len(names)
        if not len(self.keys):  # passages without a word
            return found
        places = np.searchsorted(self.keys, keys)
        for i in np.flatnonzero(self.keys.take(places, mode="clip") == keys).tolist():
            at = places[i]
            if self.names[self.name_offsets[at] : self.name_offsets[at + 1]].tobytes() == names[i]:
                run = slice(self.offsets[at], self.offsets[at + 1])
                found[i] = Part(self.docs[run], self.codes[run])
        return found

    def any_of_each(self, field: str, groups: Sequence[Iterable[str]]) -> npt.NDArray[np.int64]:
        """The document numbers, ascending, that hold a term of each group in ``field``."""
        each = []
        for terms in groups:
            runs = [run.docs for term in terms if (run := self.run(field, term))]
            each.append(np.unique(np.concatenate(runs)) if runs else np.zeros(0, np.uint32))
        found = reduce(np.intersect1d, each) if each else np.zeros(0, np.uint32)
        return np.asarray(found, np.int64)

    def holding(self, terms: Sequence[str]) -> list[int]:
        """The document numbers in whose text all of the terms stand."""
        runs = [self.run("text", term) for term in terms]
        if not runs or None in runs:
            return []
        found = [run.docs for run in runs if run]
        return [int(n) for n in reduce(np.intersect1d, found)]


@dataclass(frozen=True, slots=True)
class Run:
    """The postings of a term in a field, by segment, and what they weigh.

    ``term`` is its place in the question, ``count`` the number of passages that hold it, and
    ``shift`` where the table of the field begins in ``Statistics.weights``.
    """

    term: int
    count: int
    idf: float
    shift: int
    parts: Sequence[Part | None]


class Statistics:
    """What BM25 needs to know of the whole collection: all segments of one generation.

    ``weights`` are those of each code with idf 1, in a table of 65,536 for each field.
    """

    def __init__(self, segments: Sequence[Postings], lengths: Sequence[int]) -> None:
        """``lengths`` tells the length that each of the 256 length bytes stands for."""
        self.segments = segments
        self.bases = [0, *accumulate(len(segment) for segment in segments)][:-1]
        self.passages = sum(len(segment) for segment in segments)
        tables = []
        for i, name in enumerate(FIELDS):
            average = sum(int(s.totals[i]) for s in segments) / max(self.passages, 1) or 1
            frequencies, length = np.arange(256.0)[:, None], np.asarray(lengths, float)
            tables.append(BOOSTS[name] * bm25(1.0, frequencies, length, average).ravel())
        self.weights = np.concatenate(tables)

    def runs(self, terms: Sequence[str]) -> list[Run]:
        """The runs of the terms, in every field that has them, in the order of the sum."""
        named = [(term, field) for term in range(len(terms)) for field in range(len(FIELDS))]
        names = [name_of(FIELDS[field], terms[term]) for term, field in named]
        found = []
        keys = keys_of(names)
        each = zip(*(segment.runs(names, keys) for segment in self.segments), strict=True)
        for (term, field), parts in zip(named, each, strict=False):  # none without segments
            if count := sum(len(part.docs) for part in parts if part):
                idf = inverse_frequency(self.passages, count)
                found.append(Run(term, count, idf, field << 16, parts))
        return found

    def weigh(self, run: Run, codes: npt.NDArray[np.uint16]) -> Floats:
        """What postings of a run add to a score."""
        table = self.weights[run.shift : run.shift + (1 << 16)]
        return run.idf * table.take(codes, mode="clip")

    def ids(self, places: Ints) -> Ints:
        """The ids of passages by their places in the row of all segments."""
        ids = np.empty(len(places), np.int64)
        of = np.searchsorted(self.bases, places, side="right") - 1
        for segment in np.unique(of):
            here = of == segment
            ids[here] = self.segments[segment].ids[places[here] - self.bases[segment]]
        return ids
