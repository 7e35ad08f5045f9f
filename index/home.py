"""A home: the one folder in which everything of a collection lives."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from index.embeddings import Encoder
from index.errors import KhazriError
from index.indexer import Indexer, Progress, Watcher
from index.jobs import Job, Jobs
from index.locks import Busy, locked
from index.rebuild import outdated, outgrown, rebuild
from index.settings import load
from index.store import Store

log = logging.getLogger("khazri.home")


class Home:
    """An opened home folder: its settings, store, encoder, indexer and jobs."""

    def __init__(self, path: Path, model: str = "", given: Sequence[str] = ()) -> None:
        """Open a home, or make an empty one.

        ``given`` are settings as ``name=value``, and ``model`` is a model, that go before those of
        the environment and the home. Raises ``KhazriError``.
        """
        self.path = path.expanduser().absolute()
        _make(self.path)
        self.given = tuple(given)
        self.settings = load(self.path / "khazri.toml", os.environ, given)
        self.store = Store(self.path)
        self.wanted = Encoder(model or self.settings.model)
        recorded = self.store.model.rpartition("@")[0]
        self.encoder = self.wanted if recorded in ("", self.wanted.name) else Encoder(recorded)
        self.store.encoder = self.encoder
        self.indexer = Indexer(self.store, self.encoder, self.settings.deletion_share)
        self.jobs = Jobs(self.store.catalog, self.settings.max_jobs)

    def renew(self, watch: Watcher) -> None:
        """Bring the indexes to the wanted model and to this version's analyzer, if they are not."""
        if not outdated(self.store, self.wanted):
            return
        with self.store.snapshot() as snapshot:
            progress = Progress(total=snapshot.count().documents, current=self.wanted.name)

        def told(passages: int) -> None:
            progress.passages += passages
            watch(progress)

        rebuild(self.store, self.wanted, told)
        self.encoder = self.store.encoder = self.indexer.encoder = self.wanted

    @property
    def outgrown(self) -> bool:
        """Whether an older Khazri made the indexes, so that ``renew`` has something to do."""
        return outgrown(self.store)

    def work(self) -> None:
        """Do the jobs that wait, and those whose process died, until none is left.

        Only one process of a home works at a time; for another one there is nothing to do.
        """
        with suppress(Busy), locked(self.path / "work.lock", "khazri work", wait=0):
            self.jobs.recover()
            while job := self.jobs.take():
                try:
                    self.jobs.run(job, partial(self._do, job))
                except KhazriError as error:
                    log.warning("job %d: %s", job.id, error)

    def _do(self, job: Job, watch: Watcher) -> Progress:
        paths = [Path(path) for path in job.arguments.get("paths", ())]
        return self.index(paths, watch, jsonl=bool(job.arguments.get("jsonl")))

    def index(
        self,
        paths: Sequence[Path],
        watch: Watcher,
        *,
        jsonl: bool = False,
        allow_deletions: bool = False,
    ) -> Progress:
        """Bring the sources of ``paths``, or without paths all, up to date, and the indexes too."""
        self.renew(watch)
        if not paths:
            return self.indexer.sync(watch, allow_deletions=allow_deletions)
        return self.indexer.index(paths, watch, jsonl=jsonl, allow_deletions=allow_deletions)

    def status(self) -> dict[str, Any]:
        """What the home holds, as plain values."""
        with self.store.snapshot() as snapshot:
            counts = snapshot.count()
            return {
                "home": str(self.path),
                "generation": snapshot.generation,
                "documents": counts.documents,
                "passages": counts.passages,
                "failed": len(snapshot.failures()),
                "sources": [source.location for source in snapshot.sources()],
                "model": self.store.model,
                "wanted": self.wanted.name,
                "bytes": self.size(),
            }

    def size(self) -> int:
        """The bytes of all files of the home."""
        return sum(path.stat().st_size for path in self.path.rglob("*") if path.is_file())

    def close(self) -> None:
        """Close the files."""
        self.store.close()


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise KhazriError(f"{path} is a file, not a folder. Name another home.") from None
    except OSError as error:
        raise KhazriError(
            f"{path} can't be made: {error.strerror}. Name another home with --home."
        ) from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise KhazriError(f"{path} may not be read. Check its permissions.")
