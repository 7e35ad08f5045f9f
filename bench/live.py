"""Questions while the collection changes: consistent, and soon up to date.

    python bench/live.py [--changes 2000] [--json FILE]

16 clients ask without pause while another process adds, changes and deletes documents. Each
text names its document and version, the writer tells what each generation holds, and every reply
is compared with the generation that it names: once over the engine, once over ``khazri serve``.
How long after a commit a question may still miss it is told, too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from stand_in import StandIn

from index.changes import Changes
from index.documents import Given
from index.indexer import Indexer, Progress
from index.making import of_given
from index.sources import register
from index.store import Store
from search.engine import Engine

WORK = Path("build/bench/live")
PROCESSES, THREADS = 4, 4  # of the 16 clients
STEP = 20  # documents that one commit changes, at most
COMMITS = 50  # whose documents are looked for at once
FINDABLE = 1.0  # seconds after its commit

Versions = Mapping[str, int]  # by the name of a document
Said = tuple[int, str, int, tuple[tuple[str, int], ...]]  # generation, query, total, what was found
Ask = Callable[[str, str, int], Said]  # query, mode, limit


# The writer


def text_of(name: str, version: int) -> str:
    """The text of a document: a passage that says which it is."""
    return f"common words of {name} in version {version}, {name}v{version}"


def write(home: Path, pipe: Connection, changes: int) -> None:
    """Change so many documents; tell when each generation was made, and what it changed."""
    try:
        _write(home, pipe, changes)
    finally:
        pipe.send(None)


def _write(home: Path, pipe: Connection, changes: int) -> None:
    store = Store(home)
    indexer = Indexer(store, StandIn())
    chance = random.Random(1)
    with store.catalog.write() as db:
        source = register(db, "api", "api", "api")
    there: dict[str, int] = {}
    done = made = 0
    while done < changes:
        count = chance.randrange(1, STEP)
        some = chance.sample(sorted(there), min(len(there) // 2, count // 2))
        gone = {name for name in some if chance.random() < 0.5}
        put = {name: there[name] + 1 for name in some if name not in gone}
        for _ in range(count - len(some)):
            made += 1
            put[f"doc{made}"] = 1
        batch = [
            of_given(source, Given(name, text_of(name, version), name), indexer.encoder)
            for name, version in put.items()
        ]
        first = Changes(removals=[indexer.find(name) for name in gone])
        generation = indexer.commit(batch, Progress(), lambda progress: None, first)
        pipe.send((time.monotonic(), generation, put | dict.fromkeys(gone, 0)))
        there = {name: v for name, v in (there | put).items() if name not in gone}
        done += len(put) + len(gone)
        while store.merge():
            pass
    store.close()


# What it tells


@dataclass
class History:
    """What each generation holds."""

    generations: list[int] = field(default_factory=lambda: [0])
    held: list[Versions] = field(default_factory=lambda: [{}])
    times: list[float] = field(default_factory=lambda: [0.0])
    written: int = 0  # documents added, changed and deleted

    def add(self, committed: float, generation: int, changed: Versions) -> None:
        """A commit made this generation, at this time."""
        self.times.append(committed)
        self.written += len(changed)
        self.generations.append(generation)
        held = {name: v for name, v in (dict(self.held[-1]) | dict(changed)).items() if v}
        self.held.append(held)

    def at(self, generation: int) -> Versions:
        """The documents of a generation; merges make some that change nothing."""
        return self.held[bisect_right(self.generations, generation) - 1]

    def late(self, generation: int, began: float) -> float:
        """Seconds since the next commit, where a question begun then did not see it yet."""
        following = bisect_right(self.generations, generation)
        return max(0.0, began - self.times[following]) if following < len(self.times) else 0.0

    def mixed(self, said: Said) -> str:
        """What a reply says that its generation does not hold, or nothing."""
        generation, query, total, found = said
        held = self.at(generation)
        for name, version in found:
            if held.get(name) != version:
                return f"{name} in version {version}, which was {held.get(name)}"
        if query == "common" and total != len(held):
            return f"{total} passages instead of {len(held)}"
        if re.fullmatch(r"doc\d+", query) and (query in held) != (query in dict(found)):
            return f"{query} is found: {query in dict(found)}, is there: {query in held}"
        return ""


# The clients


@dataclass
class Replies:
    """What some clients were told: how often they asked, and each distinct reply."""

    asked: int = 0
    said: set[Said] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    last: dict[int, float] = field(default_factory=dict)  # when each generation was last seen


def clients(place: str, seed: int, newest: Any, stop: Any, pipe: Connection) -> None:
    """Some clients in a process of their own ask without pause until stopped."""
    replies = [Replies() for _ in range(THREADS)]
    with asking(place, THREADS) as asks:
        threads = [
            threading.Thread(
                target=ask_on, args=(ask, random.Random(f"{seed} {n}"), newest, stop, replies[n])
            )
            for n, ask in enumerate(asks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    pipe.send(replies)


def ask_on(ask: Ask, chance: random.Random, newest: Any, stop: Any, replies: Replies) -> None:
    """One client."""
    while not stop.is_set():
        name = f"doc{chance.randrange(1, newest.value + 2)}"
        query, mode, limit = chance.choice(
            [("common", "keyword", 50), (name, "keyword", 5), (f"words of {name}", "hybrid", 10)]
        )
        began = time.monotonic()
        try:
            said = ask(query, mode, limit)
            replies.said.add(said)
            replies.last[said[0]] = began
        except Exception as error:
            replies.errors.append(repr(error))
        replies.asked += 1


@contextmanager
def asking(place: str, count: int = 1) -> Iterator[list[Ask]]:
    """Ways to ask: the service at an address, or one engine over a home."""
    if place.startswith("http://"):
        yield [Http(place) for _ in range(count)]
    else:
        store = Store(Path(place))
        yield [over_engine(store, StandIn())] * count
        store.close()


def over_engine(store: Store, encoder: StandIn) -> Ask:
    """Ask an engine."""
    engine = Engine(store, encoder)

    def ask(query: str, mode: Any, limit: int) -> Said:
        found = engine.search(query, mode=mode, limit=limit)
        texts = [(r.passage.document.uri, r.passage.text) for r in found.results]
        return found.generation, query, found.total, _versions(texts)

    return ask


class Http:
    """One connection to a service, kept open."""

    def __init__(self, address: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)

    def __call__(self, query: str, mode: str, limit: int) -> Said:
        """Ask the service."""
        found = self.get("search", q=query, mode=mode, limit=limit)
        texts = [(r["document"]["uri"], r["text"]) for r in found["results"]]
        return found["generation"], query, found["total"], _versions(texts)

    def get(self, route: str, method: str = "GET", **values: object) -> Any:
        """The reply of a route, as JSON."""
        self.connection.request(method, f"/api/v1/{route}?{urlencode(values)}")
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status >= 300:
            raise SystemExit(f"{route} replied {reply.status}: {body.decode()}")
        return json.loads(body)


def _versions(texts: Sequence[tuple[str, str]]) -> tuple[tuple[str, int], ...]:
    """Which documents and versions were found, by the texts; a wrong text is no version."""
    found = []
    for name, text in texts:
        match = re.fullmatch(r"common words of (doc\d+) in version (\d+), \1v\2", text)
        found.append((name, int(match[2]) if match and match[1] == name else -1))
    return tuple(found)


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a service over a home, in a process of its own."""
    command = [sys.executable, "-m", "khazri", "--home", str(home), "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = next((line for line in process.stderr if "http://" in line), "")
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        try:
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


# Consistency


def consistency(name: str, home: Path, place: str, changes: int) -> dict[str, float]:
    """Clients ask while another process writes; their replies are compared afterwards."""
    # A forked process would lack the threads that the first question has begun here.
    spawn, history = multiprocessing.get_context("spawn"), History()
    newest, stop = spawn.Value("i", 1), spawn.Event()
    pipes = [spawn.Pipe(duplex=False) for _ in range(PROCESSES)]
    askers = [
        spawn.Process(target=clients, args=(place, n, newest, stop, pipe))
        for n, (_, pipe) in enumerate(pipes)
    ]
    here, there = spawn.Pipe(duplex=False)
    writer = spawn.Process(target=write, args=(home, there, changes))
    with asking(place) as (ask,):
        ask("ready", "hybrid", 1)  # loads the model, where there is one
    for process in (*askers, writer):
        process.start()
    started = time.perf_counter()
    for committed, generation, changed in iter(here.recv, None):
        history.add(committed, generation, changed)
        newest.value = max(int(one.removeprefix("doc")) for one in history.held[-1])
    stop.set()
    seconds = time.perf_counter() - started
    replies = [one for pipe, _ in pipes for one in pipe.recv()]
    for process in (*askers, writer):
        process.join()
    said = {one for each in replies for one in each.said}
    errors = [one for each in replies for one in each.errors]
    wrong = [f"generation {s[0]}, {s[1]!r}: {w}" for s in said if (w := history.mixed(s))]
    for one in [*errors[:5], *wrong[:5]]:
        print(f"{name}: {one}", file=sys.stderr)
    return {
        f"{name}: documents written": history.written,
        f"{name}: commits": len(history.times) - 1,
        f"{name}: generations seen": len({one[0] for one in said}),
        f"{name}: questions asked": sum(each.asked for each in replies),
        f"{name}: a second": sum(each.asked for each in replies) / seconds,
        f"{name}: distinct replies": len(said),
        f"{name}: errors": len(errors) + (writer.exitcode != 0),
        f"{name}: mixed": len(wrong),
        f"{name}: not yet found after a commit, s at most": max(
            history.late(generation, began)
            for each in replies
            for generation, began in each.last.items()
        ),
    }


def findable(name: str, home: Path, place: str) -> dict[str, float]:
    """How long after a commit a process that asks for nothing else finds its document."""
    late = []
    store = Store(home)
    indexer = Indexer(store, StandIn())
    with asking(place) as (ask,):
        for number in range(COMMITS):
            indexer.add([Given(f"late{number}", f"late{number} is here")])
            committed = time.monotonic()
            while not ask(f"late{number}", "keyword", 1)[2]:
                pass
            late.append(time.monotonic() - committed)
    store.close()
    return {f"{name}: found after a commit, s at most": max(late)}


def fresh(name: str) -> Path:
    """A new folder."""
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--changes", type=int, default=2_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, float] = {}
    home = fresh("engine")
    figures |= consistency("engine", home, str(home), options.changes)
    figures |= findable("engine", home, str(home))
    home = fresh("http")
    with serving(home) as address:
        figures |= consistency("http", home, address, options.changes)
        figures |= findable("http", home, address)
    for name, value in figures.items():
        print(f"{name:40} {value:12.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    wrong = [
        name
        for name, value in figures.items()
        if (name.endswith(("errors", "mixed")) and value)
        or (name.endswith("at most") and value >= FINDABLE)
    ]
    for name in wrong:
        print(f"too much: {name}", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
