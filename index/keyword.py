"""The keyword index: Whoosh's segments, and arrays of their postings. Only this file knows it.

Each segment of the collection is one Whoosh index of one segment, written once. Whoosh keeps the
postings of record; ranking is done from the arrays beside it, which give the same scores as
Whoosh's own ``BM25F`` (``tests/test_keyword.py`` holds them together).
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from whoosh.analysis import Analyzer, entoken
from whoosh.fields import STORED, TEXT, Schema
from whoosh.filedb.filestore import FileStorage
from whoosh.index import FileIndex
from whoosh.lang.porter import stem as porter
from whoosh.lang.stopwords import stoplists
from whoosh.util.numeric import byte_to_length, length_to_byte

from index.languages import ENGLISH, MARKS, STOP, UNSPACED, among, code, of_word, stem, unspaced
from index.postings import FIELDS, Arrays, Listed, Tally, code_of, name_of, pack
from index.values import Passage, embedding_text

ANALYZER = "words-5"  # recorded in the catalog: another one means another index

LENGTHS = tuple(int(byte_to_length(i)) for i in range(256))
_LETTER = rf"[^\W{UNSPACED}]"
_LETTERS = rf"{_LETTER}(?:{_LETTER}|[{MARKS}\u200c\u200d])*"  # with the marks upon them
_WORD = re.compile(
    rf"\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?!\w)|{_LETTERS}(?:[.'’]{_LETTERS})*"
    rf"|[{UNSPACED}](?:[{UNSPACED}]|[{MARKS}])*"
)
# Texts of Latin letters are quickly read by the same pattern without what is not in them.
_OTHERS = re.compile("[\u0300-\u1fff\u200c\u200d\u20d0-\u20ff\u2c00-\U0010ffff]")
_LATIN = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|\w+(?:[.'’]\w+)*")
_UNSPACED_FROM = "\u0e00"  # most letters are below it, and need no closer look
_MARKS = dict.fromkeys(range(0x300, 0x370))
_UNWRITTEN = dict.fromkeys((0x640, 0x200C, 0x200D, *range(0x64B, 0x653)))  # Arabic's, and joiners
_NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS, 2)}
_STOP = {language: frozenset(listed) for language, listed in stoplists.items()}
_STOP |= STOP
_STOP[ENGLISH] |= {"whose"}


class Word(NamedTuple):
    """A word of a text: ``text[start:end]``, its index term, and whether it carries meaning."""

    start: int
    end: int
    term: str
    stop: bool


def words(text: str, language: str | None = None) -> Iterator[Word]:
    """The words of a text in some language (None: English), in order.

    Of a script without spaces each pair of characters is one, so that these overlap.
    """
    if _latin(text):
        spoken = code(language)
        return (Word(*m.span(), *_term(m.group(), spoken)) for m in _LATIN.finditer(text))
    return map(Word._make, _words(text, language))


def _latin(text: str) -> bool:
    return text.isascii() or not _OTHERS.search(text)


def _words(text: str, language: str | None) -> Iterator[tuple[int, int, str, bool]]:
    spoken = code(language)
    for match in _WORD.finditer(text):
        start, end = match.span()
        if text[start] >= _UNSPACED_FROM and unspaced(match.group()):
            for at in range(start, max(end - 1, start + 1)):
                pair = text[at : min(at + 2, end)]
                yield at, at + len(pair), unicodedata.normalize("NFKC", pair).lower(), False
            continue
        yield start, end, *_term(match.group(), spoken)


@lru_cache(maxsize=1 << 17)
def _term(word: str, language: str) -> tuple[str, bool]:
    """Lower case and stemmed, without a possessive, thousands separators and accents.

    English is stemmed by Porter, other languages by Snowball. Small English numbers in words are
    digits, so that "three years" finds "3 years".
    """
    language = of_word(word, language)
    if language != ENGLISH:
        return _foreign(word, language)
    lowered = word.lower().replace("’", "'")
    if lowered[0].isdigit():
        return lowered.replace(",", ""), False
    lowered = lowered.removesuffix("'s")
    if not lowered.isascii():
        plain = unicodedata.normalize("NFD", lowered).translate(_MARKS)
        lowered = unicodedata.normalize("NFKC", plain) or lowered
    return _DIGITS.get(lowered) or porter(lowered) or lowered, lowered in _STOP[ENGLISH]


def _foreign(word: str, language: str) -> tuple[str, bool]:
    lowered = unicodedata.normalize("NFKC", word).lower().replace("’", "'").translate(_UNWRITTEN)
    stop = lowered in _STOP.get(language, ())
    if lowered[:1].isdigit():
        return lowered.replace(",", ""), False
    stemmed = stem(lowered, language)
    plain = unicodedata.normalize("NFD", stemmed).translate(_MARKS)
    return unicodedata.normalize("NFC", plain) or lowered or word, stop


def asked(text: str, languages: Sequence[str] = (ENGLISH,)) -> list[Word]:
    """The words that a question asks for, as documents in each of the languages have them.

    Without stop words, those of the language that the question is sooner in, unless it has no
    others. The same word may come with several terms.
    """
    spoken = among(text, languages)
    found = [list(words(text, language)) for language in (spoken, *languages)]
    kept = {word.start for word in found[0] if not word.stop} or {w.start for w in found[0]}
    return [word for each in zip(*found, strict=True) for word in each if word.start in kept]


def terms(text: str, languages: Sequence[str] = (ENGLISH,)) -> tuple[str, ...]:
    """The distinct terms that a question asks for: see ``asked``."""
    return tuple(dict.fromkeys(word.term for word in asked(text, languages)))


class _Words(Analyzer):  # type: ignore[misc]
    """Stands in the schema of every index; what is added to one has been analysed before."""

    def __call__(self, value: Sequence[str], **_: object) -> Iterator[Any]:
        return entoken(value)  # type: ignore[no-any-return]


_TERMS = TEXT(analyzer=_Words(), phrase=False)  # phrases are verified in the text itself
_SCHEMA = Schema(id=STORED, text=_TERMS, heading=_TERMS, title=_TERMS)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the keyword index takes of a passage."""

    id: int
    text: str
    heading: str
    title: str
    language: str | None = None

    @classmethod
    def of(cls, passage: Passage) -> Entry:
        """That of a stored passage."""
        document = passage.document
        return cls(passage.id, passage.text, passage.heading, document.title, document.language)


