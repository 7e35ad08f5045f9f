"""Space given back: nothing of what was deleted is left, and all else is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import words_found
from storing import add, whole_but_note

from index.check import check
from index.compact import compact
from index.errors import KhazriError
from index.home import Home
from index.indexer import Upload
from index.keyword import reader, words
from index.rows import digest


@pytest.fixture
def home(harbour: Home) -> Home:
    """A home of four files, an upload and a JSON document."""
    return harbour


def leftovers(home: Path, word: str) -> list[str]:
    """Where a word or its term still stands: in the bytes of any file, or in decoded postings."""
    term = next(iter(words(word))).term
    found = []
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path.name for w in {word, term} if w.encode() in data.lower()]
    for folder in (home / "segments").iterdir():
        with reader(folder / "keyword") as opened:
            found += [str(folder) for _, t in opened.all_terms() if t == term.encode()]
            if any(term in str(fields) for fields in opened.all_stored_fields()):
                found.append(f"stored in {folder}")
    return found


def test_nothing_of_a_deleted_text_is_left(home: Home) -> None:
    rare = "zanzibarically"
    home.indexer.add([Upload("rare.txt", f"Fishing {rare} with herring.".encode())])
    add(home, "also", f"A {rare} ferry.")
    add(home, "changed", f"Once {rare}.")
    assert len(leftovers(home.path, rare)) > 3
    for name in ("rare.txt", "also"):
        home.indexer.remove(home.indexer.find(name))
    add(home, "changed", "Once otherwise.")
    assert leftovers(home.path, rare)
    before = len(words_found(home.store, "herring"))
    space = compact(home)
    assert leftovers(home.path, rare) == []
    assert space.after < space.before
    assert len(words_found(home.store, "herring")) == before == 4
    assert check(home).catalog == check(home).derived == []
    with home.store.catalog.read() as db:
        assert db.execute("SELECT count(*) FROM deletions").fetchone()[0] == 0
    assert [p.name for p in (home.path / "uploads").iterdir()] == [
        digest(b"The lighthouse keeper wrote.")
    ]


def test_what_stays_is_not_embedded_again(home: Home) -> None:
    home.indexer.remove(home.indexer.find("note"))
    home.encoder.encoded.clear()
    compact(home)
    whole_but_note(home)
    assert home.encoder.encoded == []
    with home.store.embeddings.connection() as db:
        assert db.execute("SELECT count(*) FROM embeddings").fetchone()[0] == 5


def test_what_is_compacted_before_its_commit_is_made_again(home: Home) -> None:
    apply, done = home.store.apply, []

    def compacting(*arguments, **options):
        if not done:
            done.append(compact(home))
        return apply(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(home.store, "apply", compacting)
        home.indexer.add([Upload("late.txt", b"A late herring.")])
    assert done
    assert "A late herring." in words_found(home.store, "herring")
    assert (home.path / "uploads" / digest(b"A late herring.")).exists()


def test_a_question_under_way_goes_on_while_its_segments_are_removed(home: Home) -> None:
    from index.values import Filter

    home.indexer.remove(home.indexer.find("note"))
    with home.store.snapshot() as snapshot:
        with pytest.raises(KhazriError, match="read without pause"):
            compact(home, patience=0)  # this question is the one that reads
        assert snapshot.select(Filter(phrases=("met cod",))).count == 4
        assert len(snapshot.fetch([1, 2])) == 2
    compact(home)
    whole_but_note(home)


def test_a_home_without_deletions_is_compacted_too(home: Home) -> None:
    generation = home.status()["generation"]
    compact(home)
    assert home.status()["generation"] == generation
    whole_but_note(home)
