"""The keyword index: Whoosh's segments, and the arrays decoded from them. Only this file knows it.

Each segment of the collection is one Whoosh index of one segment, written once. Whoosh keeps the
postings of record, with positions for phrases; ranking is done from the arrays beside it, which
give the same scores as Whoosh's own ``BM25F`` (``tests/test_keyword.py`` holds them together).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from whoosh import query
from whoosh.analysis import Analyzer, Token
from whoosh.fields import STORED, TEXT, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.lang.porter import stem
from whoosh.lang.stopwords import stoplists
from whoosh.searching import Searcher
from whoosh.util.numeric import byte_to_length

from index.postings import FIELDS, Arrays, Run, pack
from index.values import embedding_text

ANALYZER = "english-4"  # recorded in the catalog: another one means another index

LENGTHS = tuple(int(byte_to_length(i)) for i in range(256))
_LETTERS = r"\w[\w\u0300-\u036f]*"  # with the marks of a decomposed letter
_WORD = re.compile(rf"\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?!\w)|{_LETTERS}(?:[.'’]{_LETTERS})*")
_MARKS = dict.fromkeys(range(0x300, 0x370))
_NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS, 2)}
_STOP = frozenset(stoplists["en"]) | {"whose"}


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: ``text[start:end]``, its index term, and whether it carries meaning."""

    start: int
    end: int
    term: str
    stop: bool


def words(text: str) -> Iterator[Word]:
    """The words of a text, in order."""
    for match in _WORD.finditer(text):
        term, stop = _term(match.group())
        yield Word(match.start(), match.end(), term, stop)


@lru_cache(maxsize=1 << 17)
def _term(word: str) -> tuple[str, bool]:
    """Lower case, without a possessive, thousands separators and accents, stemmed by Porter.

    Small numbers in words are digits, so that "three years" finds "3 years".
    """
    lowered = word.lower().replace("’", "'")
    if lowered[0].isdigit():
        return lowered.replace(",", ""), False
    lowered = lowered.removesuffix("'s")
    if not lowered.isascii():
        plain = unicodedata.normalize("NFD", lowered).translate(_MARKS)
        lowered = unicodedata.normalize("NFKC", plain) or lowered
    return _DIGITS.get(lowered) or stem(lowered) or lowered, lowered in _STOP


def terms(text: str) -> tuple[str, ...]:
    """The distinct terms that a question asks for: without stop words, unless it has no others."""
    found = list(words(text))
    kept = [word for word in found if not word.stop] or found
    return tuple(dict.fromkeys(word.term for word in kept))


class _Words(Analyzer):  # type: ignore[misc]
    """``words`` as Whoosh wants it: one token, filled anew for each word."""

    def __call__(self, value: str, **_: object) -> Iterator[Any]:
        token = Token(positions=True, boosts=True)
        token.boost = 1.0
        for position, word in enumerate(words(value)):
            token.text = word.term
            token.pos = position
            yield token


_SCHEMA = Schema(
    id=STORED,
    text=TEXT(analyzer=_Words(), phrase=True),
    heading=TEXT(analyzer=_Words(), phrase=False),
    title=TEXT(analyzer=_Words(), phrase=False),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the keyword index takes of a passage."""

    id: int
    text: str
    heading: str
    title: str


def write(folder: Path, entries: Iterable[Entry]) -> Arrays:
    """Write a Whoosh index of one segment into the empty ``folder``; return its arrays.

    The field ``text`` holds title and heading too, as the encoder sees them; the fields of their
    own add to that.
    ``entries`` come with ascending ids. The files are not yet flushed to the disk.
    """
    storage = _storage(folder)
    writer = storage.create_index(_SCHEMA).writer(procs=1, limitmb=512)
    try:
        for entry in entries:
            text = embedding_text(entry.title, entry.heading, entry.text)
            writer.add_document(id=entry.id, text=text, heading=entry.heading, title=entry.title)
        writer.commit(merge=False)
    except BaseException:
        with suppress(Exception):  # which may meet the same error again
            writer.cancel()
        raise
    for lock in folder.glob("*WRITELOCK"):
        lock.unlink()
    return decode(folder)


def decode(folder: Path) -> Arrays:
    """Read the arrays of the one Whoosh segment in ``folder``."""
    with _open(folder).reader() as reader:
        ids = [fields["id"] for fields in reader.all_stored_fields()]
        totals = {name: int(reader.field_length(name)) for name in FIELDS}
        return pack(_runs(reader, len(ids)), ids, totals)


def _runs(reader: Any, count: int) -> Iterator[Run]:
    """The postings of every term, block by block with Whoosh's own decoding."""
    from whoosh.codec.whoosh3 import W3LeafMatcher

    perdoc = reader._perdoc
    lengths = {name: _length_bytes(perdoc, name, count) for name in FIELDS}
    for (name, term), info in reader._terms.items():
        if name not in lengths:
            continue
        if info.is_inlined():
            numbers, weights = info.inlined_postings()[:2]
        else:
            matcher = W3LeafMatcher(
                reader._terms._postfile, *info.extent(), _SCHEMA[name].format, term=(name, term)
            )
            numbers, weights = _postings(matcher)
        of = lengths[name]
        yield name, term.decode(), numbers, weights, [of[n] for n in numbers]


def _postings(matcher: Any) -> tuple[list[int], list[float]]:
    numbers: list[int] = []
    weights: list[float] = []
    while True:
        matcher._read_ids()
        matcher._read_weights()
        numbers.extend(matcher._ids)
        weights.extend(matcher._weights)
        if matcher._lastblock:
            return numbers, weights
        matcher._next_block()


def _length_bytes(perdoc: Any, name: str, count: int) -> list[int]:
    from whoosh.codec.whoosh3 import LENGTHS_COLUMN, _lenfield

    column = perdoc._cached_reader(_lenfield(name), LENGTHS_COLUMN)
    return [int(column[i]) for i in range(count)] if column is not None else [0] * count


def phrase_numbers(folder: Path, phrase: str) -> list[int]:
    """Document numbers of a segment in whose text the terms of ``phrase`` follow each other.

    Stems are compared, so the caller still has to verify the words themselves.
    """
    sought = [word.term for word in words(phrase)]
    if not sought:
        return []
    with Searcher(_open(folder).reader()) as searcher:
        found = query.Phrase("text", sought) if len(sought) > 1 else query.Term("text", sought[0])
        return list(found.docs(searcher))


def _storage(folder: Path) -> FileStorage:
    # Memory-mapped storage copies each segment whole: 255 MB and 0.35 s for 100,000 passages.
    return FileStorage(str(folder), supports_mmap=False)


def _open(folder: Path) -> FileIndex:
    return FileIndex(_storage(folder))


def reader(folder: Path) -> Any:
    """Whoosh's own reader of a segment: the reference that checks and benchmarks compare with."""
    return _open(folder).reader()


def field_terms(question: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Every ``(field, term)`` that a question adds up, in the order of the sum."""
    return ((field, term) for term in question for field in FIELDS)
