"""A service under load for minutes: every reply counted, every limit kept, nothing that grows.

    python bench/soak.py [--minutes 10] [--clients 32] [--json build/soak.json]

A real ``khazri serve`` that asks for keys is used by clients who ask, search, type, page, read,
save, upload, delete and have folders read again, each without pause. Quotes of answers are compared
with their documents now and then. Every half minute the memory and the open files of the service
are taken; what counts is their slope over the last two thirds.

Fails on any reply but success and the promised limits (429 and 503, with Retry-After; 404 of what
another client has just deleted), on a quote that does not stand, and on growth.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import linear_regression, quantiles
from typing import Any
from urllib.parse import urlencode, urlsplit

from texts import paragraphs

WORK = Path("build/bench/soak")
DOCUMENTS = 300  # before it begins
EVERY = 30.0  # seconds between two samples of the service
OWN = 5  # uploads of a client that stay; older ones are deleted
PATIENCE = 5.0  # seconds, at most, that a client waits when told to
CHECKED = 0.2  # share of answers whose quotes are compared
GROWTH = 0.05  # of its memory, that the service may gain over the last two thirds
FILES = 10  # open files, that it may gain
LIMITS = (429, 503)

API = "/api/v1"
Reply = tuple[int, Mapping[str, str], bytes]


@dataclass
class Told:
    """What the clients were told."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    quotes: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, status: int, seconds: float) -> None:
        """A reply."""
        with self.lock:
            self.statuses[kind, status] += 1
            if status < 400:
                self.seconds[kind].append(seconds)

    def fail(self, what: str) -> None:
        """Something that must not be."""
        with self.lock:
            self.wrong.append(what)


