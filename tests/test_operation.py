"""Serving as an administrator sees it: health, measures, logs, overload and an orderly end."""

from __future__ import annotations

import http.client
import json
import logging
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from clients import API, Service, client_of, small_home, started
from conftest import ROOT, CheapEncoder
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from index.errors import KhazriError
from index.home import Home
from search.engine import Engine
from web import health, logs
from web.app import create_app

SEARCH = f"{API}/search?q=otter"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with small_home(tmp_path, CheapEncoder(), "reader=none") as home:
        yield home


@pytest.fixture
def client(home: Home) -> FlaskClient:
    return client_of(home)


@contextmanager
def slow(path: Path, seconds: float, *settings: str) -> Iterator[Service]:
    """A real service over a small home, of which each question takes some seconds."""
    with small_home(path, CheapEncoder()) as home:
        place = home.path
    command = [sys.executable, "tests/slow.py", str(place), str(seconds), "port=0", *settings]
    with started(command) as service:
        yield service


def get(service: Service, path: str) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body of a reply, on a connection of its own."""
    with closing(http.client.HTTPConnection(urlsplit(service.url).netloc, timeout=30)) as client:
        client.request("GET", path)
        reply = client.getresponse()
        return reply.status, dict(reply.headers), reply.read()


# Health


def test_ready_says_what_is_not(home: Home, client: FlaskClient) -> None:
    reply = client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json
    assert reply.json["status"] == "ok"
    config = client.application.config
    for phase in (health.STARTING, health.ENDING):
        config["PHASE"] = phase
        for path in ("/readyz", SEARCH, "/"):
            reply = client.get(path)
            assert (reply.status_code, reply.headers["Retry-After"]) == (503, "1")
            assert phase in reply.text
        assert client.get("/healthz").status_code == 200
    config["PHASE"] = health.SERVING
    assert client.get(SEARCH).status_code == 200


def test_an_index_that_cannot_be_read_is_not_ready(
    home: Home, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise KhazriError(f"{home.path}/catalog.db is damaged.")

    monkeypatch.setattr(home.store, "snapshot", damaged)
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert reply.json
    assert "index can't be read" in reply.json["detail"]
    assert str(home.path) not in reply.text
    assert client.get("/metrics").status_code == 200  # the others are measured still


# Measures


def measures(client: FlaskClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Each sample by its name and the values of its labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_is_asked_is_measured_and_never_written(home: Home, client: FlaskClient) -> None:
    client.get(f"{API}/answer?q=How many otters live in the Reed Lake?")
    client.get("/?q=Zanzibar xylophones")
    client.get(f"{API}/documents/1")
    client.get("/nowhere/secret")
    client.open("/nowhere/secret", method="BREW")
    told = measures(client)
    outcomes = {labels[0] for name, labels in told if name == "khazri_questions_total"}
    assert outcomes == {"api", "pages"}
    route = f"{API}/documents/<int:id>"
    assert told["khazri_requests_total", ("GET", route, "200")] == 1
    assert told["khazri_requests_total", ("GET", "none", "404")] == 1
    assert told["khazri_requests_total", ("other", "none", "404")] == 1
    assert told["khazri_request_seconds_count", (route,)] == 1
    for step in ("encoding", "filtering", "keyword", "semantic", "fusing", "explaining", "quoting"):
        assert told["khazri_step_seconds_count", (step,)] >= 1, step
    with home.store.snapshot() as snapshot:
        assert told["khazri_generation", ()] == snapshot.generation
        assert told["khazri_passages", ()] == snapshot.count().passages
    assert told["khazri_documents", ()] == 3
    assert told["khazri_home_bytes", ()] > 10_000
    assert abs(told["khazri_last_commit_timestamp_seconds", ()] - time.time()) < 60
    assert told["khazri_jobs", ("queued",)] == 0
    text = client.get("/metrics").text
    assert not re.search("otters|Zanzibar|secret|BREW", text)


def test_measures_follow_the_collection(home: Home, client: FlaskClient) -> None:
    assert measures(client)["khazri_documents", ()] == 3
    client.post(f"{API}/documents", json={"text": "A newt."})
    client.post(f"{API}/reindex")
    told = measures(client)
    assert told["khazri_documents", ()] == 4
    assert told["khazri_jobs", ("queued",)] == 1


def test_each_app_measures_for_itself(home: Home) -> None:
    one, other = client_of(home), client_of(home)
    one.get(SEARCH)
    asked = ("khazri_requests_total", ("GET", f"{API}/search", "200"))
    assert measures(one)[asked] == 1
    assert asked not in measures(other)


# Logs and request ids


@pytest.mark.parametrize("path", [SEARCH, "/nowhere", f"{API}/search", "/static/khazri.css"])
def test_every_reply_has_the_id_of_its_request(client: FlaskClient, path: str) -> None:
    with client.get(path) as reply:
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"])
    with client.get(path, headers={"X-Request-ID": "mine-1.a_B"}) as reply:
        assert reply.headers["X-Request-ID"] == "mine-1.a_B"
    for bad in ("a b", "a" * 65, "é", '"', ""):
        with client.get(path, headers={"X-Request-ID": bad}) as reply:
            assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-ID"])


def test_a_problem_tells_the_id_that_the_log_has(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Engine, "search", lambda *_, **__: 1 / 0)
    reply = client.get(SEARCH, headers={"X-Request-ID": "mine"})
    assert reply.status_code == 500
    assert reply.json
    assert reply.json["request_id"] == "mine"
    assert "ZeroDivision" not in reply.text
    with client.application.test_request_context(SEARCH):
        client.application.preprocess_request()
        record = next(one for one in caplog.records if one.exc_info)
        logs._named(record)
        said = json.loads(logs.JsonLines().format(record))
    assert "ZeroDivisionError" in said["exception"]


def test_a_line_is_an_object_and_holds_no_question(tmp_path: Path) -> None:
    with slow(tmp_path, 0, "log_format=json", "reader=none") as service:
        get(service, "/api/v1/search?q=zanzibar%0Aotter")
        get(service, "/documents/a%0Ab")
        get(service, "/static/khazri.css")
    lines = [json.loads(line) for line in service.said if line.startswith("{")]
    asked, odd = (line for line in lines if "route" in line or "path" in line)
    assert asked["method"] == "GET"
    assert asked["route"] == asked["path"] == "/api/v1/search"
    assert asked["status"] == 200
    assert asked["ms"] > 0
    assert asked["client"] == "127.0.0.1"
    assert asked["level"] == "info"
    assert re.fullmatch("[0-9a-f]{32}", asked["request_id"])
    assert odd["path"] == "/documents/a%0Ab"
    assert "zanzibar" not in "".join(service.said)


def test_questions_are_logged_where_that_is_wanted(tmp_path: Path) -> None:
    with slow(tmp_path, 0, "log_questions=true", "reader=none") as service:
        get(service, "/api/v1/search?q=zanzibar%0Aotter")
    line = next(line for line in service.said if "/api/v1/search" in line)
    assert '"zanzibar\\notter"' in line
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.+]+ info \[[0-9a-f]{32}\] GET ", line)


def test_a_line_for_people_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    record = logging.LogRecord("khazri", logging.ERROR, "", 0, "odd\nname\x1b[31m", (), None)
    assert logs.TextLines().format(record).endswith(r"error odd\nname\x1b[31m")


# Overload, and the end, in a real process


def test_a_pile_up_is_told_so_at_once(tmp_path: Path) -> None:
    """Two hundred at once: none hangs, the health check answers, and all places are left."""
    replies: list[tuple[int, float, str | None]] = []
    settings = ("max_requests=12", "reader=none", "request_seconds=20")
    with slow(tmp_path, 0.3, *settings) as service:

        def ask(number: int) -> None:
            began = time.monotonic()
            status, headers, _ = get(service, f"{API}/search?q=otter{number}")
            replies.append((status, time.monotonic() - began, headers.get("Retry-After")))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(200)]
        for thread in threads:
            thread.start()
        assert get(service, "/healthz")[0] == 200
        for thread in threads:
            thread.join(timeout=30)
        assert {status for status, _, _ in replies} == {200, 503}
        assert len(replies) == 200
        assert {again for status, _, again in replies if status == 503} == {"1"}
        assert sum(status == 200 for status, _, _ in replies) >= 12
        assert get(service, SEARCH)[0] == 200
        assert b"khazri_requests_in_hand 0.0" in get(service, "/metrics")[2]


def test_idle_connections_do_not_shut_others_out(tmp_path: Path) -> None:
    with slow(tmp_path, 0, "reader=none") as service:
        place = urlsplit(service.url)
        idle = [socket.create_connection((place.hostname, place.port)) for _ in range(300)]
        try:
            assert get(service, SEARCH)[0] == 200
        finally:
            for connection in idle:
                connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_in_hand_is_finished(tmp_path: Path, number: int) -> None:
    with slow(tmp_path, 1, "reader=none") as service:
        replies: list[tuple[int, dict[str, str], bytes]] = []
        asking = threading.Thread(target=lambda: replies.append(get(service, SEARCH)))
        asking.start()
        while b"in_hand 1.0" not in get(service, "/metrics")[2]:
            time.sleep(0.02)
        service.process.send_signal(number)
        asking.join(timeout=20)
        assert service.process.wait(timeout=10) == 0
        with pytest.raises(ConnectionRefusedError):
            get(service, "/healthz")
    ((status, _, body),) = replies
    assert status == 200
    assert json.loads(body)["results"]


def test_a_request_without_end_is_not_waited_for(tmp_path: Path) -> None:
    with slow(tmp_path, 0, "reader=none", "request_seconds=0.5") as service:
        place = urlsplit(service.url)
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(b"POST /api/v1/documents HTTP/1.1\r\nContent-Length: 10\r\n")
            get(service, "/healthz")
            service.process.terminate()
            assert service.process.wait(timeout=10) == 0


def given_up(service: Service) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        get(service, SEARCH)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    with small_home(tmp_path, CheapEncoder()) as home:
        place = home.path
    command = [sys.executable, "tests/slow.py", str(place), "8", "port=0", "reader=none"]
    with pytest.raises(AssertionError), started(command) as service:
        asking = threading.Thread(target=given_up, args=(service,))
        asking.start()
        while b"in_hand 1.0" not in get(service, "/metrics")[2]:
            time.sleep(0.02)
        service.process.terminate()
        time.sleep(0.2)
        service.process.terminate()
        assert service.process.wait(timeout=3) == -signal.SIGTERM
        asking.join()


def test_it_listens_while_it_loads(tmp_path: Path) -> None:
    with small_home(tmp_path, CheapEncoder()) as home:
        place = home.path
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "tests/slow.py", str(place), "1.5", f"port={port}", "reader=none"]
    early: list[int] = []

    def look() -> None:
        service = Service(f"http://127.0.0.1:{port}", None, [])
        while not early:
            try:
                early.extend(get(service, path)[0] for path in ("/healthz", "/readyz", SEARCH))
            except ConnectionRefusedError:
                time.sleep(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    with started(command) as service:
        looking.join()
        assert early == [200, 503, 503]
        assert get(service, "/readyz")[0] == 200


def test_the_app_makes_no_difference_to_an_engine_of_its_own(home: Home) -> None:
    """Outside of a request nothing is late."""
    engine = Engine(home.store, home.encoder)
    create_app(home, engine)
    assert engine.search("otter").results
    assert ROOT.is_dir()
