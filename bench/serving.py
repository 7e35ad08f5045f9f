"""A service over a large home, through HTTP: one client, many at once, opening, memory; and two.

    python bench/serving.py [--sizes 200000 1000000] [--questions 200] [--json FILE]

Hybrid searches, all distinct, with the cache off, by a real ``khazri serve``. Beside each question
of the single client the same text is encoded alone in this process, by the product's encoder and
by stock ``SentenceTransformer.encode``; ratios are of one run. Questions are runs of words from
the paragraphs (see ``large.py``, which builds the homes once). Memory is what ``smaps_rollup``
tells after the questions, less that of a service over an empty home after as many.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode

import large
from stock import Stock

from index.embeddings import Encoder

CLIENTS = 32
WORDS = 11  # of a question


@dataclass
class Service:
    """A running service: its port, its process, and the seconds until it was ready."""

    port: int
    pid: int
    opened: float

    def ask(self, connection: http.client.HTTPConnection, question: str) -> tuple[int, float]:
        """Status and seconds of a search."""
        started = time.perf_counter()
        connection.request("GET", f"/api/v1/search?{urlencode({'q': question})}")
        reply = connection.getresponse()
        reply.read()
        if reply.status == 503 and not reply.getheader("Retry-After"):
            raise SystemExit("503 without Retry-After")
        return reply.status, time.perf_counter() - started

    def connection(self) -> http.client.HTTPConnection:
        """A connection that stays open."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def memory(self) -> dict[str, float]:
        """Megabytes: resident by mappings (``Rss``), each page once (``Pss``), not of a file."""
        told = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return {
            name: int(told.split(f"{name}:")[1].split()[0]) / 1024
            for name in ("Rss", "Pss", "Anonymous")
        }


@contextmanager
def serving(home: Path, *given: str) -> Iterator[Service]:
    """A service over a home, until it is not needed any more."""
    options = [f"--set={one}" for one in ("cache=0", *given)]
    command = [sys.executable, "-m", "khazri", "--home", str(home), *options, "serve", "--port=0"]
    started = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "http://" in line)
        opened = time.perf_counter() - started
        drain = ThreadPoolExecutor(1)
        drain.submit(process.stderr.read)
        port = int(said.split("http://")[1].split()[0].rsplit(":")[-1])
        try:
            yield Service(port, process.pid, opened)
        finally:
            process.terminate()


def questions(count: int) -> list[str]:
    """Distinct runs of words from paragraphs."""
    texts, _ = large.real()
    chance = random.Random(6)
    found: dict[str, None] = {}
    while len(found) < count:
        words = chance.choice(texts).replace('"', " ").split()  # not as phrases
        start = chance.randrange(max(1, len(words) - WORDS))
        found[" ".join(words[start : start + WORDS])] = None
    return list(found)


def alone(service: Service, asked: list[str]) -> dict[str, float]:
    """One client: milliseconds of a question, and of encoding it."""
    encoder = Encoder()
    stock = Stock(encoder.path)
    took: dict[str, list[float]] = {"question": [], "encode": [], "stock": []}
    connection = service.connection()
    for number, text in enumerate(asked):
        status, seconds = service.ask(connection, text)
        if status != 200:
            raise SystemExit(f"{status} to {text!r}")
        started = time.perf_counter()
        encoder.encode([text])
        between = time.perf_counter()
        stock.encode([text])
        ended = time.perf_counter()
        if number >= 20:  # the first ones warm up
            took["question"].append(seconds * 1000)
            took["encode"].append((between - started) * 1000)
            took["stock"].append((ended - between) * 1000)
    mid = {name: median(values) for name, values in took.items()}
    p99 = quantiles(took["question"], n=100)[98]
    return {
        "question, ms": mid["question"],
        "p99, ms": p99,
        "encoding alone, ms": mid["encode"],
        "stock encoding alone, ms": mid["stock"],
        "question / encoding": mid["question"] / mid["encode"],
        "question / stock encoding": mid["question"] / mid["stock"],
        "p99 / encoding": p99 / mid["encode"],
        "p99 / stock encoding": p99 / mid["stock"],
    }


def rate(asked: list[str], clients: int, *services: Service) -> tuple[float, Counter[int]]:
    """Questions a second by some clients at once, and the statuses of the replies."""

    def ask(part: list[str], service: Service) -> list[int]:
        connection = service.connection()
        return [service.ask(connection, text)[0] for text in part]

    started = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = pool.map(ask, [asked[i::clients] for i in range(clients)], cycle(services))
        statuses = Counter(status for part in parts for status in part)
    return len(asked) / (time.perf_counter() - started), statuses


def measured(home: Path, asked: list[str], empty: dict[str, float]) -> dict[str, float]:
    """All figures of one home."""
    half = len(asked) // 2
    with serving(home) as service:
        figures = {"ready after, s": service.opened} | alone(service, asked[:half])
        one, _ = rate([f"{text} once" for text in asked[:half]], 1, service)
        many, statuses = rate(asked[half:], CLIENTS, service)
        if set(statuses) != {200}:
            raise SystemExit(f"{CLIENTS} clients were told {dict(statuses)}")
        figures |= {"a second": one, f"a second, {CLIENTS} clients": many, "gain": many / one}
        memory = service.memory()
        with serving(home) as second:
            rate(asked[:half], CLIENTS, second)
            both, _ = rate([f"{text} twice" for text in asked[half:]], CLIENTS, service, second)
        figures[f"a second, {CLIENTS} clients of two services"] = both
    figures |= {f"{name} above empty, MB": memory[name] - empty[name] for name in memory}
    with serving(home, "max_requests=4") as service:
        _, statuses = rate([f"{text} bound" for text in asked[:half]], CLIENTS, service)
        if set(statuses) - {200, 503}:
            raise SystemExit(f"past the bound: {dict(statuses)}")
        figures["sent away past a bound of 4"] = statuses[503] / sum(statuses.values())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[200_000, 1_000_000])
    parser.add_argument("--questions", type=int, default=220)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = questions(4 * options.questions)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as service:
        rate(asked[: options.questions], CLIENTS, service)
        empty = service.memory()
        print(f"empty: ready after {service.opened:.1f} s, {empty}", flush=True)
    told = {}
    for size in options.sizes:
        told[size] = measured(large.built(size), asked, empty)
        print(f"{size:,} passages")
        for name, value in told[size].items():
            print(f"  {name:40} {value:10.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
