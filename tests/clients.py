"""Clients of the web room: over small homes of their own, and over a real service."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from conftest import CheapEncoder
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from index.documents import Given
from index.home import Home
from web.app import create_app
from web.commands import engine_over
from web.worker import Worker

API = "/api/v1"
ROOT = Path(__file__).parent.parent

DOCUMENTS = (
    Given(
        "otters",
        "Otters in the Reed Lake\n\nThe wardens counted 47 otters in the Reed Lake this spring.\n\n"
        "Each otter eats about a kilogram of fish a day, mostly perch and roach.",
        title="Otters return to the Reed Lake",
        published="2024-04-12",
        language="en",
        tags=("nature",),
    ),
    Given(
        "bridge",
        "The Miller's Bridge reopened on Monday after repairs that lasted nine months.\n\n"
        "The repairs cost 3.2 million crowns, and the bridge now carries lorries of 40 tonnes.",
        title="Miller's Bridge reopens",
        published="2023-10-02",
        language="en",
    ),
    Given(
        "choir",
        "The town choir sang in the old granary on Saturday. Some 300 people listened.",
        title="A concert in the granary",
        language="en",
    ),
)


def client_of(home: Home, worker: Worker | None = None) -> FlaskClient:
    """A client of the app over a home; its jobs wait unless a worker is given."""
    idle = Worker([sys.executable, "-c", ""])
    app = create_app(home, engine_over(home), worker or idle)
    return app.test_client()


@contextmanager
def small_home(path: Path, encoder: Any, *given: str) -> Iterator[Home]:
    """A home of three small documents, with these settings."""
    home = Home(path / "home", given=given)
    home.encoder = home.indexer.encoder = encoder
    home.indexer.add(DOCUMENTS)
    yield home
    home.close()


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a real service over a home, in a process of its own."""
    command = [sys.executable, "-m", "khazri", "--home", str(home), "serve", "--port", "0"]
    with started(command) as service:
        yield service.url


class Service(NamedTuple):
    """A real service: its address, its process, and the lines of its log so far."""

    url: str
    process: subprocess.Popen[str]
    said: list[str]


@contextmanager
def started(command: Sequence[str]) -> Iterator[Service]:
    """What a command serves once it says where. It is asked to end, and ends well."""
    said: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        lines = iter(process.stderr)
        for line in lines:
            said.append(line)
            if "Khazri is at http://" in line:
                break
        reader = Thread(target=lambda: said.extend(lines))  # a full pipe would stop the service
        reader.start()
        try:
            assert "http://" in said[-1], said
            url = next(word for word in said[-1].split() if word.startswith("http://"))
            yield Service(url, process, said)
        finally:
            process.terminate()
            status = process.wait(timeout=20)
            reader.join()
    assert status == 0, said


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something for a minute, and no longer."""
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until, "not within a minute"
        time.sleep(0.05)


@contextmanager
def app_of(path: Path, *given: str) -> Iterator[FlaskClient]:
    """A client of an empty home with these settings."""
    home = Home(path / "home", given=given)
    home.encoder = CheapEncoder()
    yield create_app(home, engine_over(home)).test_client()
    home.close()


def send(client: FlaskClient, *files: tuple[str, bytes]) -> TestResponse:
    """Upload files, each by its name."""
    parts = [(io.BytesIO(data), name) for name, data in files]
    return client.post(f"{API}/documents", data={"file": parts})


def problem(reply: TestResponse, status: int) -> str:
    """Check that a reply is a problem with this status; return its sentence."""
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "application/problem+json"
    body = json.loads(reply.text)
    assert set(body) == {"type", "title", "status", "detail", "instance", "request_id"}
    assert body["status"] == status
    assert body["instance"] == urlsplit(reply.request.url).path
    return str(body["detail"])
