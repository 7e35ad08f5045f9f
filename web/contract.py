"""What all routes of the JSON interface have in common, and the document that describes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple, cast

from flask import current_app
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

ABOUT = """\
Khazri finds passages in a collection of documents, and answers questions with quotes, each checked
against the stored text before it is given. What it does not find it says it does not find.

**Generations.** Each change of the collection gives it the next generation, and every reply names
the one that it was read from. Pages of one `generation` fit together: none repeats or skips what
another holds. Where it differs from that of the page before, begin again with the first.

**Asking again.** A reply with an `ETag` holds until the collection changes or the service starts
anew. Send the tag as `If-None-Match`, and where nothing changed the reply is 304, at no cost.

**Offsets** count Unicode code points of a document's stored text; `end` is not included.

**Keys.** Where the service asks for keys, send one as `Authorization: Bearer KEY`. Whoever has one
may read; `POST` and `DELETE` need a key that may write. `khazri keys` makes them.

**Failures** are problem details (RFC 9457): `detail` is a sentence that says what to do. A misspelt
parameter is refused, not passed over. A method that an address does not have gets 405, and `Allow`
names those that it has.
"""

KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "Asked for where others than this machine can reach the service.",
}


class Shared(NamedTuple):
    """A reply that many routes have: when it comes, and the header that comes with it."""

    meaning: str
    header: str = ""


EVERYWHERE = (400, 401, 403, 429, 431, 500, 503)  # what any route may reply
SHARED = {
    304: Shared("Nothing changed since the reply with this tag.", "ETag"),
    400: Shared("A parameter, or the body, is not as described here; `detail` names it."),
    401: Shared("A key is asked for, and none came that is valid.", "WWW-Authenticate"),
    403: Shared("The key may only read, another site's page asks, or the host name is not served."),
    404: Shared("There is none with this number; it may have been removed."),
    413: Shared("The body is larger, or holds more documents, than is taken at once."),
    414: Shared("The question is longer than can be asked at once."),
    415: Shared("The body is neither JSON nor a form with files."),
    429: Shared(
        "This client asked too often. `Retry-After` says when it may again.", "Retry-After"
    ),
    431: Shared("The address and headers are larger than a server reads; told as plain text."),
    500: Shared("It failed on the service's side; its log tells why."),
    503: Shared(
        "There is more to do than can be done at the moment, or the service starts or ends.",
        "Retry-After",
    ),
}
HEADERS = {
    "ETag": "The tag of this reply, for `If-None-Match`.",
    "Retry-After": "Seconds after which to try again.",
    "WWW-Authenticate": "`Bearer`.",
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of an earlier reply to the same request.",
    "schema": {"type": "string"},
}

# Where a reply leads: the operation, by its id and that of the reply, and what is asked with it.
_STORED, _STARTED = "$response.body#/documents/0/id", "$response.body#/id"
LINKS = {
    ("upload", "201"): {"document": _STORED, "remove": _STORED},
    ("reindex", "202"): {"job": _STARTED, "cancel": _STARTED},
}


def replies(*statuses: int) -> dict[str | int, Any]:
    """The shared replies of a route, beside those that every route has."""
    return {
        status: {
            "$ref": f"#/components/responses/{status}",
            "description": SHARED[status].meaning,
        }
        for status in (*EVERYWHERE, *statuses)
    }


def info(version: str) -> Info:
    """What the interface is."""
    return Info(title="Khazri", version=version, description=ABOUT)


def named(*, name: str, **_: str) -> str:
    """The id of an operation: the name of the function behind it."""
    return name


def document() -> dict[str, Any]:
    """The present app's interface, in OpenAPI 3.1."""
    app = cast(OpenAPI, current_app)
    if "contract" not in app.extensions:
        app.extensions["contract"] = _completed(app.api_doc, bool(app.config.get("GUARDED")))
    return cast(dict[str, Any], app.extensions["contract"])


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path with a method and what is said of it."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _completed(generated: Mapping[str, Any], guarded: bool) -> dict[str, Any]:
    """A generated document with what is shared, and whole numbers where these are meant."""
    made = cast(dict[str, Any], _whole(deepcopy(generated)))
    made["components"] |= {
        "responses": {str(status): _shared(shared) for status, shared in SHARED.items()},
        "headers": {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in HEADERS.items()
        },
        "parameters": {"IfNoneMatch": IF_NONE_MATCH},
        "securitySchemes": {"key": KEY},
    }
    made["security"] = [{"key": []}] if guarded else [{"key": []}, {}]
    made["externalDocs"] = {"url": "/api/docs", "description": "The same as a page."}
    for _, _, operation in operations(made):
        _complete(operation, made["components"]["schemas"])
    return made


def _complete(operation: dict[str, Any], schemas: Mapping[str, Any]) -> None:
    told = operation.pop("description", "").replace("<br/>", "\n").strip()
    if told:
        operation["description"] = told
    answers = operation["responses"] = dict(sorted(operation["responses"].items()))
    if "security" in operation:  # of nobody is a key asked, and nobody is counted
        del answers["401"], answers["429"]
    for answer in answers.values():
        reply = answer.get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in reply:
            schema = schemas[reply["$ref"].rpartition("/")[2]]
            answer["description"] = schema["description"].partition("\n")[0]
    for status, answer in answers.items():
        for to, id in LINKS.get((operation["operationId"], status), {}).items():
            link = {"operationId": to, "parameters": {"id": id}}
            answer.setdefault("links", {})[to] = link
    if "304" in answers:
        answers["200"]["headers"] = _headers("ETag")
        parameter = {"$ref": "#/components/parameters/IfNoneMatch"}
        operation["parameters"] = [*operation.get("parameters", ()), parameter]


def _shared(shared: Shared) -> dict[str, Any]:
    told: dict[str, Any] = {"description": shared.meaning}
    if shared.header:
        told["headers"] = _headers(shared.header)
    if shared is SHARED[431]:
        told["content"] = {"text/plain": {"schema": {"type": "string"}}}
    elif shared is not SHARED[304]:
        told["content"] = {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    return told


def _headers(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"}}


def _whole(value: Any) -> Any:
    """A value of JSON, with whole numbers written as such."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
