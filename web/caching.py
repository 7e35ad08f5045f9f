"""What a client may keep: a reply that depends on the collection alone holds for its generation."""

from __future__ import annotations

from secrets import token_hex
from typing import TypeVar

from flask import Flask, Response, abort, current_app, request

R = TypeVar("R", bound=Response)


def register(app: Flask) -> None:
    """Give the tags of ``app`` their part that no other service has.

    With other settings, another version or another home the same generation may say something
    else, and each of these comes with a new start.
    """
    app.config["RUN"] = token_hex(4)


def tag(generation: int) -> str:
    """The entity tag of what is read from a generation; weak, since ``took_ms`` differs."""
    return f'W/"{generation}-{current_app.config["RUN"]}"'


def unless_kept(generation: int) -> None:
    """End the request with 304 where the client has what this generation says.

    Called once it is known that the reply would be 200, and before any work on it.
    """
    kept = request.if_none_match
    if kept.contains_weak(f"{generation}-{current_app.config['RUN']}") or kept.star_tag:
        abort(keep(Response(status=304), generation))


def keep(response: R, generation: int) -> R:
    """Mark a reply as one of this generation, to be asked for again with its tag."""
    response.headers["ETag"] = tag(generation)
    return response
