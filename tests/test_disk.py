"""A disk that is full or may not be written: a clear error, and the old generation serves on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp

import pytest
from conftest import CheapEncoder, commit, drafted
from filelock import FileLock
from whoosh.filedb.filestore import FileStorage

from index import segments
from index import store as store_module
from index.documents import Given
from index.errors import KhazriError
from index.indexer import Indexer
from index.keyword import terms
from index.store import Store

Patch = Callable[[pytest.MonkeyPatch, Store], None]
LONG = " ".join(f"long{n}" for n in range(2_000))  # more than fits into pages that are there


def serves(store: Store, documents: int) -> None:
    """The store, and one that is opened anew, hold so many documents, the old one whole."""
    with ExitStack() as stack:
        again = Store(store.home)
        stack.callback(again.close)
        for one in (store, again):
            with one.snapshot() as snapshot:
                assert snapshot.count().documents == documents
                (hit,), _ = snapshot.keyword(terms("herring"), None)
                assert snapshot.fetch([hit.passage_id])[0].text == "old herring"
                assert len(snapshot.semantic(CheapEncoder().encode(["herring"])[0], None)) == (
                    snapshot.count().passages
                )


# --- Full ------------------------------------------------------------------------------------


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refused(target: object, name: str) -> Patch:
    return lambda patch, store: patch.setattr(target, name, full)


def full_database(kind: str) -> Patch:
    def limit(patch: pytest.MonkeyPatch, store: Store) -> None:
        database = store.catalog if kind == "catalog" else store.embeddings
        with database.connection() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count={pages}")

        def lift() -> None:
            with database.connection() as db:
                db.execute("PRAGMA max_page_count=4294967294")

        patch.lift = lift

    return limit


STEPS = {
    "the lock": refused(FileLock, "acquire"),
    "the folder of the segment": refused(Path, "mkdir"),
    "the words": refused(FileStorage, "create_file"),
    "the arrays": refused(segments.arrays, "save"),
    "the flush": refused(os, "fsync"),
    "the catalog": full_database("catalog"),
}


@pytest.mark.parametrize("step", [*STEPS, "the vectors"])
def test_a_commit_on_a_full_disk(store: Store, step: str) -> None:
    commit(store, drafted("a", "old herring"))
    with pytest.MonkeyPatch.context() as patch:
        (STEPS.get(step) or full_database("embeddings"))(patch, store)
        with pytest.raises(KhazriError, match="full"):
            commit(store, drafted("b", *(f"long{n} {LONG[:200]}" for n in range(100))))
        getattr(patch, "lift", lambda: None)()
    serves(store, 1)
    commit(store, drafted("b", LONG))
    serves(store, 2)


@pytest.mark.parametrize("step", [step for step in STEPS if step != "the catalog"])
def test_a_merge_on_a_full_disk(store: Store, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "FANOUT", 2)
    commit(store, drafted("a", "old herring"))
    commit(store, drafted("b", "cod"))
    with pytest.MonkeyPatch.context() as patch:
        STEPS[step](patch, store)
        with pytest.raises(KhazriError, match="full"):
            store.merge()
    serves(store, 2)
    assert store.merge()
    serves(store, 2)


def test_nothing_is_left_of_a_commit_that_failed(store: Store) -> None:
    commit(store, drafted("a", "old herring"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments.arrays, "save", full)
        with pytest.raises(KhazriError, match="full"):
            commit(store, drafted("b", "cod"))
    assert [folder.name for folder in (store.home / "segments").iterdir()] == ["000001"]


@pytest.fixture
def mounted() -> Iterator[Callable[..., Path]]:
    """Mount something on a folder of its own; skips where that may not be done."""
    folders: list[Path] = []

    def mount(*options: str) -> Path:
        folder = Path(mkdtemp())
        done = subprocess.run(["mount", *options, folder], capture_output=True, text=True)
        if done.returncode:
            folder.rmdir()
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        folders.append(folder)
        return folder

    yield mount
    for folder in reversed(folders):
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


# Whoosh leaves the files open that it could not write.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not shutil.which("mount"), reason="needs mount")
def test_a_disk_with_less_room_than_is_needed(mounted: Callable[..., Path]) -> None:
    disk = mounted("-t", "tmpfs", "-o", "size=16m", "none")
    (disk / "home").mkdir()
    store = Store(disk / "home")
    indexer = Indexer(store, CheapEncoder())
    commit(store, drafted("a", "old herring"))
    page = os.statvfs(disk).f_frsize
    stored, refusals = 0, []
    for left in range(0, 60, 3):
        free = os.statvfs(disk).f_bavail * page
        (disk / "filler").write_bytes(bytes(max(0, free - left * page)))
        try:
            indexer.add([Given(f"new {left}", f"cod{left} {LONG[:500]}")])
            stored += 1
        except KhazriError as error:
            refusals.append(str(error))
        with store.snapshot() as snapshot:
            assert snapshot.count().documents == 1 + stored
            assert len(snapshot.keyword(terms("herring"), None)[0]) == 1
        (disk / "filler").unlink()
        serves(store, 1 + stored)
    assert stored
    assert refusals
    assert all("full" in refusal for refusal in refusals)
    store.close()


# --- Not to be written -----------------------------------------------------------------------

CHILD = """
import json, os, sys
from pathlib import Path
from tempfile import TemporaryDirectory

