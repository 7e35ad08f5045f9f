"""Documents are read ahead of the encoder, gathered into batches, and committed behind it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from index.changes import Draft, Failed
from index.documents import Given
from index.plan import Part
from index.progress import Progress, Watcher
from index.sources import File

AHEAD = 64  # documents that are read ahead of the encoder

Work = tuple[Part, File | Given]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of one file, with all that is within it, or of one given document.

    ``file`` is the name of the file; empty for a given document.
    """

    source_id: int
    file: str
    drafts: tuple[Draft, ...]
    failures: tuple[Failed, ...]

    @property
    def name(self) -> str:
        """The name of the file or of the document."""
        names = [draft.uri for draft in self.drafts] + [failed.uri for failed in self.failures]
        return self.file or next(iter(names), "")

    @property
    def passages(self) -> int:
        """How many passages it adds."""
        return sum(len(draft.spans) for draft in self.drafts)


def ahead(make: Callable[[Work], Made | None], items: Sequence[Work]) -> Iterator[Made | None]:
    """Make drafts in a thread of their own, at most ``AHEAD`` before they are wanted."""
    with ThreadPoolExecutor(1) as pool:
        rest = iter(items)
        waiting = [pool.submit(make, item) for item in islice(rest, AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(make, item) for item in islice(rest, 1)]
        finally:
            for future in waiting:
                future.cancel()


def batches(
    made: Iterable[Made | None], size: int, progress: Progress, watch: Watcher
) -> Iterator[list[Made]]:
    """Group drafts to about ``size`` passages."""
    batch: list[Made] = []
    held = 0
    for one in made:
        progress.done += 1
        if one is None:
            continue
        progress.current = one.name
        watch(progress)
        batch.append(one)
        held += max(one.passages, 1)
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def behind(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[tuple[Item, Result]]:
    """Each item and what ``work`` gives for it, in a thread, while the next item is made.

    Where ``work`` fails no further item is given to it. What is under way when this is closed is
    waited for.
    """
    with ThreadPoolExecutor(1) as pool:
        last: tuple[Item, Future[Result]] | None = None
        for item in items:
            if last:
                yield last[0], last[1].result()
            last = item, pool.submit(work, item)
        if last:
            yield last[0], last[1].result()
