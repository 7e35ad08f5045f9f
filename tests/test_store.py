"""The store through its public surface: what a second implementation has to do as well."""

from __future__ import annotations

import os
import sqlite3
import threading

import numpy as np
import pytest
from conftest import CheapEncoder, commit, drafted
from storing import found, texts, vector

from index.changes import Changes, Failed, Move
from index.errors import KhazriError
from index.keyword import terms
from index.locks import Busy, locked
from index.rows import Rows
from index.store import Store
from index.values import Filter

MODEL = CheapEncoder.identity


# --- One commit ------------------------------------------------------------------------------


def test_a_new_store_is_empty(store: Store) -> None:
    with store.snapshot() as snapshot:
        assert snapshot.generation == 0
        assert (snapshot.count().documents, snapshot.count().passages) == (0, 0)
        assert snapshot.keyword(["herring"], 10) == ([], 0)
        assert snapshot.semantic(vector("herring"), 10) == []
        assert snapshot.keyword_weights(["herring"], [1]).tolist() == [[0]]
        assert snapshot.semantic_scores(vector("herring"), [1]).tolist() == [0]
        assert snapshot.select(Filter(phrases=("herring",), without=("cod",))).count == 0
        assert snapshot.fetch([1]) == []
        assert snapshot.document(1) is None
        assert snapshot.documents() == (0, [])
        with pytest.raises(KhazriError, match="no document 1"):
            snapshot.text(1)
    assert store.model == ""


def test_a_document_comes_back_as_it_was_stored(store: Store) -> None:
    draft = drafted(
        "letters",
        "Größe: 😀 eins.",
        "zwei",
        title="Brief",
        headings=["", "Anfang"],
        type="mail",
        published="2024-05-01",
        language="de",
        tags=("post", "alt"),
    )
    assert commit(store, draft) == 1
    assert store.model == MODEL
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1
        (document,) = snapshot.documents()[1]
        assert (document.source, document.uri, document.title) == ("api", "letters", "Brief")
        assert (document.type, document.published, document.language) == (
            "mail",
            "2024-05-01",
            "de",
        )
        assert document.tags == ("post", "alt")
        assert snapshot.document(document.id) == document
        text, blocks = snapshot.text(document.id)
        assert (text, blocks) == (draft.text, draft.blocks)
        passages = snapshot.passages(document.id)
        assert [p.text for p in passages] == ["Größe: 😀 eins.", "zwei"]
        assert [p.heading for p in passages] == ["", "Anfang"]
        assert all(text[p.start : p.end] == p.text and p.document == document for p in passages)
        assert snapshot.dates([p.id for p in passages]) == ["2024-05-01"] * 2


def test_passages_are_fetched_in_the_order_asked_for(store: Store) -> None:
    commit(store, *(drafted(str(n), f"a{n}", f"b{n}") for n in range(400)))
    with store.snapshot() as snapshot:
        ids = [passage.id for passage in snapshot.fetch(range(1, 801))]
        asked = ids[::-3]
        assert [passage.id for passage in snapshot.fetch(asked)] == asked
        assert snapshot.fetch([10**6, asked[0]])[0].id == asked[0]
        assert len(snapshot.dates(asked)) == len(asked)


def test_the_same_document_twice_in_one_commit_is_stored_once(store: Store) -> None:
    commit(store, drafted("a", "herring"), drafted("a", "herring again"))
    assert texts(store, "herring") == ["herring again"]


def test_a_document_takes_the_place_of_the_one_with_its_name(store: Store) -> None:
    commit(store, drafted("a", "old herring"), drafted("b", "other herring"))
    (old,) = found(store, "old")
    commit(store, drafted("a", "new herring", "newer herring"))
    assert texts(store, "herring") == ["new herring", "newer herring", "other herring"]
    new = found(store, "new")[0]
    assert new.document.id == old.document.id
    assert new.id != old.id
    with store.snapshot() as snapshot:
        assert snapshot.fetch([old.id]) == []
        assert snapshot.count().passages == 3


def test_the_semantic_leg_ranks_by_exact_cosine(store: Store, cheap: CheapEncoder) -> None:
    listed = ["herring quota", "herring fleet", "ferry fares", "storm"]
    for text in listed:
        commit(store, drafted(text, text))
    asked = vector("herring quota")
    expected = cheap.encode(listed).astype(float) @ asked.astype(float)
    with store.snapshot() as snapshot:
        hits = snapshot.semantic(asked, None)
        assert [hit.passage_id for hit in hits] == [1 + int(i) for i in np.argsort(-expected)]
        assert [hit.score for hit in hits] == pytest.approx(
            sorted(expected, reverse=True), abs=1e-4
        )
        assert snapshot.semantic(asked, 2) == hits[:2]
        ids = [hit.passage_id for hit in hits]
        assert snapshot.semantic_scores(asked, ids) == pytest.approx([h.score for h in hits])


