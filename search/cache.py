"""Replies that are given again while the collection stays as it is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock


class Cache:
    """The latest replies of one generation. A newer generation empties it."""

    def __init__(self, size: int) -> None:
        """It keeps ``size`` replies at most; 0 keeps none."""
        self.size = size
        self.hits = self.misses = 0
        self._lock = Lock()
        self._generation = -1
        self._kept: OrderedDict[Hashable, object] = OrderedDict()

    def get(self, generation: int, key: Hashable) -> object | None:
        """The reply to ``key`` of that generation, if it is kept."""
        with self._lock:
            found = self._kept.get(key) if generation == self._generation else None
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
                self._kept.move_to_end(key)
            return found

    def put(self, generation: int, key: Hashable, reply: object) -> None:
        """Keep a reply, which was found in that generation."""
        with self._lock:
            if generation < self._generation:
                return
            if generation > self._generation:
                self._kept.clear()
                self._generation = generation
            self._kept[key] = reply
            if len(self._kept) > self.size:
                self._kept.popitem(last=False)
