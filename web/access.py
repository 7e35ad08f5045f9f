"""Who may ask, and who may change: which requests are refused before any route sees them.

Every route needs a key, where keys are asked for: one for reading, and one for writing where the
method changes something. ``OPEN`` names the exceptions.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any, Literal
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, redirect, request, url_for
from werkzeug.exceptions import Forbidden, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as Reply

from index.errors import KhazriError
from index.settings import Settings
from web import problems, sessions
from web.keys import Key
from web.services import services

OPEN = frozenset(
    {
        "/healthz",
        "/readyz",
        "/opensearch.xml",
        "/sign-in",
        "/sign-out",
        "/static/<path:filename>",
    }
)
_SAFE = ("GET", "HEAD", "OPTIONS")
_SHARED = {  # with the pages of the origins that the settings name
    "Access-Control-Allow-Methods": "GET, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
    "Access-Control-Max-Age": "600",
}
_NAME = re.compile(r"[a-z0-9._-]+")
_ORIGIN = re.compile(rf"https?://({_NAME.pattern}|\[[0-9a-f:.]+\])(:[0-9]+)?")
_EXPOSED = "ETag, X-Request-ID, Retry-After"


class KeyNeeded(Unauthorized):
    """No key came, or one that does not count."""

    def get_headers(self, *_: Any) -> list[tuple[str, str]]:
        """What RFC 6750 asks for."""
        wrong = ', error="invalid_token"' if _gives_key() else ""
        return [*super().get_headers(), ("WWW-Authenticate", f'Bearer realm="Khazri"{wrong}')]


def register(app: Flask) -> None:
    """Look at every request of ``app`` before it is served. Raises ``KhazriError``."""
    settings: Settings = app.extensions["khazri"].home.settings
    _valid(settings)
    _decide(app, settings.host)
    if number := settings.proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=number, x_proto=number, x_host=number
        )
    sessions.register(app)
    for step in (_own_name, _preflight, _recognised, _same_site, _allowed):
        app.before_request(step)
    app.after_request(_shared)


def bind(app: Flask, host: str) -> None:
    """Say where ``app`` is about to listen. Raises ``KhazriError`` where nobody could get in."""
    _decide(app, host)
    home = app.extensions["khazri"].home.path
    if app.config["GUARDED"] and not app.extensions["khazri"].keys.read().keys:
        raise KhazriError(
            f"Others can reach {host}, or the settings ask for keys, and there is none yet. Make"
            f" one first: khazri --home {home} keys add NAME --write (then 'khazri serve' again)."
            " Or let everybody read and change the collection: khazri serve --no-auth"
        )


def loopback(host: str) -> bool:
    """Whether an address, or a name, is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def role() -> Literal["open", "read", "write"]:
    """What the present request needs; also one that no route takes."""
    rule = request.url_rule.rule if request.url_rule else request.path  # of another method: 405
    if rule in OPEN:
        return "open"
    return "read" if request.method in _SAFE else "write"


def _decide(app: Flask, host: str) -> None:
    settings: Settings = app.extensions["khazri"].home.settings
    local = loopback(host)
    guarded = settings.auth == "keys" or (
        # Behind names and proxies somebody stands who is not on this machine.
        settings.auth == "auto" and bool(not local or settings.names or settings.proxies)
    )
    app.config.update(LOOPBACK_ONLY=local, GUARDED=guarded)


def _valid(settings: Settings) -> None:
    for name in settings.names:
        if not _NAME.fullmatch(name.lower()):
            raise KhazriError(f"'names' holds {name}: write a host's name alone, as in a.example.")
    for origin in settings.cors_origins:
        if not _ORIGIN.fullmatch(origin):
            raise KhazriError(
                f"'cors_origins' holds {origin}: write each origin as browsers do, such as"
                " https://a.example or http://a.example:8080. There is no '*': it would share the"
                " collection with whatever site somebody has open."
            )


# What comes before a request, one after the other


def _own_name() -> None:
    """Refuse names that a foreign site may have pointed at this machine (DNS rebinding).

    Such a site has no key and gets no cookie: where keys are asked for, and the service listens
    to the network, any name is well. An address in figures belongs to no site.
    """
    settings = services().home.settings
    name = urlsplit(f"//{request.host}").hostname or ""
    own = loopback(name) or name in map(str.lower, settings.names)
    if not current_app.config["LOOPBACK_ONLY"]:
        own = own or bool(current_app.config["GUARDED"]) or _numeric(name) or _hostname(name)
    if not own:
        raise Forbidden(
            "This address is not one that Khazri was started to serve. The setting 'names' adds it."
        )


def _preflight() -> Response | None:
    """What a page of another site may do, where it may do anything. It comes without a key."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    return Response(status=204, headers=_SHARED) if asks and _trusted_origin() else None


def _recognised() -> None:
    """Find out whose request it is: ``g.key_id`` is set where it carries a key that counts."""
    g.may_write = not current_app.config["GUARDED"]
    g.signed_in = False
    if g.may_write or role() == "open":
        return
    key = _bearer() if _gives_key() else sessions.signed_in()
    if key:
        g.key_id = key.id
        g.may_write = key.kind == "write"
        g.signed_in = not _gives_key()


def _same_site() -> None:
    """Refuse a change that another site's page asks for in the name of who visits it.

    The rules are those of Go's ``http.CrossOriginProtection``, and of OWASP's advice on Fetch
    Metadata, with one more: a session alone proves nothing unless the browser says where the
    request comes from. Who signs in is not spared either, lest it be with another one's key.
    """
    if request.method in _SAFE:
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if _trusted_origin() and "key_id" in g and not g.signed_in:
        return
    foreign = origin is not None and origin.partition("://")[2] != request.host
    unknown = g.signed_in and origin is None and site is None
    if foreign or unknown or site not in (None, "same-origin", "none"):
        raise Forbidden("Another site may not change this collection. Use Khazri's own pages.")


def _allowed() -> Reply | None:
    """Refuse who has no key, or one that is for reading only."""
    needed = role()
    if needed == "open" or g.may_write:
        return None
    if "key_id" in g:
        if needed == "write":
            raise Forbidden("This key is for reading. What changes the collection needs another.")
        return None
    program = request.path.startswith(problems.PROGRAMS) and request.blueprint != "pages"
    if program or _gives_key():
        raise _no_key()
    onward = request.full_path.rstrip("?") if request.method in _SAFE else None
    return redirect(url_for("pages.sign_in", next=onward), 303)


def _shared(response: Response) -> Response:
    """Let pages of the origins that are named read what programs are told; nobody else."""
    if services().home.settings.cors_origins and request.path.startswith("/api/"):
        response.vary.add("Origin")
        if _trusted_origin():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


# What a request says of itself


def _trusted_origin() -> bool:
    """Whether it is a program's request from a page of an origin that the settings name."""
    origins = services().home.settings.cors_origins
    return request.path.startswith("/api/") and request.headers.get("Origin") in origins


def _gives_key() -> bool:
    return request.authorization is not None and request.authorization.type == "bearer"


def _bearer() -> Key | None:
    text = request.authorization.token if request.authorization else None
    return sessions.ring().find(text) if text else None


def _no_key() -> Unauthorized:
    if _gives_key():
        return KeyNeeded("This key is not known, or was revoked. Ask for another.")
    return KeyNeeded("A key is needed here. Send it in a header: Authorization: Bearer KEY")


def _numeric(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _hostname(name: str) -> bool:
    return name == socket.gethostname().lower()
