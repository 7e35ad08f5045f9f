"""How far an indexing run is, and how it is stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from index.changes import Failed
from index.errors import KhazriError


@dataclass
class Progress:
    """How far an indexing run is. Changes while it runs; numbers count documents or passages."""

    total: int = 0
    done: int = 0
    passages: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    withheld: int = 0  # documents that would be gone, but for the deletions that were not allowed
    unchanged: int = 0
    embedded: int = 0
    current: str = ""
    generation: int = 0
    failed: list[Failed] = field(default_factory=list)
    read: Counter[str] = field(default_factory=Counter)  # documents by type
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


class Cancelled(KhazriError):
    """The run was asked to stop. What was committed stays."""


Watcher = Callable[[Progress], None]  # told of progress; raises Cancelled to stop the run
