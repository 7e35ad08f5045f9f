"""Sources: where documents come from, and which files lie there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import KhazriError
from index.sources import clean_path, covering, dump, files, place, register
from index.store import Store
from index.stored import Source


def source(location: Path, kind: str = "folder") -> Source:
    return Source(1, location.name, kind, str(location), (), (), (), 0)


def listed(one: Source) -> list[str]:
    refused: list[str] = []
    found = files(one, lambda uri, why: refused.append(uri))
    names = [str(Path(file.uri).relative_to(Path(one.location).parent)) for file in found]
    assert not refused
    return names


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.txt", "e.bin", ".f.txt", ".g/h.txt"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "tree"


def test_files_come_by_name(tree: Path) -> None:
    names = ["a.txt", "b.txt", "e.bin", "sub/c.txt", "sub/deep/d.txt"]
    assert listed(source(tree)) == [f"tree/{name}" for name in names]


def test_patterns_leave_out_and_let_in(tree: Path) -> None:
    every = source(tree)
    assert listed(replace(every, exclude=("sub/*", "*.bin"))) == ["tree/a.txt", "tree/b.txt"]
    assert listed(replace(every, include=("sub/*",))) == ["tree/sub/c.txt", "tree/sub/deep/d.txt"]
    assert listed(replace(every, include=("*c.txt", "a*"), exclude=("sub/*",))) == ["tree/a.txt"]


def test_a_file_is_found_whatever_its_name(tree: Path) -> None:
    (found,) = files(source(tree / "e.bin", "file"), pytest.fail)
    assert (found.uri, found.size) == (str(tree / "e.bin"), 5)
    assert found.mtime_ns == (tree / "e.bin").stat().st_mtime_ns


def test_a_file_that_is_gone_is_not_found(tree: Path) -> None:
    assert list(files(source(tree / "gone.txt", "file"), pytest.fail)) == []


def test_a_path_has_one_place(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree.parent / "link").symlink_to(tree)
    monkeypatch.chdir(tree)
    for path in (tree, Path(), Path("sub/.."), tree.parent / "link"):
        assert place(path) == ("folder", str(tree))
    assert place(Path("a.txt")) == ("file", str(tree / "a.txt"))


@pytest.mark.parametrize("path", ["missing", "a.txt/x", "loop", "x" * 300, "nul\0"])
def test_a_path_that_is_none_is_an_error(tree: Path, path: str) -> None:
    (tree / "loop").symlink_to(tree / "loop")
    with pytest.raises(KhazriError, match=r"does not exist|can't be read"):
        place(tree / path)


def test_a_source_is_known_once_and_has_a_name_of_its_own(store: Store, tmp_path: Path) -> None:
    with store.catalog.write() as db:
        ids = [
            register(db, "folder", "/a/press"),
            register(db, "folder", "/b/press"),
            register(db, "jsonl", "/a/press"),
            register(db, "folder", "/"),
        ]
        assert register(db, "folder", "/b/press") == ids[1]
        assert len(set(ids)) == 4
    with store.snapshot() as snapshot:
        assert [s.name for s in snapshot.sources()] == ["press", "press-2", "press-3", "root"]


def test_a_folder_covers_what_lies_in_it() -> None:
    known = [source(Path("/a/press")), source(Path("/a/file.txt"), "file")]
    for inside in ("/a/press", "/a/press/x.txt", "/a/press/deep/er"):
        assert covering(known, inside) == known[0]
    for outside in ("/a", "/a/press.txt", "/a/press2/x.txt", "/a/file.txt"):
        assert covering(known, outside) is None


def test_paths_are_text() -> None:
    assert clean_path("/a/Größe") == "/a/Größe"
    assert clean_path("/a/caf\udce9") == "/a/caf\ufffd"
    assert dump(("a", "b")) == '["a", "b"]'
