"""One at a time, across processes. The system frees a lock with its holder, however that ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from index.disk import of_disk
from index.errors import KhazriError


class Busy(KhazriError):
    """Somebody else holds the lock, and was waited for as long as was asked."""


@contextmanager
def locked(path: Path, purpose: str, wait: float = -1) -> Iterator[None]:
    """Hold the lock of ``path``, for ``purpose``. Waits ``wait`` seconds (-1: as long as needed).

    Raises ``Busy``, which says who holds it.
    """
    lock = FileLock(path)
    note = path.with_suffix(".holder")
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        held = note.read_text() if note.exists() else "another process"
        raise Busy(
            f"{path.parent} is being written by {held}. Wait until it is done, or stop it."
        ) from None
    except OSError as error:
        raise of_disk(error, path.parent) from error
    try:
        with suppress(OSError):  # a note for people, that nothing depends on
            note.write_text(f"process {os.getpid()} ({purpose}, since {datetime.now():%H:%M:%S})")
        yield
    finally:
        lock.release()
