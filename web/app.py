"""The app: what it is made of, and what it refuses."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from flask import Response, current_app, request
from flask_openapi3.openapi import OpenAPI

from index.home import Home
from search.engine import Engine
from web import access, api, caching, contract, health, limits, logs, opensearch, pages, problems
from web.keys import Keys
from web.metrics import Metrics
from web.replies import Problem
from web.services import Services, start_clock
from web.worker import Worker, command

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

    It takes the host of the settings for where it listens, until ``serve`` says otherwise.
    """
    app = OpenAPI(
        "web",
        info=contract.info(_version()),
        operation_id_callback=contract.named,
        doc_ui=False,
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=problems.invalid,
    )
    settings = home.settings
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_upload << 20,
        MAX_FORM_PARTS=settings.max_files + 1,  # so that it is the app that counts the files
    )
    measured = Metrics(home, engine)
    app.extensions["khazri"] = Services(
        home, engine, worker or Worker(command(home, "work")), measured, Keys(home.path)
    )
    engine.step = limits.stepping(measured)
    app.before_request(start_clock)
    logs.register(app)  # the first here sees each reply the last
    app.after_request(measured.count)
    health.register(app)
    limits.register(app)
    access.register(app)
    app.before_request(limits.admit)
    app.after_request(_protected)
    problems.register(app)
    caching.register(app)
    api.register(app)
    pages.register(app)
    opensearch.register(app)
    return app


def _protected(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        kept = "private, no-cache" if current_app.config["GUARDED"] else "no-cache"
        response.headers.setdefault("Cache-Control", kept)
    return response


def _version() -> str:
    try:
        return version("khazri")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"
