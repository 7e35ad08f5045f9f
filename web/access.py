"""Who may ask, and who may change: which requests are refused before any route sees them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, current_app, request
from werkzeug.exceptions import Forbidden

_SAFE = ("GET", "HEAD", "OPTIONS")


def register(app: Flask) -> None:
    """Look at every request of ``app`` before it is served."""
    app.before_request(_own_name)
    app.before_request(_same_site)


def loopback(host: str) -> bool:
    """Whether an address, or a name, is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _own_name() -> None:
    """Refuse names that a foreign site may have pointed at this machine (DNS rebinding)."""
    name = urlsplit(f"//{request.host}").hostname or ""
    if current_app.config["LOOPBACK_ONLY"] and not loopback(name):
        raise Forbidden("This address is not one that Khazri was started to serve.")


def _same_site() -> None:
    """Refuse a change that another site's page asks for in the name of who visits it."""
    if request.method in _SAFE:
        return
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if foreign or site not in (None, "same-origin", "none"):
        raise Forbidden("Another site may not change this collection. Use Khazri's own pages.")
