"""Jobs: done once, visible, stoppable, and taken up again after a crash."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import CheapEncoder

from index.changes import Failed
from index.errors import KhazriError
from index.home import Home
from index.indexer import Cancelled, Indexer, Progress, Watcher
from index.jobs import SHOWN, Jobs, describe
from index.locks import Busy, locked
from index.store import Store


@pytest.fixture
def jobs(store: Store) -> Jobs:
    return Jobs(store.catalog)


def test_a_job_waits_is_taken_and_done(jobs: Jobs) -> None:
    job = jobs.submit("index", {"paths": ["/a"]})
    assert (job.status, job.kind, job.arguments) == ("queued", "index", {"paths": ["/a"]})
    assert jobs.waiting()
    taken = jobs.take()
    assert taken
    assert (taken.id, taken.status) == (job.id, "running")
    assert not jobs.waiting()
    assert jobs.take() is None
    progress = jobs.run(taken, lambda watch: Progress(added=3, generation=7))
    assert progress.added == 3
    done = jobs.get(job.id)
    assert done
    assert (done.status, done.error, done.progress["added"]) == ("done", None, 3)
    assert done.created <= (done.started or "") <= (done.finished or "")


def test_the_same_job_waits_once(jobs: Jobs) -> None:
    first = jobs.submit("index", {"b": 1, "a": 2})
    assert jobs.submit("index", {"a": 2, "b": 1}).id == first.id
    assert jobs.submit("index", {"a": 3}).id != first.id
    jobs.take()
    assert jobs.submit("index", {"a": 2, "b": 1}).id != first.id  # that one runs already


def test_the_oldest_is_taken_first_and_the_newest_listed_first(jobs: Jobs) -> None:
    ids = [jobs.submit("index", {"n": n}).id for n in range(3)]
    assert [job.id for job in jobs.list()] == ids[::-1]
    assert [job.id for job in jobs.list(2)] == ids[:0:-1]
    taken = [jobs.take() for _ in ids]
    assert [job.id for job in taken if job] == ids


def test_a_job_is_taken_by_one(jobs: Jobs) -> None:
    for n in range(20):
        jobs.submit("index", {"n": n})
    taken: list[int] = []

    def work() -> None:
        while job := jobs.take():
            taken.append(job.id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 20


def test_an_unknown_job_is_none(jobs: Jobs) -> None:
    assert jobs.get(99) is None
    jobs.cancel(99)


@pytest.mark.parametrize("error", [KhazriError("no such path"), ValueError("a fault")])
def test_a_job_that_fails_says_why(jobs: Jobs, error: Exception) -> None:
    def work(watch: Watcher) -> Progress:
        raise error

    job = jobs.start("index", {})
    assert job.status == "running"
    with pytest.raises(type(error)):
        jobs.run(job, work)
    ended = jobs.get(job.id)
    assert ended
    assert (ended.status, ended.error) == ("failed", str(error))


def test_a_waiting_job_is_cancelled_at_once(jobs: Jobs) -> None:
    job = jobs.submit("index")
    jobs.cancel(job.id)
    assert jobs.take() is None
    ended = jobs.get(job.id)
    assert ended
    assert (ended.status, bool(ended.finished)) == ("cancelled", True)


def test_a_running_job_is_cancelled_at_its_next_report(jobs: Jobs) -> None:
    job = jobs.start("index", {})
    jobs.cancel(job.id)

    def work(watch: Watcher) -> Progress:
        watch(Progress(done=1))
        pytest.fail("it went on")

    with pytest.raises(Cancelled):
        jobs.run(job, work)
    ended = jobs.get(job.id)
    assert ended
    assert ended.status == "cancelled"


def test_an_ended_job_cannot_be_cancelled(jobs: Jobs) -> None:
    job = jobs.start("index", {})
    jobs.run(job, lambda watch: Progress())
    jobs.cancel(job.id)
    ended = jobs.get(job.id)
    assert ended
    assert ended.status == "done"


def test_a_run_that_is_interrupted_is_cancelled(jobs: Jobs) -> None:
    def work(watch: Watcher) -> Progress:
        raise KeyboardInterrupt

    job = jobs.start("index", {})
    with pytest.raises(KeyboardInterrupt):
        jobs.run(job, work)
    ended = jobs.get(job.id)
    assert ended
    assert ended.status == "cancelled"


def test_the_job_of_a_dead_process_waits_again(jobs: Jobs, store: Store) -> None:
    mine, dead = jobs.start("index", {"n": 1}), jobs.start("index", {"n": 2})
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    with store.catalog.write() as db:
        db.execute("UPDATE jobs SET pid = ? WHERE id = ?", [gone.pid, dead.id])
        db.execute("UPDATE jobs SET pid = ? WHERE id = ?", [os.getpid(), mine.id])
    jobs.recover()
    states = {job.id: job.status for job in jobs.list()}
    assert states == {mine.id: "running", dead.id: "queued"}


def test_progress_in_words_and_numbers() -> None:
    progress = Progress(total=10, done=4, passages=40, embedded=30, current="x", generation=2)
    progress.started -= 8
    told = describe(progress)
    assert (told["documents"], told["documents_total"], told["current"]) == (4, 10, "x")
    assert told["seconds"] == pytest.approx(8, abs=0.5)
    assert told["rate"] == pytest.approx(5, abs=0.5)  # 40 passages in 8 seconds
    assert told["seconds_left"] == pytest.approx(12, abs=1)  # 6 documents at 2 seconds each
    assert describe(Progress())["seconds_left"] is None


def test_only_so_many_failures_are_told() -> None:
    many = [Failed(1, f"{n}.txt", "empty") for n in range(SHOWN + 50)]
    told = describe(Progress(failed=many))
    assert (len(told["failed"]), told["failed_total"]) == (SHOWN, SHOWN + 50)
    assert told["failed"][0] == {"uri": "0.txt", "reason": "empty"}


# --- The work of a home ----------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, cheap: CheapEncoder):
    opened = Home(tmp_path / "home")
    opened.encoder, opened.indexer = cheap, Indexer(opened.store, cheap)
    yield opened
    opened.close()


def test_a_home_does_all_that_waits(home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("herring")
    first = home.jobs.submit("index", {"paths": [str(tmp_path / "a.txt")]})
    missing = home.jobs.submit("index", {"paths": [str(tmp_path / "missing")]})
    again = home.jobs.submit("reindex")
    home.work()
    states = {job.id: (job.status, job.error) for job in home.jobs.list()}
    assert states[first.id] == ("done", None)
    assert states[missing.id][0] == "failed"
    assert "does not exist" in (states[missing.id][1] or "")
    assert states[again.id] == ("done", None)
    assert home.status()["documents"] == 1


def test_one_process_works_at_a_time(home: Home) -> None:
    home.jobs.submit("reindex")
    with locked(home.path / "work.lock", "somebody else", wait=0):
        home.work()
        assert home.jobs.waiting()
    home.work()
    assert not home.jobs.waiting()


def test_a_lock_is_free_after_its_holder_whatever_happened(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from index.locks import locked\n"
        "with locked(Path(sys.argv[1]), 'dying'): os._exit(9)"
    )
    path = tmp_path / "some.lock"
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=Path(__file__).parent.parent, check=False
    )
    assert run.returncode == 9
    taken = locked(path, "a third", wait=0)
    with locked(path, "the next", wait=0), pytest.raises(Busy, match="the next"):
        taken.__enter__()
