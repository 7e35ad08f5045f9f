"""The keyword leg: its words, and the same ranking as Whoosh's own searcher."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np
import pytest
from conftest import commit, drafted
from hypothesis import example, given, settings
from hypothesis import strategies as st
from whoosh import query
from whoosh.reading import MultiReader
from whoosh.scoring import BM25F
from whoosh.searching import Searcher

from index import keyword, ranking
from index.home import Home
from index.keyword import terms, words
from index.postings import (
    BOOSTS,
    FIELDS,
    K1,
    B,
    Postings,
    Statistics,
    Tally,
    bm25,
    inverse_frequency,
)
from index.store import Store
from index.values import Filter, Hit


def test_whoosh_is_the_pinned_distribution() -> None:
    """Several distributions install a module of that name; only this one was measured."""
    assert packages_distributions()["whoosh"] == ["Whoosh"]
    assert version("whoosh") == "2.7.4"


# --- Words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How deep is the station?", ("deep", "station")),
        ("to be or not to be", ("to", "be", "or", "not")),  # nothing else to go by
        ("Whose line is it", ("line",)),
        ("ferries ferry FERRY", ("ferri",)),
        ("110,000 cameras", ("110000", "camera")),
        ("1,234,567.89", ("1234567.89",)),
        ("Torrin's Torrin’s torrin", ("torrin",)),
        ("state-of-the-art", ("state", "art")),
        ("", ()),
        ("?! – …", ()),
    ],
)
def test_terms_of_a_question(question: str, expected: tuple[str, ...]) -> None:
    assert terms(question) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("110,000", "110000"),
        ("12,345,678", "12345678"),
        ("minister's", "ministers"),
        ("president’s", "president"),
        ("Café", "cafe"),
        ("Müller", "Muller"),
        ("naïve", "naive"),
        ("RÉSUMÉ", "resume"),
        ("Málagas", "malagas"),
        ("Bakı", "bakı"),
        ("Müller", unicodedata.normalize("NFD", "Müller")),
        ("don't", "don’t"),
        ("O'Brien", "O’Brien"),
        ("three", "3"),
        ("İZMİR", "izmir"),
    ],
)
def test_spellings_that_are_one_word(one: str, other: str) -> None:
    assert terms(one) == terms(other)


@pytest.mark.parametrize(
    ("one", "other"), [("110,000", "110"), ("1.5", "15"), ("2024", "2025"), ("port", "sport")]
)
def test_words_that_are_not_one(one: str, other: str) -> None:
    assert set(terms(one)).isdisjoint(terms(other))


def test_a_list_of_years_is_no_number() -> None:
    assert terms("2023,2024") == ("2023", "2024")


@given(st.text() | st.text("a1é,.'’_ ²½"), st.sampled_from([None, "de", "ar"]))
@example("1,000.5 2023,2024 a ship’s 3rd x² № ½", None)
def test_words_are_the_same_beside_another_script(text: str, language: str | None) -> None:
    """Texts of Latin letters alone are read by a pattern of their own."""
    beside = [word for word in words(f"{text}\n漢", language) if word.end <= len(text)]
    assert list(words(text, language)) == beside
    assert keyword._listed(text, language) == [word.term for word in beside]


@given(st.text())
@example("\ud800 lone")
@example("İstanbul ßß ﬁle ²")
@example("\u0e00\u0e00\u0e00")  # of a script without spaces: the words overlap
def test_words_stand_where_they_say(text: str) -> None:
    start, end = -1, 0
    for word in words(text):
        assert start < word.start < word.end <= len(text)
        assert word.term
        assert not any(c.isalnum() for c in text[end : word.start])
        start, end = word.start, word.end
    assert not any(c.isalnum() for c in text[end:])


# --- The ranking -----------------------------------------------------------------------------


def ours(store: Store, asked: Sequence[str]) -> tuple[list[Hit], int]:
    with store.snapshot() as snapshot:
        return snapshot.keyword(asked, None)


def whooshs(store: Store, asked: Sequence[str]) -> list[Hit]:
    """Whoosh's own BM25F searcher over all segments; ties by document number."""
    folders = sorted((store.home / "segments").glob("*/keyword"))
    readers = [keyword.reader(folder) for folder in folders]
    reader = MultiReader(readers) if len(readers) > 1 else readers[0]
    sought = [query.Term(f, t, boost=BOOSTS[f]) for t in asked for f in FIELDS]
    with Searcher(reader, weighting=BM25F(B=B, K1=K1)) as searcher:
        found = searcher.search(query.Or(sought), limit=None)
        return [Hit(searcher.stored_fields(n)["id"], s) for s, n in found.top_n]


def check(store: Store, asked: Sequence[str]) -> None:
    hits, total = ours(store, asked)
    expected = whooshs(store, asked)
    assert total == len(expected)
    assert {h.passage_id: h.score for h in hits} == pytest.approx(
        {h.passage_id: h.score for h in expected}, rel=1e-9, abs=1e-9
    )
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.passage_id))
    with store.snapshot() as snapshot:
        for k in (1, 3, len(hits)):
            assert snapshot.keyword(asked, k) == (hits[:k], total)