def test_equal_scores_stand_in_the_order_of_ids(store: Store) -> None:
    for start in (0, 20):
        texts = ["herring quota" + "." * (start + n) for n in range(20)]
        commit(store, *(drafted(text, text) for text in texts))
    with store.snapshot() as snapshot:
        for k in (1, 7, 25, None):
            expected = list(range(1, 41))[:k]
            assert [h.passage_id for h in snapshot.keyword(["her"], k)[0]] == []
            hits, total = snapshot.keyword(terms("herring"), k)
            assert ([h.passage_id for h in hits], total) == (expected, 40)
            near = snapshot.semantic(vector("herring quota"), k)
            assert [h.passage_id for h in near] == expected


def test_frequencies_count_passages_over_all_segments(store: Store) -> None:
    commit(store, drafted("a", "herring", "herring cod", title="cod"))
    commit(store, drafted("b", "cod"))
    with store.snapshot() as snapshot:
        assert snapshot.frequencies(terms("herring cod whale")) == [2, 3, 0]


# --- Filters ---------------------------------------------------------------------------------


@pytest.fixture
def shelf(store: Store) -> Store:
    """Four documents over three segments, with something different about each."""
    commit(
        store,
        drafted("a", "the timber piles of the port", title="Port", published="2024-05-01"),
        drafted("b", "timber and piles", type="PDF", published="2024-04-30", tags=("Sea", "ü")),
    )
    commit(store, drafted("c", "Timber  Piles", headings=["Storm"], published="2023-01-01"))
    commit(store, drafted("d", "no date, no piles", tags=("sea",)))
    return store


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(), "abcd"),
        (Filter(types=("pdf",)), "b"),
        (Filter(types=("pdf", "text")), "abcd"),
        (Filter(types=("docx",)), ""),
        (Filter(sources=("API",)), "abcd"),
        (Filter(sources=("elsewhere",)), ""),
        (Filter(tags=("sea",)), "bd"),
        (Filter(tags=("sea", "other")), "bd"),
        (Filter(before="2024-05-01"), "bc"),
        (Filter(after="2024-05-01"), "a"),
        (Filter(after="2024-01-01", before="2024-05-01"), "b"),
        (Filter(without=tuple(terms("ports"))), "bcd"),
        (Filter(without=tuple(terms("storm port"))), "bd"),
        (Filter(phrases=("timber piles",)), "ac"),
        (Filter(phrases=("timber piles", "of the port")), "a"),
        (Filter(phrases=("no date",), tags=("sea",), types=("text",)), "d"),
        (Filter(tags=("sea",), types=("docx",)), ""),
        (Filter(types=("' OR 1=1 --",)), ""),
    ],
)
def test_filters(shelf: Store, filter: Filter, expected: str) -> None:
    with shelf.snapshot() as snapshot:
        selection = snapshot.select(filter)
        selected = snapshot.selected(selection)
        assert "".join(p.document.uri for p in snapshot.fetch(selected)) == expected
        assert selection.count == len(selected)
        hits, total = snapshot.keyword(terms("piles"), None, selection)
        assert sorted(h.passage_id for h in hits) == selected
        assert total == len(selected)
        assert sorted(h.passage_id for h in snapshot.semantic(vector("x"), None, selection)) == (
            selected
        )


def test_filters_forget_what_was_removed(shelf: Store) -> None:
    (b,) = (p.document.id for p in found(shelf, "and"))
    shelf.apply(Changes(removals=[b]), MODEL)
    with shelf.snapshot() as snapshot:
        assert snapshot.select(Filter(tags=("sea",))).count == 1
        assert snapshot.select(Filter(without=("storm",))).count == 2
        assert snapshot.select(Filter(phrases=("timber and",))).count == 0


# --- Moves, failures, removals ---------------------------------------------------------------


