"""Watching: what changes on the disk is soon found, and nothing is read or lost too early."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from conftest import ROOT, CheapEncoder, quiet

from index import sources, watch
from index.home import Home
from index.indexer import Indexer
from index.jobs import Job, Jobs
from index.locks import Busy, locked
from index.store import Store
from index.watch import Settling, Watch
from web.commands.service import watcher

Write = Callable[[str, str], Path]
SETTLE = 0.15  # seconds


def stored(store: Store) -> dict[str, str]:
    """The text of each document, by the name of its file."""
    with store.snapshot() as snapshot:
        found = snapshot.documents(limit=10_000)[1]
        return {Path(d.uri).name: snapshot.text(d.id)[0] for d in found}


def soon(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    limit = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store.catalog)


@pytest.fixture
def folder(write: Write, indexer: Indexer, tmp_path: Path) -> Path:
    """A folder of three files, indexed."""
    for name in ("one", "two", "three"):
        write(f"{name}.txt", f"the text of {name}")
    indexer.index([tmp_path / "files"], quiet)
    return tmp_path / "files"


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "TICK", 0.05)


@pytest.fixture
def watching(brisk: None, folder: Path, indexer: Indexer, jobs: Jobs) -> Iterator[Store]:
    """A watch over the folder, which has looked at it once."""
    with followed(Watch(indexer, jobs, settle=SETTLE)):
        yield indexer.store


@contextmanager
def followed(one: Watch) -> Iterator[None]:
    """Run a watch in a thread, from its first look on."""
    stop, looked = Event(), Event()
    look = one._look

    def first(stop: Event) -> None:
        look(stop)
        looked.set()

    one._look = first
    thread = Thread(target=one.run, args=(stop,))
    thread.start()
    assert looked.wait(20)
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()


def rest() -> None:
    """Long enough for a watch to have done what it would."""
    time.sleep(5 * SETTLE)


# --- What it follows -------------------------------------------------------------------------


def test_every_change_is_followed(watching: Store, folder: Path) -> None:
    (folder / "four.txt").write_text("the text of four")
    soon(lambda: "four.txt" in stored(watching))
    (folder / "four.txt").write_text("another text")
    soon(lambda: stored(watching)["four.txt"] == "another text")
    (folder / "four.txt").rename(folder / "five.txt")
    soon(lambda: "five.txt" in stored(watching))
    (folder / "five.txt").unlink()
    soon(lambda: stored(watching).keys() == {"one.txt", "two.txt", "three.txt"})


def test_new_and_renamed_folders_are_followed(watching: Store, folder: Path) -> None:
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "sub" / "deep" / "x.txt").write_text("text of x")
    soon(lambda: "x.txt" in stored(watching))
    with watching.snapshot() as snapshot:
        (before,) = snapshot.documents(text="x.txt")[1]
    (folder / "sub").rename(folder / "renamed")
    soon(lambda: _uris(watching) >= {str(folder / "renamed" / "deep" / "x.txt")})
    with watching.snapshot() as snapshot:
        assert snapshot.documents(text="x.txt")[1][0].id == before.id
    (folder / "renamed" / "deep" / "y.txt").write_text("text of y")
    soon(lambda: "y.txt" in stored(watching))
    shutil.rmtree(folder / "renamed")
    soon(lambda: len(stored(watching)) == 3)


def _uris(store: Store) -> set[str]:
    with store.snapshot() as snapshot:
        return {d.uri for d in snapshot.documents(limit=10_000)[1]}


def test_a_burst_is_one_job_and_nothing_is_none(watching: Store, folder: Path, jobs: Jobs) -> None:
    (folder / "sub").mkdir()
    for n in range(500):
        (folder / "sub" / f"{n}.txt").write_text(f"text {n}")
    soon(lambda: len(stored(watching)) == 503)
    shown = [job for job in jobs.list() if job.progress["added"]]
    assert [(job.kind, job.status) for job in shown] == [("watch", "done")] * len(shown)
    assert len(shown) <= 2  # the burst may be longer than a slow machine lets it rest
    before = len(jobs.list())
    (folder / "one.txt").touch()
    (folder / ".hidden.txt").write_text("nothing")
    (folder / "film.part").write_bytes(b"nothing")
    rest()
    assert len(jobs.list()) == before


def test_a_source_that_is_added_is_followed(
    watching: Store, tmp_path: Path, indexer: Indexer
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("text of a")
    (tmp_path / "alone.txt").write_text("text alone")
    sources.add(watching, other)
    sources.add(watching, tmp_path / "alone.txt")
    soon(lambda: {"a.txt", "alone.txt"} <= stored(watching).keys())
    (other / "b.txt").write_text("text of b")
    (tmp_path / "alone.txt").write_text("another text")
    soon(lambda: "b.txt" in stored(watching))
    soon(lambda: stored(watching)["alone.txt"] == "another text")


def test_other_patterns_count_at_once(watching: Store, folder: Path) -> None:
    sources.change(watching, "files", exclude=["t*"])
    (folder / "six.txt").write_text("the text of six")
    soon(lambda: stored(watching).keys() == {"one.txt", "six.txt"})


# --- What it waits for -----------------------------------------------------------------------


def test_a_file_is_read_when_it_is_finished(watching: Store, folder: Path) -> None:
    seen = set()
    with (folder / "slow.txt").open("w") as file:
        for n in range(20):
            file.write(f"line {n}\n")
            file.flush()
            seen.add(stored(watching).get("slow.txt"))
            time.sleep(SETTLE / 3)
    assert seen == {None}
    soon(lambda: "slow.txt" in stored(watching))
    assert stored(watching)["slow.txt"].endswith("line 19")


def test_a_file_that_is_saved_by_replacing_it_keeps_its_document(
    watching: Store, folder: Path
) -> None:
    def ids() -> dict[str, int]:
        with watching.snapshot() as snapshot:
            return {Path(d.uri).name: d.id for d in snapshot.documents()[1]}

    before = ids()
    (folder / "one.txt").unlink()
    time.sleep(SETTLE / 3)
    (folder / "one.txt").write_text("saved anew")
    soon(lambda: stored(watching)["one.txt"] == "saved anew")
    assert ids() == before


def test_a_state_is_final_when_it_stayed_for_long_enough() -> None:
    now = 0.0
    settling = Settling(2, lambda: now)
    assert not settling("a", (1, 1))
    now = 1.9
    assert not settling("a", (1, 1))
    now = 2.0
    assert settling("a", (1, 1))
    assert not settling("a", (2, 1))
    settling.note("b", None)
    now = 4.0
    assert settling("a", (2, 1))
    assert settling("b", None)
    assert not settling("b", (1, 1))


# --- What it survives ------------------------------------------------------------------------


def test_a_folder_that_vanishes_and_comes_back_loses_nothing(
    watching: Store, folder: Path, tmp_path: Path
) -> None:
    def told() -> list[str]:
        with watching.snapshot() as snapshot:
            return [failure.uri for failure in snapshot.failures()]

    before = stored(watching)
    folder.rename(tmp_path / "away")
    soon(lambda: told() == [str(folder)])
    folder.mkdir()  # as an empty mount point
    rest()
    assert stored(watching) == before
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    soon(lambda: told() == [])
    assert stored(watching) == before
    (folder / "later.txt").write_text("written later")
    soon(lambda: "later.txt" in stored(watching))


def test_without_events_it_looks_at_intervals(
    brisk: None,
    folder: Path,
    indexer: Indexer,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*roots: str, **options: object) -> Iterator[set[object]]:
        raise OSError("no space left for watches")

    monkeypatch.setattr(watch, "events", none)
    with followed(Watch(indexer, jobs, interval=0.2, settle=SETTLE)):
        (folder / "four.txt").write_text("the text of four")
        (folder / "one.txt").unlink()
        soon(lambda: stored(indexer.store).keys() == {"two.txt", "three.txt", "four.txt"})


def test_it_goes_on_after_another_run(watching: Store, folder: Path, jobs: Jobs) -> None:
    with locked(watching.home / "index.lock", "another run"):
        (folder / "four.txt").write_text("the text of four")
        rest()
        assert "four.txt" not in stored(watching)
    soon(lambda: "four.txt" in stored(watching))


def test_a_cancelled_job_does_not_end_it(
    brisk: None,
    folder: Path,
    indexer: Indexer,
    cheap: CheapEncoder,
    jobs: Jobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("index.jobs.EVERY", 0.0)
    encode = cheap.encode

    def cancelling(texts: list[str], batch: int = 32) -> object:
        monkeypatch.setattr(cheap, "encode", encode)
        jobs.cancel(jobs.list(1)[0].id)
        return encode(texts, batch)

    def newest() -> Job:
        return jobs.list(1)[0]

    with followed(Watch(indexer, jobs, interval=0.5, settle=SETTLE)):
        monkeypatch.setattr(cheap, "encode", cancelling)
        (folder / "four.txt").write_text("the text of four")
        soon(lambda: bool(jobs.list()) and newest().status == "cancelled")
        assert "four.txt" not in stored(indexer.store)
        soon(lambda: "four.txt" in stored(indexer.store))


def test_it_ends_when_the_model_of_the_home_changed(
    brisk: None, folder: Path, indexer: Indexer, jobs: Jobs
) -> None:
    thread = Thread(target=Watch(indexer, jobs, settle=SETTLE).run, args=(Event(),), daemon=True)
    thread.start()
    rest()
    assert thread.is_alive()
    with indexer.store.catalog.write() as db:
        db.execute("UPDATE state SET model = 'another@1'")
    thread.join(20)
    assert not thread.is_alive()


# --- One of them, that can be stopped --------------------------------------------------------


def test_a_home_is_watched_once(watching: Store, indexer: Indexer, jobs: Jobs) -> None:
    with pytest.raises(Busy, match="khazri watch"):
        Watch(indexer, jobs).run(Event())


def _is_watched(home: Path) -> bool:
    try:
        with locked(home / "watch.lock", "a test", wait=0):
            return False
    except Busy:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    home = tmp_path / "home"
    command = [sys.executable, "-m", "khazri", "--home", str(home), "watch"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        soon(lambda: home.exists() and _is_watched(home))
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said == "Watching (stop it with Ctrl-C).\n"
    assert not _is_watched(home)


def test_the_watch_beside_a_server_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    home = Home(tmp_path / "home")
    with watcher(home):
        soon(lambda: _is_watched(home.path))
    assert not _is_watched(home.path)
    home.close()


def test_the_watch_beside_a_server_that_is_killed_ends_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    script = "import pathlib, sys, time\nfrom index.home import Home\n"
    script += "from web.commands.service import watcher\n"
    script += "with watcher(Home(pathlib.Path(sys.argv[1]))): time.sleep(60)"
    server = subprocess.Popen([sys.executable, "-c", script, str(home)], cwd=ROOT)
    soon(lambda: home.exists() and _is_watched(home))
    os.kill(server.pid, signal.SIGKILL)
    server.wait(20)
    soon(lambda: not _is_watched(home))
