"""Background indexing: a child process of low priority, so that questions stay quick."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from threading import Lock, Thread

from index.home import Home

log = logging.getLogger("khazri.worker")

NICENESS = 10
# Threads that wait for each other while others are served would only burn the time of both.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}


def command(home: Home, *words: str) -> list[str]:
    """What starts another ``khazri`` over the same home, with the settings that this one has."""
    given = [f"--set={one}" for one in home.given]
    return [sys.executable, "-m", "khazri", "--home", str(home.path), *given, *words]


class Worker:
    """Starts the process that does the queued jobs of a home; at most one at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` does the queued jobs and exits."""
        self._command = command
        self._lock = Lock()
        self._thread: Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._again = self._closed = False

    def wake(self) -> None:
        """Say that there is a job. Returns at once.

        While a process is under way, another one follows it: the first may have looked at the
        queue for the last time.
        """
        with self._lock:
            if self._closed:
                return
            self._again = True
            if self._thread is None:
                self._thread = Thread(target=self._run, name="khazri-worker", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop the process; its job goes on when a worker is next started."""
        with self._lock:
            self._closed = True
            thread, child = self._thread, self._child
            if child is not None:
                child.terminate()
        if thread is not None:
            thread.join(timeout=10)

    def _run(self) -> None:
        while child := self._next():
            status = child.wait()
            if status and not self._closed:
                log.error("the indexing process ended with status %d", status)

    def _next(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            wanted = self._again and not self._closed
            self._again = False
            self._child = _start(self._command) if wanted else None
            if self._child is None:
                self._thread = None
            return self._child


def _start(command: Sequence[str]) -> subprocess.Popen[bytes] | None:
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD},
            process_group=0,  # Ctrl-C is for the server, which leaves the job to be resumed
        )
    except OSError:
        log.exception("the indexing process could not be started")
        return None
    _step_back(child.pid)
    return child


def _step_back(pid: int) -> None:
    """Lower a process's priority before its first thread, which inherits that.

    Not to the lowest: under questions without pause it still has to come to an end.
    """
    try:
        if hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
    except OSError as error:
        log.warning("the indexing process runs at normal priority: %s", error)
