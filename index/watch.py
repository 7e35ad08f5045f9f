"""Watching: the sources are brought up to date whenever something changes in them.

An event of the file system only says where to look; what is so is found by looking, as in every
other run. So no event is needed for the right result: one that is lost, or that a network share
never sends, costs at most the time until the next look.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from threading import Event

from watchfiles import watch as events

from index.errors import KhazriError
from index.indexer import Indexer
from index.jobs import Jobs
from index.locks import Busy, locked
from index.plan import Plan, Stamp
from index.progress import Cancelled, Progress, Watcher
from index.sources import clean_path, covering, listed, wanted
from index.stored import Source

log = logging.getLogger("khazri.watch")

TICK = 1.0  # seconds between two glances at the sources themselves
BURST = 10  # a burst is looked at after so many settling times, even if it goes on
REST = 10  # after a look, so many times its duration passes before the next one is due

State = tuple[int, ...] | None


class Settling:
    """Says which files are final: those whose size and time stayed the same for a while."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._seen: dict[str, tuple[Stamp, float]] = {}

    def note(self, uri: str, stamp: Stamp) -> None:
        """Note the state in which a file is now."""
        if uri not in self._seen or self._seen[uri][0] != stamp:
            self._seen[uri] = (stamp, self._clock())

    def __call__(self, uri: str, stamp: Stamp) -> bool:
        """Whether a file has been in this state for long enough."""
        self.note(uri, stamp)
        return self._clock() - self._seen[uri][1] >= self._seconds

    def forget(self) -> None:
        """Forget what did not change for long: it is final, or needs no judgement any more."""
        limit = self._clock() - max(60.0, BURST * self._seconds)
        self._seen = {uri: seen for uri, seen in self._seen.items() if seen[1] > limit}


class Watch:
    """Follows the sources of a home, each burst of changes as one job."""

    def __init__(
        self,
        indexer: Indexer,
        jobs: Jobs,
        *,
        interval: float = 60.0,
        settle: float = 2.0,
        told: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """``interval`` and ``settle`` are seconds; ``told`` hears of each burst that was done."""
        self._indexer = indexer
        self._jobs = jobs
        self._interval = interval
        self._settle = settle
        self._told = told
        self._settling = Settling(settle)
        self._sources: dict[int, Source] = {}
        self._states: dict[int, State] = {}
        self._unseen: set[int] = set()  # sources to be looked at
        self._burst = self._due = self._round = self._rest = 0.0
        self._model = ""  # of the home's vectors, as far as is known
        self._outdated = False

    def run(self, stop: Event) -> None:
        """Watch until ``stop`` is set, or the home has another embedding model than the indexer.

        Raises ``Busy`` when another process watches already.
        """
        with locked(self._indexer.store.home / "watch.lock", "khazri watch", wait=0):
            while not (stop.is_set() or self._outdated):
                self._glance()
                for paths in _changes(self._roots(), stop):
                    self._notice(paths)
                    roots = self._roots()
                    self._glance()
                    if self._unseen and time.monotonic() >= max(self._due, self._rest):
                        self._look(stop)
                    if stop.is_set() or self._outdated:
                        break
                    if roots != self._roots() or not roots.keys().isdisjoint(paths):
                        break  # a folder appeared, vanished or is another one now: watch afresh

    def _roots(self) -> dict[str, State]:
        """The folders that are there, each with its identity."""
        return {
            source.location: self._states[id]
            for id, source in self._sources.items()
            if source.kind == "folder" and self._states.get(id)
        }

    def _glance(self) -> None:
        """See which sources there are, and whether they themselves changed."""
        try:
            with self._indexer.store.catalog.read() as db:
                self._sources = {source.id: source for source in listed(db)}
            model, self._model = self._model, self._indexer.store.model
        except KhazriError as error:
            log.warning("%s", error)
            return
        self._outdated |= model not in ("", self._model)
        states = {id: _state(source) for id, source in self._sources.items()}
        self._mark(
            [id for id in states if id not in self._states or states[id] != self._states[id]]
        )
        self._states = states
        if time.monotonic() >= self._round:
            self._round = time.monotonic() + self._interval
            self._mark([id for id, source in self._sources.items() if source.kind == "folder"])

    def _notice(self, paths: Collection[str]) -> None:
        """Note the state of files that changed, and mark their sources."""
        home = self._indexer.store.home
        sources = list(self._sources.values())
        for path in paths:
            uri = clean_path(path)
            source = None if Path(path).is_relative_to(home) else covering(sources, uri)
            if source is None:
                continue
            stamp = _stamp(path)
            is_folder = stamp is not None and os.path.isdir(path)
            if is_folder or stamp is None or wanted(source, uri):
                self._mark([source.id])
                if not is_folder:
                    self._settling.note(uri, stamp)

    def _mark(self, ids: Sequence[int]) -> None:
        """Have sources looked at when the burst is over, or when it has gone on for long."""
        if not ids:
            return
        now = time.monotonic()
        if not self._unseen:
            self._burst = now
        self._unseen |= set(ids)
        self._due = min(now + self._settle, self._burst + BURST * self._settle)

    def _look(self, stop: Event) -> None:
        """Bring the marked sources up to date; look again later at what is not finished."""
        started = time.monotonic()
        wait = self._settle
        later = set(self._unseen)
        try:
            with self._indexer.planned(later, settled=self._settling, wait=0) as plan:
                self._rest = time.monotonic() + REST * (time.monotonic() - started)
                self._carry_out(plan, stop)
            later = {part.source.id for part in plan.parts if part.later}
        except Busy:
            log.debug("another run is under way; looking again after it")
        except Cancelled:
            wait = self._interval
        except (KhazriError, OSError) as error:
            log.warning("%s", error)
            wait = self._interval
        self._settling.forget()
        self._unseen, self._burst = later, time.monotonic()
        self._due = self._burst + wait

    def _carry_out(self, plan: Plan, stop: Event) -> None:
        if plan.empty:
            self._indexer.carry_out(plan, _ignore)
            return
        names = [part.source.name for part in plan.parts]

        def work(report: Watcher) -> Progress:
            def watcher(progress: Progress) -> None:
                if stop.is_set():
                    raise Cancelled("the watch was stopped; what was committed stays")
                report(progress)

            return self._indexer.carry_out(plan, watcher)

        self._told(self._jobs.run(self._jobs.start("watch", {"sources": names}), work))


def _ignore(progress: Progress) -> None:
    pass


def _changes(roots: Collection[str], stop: Event) -> Iterator[set[str]]:
    """The paths that changed under the roots; at least an empty set every ``TICK`` seconds."""
    if roots:
        try:
            for found in events(
                *roots,
                watch_filter=None,
                debounce=int(TICK * 1000),
                rust_timeout=int(TICK * 1000),
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
                ignore_permission_denied=True,
            ):
                yield {path for _, path in found}
            return
        except (OSError, RuntimeError) as error:
            log.warning("no events of the file system (%s): looking at intervals instead", error)
    while not stop.wait(TICK):
        yield set()


def _stamp(path: str) -> Stamp:
    try:
        stat = os.lstat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _state(source: Source) -> State:
    """What tells that a source itself changed: which folder it is, or how its file looks."""
    try:
        stat = os.stat(source.location)
    except OSError:
        return None
    if source.kind == "folder":
        return stat.st_dev, stat.st_ino
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
