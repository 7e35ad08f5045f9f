"""The one thread that multiplies matrices.

Torch has threads of its own for each thread that calls it, which wait for each other by spinning:
several callers at once would each be slowed down by more than the number of them, and each would
keep memory. So all of them hand their work to this thread, in small pieces where it is long.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_NAME = "khazri-compute"
# What it does between two products of the compiled pass needs the interpreter: beside a busy thread
# it waits this long for it each time, and Python's own 5 ms are as long as a question.
_IMPATIENCE = 0.0005
_thread = ThreadPoolExecutor(1, _NAME, sys.setswitchinterval, (_IMPATIENCE,))


def compute(work: Callable[[], T]) -> T:
    """Do ``work`` in that thread, after what was handed in before, and return what it returns."""
    if threading.current_thread().name.startswith(_NAME):
        return work()
    return begin(work).result()


def begin(work: Callable[[], T]) -> Future[T]:
    """Hand in ``work``, and go on."""
    return _thread.submit(work)