def write(folder: Path, entries: Iterable[Entry]) -> Arrays:
    """Write a Whoosh index of one segment into the empty ``folder``; return its arrays.

    The arrays are made of the same terms as they are added, and equal what ``decode`` reads.
    ``entries`` come with ascending ids. The files are not yet flushed to the disk.
    """
    writer = _storage(folder).create_index(_SCHEMA).writer(procs=1, limitmb=512)
    tally = Tally()
    writer.per_document_reader = partial(_Lengths, tally.lengths)
    try:
        for entry in entries:
            fields = _fields(entry)
            writer.add_document(id=entry.id, **fields)
            tally.add(entry.id, fields, length_to_byte)
        writer.commit(merge=False)
    except BaseException:
        with suppress(Exception):  # which may meet the same error again
            writer.cancel()
        raise
    for lock in folder.glob("*WRITELOCK"):
        lock.unlink()
    return tally.arrays()


class _Lengths:
    """The lengths of fields, which Whoosh would read from the disk again for every posting."""

    def __init__(self, lengths: Mapping[str, bytearray]) -> None:
        self._lengths = lengths

    def doc_field_length(self, number: int, name: str) -> int:
        return LENGTHS[self._lengths[name][number]]

    def close(self) -> None:
        """Nothing is open."""


def _fields(entry: Entry) -> dict[str, list[str]]:
    """The terms of each field.

    ``text`` holds title and heading too, as the encoder sees them; the others add to that.
    """
    whole = embedding_text(entry.title, entry.heading, entry.text)
    above = _above(whole.removesuffix(entry.text), entry.language)
    return {
        "text": [*above, *_listed(entry.text, entry.language)],
        "heading": _above(entry.heading, entry.language),
        "title": _above(entry.title, entry.language),
    }


def _listed(text: str, language: str | None) -> list[str]:
    if _latin(text):
        spoken = code(language)
        return [_term(word, spoken)[0] for word in _LATIN.findall(text)]
    return [term for _, _, term, _ in _words(text, language)]


_above = lru_cache(maxsize=1 << 10)(_listed)  # what many passages stand under


def decode(folder: Path) -> Arrays:
    """Read the arrays of the one Whoosh segment in ``folder``."""
    with _open(folder).reader() as reader:
        ids = [fields["id"] for fields in reader.all_stored_fields()]
        totals = {name: int(reader.field_length(name)) for name in FIELDS}
        return pack(_runs(reader, len(ids)), ids, totals)


def _runs(reader: Any, count: int) -> Iterator[Listed]:
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
        codes = (code_of(int(w), of[n]) for n, w in zip(numbers, weights, strict=True))
        yield name_of(name, term.decode()), array("I", numbers), array("H", codes)


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
