"""The app: what it is made of, what it refuses, and how it is served."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from flask import Flask, Response, request
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from waitress import create_server

from index.errors import KhazriError
from index.home import Home
from search.engine import Engine
from web import access, api, pages, problems
from web.schemas import Problem
from web.services import Services, start_clock
from web.worker import Worker, command

log = logging.getLogger("khazri.web")

THREADS = 8
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # 'no-referrer' would make the Origin of our own forms null
    "X-Content-Type-Options": "nosniff",
}


def create_app(home: Home, engine: Engine, worker: Worker | None = None) -> OpenAPI:
    """Make the app over an opened home and the engine over it.

    It answers to loopback names only, until ``serve`` binds it elsewhere.
    """
    app = OpenAPI(
        "web",
        info=Info(title="Khazri", version=_version()),
        doc_ui=False,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=problems.invalid,
    )
    app.config.update(MAX_CONTENT_LENGTH=problems.MAX_UPLOAD << 20, LOOPBACK_ONLY=True)
    app.extensions["khazri"] = Services(home, engine, worker or Worker(command(home, "work")))
    app.before_request(start_clock)
    access.register(app)
    app.after_request(_protected)
    problems.register(app)
    api.register(app)
    pages.register(app)
    return app


def announce(url: str) -> None:
    """Say on standard error where the pages are."""
    print(f"Khazri is at {url} (stop it with Ctrl-C)", file=sys.stderr, flush=True)


def serve(app: Flask, host: str, port: int, listening: Callable[[str], None] = announce) -> None:
    """Serve until the process is asked to stop; ``listening`` is told the address when it can.

    The models are loaded first, and jobs that wait are taken up. Port 0 means any free one.
    Raises ``KhazriError`` when the address can't be had.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise _unavailable(error, host, port) from error
    server = create_server(
        app,
        sockets=[bound],
        threads=THREADS,
        ident=None,
        # Somewhat more than the app takes, so that it is the app that says what is too much.
        max_request_body_size=2 * app.config["MAX_CONTENT_LENGTH"],
    )
    services: Services = app.extensions["khazri"]
    try:
        services.home.encoder.load()
        if services.engine.reader:
            services.engine.reader.load()
        app.config["LOOPBACK_ONLY"] = access.loopback(host)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        if any(job.status in ("queued", "running") for job in services.home.jobs.list()):
            services.worker.wake()
        name = f"[{host}]" if ":" in host else host
        listening(f"http://{name}:{bound.getsockname()[1]}")
        server.run()
    finally:
        services.worker.close()
        server.close()
        bound.close()


def _unavailable(error: OSError, host: str, port: int) -> KhazriError:
    if error.errno == errno.EADDRINUSE:
        return KhazriError(
            f"Port {port} of {host} is in use, perhaps by another Khazri. Stop that, or choose"
            f" another port: --port {port + 1}"
        )
    return KhazriError(f"{host} port {port} can't be served: {error.strerror or error}.")


def _protected(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-cache")
    return response


def _version() -> str:
    try:
        return version("khazri")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"
