"""Sources are added, changed and removed, and the command tells what a run would do."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import CheapEncoder, quiet
from syncing import Write, by_name, counts, ids, texts

from index import home, sources
from index.errors import KhazriError
from index.indexer import Indexer
from khazri import main

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
