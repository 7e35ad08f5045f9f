"""Failures as people and programs read them: a page, or problem details (RFC 9457)."""

from __future__ import annotations

import logging
import re
from typing import NoReturn

from flask import Flask, Response, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import (
    BadHost,
    BadRequest,
    HTTPException,
    InternalServerError,
    RequestEntityTooLarge,
    RequestURITooLarge,
    ServiceUnavailable,
)

from index.errors import KhazriError
from index.jobs import Full
from web.inputs import TOO_LONG
from web.limits import AGAIN, refuse
from web.logs import request_id
from web.replies import Problem
from web.services import services

log = logging.getLogger("khazri.web")

PROGRAMS = ("/api/v1", "/healthz", "/readyz", "/metrics")  # paths whose failures are JSON


def register(app: Flask) -> None:
    """Make every failure of ``app`` readable, and none of them a traceback."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Full, _full)
    app.register_error_handler(KhazriError, _khazri)
    app.register_error_handler(Exception, _unexpected)


def invalid(error: ValidationError) -> NoReturn:
    """Refuse a request that its model refused: 414 for an overlong question, else 400."""
    if any(each["type"] == TOO_LONG for each in error.errors(include_url=False)):
        refuse("question", RequestURITooLarge(sentence(error)))
    raise BadRequest(sentence(error))


def sentence(error: ValidationError) -> str:
    """What is wrong, in words; at most three things are named."""
    errors = error.errors(include_url=False, include_input=False)
    said = [_said(each["msg"], each["loc"]) for each in errors]
    more = f" … and {len(said) - 3} more." if len(said) > 3 else ""
    return " ".join(said[:3]) + more


def _said(message: str, place: tuple[int | str, ...]) -> str:
    if message[-1] in ".?!":  # one of our own
        return message
    name = ".".join(map(str, place)) or "The body"
    if message == "Field required":
        return f"{name} is missing."
    message = re.sub("^(Input|Value|String|List) ", "", message)
    if message.startswith("should be a valid dictionary"):
        message = "should be a JSON object"
    return f"{name} {message}." if message[0].islower() else f"{name}: {message}."


def _http(error: HTTPException) -> Response:
    detail = error.description or ""
    if isinstance(error, RequestEntityTooLarge):
        settings = services().home.settings
        detail = (
            f"That is more than can be sent at once: {settings.max_upload} MB, or"
            f" {settings.max_files:,} files. Send it in parts."
        )
        services().metrics.refused.labels("upload").inc()
    response = Response(status=error.code, headers=error.get_headers())  # keeps Allow
    return _shown(response, error.name, detail)


def _full(error: Full) -> Response:
    services().metrics.refused.labels("jobs").inc()
    return _http(ServiceUnavailable(str(error), retry_after=AGAIN))


def _khazri(error: KhazriError) -> Response:
    log.warning("%s %s: %s", request.method, request.path, error)
    return _shown(Response(status=500), InternalServerError().name, str(error))


def _unexpected(error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    detail = "Something went wrong on our side. The log of the service tells what."
    return _shown(Response(status=500), InternalServerError().name, detail)


def _shown(response: Response, title: str, detail: str) -> Response:
    # Where the host is no name at all, no page can be made, since its links can't.
    if request.path.startswith(PROGRAMS) or isinstance(request.routing_exception, BadHost):
        problem = Problem(
            title=title,
            status=response.status_code,
            detail=detail,
            instance=request.path,
            request_id=request_id(),
        )
        response.content_type = "application/problem+json"
        response.set_data(problem.model_dump_json(exclude_none=True))
    else:
        response.content_type = "text/html; charset=utf-8"
        response.set_data(render_template("problem.html", title=title, detail=detail))
    return response