def test_a_moved_document_keeps_its_id_and_passages(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    (before,) = found(store, "herring")
    store.apply(Changes(moves=[Move(before.document.id, "b", 1, 2)]), MODEL)
    (after,) = found(store, "herring")
    assert (after.id, after.document.id, after.document.uri) == (before.id, before.document.id, "b")


def test_failures_are_listed_until_their_file_is_read(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    store.apply(Changes(failures=[Failed(1, "b", "empty"), Failed(1, "c", "damaged")]), MODEL)
    with store.snapshot() as snapshot:
        listed = [(f.source, f.uri, f.reason) for f in snapshot.failures()]
    assert sorted(listed) == [("api", "b", "empty"), ("api", "c", "damaged")]
    commit(store, drafted("b", "cod"))
    store.apply(Changes(cleared=[(1, "c")]), MODEL)
    with store.snapshot() as snapshot:
        assert snapshot.failures() == []


# --- Nothing by halves -----------------------------------------------------------------------


def test_a_commit_of_what_was_not_embedded_changes_nothing(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    with pytest.raises(KhazriError, match="not embedded"):
        store.apply(Changes([drafted("b", "cod")], removals=[1]), MODEL)
    with store.snapshot() as snapshot:
        assert snapshot.generation == 1
    assert texts(store, "herring") == ["herring"]


def test_a_commit_that_breaks_off_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(store, drafted("a", "herring"))

    def broken(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Rows, "store", broken)
        with pytest.raises(OSError, match="No space"):
            commit(store, drafted("a", "cod"), drafted("b", "cod"))
    assert (texts(store, "herring"), texts(store, "cod")) == (["herring"], [])
    assert commit(store, drafted("b", "cod")) == 2
    assert (texts(store, "herring"), texts(store, "cod")) == (["herring"], ["cod"])


def test_what_a_crash_left_behind_is_removed_by_a_later_commit(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    left = store.home / "segments" / "000042"
    (left / "keyword").mkdir(parents=True)
    (left / "half.seg").write_text("x")
    fresh = store.home / "segments" / "000043"
    fresh.mkdir()
    os.utime(left, (1, 1))
    commit(store, drafted("b", "cod"))
    assert not left.exists()
    assert fresh.exists()  # somebody may be writing it
    assert (texts(store, "herring"), texts(store, "cod")) == (["herring"], ["cod"])


def test_one_writer_at_a_time_and_who_it_is(store: Store) -> None:
    holder = f"process {os.getpid()} .a long commit"
    with locked(store.home / "write.lock", "a long commit"), pytest.raises(Busy, match=holder):
        store.apply(Changes(cleared=[(1, "a")]), MODEL, wait=0)
    assert store.apply(Changes(cleared=[(1, "a")]), MODEL, wait=0) == 1


def test_writers_in_threads_wait_for_each_other(store: Store) -> None:
    commit(store, drafted("a", "herring"))
    threads = [
        threading.Thread(target=commit, args=(store, drafted(f"t{n}", f"cod{n} cod")))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    seen = 0
    while any(thread.is_alive() for thread in threads):
        with store.snapshot() as snapshot:
            hits, total = snapshot.keyword(["cod"], None)
            assert len(snapshot.fetch([h.passage_id for h in hits])) == total >= seen
            seen = total
    for thread in threads:
        thread.join()
    assert len(found(store, "cod")) == 6
    with store.snapshot() as snapshot:
        assert snapshot.generation == 7


def test_another_process_sees_a_commit_without_reopening(store: Store) -> None:
    other = Store(store.home)
    commit(store, drafted("a", "herring"))
    assert texts(other, "herring") == ["herring"]
    commit(other, drafted("a", "cod"))
    assert (texts(store, "herring"), texts(store, "cod")) == ([], ["cod"])
    other.close()


# --- Damage ----------------------------------------------------------------------------------


def spoil(store: Store, statement: str) -> None:
    with sqlite3.connect(store.home / "catalog.db") as db:
        assert db.execute(statement).rowcount == 1
    db.close()


def test_a_damaged_text_is_never_shown(store: Store) -> None:
    commit(store, drafted("a", "herring quota"), drafted("b", "herring fleet"))
    spoil(store, "UPDATE texts SET text = CAST('herring quote' AS BLOB) WHERE document_id = 1")
    with store.snapshot() as snapshot:
        with pytest.raises(KhazriError, match=r"document 1 is damaged.*khazri check"):
            snapshot.text(1)
        assert [passage.text for passage in snapshot.fetch([2, 1])] == ["herring fleet"]
        assert snapshot.fetch([1]) == snapshot.passages(1) == []
        assert snapshot.selected(snapshot.select(Filter(phrases=("herring",)))) == [2]
