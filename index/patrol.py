"""A home examined while it serves: bit by bit, in the background, again and again."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from index import seals
from index.catalog import TODO
from index.check import fault, named, structure
from index.errors import KhazriError
from index.home import Home
from index.repair import repair
from index.segments import Damaged, load_files, verify

log = logging.getLogger("khazri.check")

# Seconds: after each step of the background pass, and each pass; before the first.
_PAUSE, _EVERY, _AFTER = 0.2, 3600.0, 60.0
_REST = 30  # times as long as a step takes the patrol rests after it


class Patrol:
    """Verifies the hashes of a home bit by bit, in a thread of low priority, again and again.

    Damaged indexes are repaired; all damage is logged.
    """

    def __init__(
        self, home: Home, pause: float = _PAUSE, every: float = _EVERY, after: float = _AFTER
    ) -> None:
        """``pause``: seconds after each step, at least; ``every``: between two passes.

        ``after``: seconds before the first, since a service that starts has enough to do.
        """
        self._home = home
        self._pause = pause
        self._every = every
        self._after = after
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="khazri-patrol", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _run(self) -> None:
        with suppress(AttributeError, OSError):  # where threads have priorities of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        self._stopped.wait(self._after)
        while not self._stopped.is_set():
            try:
                self.round()
            except Exception:  # the next pass may fare better, and must come
                log.exception("the examination in the background could not be finished")
            self._stopped.wait(self._every)

    def round(self) -> None:
        """One pass over everything."""
        steps = self._steps()
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                next(steps)
            except StopIteration:
                return
            except KhazriError as error:
                log.error("%s", error)
                return
            self._stopped.wait(max(self._pause, _REST * (time.monotonic() - started)))

    def _steps(self) -> Iterator[None]:
        store = self._home.store
        with store.catalog.read() as db:
            rows = db.execute("SELECT id, files FROM segments").fetchall()
        for id, dumped in rows:
            try:
                for name, file in load_files(dumped).items():
                    if wrong := verify(store.folder(id), {name: file}):
                        raise Damaged(wrong[0])
                    yield
            except Damaged as error:
                repair(store, {id: str(error)})  # nothing, if it was merged meanwhile
        with store.catalog.read() as db:
            ids = [row[0] for row in db.execute("SELECT id FROM documents ORDER BY id")]
        for start in range(0, len(ids), 20):
            self._documents(ids[start : start + 20])
            yield
        with store.catalog.read() as db:
            for row in seals.broken(db):
                log.error("damaged row of the catalog: %s. Run 'khazri check'.", row)
            if wrong := structure(db):
                log.error("the catalog is damaged: %s. %s", "; ".join(wrong), TODO)
        yield
        wrong, damaged = store.embeddings.faults()
        if wrong or damaged:
            log.error("the embedding store is damaged. Run 'khazri check'.")

    def _documents(self, ids: Sequence[int]) -> None:
        with self._home.store.catalog.read() as db:
            for id in ids:
                if db.execute("SELECT 1 FROM documents WHERE id = ?", [id]).fetchone():
                    if why := fault(db, id):
                        log.error("%s: %s. Run 'khazri check'.", named(db, id), why)
