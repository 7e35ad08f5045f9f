"""What the service writes about itself: a line for each request, and what went wrong.

Lines are for people, or a JSON object each (``log_format``). Those of one request share its id,
which its reply carries as ``X-Request-ID``. What was asked is not written, unless by
``log_questions``.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

from web.services import services, took_ms

log = logging.getLogger("khazri.access")

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")  # a request id that is taken over
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(format: str) -> None:
    """Write the log to standard error; ``format`` is "text" or "json"."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if format == "json" else TextLines())
    handler.addFilter(_named)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("khazri").setLevel(logging.INFO)
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # what waits is measured


def register(app: Flask) -> None:
    """Give each request of ``app`` its id, and each reply a line of the log."""
    app.before_request(_identify)
    app.after_request(_told)


def request_id() -> str | None:
    """The id of the present request; None outside of one."""
    return g.get("request_id") if has_request_context() else None


def _identify() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _PLAIN.fullmatch(given) else uuid.uuid4().hex


def _told(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    level = logging.DEBUG if request.endpoint == "static" else logging.INFO
    if log.isEnabledFor(level):
        fields = _fields(response)
        log.log(
            level,
            "%s %s %d in %.1f ms",
            fields["method"],
            fields["path"],
            fields["status"],
            fields["ms"],
            extra={"fields": fields},
        )
    return response


def _fields(response: Response) -> dict[str, Any]:
    fields = {
        "method": request.method,
        "route": request.url_rule.rule if request.url_rule else None,
        "path": quote(request.path),
        "status": response.status_code,
        "ms": took_ms(),
        "key": g.get("key_id"),
        "client": request.remote_addr,
    }
    if services().home.settings.log_questions and (asked := request.args.get("q")):
        fields["question"] = asked
    return fields


def _named(record: logging.LogRecord) -> bool:
    record.request_id = request_id()
    return True


class TextLines(logging.Formatter):
    """A line for people; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """The time, the level, the request and what is said of it."""
        fields, id = getattr(record, "fields", {}), getattr(record, "request_id", None)
        more = [f"{name} {fields[name]}" for name in ("client", "key") if fields.get(name)]
        if "question" in fields:
            more.append(json.dumps(fields["question"], ensure_ascii=False))
        about = f" [{id}]" if id else ""
        said = ", ".join([record.getMessage(), *more])
        line = f"{_time(record)} {record.levelname.lower()}{about} {_CONTROL.sub(_escaped, said)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """An object a line, for programs."""

    def format(self, record: logging.LogRecord) -> str:
        """The same as in a line for people, each thing under its name."""
        said: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", None),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        kept = {name: value for name, value in said.items() if value is not None}
        return json.dumps(kept, ensure_ascii=True)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode()
