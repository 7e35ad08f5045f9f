"""Whether the service is alive, and whether it is ready to answer."""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import ServiceUnavailable

from index.errors import KhazriError
from web.limits import AGAIN, IDLE
from web.replies import HealthReply
from web.services import generation, took_ms

log = logging.getLogger("khazri.web")

# What ``PHASE`` of an app's configuration may be, and what is said of it where it is not serving.
SERVING = "serving"
STARTING = "Khazri is starting: its models are being loaded. Try again in a few seconds."
ENDING = "Khazri is ending: it finishes what it has begun, and takes on no more."


def register(app: Flask) -> None:
    """Refuse what comes before the models are loaded, or while the service ends."""
    app.config["PHASE"] = SERVING
    app.before_request(_serving)


def health() -> Response:
    """The service is alive."""
    return _reply()


def ready() -> Response:
    """The service is ready: its models are loaded, and its index can be read."""
    _in_service()
    try:
        return _reply()
    except KhazriError as error:
        log.error("not ready: %s", error)
        raise ServiceUnavailable(
            "The index can't be read. The log of the service tells why.", retry_after=AGAIN
        ) from error


def _reply() -> Response:
    reply = HealthReply(generation=generation(), took_ms=took_ms())
    return Response(reply.model_dump_json(), mimetype="application/json")


def _serving() -> None:
    if request.endpoint not in IDLE:
        _in_service()


def _in_service() -> None:
    if (phase := current_app.config["PHASE"]) != SERVING:
        raise ServiceUnavailable(phase, retry_after=AGAIN)
