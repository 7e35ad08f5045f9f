"""Re-indexing: what changed on the disk is found, done once, and nothing is lost by mistake."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner, Result
from conftest import CheapEncoder, quiet
from hypothesis import given, settings
from hypothesis import strategies as st

from index import home, plan, sources
from index.errors import KhazriError
from index.indexer import Indexer
from index.progress import Progress
from index.store import Store
from index.values import Document
from khazri import main

Write = Callable[[str, str], Path]


def by_name(store: Store) -> dict[str, Document]:
    with store.snapshot() as snapshot:
        return {Path(d.uri).name: d for d in snapshot.documents(limit=1000)[1]}


def ids(store: Store) -> dict[str, int]:
    return {name: document.id for name, document in by_name(store).items()}


def texts(store: Store) -> dict[str, str]:
    """The text of each document, by its path."""
    with store.snapshot() as snapshot:
        return {d.uri: snapshot.text(d.id)[0] for d in snapshot.documents(limit=1000)[1]}


def failures(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {f.uri: f.reason for f in snapshot.failures()}


def generation(store: Store) -> int:
    with store.snapshot() as snapshot:
        return snapshot.generation


def counts(progress: Progress) -> dict[str, int]:
    names = ("added", "changed", "moved", "removed", "unchanged", "withheld")
    told = {name: getattr(progress, name) for name in names}
    return {name: number for name, number in told.items() if number}


def aged(folder: Path) -> None:
    """Make files look as if they had been written a minute ago."""
    for path in folder.rglob("*"):
        if path.is_file():
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 60_000_000_000))


@pytest.fixture
def folder(write: Write, tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        write(f"{name}.txt", f"the text of {name}")
    return tmp_path / "files"


@pytest.fixture
def indexed(folder: Path, indexer: Indexer, cheap: CheapEncoder) -> Path:
    """Three files, written a minute ago and indexed."""
    aged(folder)
    indexer.index([folder], quiet)
    cheap.encoded.clear()
    return folder


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
    monkeypatch.setattr(plan, "file_hash", lambda file: pytest.fail(f"{file.uri} was opened"))
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


# --- Deletions -------------------------------------------------------------------------------


@pytest.fixture
def many(write: Write, tmp_path: Path, indexer: Indexer) -> Path:
    """A folder of 24 files, indexed."""
    for n in range(24):
        write(f"{n:02}.txt", f"text {n}")
    indexer.index([tmp_path / "files"], quiet)
    return tmp_path / "files"


def unlink(folder: Path, count: int) -> None:
    for path in sorted(folder.iterdir())[:count]:
        path.unlink()


def test_more_than_a_share_is_not_removed_at_once(
    many: Path, indexer: Indexer, write: Write
) -> None:
    unlink(many, 13)
    write("new.txt", "something new")
    progress = indexer.sync(quiet)
    assert counts(progress) == {"added": 1, "unchanged": 11, "withheld": 13}
    (failed,) = progress.failed
    assert failed.uri == str(many)
    assert "13 of its 24 documents" in failed.reason
    assert "--allow-deletions" in failed.reason
    assert len(ids(indexer.store)) == 25
    assert counts(indexer.sync(quiet, allow_deletions=True)) == {"removed": 13, "unchanged": 12}
    assert failures(indexer.store) == {}


@pytest.mark.parametrize(("share", "goes"), [(0.5, True), (0.49, False)])
def test_the_share_can_be_chosen(many: Path, indexer: Indexer, share: float, goes: bool) -> None:
    unlink(many, 12)
    indexer.share = share
    progress = indexer.sync(quiet)
    assert (progress.removed, progress.withheld) == ((12, 0) if goes else (0, 12))


def test_few_documents_may_all_but_vanish(write: Write, folder: Path, indexer: Indexer) -> None:
    indexer.index([folder], quiet)
    unlink(folder, 2)
    assert counts(indexer.sync(quiet)) == {"removed": 2, "unchanged": 1}


def test_a_renamed_folder_is_no_deletion(many: Path, indexer: Indexer) -> None:
    (many / "deep").mkdir()
    for path in sorted(many.glob("*.txt")):
        path.rename(many / "deep" / path.name)
    assert counts(indexer.sync(quiet)) == {"moved": 24}


@pytest.mark.parametrize("gone", ["missing", "empty"])
def test_a_share_that_is_not_mounted_loses_nothing(
    indexed: Path, indexer: Indexer, tmp_path: Path, gone: str
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("still there")
    indexer.index([other], quiet)
    indexed.rename(tmp_path / "away")
    if gone == "empty":
        indexed.mkdir()
    (other / "b.txt").write_text("new there")
    progress = indexer.sync(quiet)
    assert counts(progress) == {"added": 1, "unchanged": 1, "withheld": 3}
    assert "its 3 documents are kept" in failures(indexer.store)[str(indexed)]
    before = generation(indexer.store)
    indexer.sync(quiet)
    assert generation(indexer.store) == before  # told again, and written once
    if gone == "empty":
        indexed.rmdir()
    (tmp_path / "away").rename(indexed)
    assert counts(indexer.sync(quiet)) == {"unchanged": 5}
    assert failures(indexer.store) == {}


@pytest.mark.parametrize("gone", ["missing", "empty"])
def test_a_folder_that_is_gone_for_good_can_be_let_go(
    indexed: Path, indexer: Indexer, gone: str
) -> None:
    shutil.rmtree(indexed)
    if gone == "empty":
        indexed.mkdir()
    assert counts(indexer.sync(quiet, allow_deletions=True)) == {"removed": 3}
    assert ids(indexer.store) == {}


def test_a_file_that_is_a_source_can_be_deleted_but_not_its_disk(
    indexed: Path, indexer: Indexer, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    for name in ("a.txt", "b.txt"):
        (alone / name).write_text(f"alone {name}")
        indexer.index([alone / name], quiet)
    (alone / "a.txt").unlink()
    assert counts(indexer.sync(quiet)) == {"removed": 1, "unchanged": 4}
    (alone / "b.txt").unlink()
    assert counts(indexer.sync(quiet)) == {"unchanged": 3, "withheld": 1}


def test_a_truncated_jsonl_file_loses_nothing(tmp_path: Path, indexer: Indexer) -> None:
    path = tmp_path / "all.jsonl"
    lines = [json.dumps({"id": str(n), "text": f"text {n}"}) for n in range(30)]
    path.write_text("\n".join(lines))
    indexer.index([path], quiet, jsonl=True)
    path.write_text("\n".join(lines[:4]))
    assert counts(indexer.sync(quiet)) == {"unchanged": 4, "withheld": 26}


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


# --- Sources ---------------------------------------------------------------------------------


def test_other_tags_embed_nothing(indexed: Path, indexer: Indexer, cheap: CheapEncoder) -> None:
    assert sources.change(indexer.store, "files", tags=["press", "2024", "press", ""]) == 3
    assert {d.tags for d in by_name(indexer.store).values()} == {("press", "2024")}
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert sources.change(indexer.store, str(indexed), tags=[""]) == 3
    assert {d.tags for d in by_name(indexer.store).values()} == {()}
    assert set(texts(indexer.store).values()) == {
        f"the text of {n}" for n in ("one", "two", "three")
    }
    assert cheap.encoded == []


def test_other_tags_do_not_hide_damage(indexed: Path, indexer: Indexer) -> None:
    with indexer.store.catalog.write() as db:
        db.execute("UPDATE documents SET title = 'damaged' WHERE uri LIKE '%one.txt'")
    sources.change(indexer.store, "files", tags=["press"])
    with pytest.raises(KhazriError, match="damaged"):
        texts(indexer.store)


def test_a_document_keeps_the_tags_of_its_own(tmp_path: Path, indexer: Indexer) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text(json.dumps({"id": "1", "text": "herring", "tags": ["sea"]}))
    indexer.index([path], quiet, jsonl=True)
    sources.change(indexer.store, "all.jsonl", tags=["press"])
    assert by_name(indexer.store)["1"].tags == ("sea", "press")
    sources.change(indexer.store, "all.jsonl", tags=["news"])
    assert by_name(indexer.store)["1"].tags == ("sea", "news")


def test_other_patterns_count_from_the_next_run_on(many: Path, indexer: Indexer) -> None:
    sources.change(indexer.store, "files", exclude=["1*"])
    assert len(ids(indexer.store)) == 24
    assert counts(indexer.sync(quiet)) == {"removed": 10, "unchanged": 14}
    sources.change(indexer.store, "files", exclude=["*.txt"])  # a person asked: no share counts
    assert counts(indexer.sync(quiet)) == {"removed": 14}
    sources.change(indexer.store, "files", exclude=[""], include=["2*"])
    assert counts(indexer.sync(quiet)) == {"added": 4}


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (["drafts"], {"a.txt", "deep/b.txt"}),
        (["drafts/"], {"a.txt", "deep/b.txt"}),
        (["deep/drafts"], {"a.txt", "deep/b.txt", "drafts/c.txt"}),
        (["b.txt", "dr*"], {"a.txt"}),
        (["*/drafts/*"], {"a.txt", "deep/b.txt", "drafts/c.txt"}),
        (["draft"], {"a.txt", "deep/b.txt", "drafts/c.txt", "deep/drafts/d.txt"}),
    ],
)
def test_a_pattern_names_files_or_folders(
    write: Write, tmp_path: Path, indexer: Indexer, exclude: list[str], left: set[str]
) -> None:
    folder = tmp_path / "files"
    for name in ("a.txt", "deep/b.txt", "drafts/c.txt", "deep/drafts/d.txt"):
        write(name, f"text of {name}")
    sources.add(indexer.store, folder, "mine", exclude=exclude)
    indexer.sync(quiet)
    assert {os.path.relpath(uri, folder) for uri in texts(indexer.store)} == left


def test_a_source_inside_another_holds_its_own_files(
    write: Write, folder: Path, indexer: Indexer
) -> None:
    write("inner/x.txt", "text of x")
    indexer.index([folder], quiet)
    before = ids(indexer.store)
    sources.add(indexer.store, folder / "inner", tags=["inner"])
    assert counts(indexer.sync(quiet)) == {"moved": 1, "unchanged": 3}
    document = by_name(indexer.store)["x.txt"]
    assert (document.source, document.tags) == ("inner", ("inner",))
    assert ids(indexer.store) == before


def test_a_source_is_removed_with_its_documents(
    write: Write, indexed: Path, indexer: Indexer
) -> None:
    write("bad.txt", "")
    indexer.sync(quiet)
    indexer.remove(indexer.find(str(indexed / "one.txt")))
    assert sources.remove(indexer.store, "files") == 2
    with indexer.store.snapshot() as snapshot:
        assert snapshot.sources() == []
        assert snapshot.count().documents == 0
        assert snapshot.failures() == []
    assert (indexed / "one.txt").exists()
    assert counts(indexer.index([indexed], quiet)) == {"added": 3}


def test_sources_are_named_once_and_found(indexed: Path, indexer: Indexer, tmp_path: Path) -> None:
    store = indexer.store
    (tmp_path / "other").mkdir()
    with pytest.raises(KhazriError, match="is a source already"):
        sources.add(store, indexed)
    with pytest.raises(KhazriError, match="a source files already"):
        sources.add(store, tmp_path / "other", "files")
    sources.add(store, tmp_path / "other")
    with pytest.raises(KhazriError, match="a source other already"):
        sources.change(store, "files", rename="other")
    with pytest.raises(KhazriError, match=r"no source fils\. Did you mean files\?"):
        sources.remove(store, "fils")
    sources.change(store, "files", rename="notes")
    assert {d.source for d in by_name(store).values()} == {"notes"}


# --- The command -----------------------------------------------------------------------------


@pytest.fixture
def run(
    tmp_path: Path, cheap: CheapEncoder, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run the khazri command over ``tmp_path / "home"``, with the model that costs nothing."""
    monkeypatch.setattr(home, "Encoder", lambda name: cheap)

    def running(*arguments: object) -> Result:
        line = ["--home", str(tmp_path / "home"), *map(str, arguments)]
        return CliRunner().invoke(main, line, catch_exceptions=False)

    return running


