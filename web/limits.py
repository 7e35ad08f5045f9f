"""How much is taken on: from one client in a minute, at once, and in one request.

Who goes beyond is told so at once, in words and with ``Retry-After``, and costs next to nothing.
Static files and health checks are never refused.
"""

from __future__ import annotations

import ipaddress
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn, cast

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests

from search.engine import Step
from web.metrics import Metrics
from web.services import Services, late, services, took_ms

SAFE = ("GET", "HEAD", "OPTIONS")
FREE = ("static", "health", "ready")  # endpoints that neither count nor are refused
IDLE = (*FREE, "metrics")  # those that do no work on the collection
# Requests that are worked on at once; the others in hand wait for those. More than there are
# processors take each other's caches and the interpreter's lock: with 8 on two, a fourth less.
ASKING, CHANGING = min(8, (os.cpu_count() or 1) + 1), 2
AGAIN = 1  # seconds after which asking again is worth it, where nothing better is known
CLIENTS = 100_000  # that are remembered, at most


class Rates:
    """So many requests a minute from each client, at once or spread: a token bucket.

    Of each client one number is kept, as in the generic cell rate algorithm (ITU-T I.371): the
    moment at which its bucket is full again. Then it is forgotten, so that there are never more
    than asked within a minute, and never more than ``CLIENTS``.
    """

    def __init__(self, rate: int) -> None:
        """``rate`` 0 is no limit."""
        self._each = 60 / rate if rate else 0.0
        self._full: dict[str, float] = {}  # in the order in which they last asked
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many clients are remembered."""
        return len(self._full)

    def wait(self, client: str) -> float:
        """Seconds until a client may ask; 0 where it may now."""
        ahead = self._full.get(client, 0.0) - time.monotonic()
        return max(ahead - (60 - self._each), 0.0)

    def count(self, client: str) -> None:
        """A client asks."""
        now = time.monotonic()
        with self._lock:
            self._full[client] = max(self._full.pop(client, now), now) + self._each
            while len(self._full) > CLIENTS or self._full[next(iter(self._full))] <= now:
                del self._full[next(iter(self._full))]
                if not self._full:
                    break


class Places:
    """For so many requests there is room at once."""

    def __init__(self, places: int) -> None:
        self._most = places
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> bool:
        """Take a place, if one is free."""
        with self._lock:
            free = self.taken < self._most
            self.taken += free
            return free

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.taken -= 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What was taken on so far.

    Of the requests that have a place only a few are worked on at once: threads that compute take
    turns anyway, and many of them would only keep each other, and the health checks, waiting.
    Questions don't wait for what changes the collection, of which but one can be committed.
    """

    rates: Rates
    places: Places
    asking: threading.Semaphore
    changing: threading.Semaphore


def register(app: Flask) -> None:
    """Refuse clients that ask too often, before their keys are looked at: guessing is slow.

    ``admit`` is to follow when the keys are known.
    """
    known: Services = app.extensions["khazri"]
    settings = known.home.settings
    limits = Limits(
        Rates(settings.rate),
        Places(settings.max_requests),
        threading.Semaphore(ASKING),
        threading.Semaphore(CHANGING),
    )
    app.extensions["khazri.limits"] = limits
    known.metrics.in_hand.set_function(lambda: limits.places.taken)
    app.before_request(_not_too_often)
    app.after_request(_counted)
    app.after_request(_kept_while_streaming)
    app.teardown_request(_left)


def _limits() -> Limits:
    return cast(Limits, current_app.extensions["khazri.limits"])


def _not_too_often() -> None:
    if _limited():
        _in_rate(_address())


def admit() -> None:
    """Take a place for a request whose key is known and right, or refuse it."""
    if _limited() and (key := g.get("key_id")):
        _in_rate(f"key {key}")
    if request.endpoint in IDLE:
        return
    limits = _limits()
    if not limits.places.take():
        refuse(
            "requests",
            ServiceUnavailable(
                "More is asked at the moment than can be answered. Try again in a moment.",
                retry_after=AGAIN,
            ),
        )
    g.placed = True
    turn = limits.asking if request.method in SAFE else limits.changing
    if not turn.acquire(timeout=max(_seconds() - took_ms() / 1000, 0)):
        _too_late()
    g.turn = turn


def _limited() -> bool:
    """Whether requests are counted: only where keys are asked for, as others may reach it."""
    return bool(current_app.config.get("GUARDED")) and request.endpoint not in FREE


def _address() -> str:
    """The address of a client; of IPv6 the network, since each client has as many as it likes."""
    text = request.remote_addr or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address.packed, 64), strict=False))


def _in_rate(client: str) -> None:
    rates = _limits().rates
    if wait := rates.wait(client):
        seconds = math.ceil(wait)
        refuse(
            "rate",
            TooManyRequests(
                f"Too many requests came in a short time. Try again in {seconds} s.",
                retry_after=seconds,
            ),
        )


def _counted(response: Response) -> Response:
    """Count a request for its key, or for its address where it has none that is right."""
    if _limited() and response.status_code != TooManyRequests.code:
        key = g.get("key_id")
        _limits().rates.count(f"key {key}" if key else _address())
    return response


def _kept_while_streaming(response: Response) -> Response:
    """A reply that is made while it is sent keeps its place until its end.

    A file is none: the server sends it, and never says that it is done.
    """
    made = response.is_streamed and not response.direct_passthrough
    if made and g.pop("placed", False):
        response.call_on_close(_limits().places.leave)
    return response


def _left(error: BaseException | None = None) -> None:
    if turn := g.pop("turn", None):
        turn.release()
    if g.pop("placed", False):
        _limits().places.leave()


def _seconds() -> float:
    return services().home.settings.request_seconds


def in_time() -> None:
    """Give up the present request where it is late. Called before each step of work."""
    if late():
        _too_late()


def _too_late() -> NoReturn:
    refuse(
        "seconds",
        ServiceUnavailable(
            f"The request took longer than {_seconds():g} s. The service may be busy: try again"
            " later, or ask for less at once.",
            retry_after=AGAIN,
        ),
    )


def stepping(metrics: Metrics) -> Step:
    """What measures each step of a question, and stops one that is late before the next."""

    @contextmanager
    def step(name: str) -> Iterator[None]:
        in_time()
        with metrics.timed(name):
            yield

    return step


def refuse(limit: str, error: HTTPException) -> NoReturn:
    """Refuse the present request because of a limit, which is counted under its name."""
    services().metrics.refused.labels(limit).inc()
    raise error
