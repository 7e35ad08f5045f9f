"""The threads that multiply matrices.

Torch shares out each product to threads that wait for each other at its end, so that all of them
wait for one that is kept from its processor. Where the work is compiled, threads here get pieces
of work to themselves instead: a fourth more in all, and beside a busy thread half more. What runs
in Python takes turns in one thread, with torch's own way: several would keep each other waiting.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_TURNS, _HANDS = "khazri-turns", "khazri-hands"
# Between two products in Python the interpreter is given away and wanted back; beside a busy thread
# this is what it takes each time. Python's own 5 ms are as long as a question.
_IMPATIENCE = 0.0005
_turns = ThreadPoolExecutor(1, _TURNS, sys.setswitchinterval, (_IMPATIENCE,))
_hands: ThreadPoolExecutor | None = None
_guard = threading.Lock()


def compute(work: Callable[[], T]) -> T:
    """Do ``work`` after what was handed in before, with all processors; return what it returns."""
    import torch

    if _within(_TURNS):
        return work()

    def alone() -> T:
        torch.set_num_threads(_processors())
        return work()

    return _turns.submit(alone).result()


def share(pieces: Sequence[Callable[[], T]]) -> list[T]:
    """Do the pieces at once, each in a thread that works alone; what they return, in order.

    The caller is one of the threads, so that no more of them are at work than processors.
    """
    if _within(_TURNS, _HANDS):
        return [piece() for piece in pieces]
    left = deque(enumerate(pieces))
    done: dict[int, T] = {}

    def work() -> None:
        while left:
            try:
                number, piece = left.popleft()
            except IndexError:  # another thread took the last one
                return
            done[number] = piece()

    helpers = [begin(work) for _ in range(min(_processors(), len(pieces)) - 1)]
    try:
        work()
    finally:
        left.clear()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    return [done[number] for number in range(len(pieces))]


def beside(aside: Callable[[], T], here: Callable[[], T]) -> tuple[T, T]:
    """Do both: ``aside`` in a thread that is free, or else after the other."""
    begun = begin(aside)
    try:
        done = here()
    except BaseException:
        begun.cancel()
        raise
    return (aside() if begun.cancel() else begun.result()), done


def begin(work: Callable[[], T]) -> Future[T]:
    """Hand in ``work`` for a thread that works alone, and go on."""
    global _hands
    with _guard:
        if _hands is None:
            initial = (_IMPATIENCE,)
            _hands = ThreadPoolExecutor(_processors(), _HANDS, sys.setswitchinterval, initial)
    return _hands.submit(work)


def _within(*names: str) -> bool:
    return threading.current_thread().name.startswith(names)


def _processors() -> int:
    from index.bert import THREADS

    return THREADS
