"""Deletions: what is gone all at once is not removed before somebody says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import quiet
from syncing import Write, counts, failures, generation, ids, unlink

from index.indexer import Indexer


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
