"""Who may ask, and who may change: every route by every kind of caller, and other sites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest
from clients import app_of, client_of, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.errors import KhazriError
from index.home import Home
from web import access
from web.keys import Keys

# Every route there is, and what it needs. A new one belongs here.
ROLES = {
    "GET /": "read",
    "GET /documents": "read",
    "GET /documents/<id>": "read",
    "GET /documents/<id>/original": "read",
    "GET /documents/unread/<kind>": "read",
    "GET /jobs": "read",
    "POST /documents": "write",
    "POST /documents/<id>/remove": "write",
    "POST /documents/restore": "write",
    "POST /jobs": "write",
    "POST /jobs/<id>/cancel": "write",
    "POST /questions": "write",
    "GET /sign-in": "open",
    "POST /sign-in": "open",
    "POST /sign-out": "open",
    "GET /static/<filename>": "open",
    "GET /opensearch.xml": "open",
    "GET /suggestions": "read",
    "GET /healthz": "open",
    "GET /readyz": "open",
    "GET /metrics": "read",
    "GET /api/docs": "read",
    "GET /api/v1/answer": "read",
    "GET /api/v1/citation": "read",
    "GET /api/v1/documents": "read",
    "GET /api/v1/documents/<id>": "read",
    "GET /api/v1/export": "read",
    "GET /api/v1/jobs": "read",
    "GET /api/v1/jobs/<id>": "read",
    "GET /api/v1/openapi.json": "read",
    "GET /api/v1/search": "read",
    "GET /api/v1/suggest": "read",
    "POST /api/v1/documents": "write",
    "POST /api/v1/jobs/<id>/cancel": "write",
    "POST /api/v1/reindex": "write",
    "DELETE /api/v1/documents/<id>": "write",
}
PROGRAMS = ("/api/v1/", "/metrics")  # who has no key is told so there, and led to a page elsewhere
REACHED = 299  # the status of a route that was reached: what it does is tested elsewhere
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
OWN = {"Sec-Fetch-Site": "same-origin"}


class Caller(NamedTuple):
    """Somebody who asks: what they may, what they send, and where from."""

    may: tuple[str, ...] = ()
    key: str = ""  # sent with each request
    cookie: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    place = tmp_path_factory.mktemp("guarded")
    with small_home(place, CheapEncoder(), "auth=keys", "rate=0", "reader=none") as home:
        yield home


@pytest.fixture(scope="module")
def callers(guarded: Home) -> dict[str, Caller]:
    keys, both = Keys(guarded.path), ("read", "write")
    reading, writing = keys.add("reader", "read"), keys.add("writer", "write")
    revoked = keys.add("revoked", "write")
    cookies = {key: signed_in(client_of(guarded), key) for key in (reading, writing, revoked)}
    keys.revoke("revoked")
    return {
        "nobody": Caller(),
        "a stranger": Caller(key="khazri_" + "0" * 64),
        "a reader": Caller(("read",), reading),
        "a writer": Caller(both, writing),
        "one who was revoked": Caller(key=revoked),
        "a reader's session": Caller(("read",), cookie=cookies[reading], headers=OWN),
        "a writer's session": Caller(both, cookie=cookies[writing], headers=OWN),
        "a revoked session": Caller(cookie=cookies[revoked], headers=OWN),
        "another site": Caller(headers=FOREIGN),
        "another site with a key": Caller(both, writing, headers=FOREIGN),
        "another site with a session": Caller(both, cookie=cookies[writing], headers=FOREIGN),
    }


def signed_in(client: FlaskClient, key: str) -> str:
    """The cookie of a session that begins with ``key``."""
    assert client.post("/sign-in", data={"key": key}).status_code == 303
    cookie = client.get_cookie("khazri")
    assert cookie
    return cookie.value


def asked(client: FlaskClient, method: str, path: str, caller: Caller) -> TestResponse:
    headers = {**caller.headers, **bearing(caller.key)}
    if caller.cookie:
        client.set_cookie("khazri", caller.cookie)
    return client.open(path, method=method, headers=headers)


def bearing(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def routes(client: FlaskClient) -> set[str]:
    """Each method and address of the app, with the names of what varies."""
    found = set()
    for rule in client.application.url_map.iter_rules():
        path = re.sub("<(?:[^:>]*:)?([^>]*)>", r"<\1>", rule.rule)
        found |= {f"{method} {path}" for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    return found


def test_the_table_names_every_route(guarded: Home) -> None:
    assert routes(client_of(guarded)) == set(ROLES)


def expected(route: str, caller: Caller) -> int:
    method, path = route.split()
    needs, changes = ROLES[route], method not in ("GET", "HEAD")
    if changes and caller.headers == FOREIGN:
        return 403
    if needs == "open" or needs in caller.may:
        return REACHED
    if caller.may:
        return 403
    return 401 if path.startswith(PROGRAMS) or caller.key else 303


@pytest.mark.parametrize("route", ROLES)
def test_every_route_by_every_caller(guarded: Home, callers: dict[str, Caller], route: str) -> None:
    app = client_of(guarded).application
    app.view_functions = dict.fromkeys(app.view_functions, lambda **_: ("", REACHED))
    method, path = route.split()
    for who, caller in callers.items():
        reply = asked(app.test_client(), method, re.sub("<.*>", "1", path), caller)
        assert reply.status_code == expected(route, caller), who
        if reply.status_code == 401:
            assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="Khazri"')
        if reply.status_code == 303:
            assert reply.headers["Location"].startswith("/sign-in")
        if reply.status_code == REACHED:
            assert "static" in path or reply.headers["Cache-Control"].startswith("private")


def test_what_no_route_takes_needs_a_key_too(guarded: Home, callers: dict[str, Caller]) -> None:
    for caller, page, program in (("nobody", 303, 401), ("a reader", 404, 404)):
        for path, status in (("/nowhere", page), ("/api/v1/nowhere", program)):
            reply = asked(client_of(guarded), "GET", path, callers[caller])
            assert reply.status_code == status


def test_a_refusal_says_what_to_do(guarded: Home, callers: dict[str, Caller]) -> None:
    client = client_of(guarded)
    told = client.get("/api/v1/search?q=otters")
    assert told.mimetype == "application/problem+json"
    assert "Authorization: Bearer" in told.json["detail"]
    wrong = asked(client, "GET", "/api/v1/search?q=otters", callers["one who was revoked"])
    assert "revoked" in wrong.json["detail"]
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    reads = asked(client, "POST", "/api/v1/reindex", callers["a reader"])
    assert "This key is for reading" in reads.json["detail"]
    proxied = client.get("/api/v1/search?q=otters", headers={"Authorization": "Basic YTpi"})
    assert proxied.status_code == 401  # somebody else's affair: as if nothing had come


def test_a_reader_is_shown_nothing_that_can_not_work(
    guarded: Home, callers: dict[str, Caller]
) -> None:
    for page in ("/documents", "/?q=otters", "/jobs", "/documents?removed=x&of=api"):
        reads = asked(client_of(guarded), "GET", page, callers["a reader's session"]).text
        writes = asked(client_of(guarded), "GET", page, callers["a writer's session"]).text
        assert reads.count('method="post"') == 1  # to sign out
        assert writes.count('method="post"') >= 1
    page = asked(client_of(guarded), "GET", "/documents", callers["a reader's session"]).text
    assert "Your key is for reading" in page


def test_without_keys_everything_is_open(tmp_path: Path, cheap: CheapEncoder) -> None:
    with small_home(tmp_path, cheap) as home:
        client = client_of(home)
        page = client.get("/documents", headers=bearing("khazri_none"))
        assert page.status_code == 200
        assert "Sign out" not in page.text
        assert 'class="upload"' in page.text
        assert "Set-Cookie" not in page.headers
        assert page.headers["Cache-Control"] == "no-cache"
        assert client.post("/jobs").status_code == 303
        for method, path in (("GET", "/sign-in?next=/jobs"), ("POST", "/sign-in?next=/jobs")):
            assert client.open(path, method=method).headers["Location"] == "/jobs"
        assert client.post("/sign-out").headers["Location"] == "/"


# When keys are asked for


@pytest.mark.parametrize(
    ("given", "keyed"),
    [
        ([], False),
        (["host=localhost"], False),
        (["host=::1"], False),
        (["host=0.0.0.0"], True),
        (["host=::"], True),
        (["host=192.0.2.7"], True),
        (["names=khazri.example"], True),
        (["proxies=1"], True),
        (["auth=keys"], True),
        (["auth=none", "host=0.0.0.0", "names=khazri.example", "proxies=1"], False),
    ],
)
def test_keys_are_asked_for_where_others_may_come(
    tmp_path: Path, given: list[str], keyed: bool
) -> None:
    with app_of(tmp_path, *given) as client:
        status = client.get("/api/v1/jobs", headers={"Host": "127.0.0.1"}).status_code
        assert status == (401 if keyed else 200)


def test_a_service_that_nobody_could_enter_is_not_begun(tmp_path: Path) -> None:
    with app_of(tmp_path) as client:
        with pytest.raises(KhazriError, match=r"keys add NAME --write.*khazri serve --no-auth"):
            access.bind(client.application, "0.0.0.0")
        access.bind(client.application, "127.0.0.1")
        Keys(tmp_path / "home").add("first", "read")
        access.bind(client.application, "0.0.0.0")
        assert client.get("/api/v1/jobs").status_code == 401


# Other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "http://localhost"}, 303),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://["}, 403),
        ({"Origin": "http://localhost:8000"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
    ],
)
def test_another_site_changes_nothing(
    guarded: Home, callers: dict[str, Caller], tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    with app_of(tmp_path) as client:
        assert client.post("/jobs", headers=headers).status_code == status
    session = callers["a writer's session"]._replace(headers=headers)
    alone = 403 if not headers else status  # a session proves nothing without either header
    assert asked(client_of(guarded), "POST", "/jobs", session).status_code == alone


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client of a service that shares with one origin, and its key to write."""
    place = tmp_path_factory.mktemp("shared")
    given = ("auth=keys", "cors_origins=https://a.example,http://a.example:8080")
    with small_home(place, CheapEncoder(), *given) as home:
        client = client_of(home)
        client.environ_base["key"] = Keys(home.path).add("writer", "write")
        yield client


