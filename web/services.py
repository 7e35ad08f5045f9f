"""What a request works with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from flask import current_app, g, has_request_context, request
from werkzeug.exceptions import NotFound

from index.documents import Given
from index.home import Home
from index.indexer import Outcome, Upload
from index.jobs import Job
from index.originals import Removal, removal, restorable
from search.engine import Engine
from search.results import Answer
from web.keys import Keys
from web.metrics import Metrics
from web.worker import Worker

PART = 1 << 20  # bytes of documents, about, that one commit adds


@dataclass(frozen=True, slots=True)
class Services:
    """The opened home, the engine over it, the worker beside it, and what is measured."""

    home: Home
    engine: Engine
    worker: Worker
    metrics: Metrics
    keys: Keys

    def load(self) -> None:
        """Load the models now rather than at the first question."""
        self.home.encoder.load()
        if self.engine.reader:
            self.engine.reader.load()


def services() -> Services:
    """Those of the app that serves the present request."""
    return cast(Services, current_app.extensions["khazri"])


def generation() -> int:
    """The present generation of the collection."""
    with services().home.store.snapshot() as snapshot:
        return snapshot.generation


def answer_to(question: str, *, filter: str = "", limit: int = 5) -> Answer:
    """What the engine answers, which is counted by what became of it."""
    metrics, interface = services().metrics, request.blueprint or ""
    try:
        found = services().engine.answer(question, filter=filter, limit=limit)
    except Exception:
        metrics.answered(interface, None)
        raise
    metrics.answered(interface, found)
    return found


def remove_document(id: int) -> int:
    """Remove a document; return the generation from which it is gone. Raises ``NotFound``."""
    with services().home.store.snapshot() as snapshot:
        if snapshot.document(id) is None:
            raise no_document(id)
    return services().home.indexer.remove(id)


def removal_of(source: str, uri: str) -> Removal | None:
    """What was removed by hand under this name, if it can be brought back."""
    store = services().home.store
    found = removal(store, source, uri)
    return found if found and restorable(store, found) else None


def restore_document(source: str, uri: str) -> Outcome:
    """Bring a removed document back. Raises ``NotFound`` and ``KhazriError``."""
    found = removal_of(source, uri)
    if found is None:
        raise NotFound("There is nothing to bring back under that name. It may be back already.")
    return services().home.indexer.restore(found)


def add_documents(items: Sequence[Upload | Given]) -> list[Outcome]:
    """Store documents; larger merges that they call for are left to the background.

    They are committed in parts. When the request is late, the rest is told to be not stored.
    """
    home = services().home
    outcomes: list[Outcome] = []
    for part in _parts(items):
        if late():
            reason = "not stored: the request took too long; send it again, with fewer documents"
            outcomes += [Outcome(_name(one), False, None, generation(), reason) for one in part]
        else:
            outcomes += home.indexer.add(part)
    if home.store.crowded():
        start_reindexing()
    return outcomes


def _parts(items: Sequence[Upload | Given]) -> Iterator[list[Upload | Given]]:
    """Documents in their order, about ``PART`` bytes at a time; of two of one name the last."""
    part: list[Upload | Given] = []
    size = 0
    for one in {(type(one), _name(one)): one for one in items}.values():
        part.append(one)
        size += len(one.data if isinstance(one, Upload) else one.text)
        if size >= PART:
            yield part
            part, size = [], 0
    if part:
        yield part


def _name(one: Upload | Given) -> str:
    return one.name if isinstance(one, Upload) else one.uri


def start_reindexing() -> Job:
    """Have the known sources read again in the background."""
    job = services().home.jobs.submit("reindex")
    services().worker.wake()
    return job


def find_job(id: int) -> Job:
    """A job. Raises ``NotFound``."""
    job = services().home.jobs.get(id)
    if job is None:
        raise NotFound(f"There is no job {id}.")
    return job


def cancel_job(id: int) -> Job:
    """Ask a job to stop; return it as it is now. Raises ``NotFound``."""
    services().home.jobs.cancel(find_job(id).id)
    return find_job(id)


def no_document(id: int, removed: str = "") -> NotFound:
    """The failure to raise for a document that is not there; ``removed`` is the day it went."""
    why = f"It was removed on {removed}." if removed else "It may have been removed."
    return NotFound(f"There is no document {id} in the collection. {why}")


def start_clock() -> None:
    """Called as a request begins."""
    g.began = perf_counter()


def late() -> bool:
    """Whether the present request has taken as long as one may; never outside of one."""
    if not has_request_context():
        return False
    return perf_counter() - float(g.began) > services().home.settings.request_seconds


def took_ms() -> float:
    """Milliseconds since the present request began."""
    began: float = g.began
    return round((perf_counter() - began) * 1000, 2)
