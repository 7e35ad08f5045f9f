"""Sessions: signing in with a key, on a page, and out again.

A session holds the id of its key, so that it ends with the key.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

from flask import Flask, current_app, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response

from index.errors import KhazriError
from web.keys import Key, Ring
from web.pages import pages
from web.services import services

log = logging.getLogger("khazri.web")

HOURS = 12  # from signing in, however much is asked meanwhile
KEY = "key"  # in the session: the id of the key that was given


class Sessions(SecureCookieSessionInterface):
    """Flask's signed cookies, with the secret that stands beside the keys.

    Lax, and not strict, so that a link in a mail leads into a document.
    """

    digest_method = staticmethod(hashlib.sha256)

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """None where no keys are asked for, or none can be read: then there are no sessions."""
        secret = _secret(app)
        if secret is None:
            return None
        how = {"key_derivation": self.key_derivation, "digest_method": self.digest_method}
        return URLSafeTimedSerializer(
            secret, salt=self.salt, serializer=self.serializer, signer_kwargs=how
        )

    def get_cookie_name(self, app: Flask) -> str:
        """Over TLS a name that browsers take from this very host alone."""
        return "__Host-khazri" if request.is_secure else "khazri"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether browsers may send it over TLS alone."""
        return request.is_secure


def register(app: Flask) -> None:
    """Give ``app`` sessions."""
    app.session_interface = Sessions()
    app.config.update(
        PERMANENT_SESSION_LIFETIME=timedelta(hours=HOURS),
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def ring() -> Ring:
    """The keys of the service as they are now. Raises ``ServiceUnavailable``."""
    try:
        return services().keys.read()
    except KhazriError as error:
        log.error("%s", error)
        raise ServiceUnavailable(
            "The keys can't be read. The log of the service says why."
        ) from error


def signed_in() -> Key | None:
    """The key that the visitor has signed in with, if it still counts."""
    id = session.get(KEY)
    return ring().get(id) if id else None


@pages.get("/sign-in")
def sign_in() -> str | Response:
    """Ask for a key."""
    return render_template("sign_in.html") if _guarded() else redirect(_onward(), 303)


@pages.post("/sign-in")
def enter() -> tuple[str, int] | Response:
    """Begin a session for who has a key."""
    if not _guarded():
        return redirect(_onward(), 303)
    key = ring().find(request.form.get("key", "").strip())
    if key is None:
        return render_template("sign_in.html", refused=True), 403
    session.clear()  # whatever was there before is not this one's
    session[KEY] = key.id
    session.permanent = True
    return redirect(_onward(), 303)


@pages.post("/sign-out")
def sign_out() -> Response:
    """End the session of this browser."""
    if not _guarded():
        return redirect(url_for("pages.ask"), 303)
    session.clear()
    response = redirect(url_for("pages.sign_in"), 303)
    response.headers["Clear-Site-Data"] = '"cache"'  # so that Back shows nothing to who comes next
    return response


def _guarded() -> bool:
    return bool(current_app.config["GUARDED"])


def _secret(app: Flask) -> str | None:
    if not app.config["GUARDED"]:
        return None
    try:
        return services().keys.read().secret
    except KhazriError:
        return None  # the first that needs a key is told


def _onward() -> str:
    """Where to go from here: a path of this service, whatever stands in the address."""
    path = request.args.get("next", "")
    # Browsers take a backslash for a slash, and leave out tabs and new lines: "/\t/evil.example".
    local = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if local and path.isprintable() else url_for("pages.ask")
