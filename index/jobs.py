"""Jobs: long work as rows of the catalog, done once, visible and stoppable from every process."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from index.catalog import Catalog
from index.errors import KhazriError
from index.indexer import Cancelled, Progress, Watcher
from index.rows import now

EVERY = 0.5  # seconds between two reports of a running job
SHOWN = 100  # failures that a report lists
STATUSES = ("queued", "running", "done", "failed", "cancelled")


class Full(KhazriError):
    """As many jobs wait as may."""


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work. ``status`` is one of ``STATUSES``.

    ``stopping``: a running one that was asked to stop.
    """

    id: int
    kind: str
    arguments: Mapping[str, Any]
    status: str
    progress: Mapping[str, Any]
    error: str | None
    created: str
    started: str | None
    finished: str | None
    stopping: bool = False


class Jobs:
    """The jobs of a home."""

    def __init__(self, catalog: Catalog, most: int = 20) -> None:
        """``most`` jobs may wait."""
        self._catalog = catalog
        self._most = most

    def submit(self, kind: str, arguments: Mapping[str, Any] | None = None) -> Job:
        """Ask for a job. One with the same arguments that still waits is returned instead.

        Raises ``Full``.
        """
        wanted = json.dumps(arguments or {}, sort_keys=True)
        with self._catalog.write() as db:
            row = db.execute(
                "SELECT * FROM jobs WHERE kind = ? AND arguments = ? AND status = 'queued'",
                [kind, wanted],
            ).fetchone()
            if row is None:
                waiting = "SELECT count(*) FROM jobs WHERE status = 'queued'"
                if db.execute(waiting).fetchone()[0] >= self._most:
                    raise Full(
                        f"{self._most} jobs wait already, which is as many as may. Wait for one to"
                        " end, or cancel one."
                    )
                cursor = db.execute(
                    "INSERT INTO jobs (kind, arguments, status, created)"
                    " VALUES (?, ?, 'queued', ?)",
                    [kind, wanted, now()],
                )
                row = _row(db, cursor.lastrowid or 0)
        return _job(row)

    def get(self, id: int) -> Job | None:
        """A job, or None."""
        with self._catalog.read() as db:
            row = _row(db, id)
        return _job(row) if row else None

    def list(self, limit: int = 50) -> list[Job]:
        """The newest jobs, newest first."""
        with self._catalog.read() as db:
            rows = db.execute("SELECT * FROM jobs ORDER BY id DESC LIMIT ?", [limit]).fetchall()
        return [_job(row) for row in rows]

    def count(self) -> dict[str, int]:
        """How many jobs there are of each status."""
        with self._catalog.read() as db:
            return dict(map(tuple, db.execute("SELECT status, count(*) FROM jobs GROUP BY status")))

    def waiting(self) -> bool:
        """Whether there is a job to be done."""
        with self._catalog.read() as db:
            row = db.execute("SELECT 1 FROM jobs WHERE status = 'queued' LIMIT 1").fetchone()
        return row is not None

    def cancel(self, id: int) -> None:
        """Ask a job to stop: at once if it waits, else at its next commit."""
        with self._catalog.write() as db:
            db.execute(
                "UPDATE jobs SET status = 'cancelled', finished = ? WHERE id = ?"
                " AND status = 'queued'",
                [now(), id],
            )
            db.execute("UPDATE jobs SET cancel = 1 WHERE id = ? AND status = 'running'", [id])

    def recover(self) -> None:
        """Queue again the jobs whose process died. Called by who alone may run jobs."""
        with self._catalog.write() as db:
            for row in db.execute("SELECT id, pid FROM jobs WHERE status = 'running'").fetchall():
                if not _lives(row["pid"]):
                    db.execute(
                        "UPDATE jobs SET status = 'queued', pid = NULL WHERE id = ?", [row["id"]]
                    )

    def take(self) -> Job | None:
        """Claim the oldest waiting job for this process, or return None."""
        with self._catalog.write() as db:
            row = db.execute(
                "UPDATE jobs SET status = 'running', pid = ?, started = ? WHERE id ="
                " (SELECT min(id) FROM jobs WHERE status = 'queued') RETURNING *",
                [os.getpid(), now()],
            ).fetchone()
        return _job(row) if row else None

    def start(self, kind: str, arguments: Mapping[str, Any]) -> Job:
        """A job that this process does itself, now."""
        with self._catalog.write() as db:
            cursor = db.execute(
                "INSERT INTO jobs (kind, arguments, status, pid, created, started)"
                " VALUES (?, ?, 'running', ?, ?, ?)",
                [kind, json.dumps(arguments, sort_keys=True), os.getpid(), now(), now()],
            )
            row = _row(db, cursor.lastrowid or 0)
        if row is None:
            raise KhazriError("The job vanished from the catalog.")
        return _job(row)

    def run(self, job: Job, work: Callable[[Watcher], Progress]) -> Progress:
        """Do a job's work, keeping its row up to date. Raises what the work raises."""
        reported = 0.0

        def watch(progress: Progress) -> None:
            nonlocal reported
            if time.monotonic() - reported >= EVERY:
                reported = time.monotonic()
                if self._report(job.id, progress):
                    raise Cancelled("cancelled; what was committed stays")

        try:
            progress = work(watch)
        except (Cancelled, KeyboardInterrupt):
            self._end(job.id, "cancelled", "cancelled; what was committed stays")
            raise
        except BaseException as error:
            self._end(job.id, "failed", str(error) or type(error).__name__)
            raise
        self._report(job.id, progress)
        self._end(job.id, "done", None)
        return progress

    def _report(self, id: int, progress: Progress) -> bool:
        """Store the progress; say whether the job is asked to stop."""
        with self._catalog.write() as db:
            row = db.execute(
                "UPDATE jobs SET progress = ? WHERE id = ? RETURNING cancel",
                [json.dumps(describe(progress)), id],
            ).fetchone()
        return bool(row["cancel"])

    def _end(self, id: int, status: str, error: str | None) -> None:
        with self._catalog.write() as db:
            db.execute(
                "UPDATE jobs SET status = ?, error = ?, finished = ?, pid = NULL WHERE id = ?",
                [status, error, now(), id],
            )


def describe(progress: Progress) -> dict[str, Any]:
    """Progress as JSON: counts, passages a second, seconds left, the current file, failures."""
    seconds = max(progress.seconds, 1e-3)
    left = (progress.total - progress.done) * seconds / progress.done if progress.done else None
    return {
        "documents": progress.done,
        "documents_total": progress.total,
        "passages": progress.passages,
        "embedded": progress.embedded,
        "rate": round(progress.passages / seconds, 1),
        "seconds": round(seconds, 1),
        "seconds_left": None if left is None else round(left, 1),
        "current": progress.current,
        "added": progress.added,
        "changed": progress.changed,
        "moved": progress.moved,
        "removed": progress.removed,
        "unchanged": progress.unchanged,
        "generation": progress.generation,
        "failed": [{"uri": f.uri, "reason": f.reason} for f in progress.failed[:SHOWN]],
        "failed_total": len(progress.failed),
    }


def _row(db: sqlite3.Connection, id: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM jobs WHERE id = ?", [id]).fetchone()
    return row


def _job(row: sqlite3.Row) -> Job:
    return Job(
        row["id"],
        row["kind"],
        json.loads(row["arguments"]),
        row["status"],
        json.loads(row["progress"]),
        row["error"],
        row["created"],
        row["started"],
        row["finished"],
        bool(row["cancel"]) and row["status"] == "running",
    )


def _lives(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
