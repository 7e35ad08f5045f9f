"""Searching: both legs, their fusion, filters, pages, and the reasons for each result."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import MANY, CheapEncoder, commit, drafted, quiet

from index.changes import Changes
from index.indexer import Indexer
from index.keyword import terms
from index.store import Store
from search.engine import DEPTH, Engine
from search.fusion import convex, reciprocal_rank
from search.question import parse
from search.results import Found, Mode

MODES: tuple[Mode, ...] = get_args(Mode)


def ids(found: Found) -> list[int]:
    return [result.passage.id for result in found.results]


def uris(found: Found) -> list[str]:
    return [result.passage.document.uri for result in found.results]


# --- Modes and reasons -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_best_passage_comes_first(crowded: Engine, mode: Mode) -> None:
    found = crowded.search("number77", mode=mode)
    assert uris(found)[0] == "d077" or mode == "semantic"
    assert (found.mode, found.limit, found.offset) == (mode, 10, 0)
    assert found.generation == 2
    assert found.took_ms > 0
    scores = [result.score for result in found.results]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_reasons_are_what_the_legs_say(crowded: Engine, mode: Mode) -> None:
    query = "herring quota number7"
    found = crowded.search(query, mode=mode, limit=100)
    vector = crowded.encoder.encode([query])[0]
    with crowded.store.snapshot() as snapshot:
        by_word, _ = snapshot.keyword(terms(query), DEPTH)
        by_meaning = snapshot.semantic(vector, DEPTH)
        bm25 = snapshot.keyword_weights(terms(query), ids(found)).sum(axis=1)
        cosine = snapshot.semantic_scores(vector, ids(found))
    ranks = [
        {hit.passage_id: rank for rank, hit in enumerate(leg, 1)} for leg in (by_word, by_meaning)
    ]
    for result, word_score, cosine_score in zip(found.results, bm25, cosine, strict=True):
        why, id = result.why, result.passage.id
        if mode == "semantic":
            assert why.keyword is None
        else:
            assert why.keyword
            assert why.keyword.score == pytest.approx(word_score)
            assert why.keyword.rank == ranks[0].get(id)
        if mode == "keyword":
            assert why.semantic is None
        else:
            assert why.semantic
            assert why.semantic.score == pytest.approx(cosine_score, abs=1e-6)
            assert why.semantic.rank == ranks[1].get(id)


@pytest.mark.parametrize("fusion", ["convex", "reciprocal"])
def test_hybrid_fuses_the_union_of_both_legs(crowded: Engine, fusion: str) -> None:
    query = "herring quota number7"
    engine = Engine(crowded.store, crowded.encoder, fusion=fusion, weight=0.6)
    found = [
        r for n in range(0, MANY, 100) for r in engine.search(query, offset=n, limit=100).results
    ]
    every = [result.passage.id for result in found]
    assert len(every) == len(set(every)) == engine.search(query).total
    legs = [[getattr(r.why, leg) for r in found] for leg in ("keyword", "semantic")]
    if fusion == "convex":
        expected = convex(*(np.array([w.score for w in leg]) for leg in legs), 0.6)
    else:
        expected = reciprocal_rank(*(np.array([w.rank or 0 for w in leg]) for leg in legs))
    assert [r.score for r in found] == pytest.approx(expected.tolist())
    for one, other in pairwise(found):
        assert (-one.score, one.passage.id) < (-other.score, other.passage.id)


def test_matched_words_are_those_of_the_question(engine: Engine, store: Store) -> None:
    commit(store, drafted("a", "Three ferries were late.", title="Harbour news"))
    (result,) = engine.search("Why was the FERRY to the Harbour's end late?").results
    assert [matched.word for matched in result.why.terms] == ["FERRY", "Harbour's", "late"]
    assert sum(matched.weight for matched in result.why.terms) == pytest.approx(
        result.why.keyword.score
    )
    start, end = result.why.sentence
    assert result.passage.text[start:end] == "Three ferries were late."


def test_an_unknown_word_matches_nothing_and_meaning_still_does(crowded: Engine) -> None:
    assert crowded.search("xyzzy", mode="keyword").results == ()
    found = crowded.search("xyzzy")
    assert found.results
    assert all(r.why.keyword is None and r.why.terms == () for r in found.results)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_collection_is_searched_in_vain(engine: Engine, mode: Mode) -> None:
    found = engine.search("herring", mode=mode)
    assert (found.total, found.results, found.generation) == (0, (), 0)
    assert engine.search("type:pdf", mode=mode).total == 0
    assert list(engine.export("herring")) == []


def test_one_word_questions_of_stop_words_find(engine: Engine, store: Store) -> None:
    commit(store, drafted("a", "To be, or not to be"), drafted("b", "something else"))
    assert uris(engine.search("to be or not to be", mode="keyword")) == ["a"]


# --- Pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("order", ["relevance", "date"])
@pytest.mark.parametrize("query", ["herring quota", "quota type:pdf", "type:pdf", "number7 fleet"])
def test_pages_are_disjoint_and_add_up_to_the_total(
    crowded: Engine, mode: Mode, order: str, query: str
) -> None:
    pages = [
        crowded.search(query, mode=mode, order=order, offset=n, limit=70) for n in range(0, 500, 70)
    ]
    assert len({page.total for page in pages}) == 1
    every = [id for page in pages for id in ids(page)]
    assert len(every) == len(set(every)), "a passage stands on two pages"
    assert len(every) == pages[0].total
    if order == "date":
        dates = [r.passage.document.published or "" for page in pages for r in page.results]
        assert dates == sorted(dates, reverse=True)
    else:
        scores = [r.score for page in pages for r in page.results]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_page_size_changes_nothing(crowded: Engine, mode: Mode) -> None:
    whole = crowded.search("herring quota", mode=mode, limit=60)
    parts = [
        id
        for n in range(0, 60, 7)
        for id in ids(crowded.search("herring quota", mode=mode, offset=n, limit=7))
    ]
    assert parts[:60] == ids(whole)


def test_keyword_mode_counts_all_that_match(crowded: Engine) -> None:
    assert crowded.search("herring", mode="keyword").total == MANY
    last = crowded.search("herring", mode="keyword", offset=MANY - 3, limit=10)
    assert len(last.results) == 3


@pytest.mark.parametrize("mode", MODES)
def test_a_page_beyond_the_end_is_empty(crowded: Engine, mode: Mode) -> None:
    found = crowded.search("herring", mode=mode, offset=10_000)
    assert found.results == ()
    assert found.total > 0


# --- Filters ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "filter",
    [
        "type:pdf",
        "tag:sea",
        "type:pdf tag:land after:2021 before:2023-05",
        "source:api",
        "-crown",
        '"herring number7 "',
        'source:"nowhere at all"',
    ],
)
def test_filters_hold_in_every_mode(crowded: Engine, mode: Mode, filter: str) -> None:
    beside = crowded.search("fleet quota", mode=mode, filter=filter, limit=100)
    within = crowded.search(f"fleet quota {filter}", mode=mode, limit=100)
    assert ids(beside) == ids(within)
    with crowded.store.snapshot() as snapshot:
        allowed = set(snapshot.selected(snapshot.select(parse(filter).filter)))
    assert set(ids(beside)) <= allowed
    if mode != "keyword":
        assert len(beside.results) == min(100, len(allowed))


def test_a_filter_alone_lists_all_that_meet_it(crowded: Engine) -> None:
    found = crowded.search("type:pdf tag:sea", limit=100)
    documents = [result.passage.document for result in found.results]
    assert all(d.type == "pdf" and "sea" in d.tags for d in documents)
    with crowded.store.snapshot() as snapshot:
        every = snapshot.documents(limit=1000)[1]
    assert found.total == sum(d.type == "pdf" and "sea" in d.tags for d in every)


@pytest.mark.parametrize("mode", MODES)
def test_a_phrase_must_stand(engine: Engine, store: Store, mode: Mode) -> None:
    commit(
        store,
        drafted("a", "The timber piles were old."),
        drafted("b", "Piles of timber, the timber and the piles."),
    )
    found = engine.search('how old are the "timber piles"', mode=mode)
    assert uris(found) == ["a"]
    assert found.notes == ()


@pytest.mark.parametrize("mode", MODES)
def test_a_phrase_that_stands_where_a_filter_forbids_stands_somewhere(
    engine: Engine, store: Store, mode: Mode
) -> None:
    commit(store, drafted("a", "The timber piles were old."), drafted("b", "Piles of timber."))
    found = engine.search('"timber piles" -old', mode=mode)
    assert (found.results, found.notes) == ((), ())


@pytest.mark.parametrize("mode", MODES)
def test_a_phrase_that_stands_nowhere_is_searched_as_words_and_said(
    engine: Engine, store: Store, mode: Mode
) -> None:
    commit(store, drafted("a", "Piles of timber."), drafted("b", "timber", type="pdf"))
    found = engine.search('"timber piles"', mode=mode)
    assert uris(found)[0] == "a"
    (note,) = found.notes
    assert "timber piles" in note
    assert "nowhere" in note
    both = engine.search('"timber piles" "of timber"', mode=mode)
    assert uris(both) == ["a"]
    assert len(both.notes) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_word_that_is_excluded(engine: Engine, store: Store, mode: Mode) -> None:
    commit(
        store,
        drafted("a", "herring quota"),
        drafted("b", "herring quotas"),
        drafted("c", "herring", title="Quota"),
        drafted("d", "herring", headings=["The Quota"]),
        drafted("e", "herring fleet"),
    )
    assert uris(engine.search("herring -quota", mode=mode)) == ["e"]


def test_a_filter_that_is_none_is_searched_as_words_and_said(crowded: Engine) -> None:
    found = crowded.search("herring before:yesterday")
    assert found.results
    (note,) = found.notes
    assert "before:yesterday" in note


# --- Date ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_the_newest_comes_first_and_the_undated_last(
    engine: Engine, store: Store, mode: Mode
) -> None:
    for uri, date in {"a": None, "b": "2023-01-05", "c": "2024-02-01", "d": "2023-12-31"}.items():
        commit(store, drafted(uri, f"herring {uri}", published=date))
    assert uris(engine.search("herring", mode=mode, order="date")) == ["c", "d", "b", "a"]
    assert uris(engine.search("type:text", mode=mode, order="date")) == ["c", "d", "b", "a"]


# --- Export ----------------------------------------------------------------------------------


def test_an_export_holds_every_match(crowded: Engine) -> None:
    exported = list(crowded.export("fleet crown"))
    found = crowded.search("fleet crown", mode="keyword", limit=100)
    assert len(exported) == found.total > DEPTH
    assert [r.passage.id for r in exported[:100]] == ids(found)
    assert len({r.passage.id for r in exported}) == len(exported)
    assert all({"fleet", "crown"} & {m.word for m in r.why.terms} for r in exported)


def test_an_export_of_a_filter_holds_all_it_leaves(crowded: Engine) -> None:
    exported = list(crowded.export("", filter="type:pdf"))
    assert len(exported) == crowded.search("type:pdf").total
    assert {r.passage.document.type for r in exported} == {"pdf"}


def test_an_export_keeps_its_generation(engine: Engine, store: Store) -> None:
    commit(store, *(drafted(f"{n}", f"herring {n}") for n in range(250)))
    exporting = engine.export("herring")
    next(exporting)
    store.apply(Changes(removals=range(1, 251)), CheapEncoder.identity)
    assert len(list(exporting)) == 249


# --- Commits and settings ---------------------------------------------------------------------


def test_a_new_commit_is_seen_by_the_next_question(engine: Engine, store: Store) -> None:
    commit(store, drafted("a", "herring"))
    assert engine.search("herring").generation == 1
    commit(store, drafted("b", "herring quota"))
    found = engine.search("herring quota")
    assert (found.generation, uris(found)[0]) == (2, "b")


def test_meaning_is_found_without_a_word_in_common(sample_engine: Engine) -> None:
    found = sample_engine.search("price of public transport", mode="semantic", limit=5)
    assert any("metro" in Path(uri).name for uri in uris(found))


def test_reciprocal_rank_fusion_can_be_chosen(
    store: Store, cheap: CheapEncoder, indexer: Indexer, write
) -> None:
    """The scores are sums of reciprocal ranks; the settings of a home choose it."""
    folder = write("a.txt", "Herring are landed in the harbour every morning.").parent
    write("b.txt", "The lighthouse was built of granite in two summers.")
    indexer.index([folder], quiet)
    found = Engine(store, cheap, "reciprocal").search("herring in the harbour")
    assert found.results[0].score == pytest.approx(1 / 61 + 1 / 61)
