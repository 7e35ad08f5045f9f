"""Documents are read in a thread ahead of the encoder, and gathered into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from index.changes import Draft, Failed
from index.documents import Given
from index.progress import Progress, Watcher
from index.snapshot import Source
from index.sources import File

AHEAD = 64  # documents that are read ahead of the encoder

Work = tuple[Source, File | Given]


def ahead(
    make: Callable[[Work], Draft | Failed | None], items: Sequence[Work]
) -> Iterator[Draft | Failed | None]:
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
    made: Iterable[Draft | Failed | None], size: int, progress: Progress, watch: Watcher
) -> Iterator[list[Draft | Failed]]:
    """Group drafts to about ``size`` passages."""
    batch: list[Draft | Failed] = []
    held = 0
    for one in made:
        progress.done += 1
        if one is None:
            continue
        progress.current = one.uri
        watch(progress)
        batch.append(one)
        held += len(one.spans) if isinstance(one, Draft) else 1
        if held >= size:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