class Client:
    """One client: a connection that stays open, a key, and the uploads that are its own."""

    def __init__(self, address: str, key: str, seed: int, words: Sequence[str], told: Told) -> None:
        self.netloc = urlsplit(address).netloc
        self.key, self.told = key, told
        self.chance = random.Random(seed)
        self.words = words
        self.names = (f"client {seed} file {n}.txt" for n in count())
        self.mine: list[int] = []
        self.seen: list[int] = [1]
        self.connection = http.client.HTTPConnection(self.netloc, timeout=120)

    def run(self, until: float) -> None:
        """Do one thing after another."""
        doings: dict[str, tuple[float, Callable[[], None]]] = {
            "search": (30, self.search),
            "answer": (20, self.answer),
            "suggest": (15, self.suggest),
            "page": (10, self.page),
            "documents": (6, self.documents),
            "document": (6, self.document),
            "original": (3, self.original),
            "upload": (5, self.upload),
            "reindex": (0.3, self.reindex),
        }
        weights = [weight for weight, _ in doings.values()]
        while time.monotonic() < until:
            (kind,) = self.chance.choices(list(doings), weights)
            try:
                doings[kind][1]()
            except Exception as error:
                self.told.fail(f"{kind}: {error!r}")
                self.connection.close()

    # What it does

    def search(self) -> None:
        query = {"q": self.question(), "limit": self.chance.choice([5, 10, 50])}
        if found := self.json("search", "GET", f"{API}/search?{urlencode(query)}"):
            self.seen += [one["document"]["id"] for one in found["results"]]
            del self.seen[:-50]

    def answer(self) -> None:
        found = self.json("answer", "GET", f"{API}/answer?{urlencode({'q': self.question()})}")
        if found and self.chance.random() < CHECKED:
            for citation in found["citations"]:
                self.compare(citation)

    def suggest(self) -> None:
        typed = self.question()[: self.chance.randrange(3, 20)]
        self.json("suggest", "GET", f"{API}/suggest?{urlencode({'q': typed})}")

    def page(self) -> None:
        path = self.chance.choice(
            [f"/?{urlencode({'q': self.question()})}", "/documents", "/jobs", self.a_document()]
        )
        self.reply("page", "GET", path)

    def documents(self) -> None:
        query = {"offset": self.chance.randrange(300), "limit": 50}
        self.json("documents", "GET", f"{API}/documents?{urlencode(query)}")

    def document(self) -> None:
        self.json("document", "GET", API + self.a_document())

    def original(self) -> None:
        self.reply("original", "GET", f"{self.a_document()}/original")

    def upload(self) -> None:
        text = f"{self.question()} is what this is about.\n\n{self.question()}?"
        body = (
            '--cut\r\nContent-Disposition: form-data; name="file"; filename="'
            f'{next(self.names)}"\r\n\r\n{text}\r\n--cut--\r\n'
        ).encode()
        kind = {"Content-Type": "multipart/form-data; boundary=cut"}
        if found := self.json("upload", "POST", f"{API}/documents", body, kind):
            self.mine += [one["id"] for one in found["documents"] if one["stored"]]
        while len(self.mine) > OWN:
            self.json("delete", "DELETE", f"{API}/documents/{self.mine.pop(0)}")

    def reindex(self) -> None:
        self.json("reindex", "POST", f"{API}/reindex")

    # How

    def question(self) -> str:
        start = self.chance.randrange(len(self.words) - 8)
        return " ".join(self.words[start : start + self.chance.randrange(2, 8)])

    def a_document(self) -> str:
        return f"/documents/{self.chance.choice(self.seen)}"

    def compare(self, citation: Mapping[str, Any]) -> None:
        """Whether a quote stands in its document, if that is still the one that was quoted."""
        found = self.json("document", "GET", f"{API}/documents/{citation['document']['id']}")
        text = found["text"] if found else ""
        if hashlib.sha256(text.encode()).hexdigest() == citation["text_hash"]:
            self.told.quotes += 1
            if text[citation["start"] : citation["end"]] != citation["quote"]:
                self.told.fail(f"a quote does not stand: {citation}")

    def json(self, kind: str, method: str, path: str, *sent: Any) -> Any:
        """The reply as JSON, where it is a success."""
        status, _, body = self.reply(kind, method, path, *sent)
        return json.loads(body) if status < 400 else None

    def reply(
        self,
        kind: str,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> Reply:
        """Ask, count the reply, and wait where it says so."""
        began = time.monotonic()
        self.connection.request(
            method, path, body, {**headers, "Authorization": f"Bearer {self.key}"}
        )
        reply = self.connection.getresponse()
        read = reply.read()
        self.told.add(kind, reply.status, time.monotonic() - began)
        gone = reply.status == 404 and kind in ("page", "document", "original", "delete")
        if reply.status in LIMITS:
            wait = reply.getheader("Retry-After", "")
            if not wait.isdecimal():
                self.told.fail(f"{kind}: {reply.status} without Retry-After")
            time.sleep(min(float(wait or 1), PATIENCE))
        elif reply.status >= 400 and not gone:
            self.told.fail(f"{method} {path}: {reply.status} {read[:300]!r}")
        return reply.status, dict(reply.getheaders()), read


# The service


@contextmanager
def serving(home: Path) -> Iterator[tuple[str, int]]:
    """The address of a service that asks for keys, and its process."""
    command = [*khazri(home, "--set", "auth=keys"), "serve", "--port", "0"]
    with (
        (home.parent / "serve.log").open("w") as log,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr
        line = next((line for line in process.stderr if "http://" in line), "")
        if not line:
            raise SystemExit("khazri serve did not start")
        drain = threading.Thread(target=log.writelines, args=(process.stderr,))
        drain.start()
        try:
            yield next(word for word in line.split() if word.startswith("http://")), process.pid
        finally:
            process.terminate()
            drain.join()
    if process.returncode:
        raise SystemExit(f"khazri serve ended with {process.returncode}")


def khazri(home: Path, *options: str) -> list[str]:
    """The command over a home."""
    return [sys.executable, "-m", "khazri", "--home", str(home), *options]


def prepared(clients: int) -> tuple[Path, list[str], list[str]]:
    """A home with documents, a key for each client, and the words to ask with."""
    shutil.rmtree(WORK, ignore_errors=True)
    home, files = WORK / "home", WORK / "files"
    files.mkdir(parents=True)
    every = paragraphs()
    words: list[str] = []
    for number in range(DOCUMENTS):
        text = next(every)
        words += text.split()
        (files / f"{number:04}.txt").write_text(text)
    subprocess.run([*khazri(home), "index", str(files)], check=True, capture_output=True)
    keys = []
    for number in range(clients):
        command = [*khazri(home), "keys", "add", f"client {number}", "--write"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        keys.append(re.findall("khazri_[0-9a-f]{64}", said)[0])
    return home, keys, words


def sample(pid: int) -> tuple[float, int, int]:
    """Megabytes of memory, open files and threads of a process."""
    told = Path(f"/proc/{pid}/status").read_text()
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return (
        int(re.findall(r"VmRSS:\s+(\d+)", told)[0]) / 1024,
        files,
        int(re.findall(r"Threads:\s+(\d+)", told)[0]),
    )


def soak(minutes: float, clients: int) -> dict[str, Any]:
    """Let the clients loose; return what they were told and what the service took."""
    home, keys, words = prepared(clients)
    told = Told()
    samples: list[tuple[float, float, int, int]] = []
    with serving(home) as (address, pid):
        began = time.monotonic()
        until = began + minutes * 60
        threads = [
            threading.Thread(target=Client(address, key, n, words, told).run, args=(until,))
            for n, key in enumerate(keys)
        ]
        for thread in threads:
            thread.start()
        while (now := time.monotonic()) < until:
            samples.append((now - began, *sample(pid)))
            print("{:6.0f} s {:8.1f} MB {:5} files {:4} threads".format(*samples[-1]), flush=True)
            time.sleep(max(0.0, min(EVERY, until - time.monotonic())))
        for thread in threads:
            thread.join()
        seconds = time.monotonic() - began
        samples.append((seconds, *sample(pid)))
    return report(told, samples, seconds)


def report(
    told: Told, samples: Sequence[tuple[float, float, int, int]], seconds: float
) -> dict[str, Any]:
    """The figures."""
    late = [one for one in samples if one[0] >= seconds / 3]
    times = [one[0] for one in late]
    span = times[-1] - times[0]
    grown = [
        linear_regression(times, [one[column] for one in late]).slope * span for column in (1, 2)
    ]
    kinds: dict[str, dict[str, float]] = {}
    for kind, taken in sorted(told.seconds.items()):
        cuts = quantiles(taken, n=100) if len(taken) > 1 else taken * 99
        kinds[kind] = {
            "replies": len(taken),
            "p50 ms": cuts[49] * 1e3,
            "p95 ms": cuts[94] * 1e3,
            "p99 ms": cuts[98] * 1e3,
        }
    total = sum(told.statuses.values())
    return {
        "seconds": seconds,
        "replies": total,
        "a second": total / seconds,
        "statuses": {f"{kind} {status}": n for (kind, status), n in sorted(told.statuses.items())},
        "kinds": kinds,
        "quotes compared": told.quotes,
        "wrong": told.wrong[:50],
        "wrong in all": len(told.wrong),
        "samples": samples,
        "memory grown by, MB": grown[0],
        "memory grown by, share": grown[0] / late[0][1],
        "files grown by": grown[1],
    }


def show(figures: Mapping[str, Any]) -> None:
    """Print them."""
    print(f"\n{'':10} {'replies':>8} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}")
    for kind, row in figures["kinds"].items():
        print(
            f"{kind:10} {row['replies']:8} {row['p50 ms']:8.1f} {row['p95 ms']:8.1f}"
            f" {row['p99 ms']:8.1f}"
        )
    refused = {k: n for k, n in figures["statuses"].items() if int(k.split()[-1]) >= 400}
    print(f"\n{figures['replies']:,} replies, {figures['a second']:.1f} a second")
    print(f"refused or gone: {refused or 'none'}")
    print(f"{figures['quotes compared']} quotes compared, {figures['wrong in all']} things wrong")
    print(
        f"over the last two thirds: {figures['memory grown by, MB']:+.1f} MB"
        f" ({figures['memory grown by, share']:+.1%}), {figures['files grown by']:+.1f} files"
    )
    for one in figures["wrong"][:5]:
        print(one[:300], file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--json", type=Path, default=Path("build/soak.json"))
    options = parser.parse_args()
    figures = soak(options.minutes, options.clients)
    show(figures)
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(figures, indent=1))
    grown = figures["memory grown by, share"] > GROWTH or figures["files grown by"] > FILES
    sys.exit(bool(figures["wrong"] or grown))


if __name__ == "__main__":
    main()
