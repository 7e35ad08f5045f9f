"""Power loss: what is named is on the disk before it is named, seen in the system calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import pytest

CHILD = """
import os, sys
from pathlib import Path

sys.path.insert(0, sys.argv[2])
from conftest import CheapEncoder, commit, drafted
from index import store as module
from index.changes import Changes
from index.store import Store

def mark(name):
    os.write(2, f"mark {name}".encode())

module.FANOUT, module.GRACE = 2, 0
home = Path(sys.argv[1])
home.mkdir()
store = Store(home)
commit(store, drafted("a", "herring"))
mark("the first commit")
commit(store, drafted("a", "herring again"))
mark("a change")
store.apply(Changes(removals=[1]), CheapEncoder.identity)
mark("a removal")
commit(store, drafted("b", "cod"))
mark("another commit")
while store.merge():
    pass
mark("a merge")
commit(store, drafted("c", "plaice"))
mark("a commit that clears away what was merged")
assert not (home / "segments" / "000001").exists()
store.close()
"""
MARKS = 6
CALLS = (
    "openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "write,writev,pwrite64,pwritev,ftruncate,copy_file_range,sendfile,fsync,fdatasync"
)
TRACING = ["strace", "-f", "-y", "-s", "80", "-e", f"trace={CALLS}", "-o"]


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded: its name, and the absolute paths that it names."""

    name: str
    paths: tuple[str, ...]
    created: bool = False
    said: str = ""  # what it wrote to standard error


def parsed(trace: str) -> list[Call]:
    """The calls of ``strace -y``, whose paths are all absolute here."""
    calls = []
    for line in trace.splitlines():
        assert "unfinished" not in line, "the child is to do one thing at a time"
        match = re.match(r"\d+ +(\w+)\((.*)\) += (\d+)", line)
        if not match:  # it failed, or is no call
            continue
        name, arguments, _ = match.groups()
        said = match[0] if arguments.startswith("2<") else ""
        if name in ("openat", "creat") or "rename" in name or "link" in name or "mkdir" in name:
            paths = tuple(re.findall(r'"(/[^"]*)"', arguments))
        else:
            paths = tuple(re.findall(r"^\d+<([^>]*)>", arguments))
        calls.append(Call(name, paths, "O_CREAT" in arguments, said))
    return calls


@dataclass
class Disk:
    """What a power loss could take: contents and entries of folders that were not flushed."""

    home: PurePath
    contents: set[str] = field(default_factory=set)
    entries: dict[str, str] = field(default_factory=dict)  # what was made, and in which folder
    named: set[str] = field(default_factory=set)  # segments that the catalog may name
    faults: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    there: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)

    def replay(self, calls: Iterable[Call]) -> Disk:
        """Follow the calls in order."""
        for call in calls:
            self._follow(call)
        return self

    def _follow(self, call: Call) -> None:
        if mark := re.search(r'"mark ([^"]*)"', call.said):
            self.marks.append(mark[1])
            self._expect_catalog(f"{mark[1]} was acknowledged")
        elif call.name in ("fsync", "fdatasync"):
            self.contents -= set(call.paths)
            self.entries = {p: f for p, f in self.entries.items() if f != call.paths[0]}
        elif call.name == "openat":
            if call.created and call.paths[0] not in self.there:
                self._made(call.paths[0])
        elif "mkdir" in call.name:
            self._made(call.paths[0])
        elif "rename" in call.name or call.name.startswith("link"):
            old, new = call.paths
            if old in self.contents:
                self.contents.add(new)
            self._gone(old)
            self._made(new)
        elif "unlink" in call.name:
            if self._segment(call.paths[0]) in self.named:
                self._expect_catalog(f"{call.paths[0]} was removed")
            self._gone(call.paths[0])
        elif call.paths:
            self._written(call.paths[0])

    def _made(self, path: str) -> None:
        self.there.add(path)
        self.entries[path] = str(PurePath(path).parent)
        if self._segment(path):
            self.segments.add(self._segment(path))

    def _gone(self, path: str) -> None:
        self.there.discard(path)
        self.contents.discard(path)
        self.entries.pop(path, None)

    def _written(self, path: str) -> None:
        if path == str(self.home / "catalog.db-wal"):
            self._expect_segments()
            self.named |= self.segments
        elif self._segment(path) in self.named:
            self.faults.append(f"{path} was written after the catalog named it")
        self.contents.add(path)

    def _segment(self, path: str) -> str:
        """The segment that a path lies in, or nothing."""
        below = str(self.home / "segments") + os.sep
        return path.removeprefix(below).split(os.sep)[0] if path.startswith(below) else ""

    def _expect_segments(self) -> None:
        """Nothing that the transaction may name is still to be flushed."""
        for path in sorted(self.contents | self.entries.keys()):
            if self._segment(path) or (path == str(self.home / "segments") and self.segments):
                self.faults.append(f"{path} was not flushed before the catalog named it")

    def _expect_catalog(self, what: str) -> None:
        """The transaction is on the disk."""
        log = str(self.home / "catalog.db-wal")
        if log in self.contents or log in self.entries:
            self.faults.append(f"{log} was not flushed before {what}")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> PurePath:
    return tmp_path_factory.mktemp("durability") / "home"


@pytest.fixture(scope="module")
def calls(home: PurePath) -> Sequence[Call]:
    """The system calls of a child that commits and merges."""
    trace = home.parent / "trace"
    able = (
        shutil.which("strace")
        and not subprocess.run(
            ["strace", "-o", os.devnull, "true"], stderr=subprocess.DEVNULL
        ).returncode
    )
    if not able:
        missing = "strace is missing or may not trace here (Debian: apt-get install strace)"
        if os.environ.get("KHAZRI_STRACE") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    tests = str(Path(__file__).parent)
    subprocess.run(
        [*TRACING, trace, sys.executable, "-c", CHILD, home, tests],
        cwd=Path(tests).parent,
        check=True,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    return [call for call in parsed(Path(trace).read_text()) if _matters(call, home)]


def _matters(call: Call, home: PurePath) -> bool:
    return bool(call.said) or any(path.startswith(str(home)) for path in call.paths)


def test_what_a_commit_names_is_on_the_disk_before(home: PurePath, calls: Sequence[Call]) -> None:
    disk = Disk(home).replay(calls)
    assert len(disk.marks) == MARKS
    assert len(disk.named) == 5  # four commits of passages, one merge
    assert disk.faults == []


def test_every_flush_of_a_segment_is_needed(home: PurePath, calls: Sequence[Call]) -> None:
    below = str(home / "segments")
    flushes = [
        number
        for number, call in enumerate(calls)
        if call.name == "fsync" and call.paths[0].startswith(below)
    ]
    # the postings, the vectors, two files of Whoosh, and three folders
    assert len(flushes) == 5 * 7
    for number in flushes:
        assert Disk(home).replay([*calls[:number], *calls[number + 1 :]]).faults, calls[number]


def test_a_commit_that_is_not_flushed_is_noticed(home: PurePath, calls: Sequence[Call]) -> None:
    log = str(home / "catalog.db-wal")
    without = [c for c in calls if not (c.name == "fdatasync" and c.paths[0] == log)]
    faults = Disk(home).replay(without).faults
    assert sum("was acknowledged" in fault for fault in faults) == MARKS