def dump(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    lines = list(db.iterdump())
    db.close()
    return lines


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    run: Callable[..., Result], write: Write, folder: Path, tmp_path: Path
) -> None:
    first = json.loads(run("index", folder, "--dry-run", "--json").stdout)
    assert len(first["added"]) == 3
    assert json.loads(run("sources", "--json").stdout) == []
    run("index", folder)
    write("four.txt", "the text of four")
    write("two.txt", "another text")
    (folder / "three.txt").rename(folder / "tres.txt")
    (folder / "one.txt").unlink()
    before = dump(tmp_path / "home" / "catalog.db")
    for arguments in ([], [folder]):
        result = run("index", *arguments, "--dry-run", "--json")
        assert result.exit_code == 0
        assert json.loads(result.stdout) == {
            "added": [str(folder / "four.txt")],
            "changed": [str(folder / "two.txt")],
            "renamed": [{"from": str(folder / "three.txt"), "to": str(folder / "tres.txt")}],
            "removed": [str(folder / "one.txt")],
            "unchanged": 0,
            "failed": [],
        }
    assert (
        f"renamed  {folder / 'three.txt'} → {folder / 'tres.txt'}"
        in run("index", "--dry-run").output
    )
    assert dump(tmp_path / "home" / "catalog.db") == before
    done = json.loads(run("index", "--json").stdout)
    assert [done[name] for name in ("added", "changed", "moved", "removed")] == [1, 1, 1, 1]