vocabulary = st.sampled_from("herring quota fleet port ferry storm the of a 2024 crown".split())
texts = st.lists(vocabulary, min_size=1, max_size=30).map(" ".join)
corpora = st.lists(  # commits of documents of (title, paragraphs, headings)
    st.lists(
        st.tuples(
            texts | st.just(""),
            st.lists(texts, min_size=1, max_size=3),
            st.lists(texts | st.just(""), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=25, deadline=None)
@given(corpora, st.lists(vocabulary, min_size=1, max_size=5, unique=True))
@example([[("", ["port"], ["", "", ""])]], ["port", "storm"])
@example([[("", ["port " * 255], ["", "", ""]), ("", ["port " * 90], ["", "", ""])]], ["port"])
def test_random_corpora_rank_as_in_whoosh(
    tmp_path_factory: pytest.TempPathFactory, corpus: list, asked: list[str]
) -> None:
    store = Store(tmp_path_factory.mktemp("home"))
    for number, documents in enumerate(corpus):
        drafts = [
            drafted(f"{number}/{i}", *paragraphs, title=title, headings=headings[: len(paragraphs)])
            for i, (title, paragraphs, headings) in enumerate(documents)
        ]
        commit(store, *drafts)
    check(store, terms(" ".join(asked)))
    store.close()


def stored(passages: Sequence[tuple[str, str]], first: int) -> Postings:
    """A segment of passages ``(text, title)``, with ids from ``first`` on."""
    tally = Tally()
    for id, (text, title) in enumerate(passages, first):
        tally.add(id, {"text": text.split(), "title": title.split()}, lambda length: length)
    return Postings(**tally.arrays())


collections = st.lists(
    st.lists(st.tuples(texts | st.just(""), st.just("") | vocabulary), min_size=1, max_size=12),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(collections, st.lists(vocabulary, min_size=1, max_size=5, unique=True), st.data())
@example([[("port", "")] * 5], ["port"], None)  # all in one tie
@example([[("port storm", "")], [("storm", "")]], ["port", "storm"], None)
def test_no_way_of_adding_up_changes_a_hit(
    collection: list, asked: list[str], data: st.DataObject | None
) -> None:
    """In stretches of any length, by looking up or adding up, for any k and any masks."""
    segments, first = [], 1
    for passages in collection:
        segments.append(stored(passages, first))
        first += len(passages)
    statistics = Statistics(segments, keyword.LENGTHS)
    masks = [
        data
        and data.draw(st.none() | st.lists(st.booleans(), min_size=n, max_size=n).map(np.array))
        for n in map(len, segments)
    ]
    runs = statistics.runs(asked)
    whole = ranking.rank(statistics, [None] * len(segments), runs, None)
    left = {
        int(id)
        for segment, mask in zip(segments, masks, strict=True)
        for id in (segment.ids if mask is None else segment.ids[mask])
    }
    expected = [hit for hit in whole if hit.passage_id in left]
    assert ranking.count(statistics, masks, runs) == len(expected)
    for stretch, long, lookup in ((1, 1, 0), (2, 1, 10**9), (5, 3, 1), (5, 3, 10**9), (64, 9, 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ranking, "STRETCH", stretch)
            patch.setattr(ranking, "LONG", long)
            patch.setattr(ranking, "LOOKUP", lookup)
            for k in (None, 0, 1, 2, 3, len(left), first):
                assert ranking.rank(statistics, masks, runs, k) == expected[:k]


def test_stretches_rank_as_in_whoosh(several: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "STRETCH", 5)
    for question in QUESTIONS:
        check(several, terms(question))


QUESTIONS = [
    "How much did the Harbour Line cost?",
    "strongest gust of Storm Iveta",
    "110,000 passengers in January",
    "the of and",
    "Dr Amael Torrin of the weather service",
    "herring herring herring quota",
]


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_sample_passages_rank_as_in_whoosh(sample_home: Home, question: str) -> None:
    check(sample_home.store, terms(question))


@pytest.fixture(scope="module")
def several(sample_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The sample passages, one commit a document."""
    store = Store(tmp_path_factory.mktemp("several"))
    with sample_home.store.snapshot() as snapshot:
        for document in snapshot.documents()[1]:
            passages = snapshot.passages(document.id)
            headings = [p.heading for p in passages]
            texts = [p.text for p in passages]
            commit(store, drafted(document.uri, *texts, title=document.title, headings=headings))
    yield store
    store.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_several_segments_rank_as_in_whoosh(several: Store, question: str) -> None:
    assert len(list((several.home / "segments").iterdir())) > 10
    check(several, terms(question))


@pytest.mark.parametrize("question", QUESTIONS)
def test_segments_change_no_score(several: Store, sample_home: Home, question: str) -> None:
    """Frequencies and average lengths are those of the whole collection, not of a segment."""
    split, whole = ours(several, terms(question)), ours(sample_home.store, terms(question))
    assert sorted(h.score for h in split[0]) == pytest.approx(sorted(h.score for h in whole[0]))
    assert split[1] == whole[1]


def test_weights_of_each_term_add_up_to_the_score(several: Store) -> None:
    asked = terms("How much did the Harbour Line cost the metro company?")
    with several.snapshot() as snapshot:
        hits, _ = snapshot.keyword(asked, 50)
        weights = snapshot.keyword_weights(asked, [hit.passage_id for hit in hits])
        nothing = snapshot.keyword_weights(asked, [10**9])
    assert weights.shape == (len(hits), len(asked))
    assert weights.sum(axis=1) == pytest.approx([hit.score for hit in hits])
    assert (nothing == 0).all()


def test_the_formulas() -> None:
    assert inverse_frequency(10, 4) == pytest.approx(1.6931471805599454)  # ln(10 / 5) + 1
    # a passage of average length that holds the word once: idf · 1·1.9 / (1 + 0.9)
    assert bm25(2.0, 1.0, 50.0, 50.0) == pytest.approx(2.0)


def test_deleted_passages_are_never_found(store: Store) -> None:
    commit(store, drafted("a", "herring quota"), drafted("b", "herring fleet"))
    commit(store, drafted("a", "ferry fares"))
    hits, total = ours(store, terms("herring"))
    assert (len(hits), total) == (1, 1)


# --- Writing ---------------------------------------------------------------------------------


written = st.text(max_size=40) | texts | st.just("") | st.just("พอร์ต 港口 Häfen don't 1,000")


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(written, written, written, st.sampled_from([None, "en", "de", "th"])),
        min_size=1,
        max_size=6,
    )
)
@example([("port", "", "port", None), ("a port", "a", "", "de")])  # what begins so has it once
@example([("port " * 300, "", "", None)])
def test_the_arrays_are_what_whoosh_holds(
    tmp_path_factory: pytest.TempPathFactory, passages: list
) -> None:
    folder = tmp_path_factory.mktemp("segment")
    entries = [
        keyword.Entry(id, text, heading, title, language)
        for id, (text, heading, title, language) in enumerate(passages, 5)
    ]
    made, held = keyword.write(folder, entries), keyword.decode(folder)
    assert made.keys() == held.keys()
    for name, array in held.items():
        assert made[name].dtype == array.dtype
        assert made[name].tolist() == array.tolist()


# --- Phrases ---------------------------------------------------------------------------------


@pytest.fixture
def standing(store: Store):
    """Say which of the given texts a phrase stands in."""

    def asking(phrase: str, *texts: str) -> list[str]:
        commit(store, *(drafted(str(n), text) for n, text in enumerate(texts)))
        with store.snapshot() as snapshot:
            selected = snapshot.selected(snapshot.select(Filter(phrases=(phrase,))))
            return [passage.text for passage in snapshot.fetch(selected)]

    return asking


@pytest.mark.parametrize(
    ("phrase", "holds"),
    [
        ("timber piles", "Unmapped timber piles were found."),
        ("timber piles", "TIMBER\n   Piles"),
        ("the of the", "It is the of the rings."),
        ("piles", "Timber piles."),
        ("of", "a piece of cake"),
        ("café au lait", "The CAFÉ au lait"),
        ("1.24 billion", "It cost 1.24 billion crowns"),
        ("well-known", "a well-known fact"),
        ("the mayor's house", "the mayor’s house"),
        ("don't panic", "Don’t panic"),
        ("“hello there”", '"hello there"'),
        ("3 years", "for 3 years"),
        ("mayor said: no", "the mayor said: no"),
    ],
)
def test_a_phrase_stands_word_for_word(standing, phrase: str, holds: str) -> None:
    assert standing(phrase, holds, "something else") == [holds]


@pytest.mark.parametrize(
    ("phrase", "not_there"),
    [
        ("timber pile", "timber piles"),  # the stem is the same, the word is not
        ("timber piles", "timber and piles"),
        ("piles timber", "timber piles"),
        ("the port", "port"),
        ("3 years", "three years"),
        ("imber piles", "timber piles"),
        ("the mayor", "the mayors"),
        ("???", "what ???"),
    ],
)
def test_like_words_are_no_phrase(standing, phrase: str, not_there: str) -> None:
    assert standing(phrase, not_there) == []


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_run_of_words_is_found_where_it_stands(sample_home: Home, data: st.DataObject) -> None:
    with sample_home.store.snapshot() as snapshot:
        every = snapshot.selected(snapshot.select(Filter()))
        (passage,) = snapshot.fetch([data.draw(st.sampled_from(every))])
        listed = list(words(passage.text))
        first = data.draw(st.integers(0, len(listed) - 1))
        last = data.draw(st.integers(first, min(first + 12, len(listed) - 1)))
        phrase = passage.text[listed[first].start : listed[last].end]
        assert passage.id in snapshot.selected(snapshot.select(Filter(phrases=(phrase,))))


def test_writing_leaves_no_lock_behind(tmp_path: Path) -> None:
    keyword.write(tmp_path, [keyword.Entry(1, "timber pile", "", "timber")])
    assert not list(tmp_path.glob("*LOCK"))