home, tests, user = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sys.path.insert(0, tests)
from conftest import CheapEncoder, commit, drafted
from index.documents import Given
from index.errors import KhazriError
from index.indexer import Indexer
from index.store import Store
from search.engine import Engine

if user:
    with TemporaryDirectory() as folder:  # loads what the other user may not read
        warm = Store(Path(folder))
        commit(warm, drafted("a", "warm"))
        Engine(warm, CheapEncoder()).search("warm")
        warm.close()
    os.setuid(user)
said = {}

def search():
    found = engine.search("herring")
    return [result.passage.text for result in found.results]

try:
    store = Store(home)
    encoder = CheapEncoder()
    engine = Engine(store, encoder)
    said["before"] = search()
except KhazriError as error:
    said["before"] = str(error)
else:
    try:
        said["index"] = Indexer(store, encoder).add([Given("b", "cod")])[0].generation
    except KhazriError as error:
        said["index"] = str(error)
    said["after"] = search()
    store.close()
print(json.dumps(said))
"""
NOBODY = 65534


def told(home: Path, user: int = 0) -> dict[str, object]:
    """What a process says that searches a home, and tries to add to it."""
    tests = str(Path(__file__).parent)
    run = subprocess.run(
        [sys.executable, "-c", CHILD, home, tests, str(user)],
        cwd=Path(tests).parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    said: dict[str, object] = json.loads(run.stdout)
    return said


@pytest.fixture
def shared() -> Iterator[Path]:
    """A home in a folder that everybody may enter."""
    root = Path(mkdtemp())
    root.chmod(0o755)
    (root / "home").mkdir()
    yield root / "home"
    subprocess.run(["chmod", "-R", "u+w", root], check=True)
    shutil.rmtree(root)


@pytest.mark.parametrize("live", [False, True])
def test_a_home_that_may_only_be_read(shared: Path, live: bool) -> None:
    """``live``: while another process that may write to it has it open."""
    store = Store(shared)
    commit(store, drafted("a", "old herring"))
    if not live:
        store.close()
    subprocess.run(["chmod", "-R", "a+rX,a-w", shared], check=True)
    said = told(shared, NOBODY if os.getuid() == 0 else 0)
    assert said["before"] == said["after"] == ["old herring"]
    assert "can't be written" in str(said["index"])
    store.close()


def test_a_home_on_a_disk_that_is_mounted_read_only(
    shared: Path, mounted: Callable[..., Path]
) -> None:
    store = Store(shared)
    commit(store, drafted("a", "old herring"))
    store.close()
    said = told(mounted("--bind", "-o", "ro", str(shared)))
    assert said["before"] == said["after"] == ["old herring"]
    assert "can't be written" in str(said["index"])


def test_a_home_that_was_killed_and_may_only_be_read(shared: Path) -> None:
    """Its last commits are in a log that only a writer can take over: that is said."""
    killed = (
        "import os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from conftest import commit, drafted; from index.store import Store;"
        "store = Store(Path(sys.argv[1])); commit(store, drafted('a', 'old herring'));"
        "os.kill(os.getpid(), 9)"
    )
    tests = str(Path(__file__).parent)
    subprocess.run([sys.executable, "-c", killed, shared, tests], cwd=Path(tests).parent)
    subprocess.run(["chmod", "-R", "a+rX,a-w", shared], check=True)
    said = told(shared, NOBODY if os.getuid() == 0 else 0)
    assert said["before"] == ["old herring"] or "permissions" in str(said["before"])