def test_withheld_deletions_are_told_by_the_exit_status(
    run: Callable[..., Result], write: Write, folder: Path
) -> None:
    assert run("index", folder).exit_code == 0
    for path in folder.iterdir():
        path.unlink()
    for arguments in ([], ["--json"], ["--dry-run"]):
        result = run("index", *arguments)
        assert result.exit_code == 1
        assert "--allow-deletions" in result.output
    result = run("index", "--allow-deletions")
    assert result.exit_code == 0
    assert "3 removed" in result.output


def test_sources_are_listed_and_changed(
    run: Callable[..., Result], write: Write, folder: Path
) -> None:
    write("drafts/d.txt", "a draft")
    assert run("sources", "add", folder, "--name", "notes", "--exclude", "drafts").exit_code == 0
    run("index")
    result = run("sources")
    assert result.output == f"notes  3 documents  {folder}  exclude: drafts\n"
    assert "3 documents have other tags" in run("sources", "change", "notes", "--tag", "t").output
    run("sources", "change", "notes", "--exclude", "")
    (listed,) = json.loads(run("sources", "--json").stdout)
    assert (listed["exclude"], listed["tags"]) == ([], ["t"])
    assert run("sources", "change", "nots", "--tag", "x").exit_code == 1
    assert "its 3 documents" in run("sources", "remove", "notes").output
    assert run("sources").output == ""