def test_pages_of_a_named_origin_may_ask_with_a_key(shared: FlaskClient) -> None:
    origin = {"Origin": "https://a.example", "Sec-Fetch-Site": "cross-site"}
    asks = {**origin, "Access-Control-Request-Method": "DELETE"}
    before = shared.options("/api/v1/documents/1", headers=asks)
    assert before.status_code == 204
    assert "DELETE" in before.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in before.headers["Access-Control-Allow-Headers"]
    given = {**origin, **bearing(shared.environ_base["key"])}
    read = shared.get("/api/v1/documents", headers=given)
    assert (read.status_code, read.headers["Cross-Origin-Resource-Policy"]) == (200, "cross-origin")
    for reply in (before, read, shared.get("/api/v1/documents", headers=origin)):  # also a refusal
        assert reply.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert "Origin" in reply.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in reply.headers
    assert {"ETag", "Retry-After"} <= set(read.headers["Access-Control-Expose-Headers"].split(", "))
    assert shared.delete("/api/v1/documents/1", headers=given).status_code == 200
    assert shared.delete("/api/v1/documents/2", headers=origin).status_code == 403


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/api/v1/documents", "https://evil.example"),
        ("/api/v1/documents", "http://a.example"),
        ("/api/v1/documents", "https://a.example.evil.example"),
        ("/api/v1/documents", "null"),
        ("/documents", "https://a.example"),
        ("/sign-in", "https://a.example"),
    ],
)
def test_nothing_is_shared_with_others(shared: FlaskClient, path: str, origin: str) -> None:
    asks = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    given = {"Origin": origin, **bearing(shared.environ_base["key"])}
    for reply in (shared.options(path, headers=asks), shared.get(path, headers=given)):
        assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_without_origins_nothing_is_said_of_them(guarded: Home, callers: dict[str, Caller]) -> None:
    caller = callers["a reader"]._replace(headers={"Origin": "https://a.example"})
    reply = asked(client_of(guarded), "GET", "/api/v1/documents", caller)
    assert not [name for name, _ in reply.headers if name.startswith("Access-Control")]
    assert "Origin" not in reply.headers.get("Vary", "")
