"""Re-indexing: what changed on the disk is found, done once, and nothing is lost by mistake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import CheapEncoder, quiet
from hypothesis import given, settings
from hypothesis import strategies as st
from syncing import Write, aged, by_name, counts, generation, ids, texts

from index import comparison, sources
from index.indexer import Indexer
from index.store import Store

# --- Renames ---------------------------------------------------------------------------------


def test_a_renamed_folder_moves_its_documents(
    write: Write, folder: Path, indexer: Indexer, cheap: CheapEncoder
) -> None:
    for n in range(20):
        write(f"old/{n}.txt", "the same in all" if n % 2 else f"text {n}")
    indexer.index([folder], quiet)
    before, encoded = ids(indexer.store), len(cheap.encoded)
    (folder / "old").rename(folder / "new")
    assert counts(indexer.sync(quiet)) == {"moved": 20, "unchanged": 3}
    assert ids(indexer.store) == before  # twins are told apart by their names
    assert len(cheap.encoded) == encoded
    assert texts(indexer.store).keys() == {str(p) for p in folder.rglob("*.txt")}


@pytest.mark.parametrize("both", [True, False])
def test_a_file_keeps_its_document_from_source_to_source(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, tmp_path: Path, both: bool
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    sources.change(indexer.store, "files", tags=["here"])
    sources.add(indexer.store, other, tags=["there"])
    before = by_name(indexer.store)["one.txt"]
    assert before.tags == ("here",)
    (indexed / "one.txt").rename(other / "uno.txt")
    progress = indexer.sync(quiet) if both else indexer.index([other], quiet)
    assert progress.moved == 1
    after = by_name(indexer.store)["uno.txt"]
    assert (after.id, after.source, after.tags) == (before.id, "other", ("there",))
    assert texts(indexer.store)[after.uri] == "the text of one"
    assert cheap.encoded == []
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


@pytest.mark.parametrize("both", [True, False])
def test_a_whole_source_can_be_moved(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, tmp_path: Path, both: bool
) -> None:
    before = ids(indexer.store)
    indexed.rename(tmp_path / "elsewhere")
    if both:
        sources.add(indexer.store, tmp_path / "elsewhere")
        progress = indexer.sync(quiet)
    else:
        progress = indexer.index([tmp_path / "elsewhere"], quiet)
    assert counts(progress) == {"moved": 3}
    assert ids(indexer.store) == before
    assert texts(indexer.store).keys() == {str(p) for p in (tmp_path / "elsewhere").iterdir()}
    assert cheap.encoded == []
    progress = indexer.sync(quiet)
    assert counts(progress) == {"unchanged": 3}
    assert [failed.uri for failed in progress.failed] == [str(indexed)]  # to be removed by a person


def test_a_copy_in_another_source_is_a_document_of_its_own(
    indexed: Path, indexer: Indexer, tmp_path: Path
) -> None:
    shutil.copytree(indexed, tmp_path / "copy")
    assert counts(indexer.index([tmp_path / "copy"], quiet)) == {"added": 3}
    assert counts(indexer.sync(quiet)) == {"unchanged": 6}


def test_a_file_that_took_the_place_of_another_across_sources(
    indexed: Path, indexer: Indexer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "four.txt").write_text("the text of four")
    indexer.index([other], quiet)
    before = ids(indexer.store)
    (indexed / "one.txt").rename(other / "four.txt")
    (indexed / "two.txt").rename(indexed / "one.txt")
    assert counts(indexer.sync(quiet)) == {"moved": 2, "removed": 1, "unchanged": 1}
    assert ids(indexer.store) == {
        "four.txt": before["one.txt"],
        "one.txt": before["two.txt"],
        "three.txt": before["three.txt"],
    }


@pytest.mark.parametrize(
    ("renames", "where"),
    [
        (["one>two"], {"two": "one"}),
        (["two>four", "one>two"], {"four": "two", "two": "one"}),
        (["one>t", "two>one", "t>two"], {"one": "two", "two": "one"}),
        (
            ["one>t", "two>one", "three>two", "t>three"],
            {"one": "two", "two": "three", "three": "one"},
        ),
    ],
    ids=["over another", "a chain", "a swap", "a ring"],
)
def test_documents_follow_their_files(
    indexed: Path, indexer: Indexer, renames: list[str], where: dict[str, str]
) -> None:
    before = ids(indexer.store)
    for rename in renames:
        old, new = rename.split(">")
        (indexed / f"{old}.txt").replace(indexed / f"{new}.txt")
    indexer.sync(quiet)
    after = ids(indexer.store)
    assert {name: after[f"{name}.txt"] for name in where} == {
        name: before[f"{old}.txt"] for name, old in where.items()
    }
    assert texts(indexer.store) == {str(p): p.read_text() for p in indexed.iterdir()}


def test_a_backup_of_a_file_does_not_take_its_document(
    indexed: Path, indexer: Indexer, write: Write
) -> None:
    before = ids(indexer.store)
    shutil.copy(indexed / "one.txt", indexed / "one-old.txt")
    write("one.txt", "a new version of one")
    assert counts(indexer.sync(quiet)) == {"added": 1, "changed": 1, "unchanged": 2}
    assert ids(indexer.store)["one.txt"] == before["one.txt"]


names = st.sampled_from(["a.txt", "b.txt", "c.txt", "sub/a.txt", "sub/d.txt"])
steps = st.one_of(
    st.tuples(st.just("write"), names, st.sampled_from(["red", "blue", "gold"])),
    st.tuples(st.just("rename"), names, names),
    st.tuples(st.just("copy"), names, names),
    st.tuples(st.just("delete"), names, names),
)


@settings(max_examples=25, deadline=None)
@given(runs=st.lists(st.lists(steps, max_size=6), min_size=2, max_size=4))
def test_the_catalog_is_what_the_disk_is(runs: list[list[tuple[str, str, str]]]) -> None:
    with TemporaryDirectory() as name:
        here, store = Path(name) / "files", _opened(Path(name))
        (here / "sub").mkdir(parents=True)
        indexer = Indexer(store, CheapEncoder())
        for run in runs:
            for what, one, other in run:
                _step(here, what, one, other)
            indexer.index([here], quiet, allow_deletions=True)
            disk = {str(p): p.read_text() for p in here.rglob("*.txt")}
            assert texts(store) == disk
            before = generation(store)
            assert counts(indexer.sync(quiet)) == ({"unchanged": len(disk)} if disk else {})
            assert generation(store) == before
        store.close()


def _opened(folder: Path) -> Store:
    (folder / "home").mkdir()
    return Store(folder / "home")


def _step(here: Path, what: str, one: str, other: str) -> None:
    path = here / one
    if what == "write":
        path.write_text(other)
    elif path.exists():
        if what == "rename":
            path.replace(here / other)
        elif what == "copy" and one != other:
            shutil.copy2(path, here / other)
        elif what == "delete":
            path.unlink()


# --- What is looked at -----------------------------------------------------------------------


def test_a_file_written_again_within_the_tick_of_a_clock_is_noticed(
    folder: Path, indexer: Indexer
) -> None:
    indexer.index([folder], quiet)
    path = folder / "one.txt"
    stat = path.stat()
    path.write_text("the text of eno")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    assert counts(indexer.sync(quiet)) == {"changed": 1, "unchanged": 2}
    assert texts(indexer.store)[str(path)] == "the text of eno"


def test_what_looks_as_before_is_not_opened(
    indexed: Path, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "file_hash", lambda file: pytest.fail(f"{file.uri} was opened"))
    before = generation(indexer.store)
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert generation(indexer.store) == before


def test_the_number_of_queries_does_not_grow_with_the_files(
    write: Write, indexed: Path, indexer: Indexer
) -> None:
    def queries() -> int:
        seen: list[str] = []
        with indexer.store.catalog.read() as db:
            db.set_trace_callback(seen.append)
        indexer.sync(quiet)
        with indexer.store.catalog.read() as db:
            db.set_trace_callback(None)
        return len(seen)

    few = queries()
    for n in range(50):
        write(f"more/{n}.txt", f"text {n}")
    write("bad.txt", "")
    aged(indexed)
    indexer.sync(quiet)
    assert few > 0
    assert queries() == few


def test_files_of_programs_at_work_are_passed_over(
    write: Write, indexed: Path, indexer: Indexer
) -> None:
    for name in ("~$letter.docx", "note.txt~", ".#note.txt", ".note.txt.swp", "video.part"):
        write(name, "half written")
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


def test_what_is_not_finished_is_left_for_later(
    write: Write, indexed: Path, indexer: Indexer
) -> None:
    write("new.txt", "half")
    write("one.txt", "half of one")
    (indexed / "two.txt").unlink()
    (indexed / "three.txt").rename(indexed / "renamed.txt")
    with indexer.planned(settled=lambda uri, stamp: False) as planned:
        assert planned.parts[0].later == 3
        assert counts(indexer.carry_out(planned, quiet)) == {"moved": 1}
    assert set(ids(indexer.store)) == {"one.txt", "two.txt", "renamed.txt"}
    assert counts(indexer.sync(quiet)) == {"added": 1, "changed": 1, "removed": 1, "unchanged": 1}


def test_a_failure_is_written_once_and_told_again(
    write: Write, indexed: Path, indexer: Indexer
) -> None:
    write("bad.txt", "")
    aged(indexed)
    indexer.sync(quiet)
    before = generation(indexer.store)
    assert len(indexer.sync(quiet).failed) == 1
    assert generation(indexer.store) == before


def test_a_run_goes_on_from_the_batches_of_one_that_died(
    write: Write,
    folder: Path,
    indexer: Indexer,
    cheap: CheapEncoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("index.indexer.BATCH", 4)
    for n in range(20):
        write(f"{n:02}.txt", f"text {n}")
    encode, limit = cheap.encode, 10

    def dying(rows: list[str], batch: int = 32) -> object:
        if len(cheap.encoded) >= limit:
            raise MemoryError
        return encode(rows, batch)

    monkeypatch.setattr(cheap, "encode", dying)
    with pytest.raises(MemoryError):
        indexer.index([folder], quiet)
    whole = len(ids(indexer.store))
    assert whole == 12
    monkeypatch.setattr(cheap, "encode", encode)
    assert counts(indexer.sync(quiet)) == {"added": 23 - whole, "unchanged": whole}
    assert len(cheap.encoded) == 23  # each text once


# --- Removed by hand -------------------------------------------------------------------------


def test_a_removed_document_stays_away_under_another_name(
    indexed: Path, indexer: Indexer, write: Write
) -> None:
    indexer.remove(indexer.find(str(indexed / "one.txt")))
    (indexed / "one.txt").rename(indexed / "uno.txt")
    for _ in range(2):
        assert counts(indexer.sync(quiet)) == {"unchanged": 2}
    write("uno.txt", "another text")
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 2}
