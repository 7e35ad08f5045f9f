"""The worker: one process for the jobs of a home, another after it, none once it is closed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from clients import wait_until

from web.worker import NICENESS, Worker


def test_one_worker_at_a_time_and_another_after_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = (
        "import os, sys, time; out = open(sys.argv[1], 'a');"
        "print('in', os.getpriority(os.PRIO_PROCESS, 0), file=out, flush=True); time.sleep(0.3);"
        "print('out', file=out, flush=True)"
    )
    worker = Worker([sys.executable, "-c", script, str(log)])
    worker.wake()
    wait_until(lambda: log.exists() and "in" in log.read_text())
    for _ in range(5):  # while it is under way: one more will do for all
        worker.wake()
    wait_until(lambda: log.read_text().count("out") == 2)
    worker.close()
    nice = min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
    assert log.read_text().splitlines() == [f"in {nice}", "out"] * 2


def test_closing_stops_the_process(tmp_path: Path) -> None:
    worker = Worker([sys.executable, "-c", "import time; time.sleep(60)"])
    worker.wake()
    started = time.monotonic()
    worker.close()
    assert time.monotonic() - started < 5
    worker.wake()  # says nothing, does nothing
