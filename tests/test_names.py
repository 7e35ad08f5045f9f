"""What a service takes itself for: the names that it is asked under, and what proxies say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest
from clients import app_of
from flask import request
from flask.testing import FlaskClient

from index.errors import KhazriError
from web.serving import Server


@pytest.mark.parametrize(
    ("given", "served", "refused"),
    [
        ([], ["localhost", "127.0.0.1:8000", "[::1]:8000"], ["khazri.example", "192.0.2.7"]),
        (
            ["names=Khazri.example"],
            ["khazri.example", "KHAZRI.example:443", "localhost"],
            ["evil.example", "192.0.2.7", "khazri.example.evil.example"],
        ),
        (
            ["host=0.0.0.0", "auth=none", "names=khazri.example"],
            [
                "192.0.2.7:8000",
                "[2001:db8::7]",
                socket.gethostname(),
                "khazri.example",
                "localhost",
            ],
            ["evil.example", "localhost.evil.example", "192.0.2.7.evil.example"],
        ),
        (["host=0.0.0.0"], ["whatever.example", "192.0.2.7"], []),
        (["proxies=1"], ["localhost"], ["khazri.example"]),
    ],
)
def test_only_own_names_are_served(
    tmp_path: Path, given: list[str], served: list[str], refused: list[str]
) -> None:
    with app_of(tmp_path, *given) as client:
        for name in served:
            assert client.get("/healthz", headers={"Host": name}).status_code == 200, name
        for name in refused:
            reply = client.get("/healthz", headers={"Host": name})
            assert reply.status_code == 403, name
            assert "'names'" in reply.json["detail"]


@pytest.mark.parametrize(
    "name", ["", "[", "[::1", "]", "a b", "localhost@evil.example", "/", "::1"]
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with app_of(tmp_path) as client:
        assert client.get("/healthz", headers={"Host": name}).status_code in (400, 403)


@pytest.mark.parametrize(
    "given",
    [
        "names=https://khazri.example",
        "names=khazri.example:443",
        "names=a/b",
        "cors_origins=*",
        "cors_origins=null",
        "cors_origins=khazri.example",
        "cors_origins=https://khazri.example/",
        "cors_origins=https://Khazri.example",
        "cors_origins=https://a@khazri.example",
        "cors_origins=ftp://khazri.example",
        "cors_origins=https://[",
    ],
)
def test_a_name_or_origin_that_could_never_match_is_refused(tmp_path: Path, given: str) -> None:
    said = f"'{given.partition('=')[0]}' holds"
    with pytest.raises(KhazriError, match=said), app_of(tmp_path, given):
        pass


# Proxies

FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.2",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "khazri.example",
}


@pytest.mark.parametrize(
    ("proxies", "seen"),
    [
        (0, ("127.0.0.1", False, "localhost")),
        (1, ("198.51.100.2", True, "khazri.example")),
    ],
)
def test_what_proxies_say_is_believed_of_as_many_as_there_are(
    tmp_path: Path, proxies: int, seen: tuple[str, bool, str]
) -> None:
    """In the app, and through the server that stands in front of it."""
    found: list[object] = []
    with app_of(tmp_path, f"proxies={proxies}", "names=khazri.example") as client:
        client.application.before_request_funcs[None].insert(
            0, lambda: found.append((request.remote_addr, request.is_secure, request.host))
        )
        assert client.get("/healthz", headers=FORWARDED).status_code == 200
        with served(client) as connection:
            connection.request("GET", "/healthz", headers={**FORWARDED, "Host": "localhost"})
            assert connection.getresponse().status == 200
    assert found == [seen, seen]


@contextmanager
def served(client: FlaskClient) -> Iterator[HTTPConnection]:
    """A connection to the app as it is served."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server = Server(client.application, bound, 1)
        thread = Thread(target=server.run)
        thread.start()
        with closing(HTTPConnection(*bound.getsockname())) as connection:
            yield connection
        server.end()
        thread.join()
        server.finish(1)
