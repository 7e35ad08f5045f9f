"""The page that describes the JSON interface to people, made of its OpenAPI document."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import current_app, render_template, request
from markdown_it import MarkdownIt
from markupsafe import Markup

from web.contract import EVERYWHERE, document, operations
from web.pages import pages

Schema = Mapping[str, Any]

_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_BOUNDS = {
    "minimum": "from {:,}",
    "maximum": "to {:,}",
    "minLength": "at least {:,} characters",
    "maxLength": "at most {:,} characters",
    "minItems": "at least {:,}",
    "maxItems": "at most {:,}",
    "pattern": "like {}",
}


class Piece(NamedTuple):
    """A part of what is said of a type; ``schema`` is the one that it names."""

    text: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of a schema."""

    name: str
    place: str
    required: bool
    kind: Sequence[Piece]
    meaning: Markup


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route may reply, with the type of each media type that it comes in."""

    status: str
    meaning: Markup
    content: Sequence[tuple[str, Sequence[Piece]]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route, and how to ask it."""

    id: str
    method: str
    path: str
    summary: str
    about: Markup
    parameters: Sequence[Field]
    body: Sequence[tuple[str, Sequence[Piece]]]
    replies: Sequence[Reply]
    examples: Sequence[str]


@pages.get("/api/docs")
def manual() -> str:
    """Describe the JSON interface."""
    api = document()
    parts = api["components"]
    routes = [(op["tags"], _route(parts, path, how, op)) for path, how, op in operations(api)]
    chapters = [
        (tag, [route for tags, route in routes if tag["name"] in tags]) for tag in api["tags"]
    ]
    return render_template(
        "manual.html",
        version=api["info"]["version"],
        about=_text(api["info"]["description"]),
        chapters=chapters,
        everywhere=[_reply(str(n), parts["responses"][str(n)]) for n in EVERYWHERE],
        schemas=[
            (name, _text(schema.get("description", "")), _properties(schema), list(_kind(schema)))
            for name, schema in sorted(parts["schemas"].items())
        ],
    )


def _route(parts: Schema, path: str, method: str, operation: Schema) -> Route:
    parameters = [_resolved(parts["parameters"], p) for p in operation.get("parameters", ())]
    body = operation.get("requestBody", {}).get("content", {})
    own = {n: told for n, told in operation["responses"].items() if int(n) not in EVERYWHERE}
    return Route(
        operation["operationId"],
        method.upper(),
        path,
        operation["summary"],
        _text(operation.get("description", "")),
        [_field(p["name"], p["in"], p.get("required", False), p) for p in parameters],
        _content(body),
        [_reply(n, {**_resolved(parts["responses"], told), **told}) for n, told in own.items()],
        list(_examples(path, method, parameters, body)),
    )


def _resolved(named: Schema, value: Schema) -> Schema:
    """A part of the document, or the shared one that it refers to."""
    return named[value["$ref"].rpartition("/")[2]] if "$ref" in value else value


def _reply(status: str, reply: Schema) -> Reply:
    return Reply(status, _text(reply["description"]), _content(reply.get("content", {})))


def _content(content: Schema) -> list[tuple[str, list[Piece]]]:
    return [(media, list(_kind(told["schema"]))) for media, told in content.items()]


def _properties(schema: Schema) -> list[Field]:
    required = schema.get("required", ())
    return [
        _field(name, "", name in required, {"schema": each, **each})
        for name, each in schema.get("properties", {}).items()
    ]


def _field(name: str, place: str, required: bool, told: Schema) -> Field:
    kind = list(_kind(told["schema"]))
    if (default := told["schema"].get("default")) not in (None, "", []):
        kind.append(Piece(f", by default {_plain(default)}"))
    return Field(name, place, required, kind, _text(told.get("description", "")))


def _kind(schema: Schema) -> Iterator[Piece]:
    """What a schema allows, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield Piece(name, name)
    elif "enum" in schema or "const" in schema:
        *others, last = map(_plain, schema.get("enum", [schema.get("const")]))
        yield Piece(f"{', '.join(others)} or {last}" if others else last)
    elif "anyOf" in schema:
        for place, one in enumerate(schema["anyOf"]):
            yield Piece(" or ") if place else Piece("")
            yield from _kind(one)
    elif schema.get("type") == "array":
        yield Piece("array of ")
        yield from _kind(schema.get("items") or schema["prefixItems"][0])
        if "prefixItems" in schema:
            yield Piece(f", {len(schema['prefixItems'])} of them")
    else:
        yield Piece("file" if schema.get("format") == "binary" else schema.get("type", "anything"))
    bounds = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    if bounds and "prefixItems" not in schema:
        yield Piece(f", {' '.join(bounds)}")


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _examples(path: str, method: str, parameters: Sequence[Schema], body: Schema) -> Iterator[str]:
    """How to ask a route with curl: once, or once for each type of body."""
    given = {p["name"]: p for p in parameters if "example" in p}
    for name in (name for name, told in given.items() if told["in"] == "path"):
        path = path.replace(f"{{{name}}}", str(given[name]["example"]))
    asked = {n: p["example"] for n, p in given.items() if p["in"] == "query" and _shown(p)}
    url = request.url_root.rstrip("/") + path + (f"?{urlencode(asked)}" if asked else "")
    words = ["curl"]
    if method != "get":
        words += ["-X", method.upper()]
    if current_app.config["GUARDED"]:
        words += ["-H", "Authorization: Bearer KEY"]
    for media, told in body.items():
        if media == "application/json":
            sent = json.dumps(told["example"], ensure_ascii=False)
            yield shlex.join([*words, "-H", f"Content-Type: {media}", "-d", sent, url])
        else:
            yield shlex.join([*words, "-F", "file=@report.pdf", url])
    if not body:
        yield shlex.join([*words, url])


def _shown(parameter: Schema) -> bool:
    """Whether an example has to say a parameter, or is clearer with it."""
    return bool(parameter.get("required")) or parameter["name"] == "q"


def _text(markdown: str) -> Markup:
    """A description as HTML; whatever stands in it, no HTML of its own."""
    return Markup(_MARKDOWN.render(markdown))
