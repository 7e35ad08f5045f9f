"""How an app is served: bound, listening while it loads, and ended in good order."""

from __future__ import annotations

import ctypes
import errno
import gc
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from flask import Flask
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from index.errors import KhazriError
from web import access, health
from web.services import Services

SPARE = 8  # threads beyond those that work, which say at once that there is no place
CONNECTIONS = 1000  # open at once, most of them idle
QUIET = 75  # seconds without a byte until a connection is closed: longer than a proxy keeps one
FILES = 4 * CONNECTIONS  # that may be open at once
_ARENA_MAX = -8  # of mallopt(3)
CROWDED = 5  # the same where half of the connections are open


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Waitress, which ends in good order, and closes connections that nobody uses."""

    def __init__(self, app: Flask, bound: socket.socket, threads: int) -> None:
        """Listen on ``bound`` at once; nothing is accepted before ``run``."""
        adjustments = Adjustments(
            ident=None,
            # ProxyFix reads what proxies say; where there are none, nobody's word is passed on.
            clear_untrusted_proxy_headers=not app.extensions["khazri"].home.settings.proxies,
            connection_limit=CONNECTIONS,
            cleanup_interval=1,
            asyncore_use_poll=True,  # select knows no file beyond the 1024th
            # Somewhat more than the app takes, so that it is the app that says what is too much.
            max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],
        )
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(threads)
        super().__init__(
            app,
            None,
            True,
            bound,
            dispatcher=dispatcher,
            adj=adjustments,
            bind_socket=False,
            sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
        )
        self._ending = False

    def maintenance(self, now: float) -> None:
        """Close what is idle, sooner where much is open, and what its client does not read."""
        crowded = len(self.active_channels) > CONNECTIONS // 2
        cutoff = now - (CROWDED if crowded else QUIET)
        for channel in self.active_channels.values():
            waiting = not channel.requests or channel.total_outbufs_len
            if waiting and channel.last_activity < cutoff:
                channel.will_close = True

    def run(self) -> None:
        """Serve until ``end`` is called."""
        while not self._ending:
            self._turn()

    def end(self) -> None:
        """Have ``run`` return. Called from any thread, or from a handler of signals."""
        self._ending = True
        self.pull_trigger()

    def finish(self, seconds: float) -> None:
        """Accept nothing more, and reply to what is in hand for at most so many seconds."""
        self.asyncore.dispatcher.close(self)  # the socket that accepts, and no other
        until = time.monotonic() + seconds
        while self._busy() and time.monotonic() < until:
            self._turn(0.1)
        self.task_dispatcher.shutdown(timeout=1)
        self.close()

    def _busy(self) -> bool:
        """Whether something is in hand. Connections without a request are closed."""
        for channel in self.active_channels.values():
            if not (channel.requests or channel.request or channel.total_outbufs_len):
                channel.will_close = True
        return bool(self.active_channels)

    def _turn(self, seconds: float = 1.0) -> None:
        self.asyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)


def announce(url: str) -> None:
    """Say on standard error where the pages are."""
    print(f"Khazri is at {url} (stop it with Ctrl-C)", file=sys.stderr, flush=True)


def serve(app: Flask, host: str, port: int, listening: Callable[[str], None] = announce) -> None:
    """Serve until the process is asked to stop. Port 0 means any free one.

    The models are loaded while health checks are already answered; then ``listening`` is told the
    address, and jobs that wait are taken up. On SIGTERM or SIGINT nothing more is accepted, what
    is in hand is finished, and the job under way is left to be resumed; a second signal ends the
    process at once. Raises ``KhazriError`` when the address or a model can't be had, or keys are
    asked for and there is none.
    """
    access.bind(app, host)
    _allow_files()
    _share_arenas()
    bound = _bind(host, port)
    services: Services = app.extensions["khazri"]
    settings = services.home.settings
    server = Server(app, bound, settings.max_requests + SPARE)
    app.config["PHASE"] = health.STARTING
    failures: list[BaseException] = []

    def load() -> None:
        try:
            services.load()
        except BaseException as error:
            failures.append(error)
            server.end()
            return
        gc.freeze()  # what was loaded stays: looking through it again takes a quarter of a second
        if app.config["PHASE"] == health.STARTING:
            app.config["PHASE"] = health.SERVING
            if any(job.status in ("queued", "running") for job in services.home.jobs.list()):
                services.worker.wake()
            name = f"[{host}]" if ":" in host else host
            listening(f"http://{name}:{bound.getsockname()[1]}")

    def stop(*_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        server.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    loading = threading.Thread(target=load, name="khazri-loading", daemon=True)
    loading.start()
    try:
        server.run()
    finally:
        app.config["PHASE"] = health.ENDING
        services.worker.close()
        server.finish(settings.request_seconds)
        loading.join(timeout=CROWDED)
    if failures:
        raise failures[0]


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family)
        # Connections inherit it: else a reply in two parts waits 40 ms for the client to ask on.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return bound
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise KhazriError(
                f"Port {port} of {host} is in use, perhaps by another Khazri. Stop that, or choose"
                f" another port: --port {port + 1}"
            ) from error
        raise KhazriError(
            f"{host} port {port} can't be served: {error.strerror or error}."
        ) from error


def _share_arenas() -> None:
    """Have threads share two arenas of memory: each of its own would keep the most it ever held."""
    with suppress(AttributeError, OSError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 2)


def _allow_files() -> None:
    """Raise the number of files that may be open to what connections and segments may need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
