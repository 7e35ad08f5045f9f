"""Kill a process that indexes, at every step, and see that nothing is lost, doubled or half.

    python bench/crash.py [--kills 300] [--seed 1]

A child adds, changes, renames and deletes documents, by files and handed over, and merges after
each; it tells every step that the store logs. It is killed (``SIGKILL``) at a chosen step: exactly
there, or a moment later. After each kill this process opens the home, with no hand work, and
compares all of it with what was acknowledged and what was in flight. The next child goes on in the
same home; now and then one begins a new home, and is killed while it opens it.

The disk is not cut off: what a power loss leaves is asserted by ``tests/test_durability.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import random
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from shelf import CheapEncoder, Shelf, bring, every, mutated, paragraphs, rare

from index import indexer as indexer_module
from index import store as store_module
from index.indexer import Indexer
from index.keyword import terms
from index.snapshot import Snapshot
from index.store import Store
from index.values import Document, Filter, embedding_text

STEPS = [
    f"{work}: {step}"
    for work in ("commit", "merge")
    for step in ("segment", "catalog", "generation")
]
OPENING, BETWEEN = "opening", "between commits"
TARGETS = [*STEPS, BETWEEN]
FRESH = 24  # every so many kills a new home is begun, and used for a few
OPERATIONS = 40  # of a child that is not killed
ENOUGH = 30  # of so many kills, at least one at each step

Tell = Callable[[str], None]


# The child


@dataclass(frozen=True, slots=True)
class Target:
    """Where to kill: the ``nth`` time at a step, exactly there or some seconds later."""

    step: str
    nth: int
    exactly: bool


class Steps(logging.Handler):
    """Tells each step that the store logs."""

    def __init__(self, tell: Tell) -> None:
        super().__init__(logging.DEBUG)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, if it is one."""
        if step := next((s for s in STEPS if record.getMessage().startswith(s)), ""):
            said = record.getMessage().split()[2] if step.endswith("generation") else ""
            self._tell(f"step {step} {said}".strip())


def work(pipe: int, home: Path, folder: Path, shelf: Shelf, seed: int, target: Target) -> None:
    """Bring the home to ``shelf`` and from there on to ever another state, until killed."""
    seen: Counter[str] = Counter()

    def tell(line: str) -> None:
        os.write(pipe, f"{line}\n".encode())
        step = next((s for s in STEPS if line.startswith(f"step {s}")), "")
        seen[step] += 1
        if target.exactly and (step, seen[step]) == (target.step, target.nth):
            os.kill(os.getpid(), signal.SIGKILL)

    store_module.FANOUT = 3  # so that merges are as frequent as commits
    store_module.GRACE = 1  # and what they leave behind is removed under way
    indexer_module.BATCH = 6  # so that a run takes several commits
    log = logging.getLogger("khazri.store")
    log.setLevel(logging.DEBUG)
    log.addHandler(Steps(tell))
    log.propagate = False
    tell(f"step {OPENING}")
    store = Store(home)
    indexer = Indexer(store, CheapEncoder())
    chance = random.Random(seed)
    for _ in range(OPERATIONS):
        tell(f"step {BETWEEN}")
        tell(f"trying {json.dumps(shelf)}")
        bring(indexer, folder, shelf)
        tell("done")
        shelf = mutated(shelf, chance)
    store.close()


# The parent


@dataclass
class Told:
    """What a child said before it died."""

    step: str = OPENING
    generation: int = 0
    trying: Shelf | None = None  # what was in flight


@dataclass
class Trial:
    """A home, its files, and what is known to be in it."""

    root: Path
    acknowledged: Shelf = field(default_factory=dict)
    aim: Shelf = field(default_factory=dict)  # what was in flight, or nothing more
    ids: dict[int, int] = field(default_factory=dict)
    generation: int = 0
    taken: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    since: float = 0.0

    def __post_init__(self) -> None:
        for name in ("home", "files"):
            (self.root / name).mkdir(parents=True)

    def run(self, seed: int, target: Target, chance: random.Random) -> tuple[Told, int | None]:
        """Start a child and kill it; return what it told and its exit code."""
        read, write = os.pipe()
        arguments = (write, self.root / "home", self.root / "files", self.aim, seed, target)
        child = multiprocessing.get_context("fork").Process(target=work, args=arguments)
        child.start()
        os.close(write)
        told, seen = Told(), 0
        self.since = time.perf_counter()
        with open(read) as lines:
            for kind, rest in (line.rstrip("\n").partition(" ")[::2] for line in lines):
                self._hear(kind, rest, told)
                if kind == "step" and told.step == target.step and not target.exactly:
                    seen += 1
                    if seen == target.nth:
                        usual = self.taken[told.step] or [0.02]
                        time.sleep(chance.uniform(0, sum(usual) / len(usual)))
                        child.kill()
        child.join()
        return told, child.exitcode

    def _hear(self, kind: str, rest: str, told: Told) -> None:
        now = time.perf_counter()
        if kind == "step":
            self.taken[told.step] = [*self.taken[told.step][-20:], now - self.since]  # seconds
            self.since = now
            told.step = next(s for s in (*STEPS, OPENING, BETWEEN) if rest.startswith(s))
            if number := re.search(r"\d+$", rest):
                told.generation = int(number[0])
        elif kind == "trying":
            told.trying = self.aim = {int(n): (p[0], p[1]) for n, p in json.loads(rest).items()}
        elif kind == "done":
            self.acknowledged, told.trying, told.step = self.aim, None, BETWEEN

    def faults(self, told: Told) -> Counter[str]:
        """Open the home as the kill left it, and count what is wrong with it."""
        try:
            store = Store(self.root / "home")
            try:
                with store.snapshot() as snapshot:
                    inspection = Inspection(snapshot, self.acknowledged, self.aim)
                    found = inspection.found()
                    legs(snapshot, found, inspection)
                    if told.generation > snapshot.generation:
                        inspection.fault("losses", f"generation {told.generation} is gone")
                    for number, document in found.items():
                        if self.ids.setdefault(number, document.id) != document.id:
                            inspection.fault("doubled", f"{number} has another document id")
                whole(self.root / "home", inspection)
            finally:
                store.close()
        except Exception:
            traceback.print_exc()
            return Counter(["failed to open"])
        self.acknowledged = inspection.there
        self.ids = {number: id for number, id in self.ids.items() if number in found}
        return inspection.faults


class Inspection:
    """Compares a home with what must be in it."""

    def __init__(self, snapshot: Snapshot, before: Shelf, after: Shelf) -> None:
        """Each document must be as it was ``before`` or ``after`` what was in flight."""
        self.snapshot = snapshot
        self.before = before
        self.after = after
        self.there: Shelf = {}
        self.faults: Counter[str] = Counter()

    def fault(self, kind: str, what: str) -> None:
        """Count and tell a fault."""
        self.faults[kind] += 1
        print(f"{kind}: {what}", file=sys.stderr)

    def found(self) -> dict[int, Document]:
        """The documents by number, each one there once, with a text that it may have."""
        found: dict[int, Document] = {}
        for document in every(self.snapshot):
            text, _ = self.snapshot.text(document.id)
            number, version = map(int, re.findall(r"\d+", text.partition("\n")[0]))
            placed = Path(document.uri).name, version
            if number in found:
                self.fault("doubled", f"{number} is {found[number].uri} and {document.uri}")
            elif placed not in (self.before.get(number), self.after.get(number)):
                self.fault("losses", f"{number} is {placed}, which is old or never was")
            parts = [passage.text for passage in self.snapshot.passages(document.id)]
            if parts != paragraphs(number, version) or text != "\n\n".join(parts):
                self.fault("half", f"{number} reads {parts}")
            found[number] = document
            self.there[number] = placed
        for number in (self.before.keys() & self.after.keys()) - found.keys():
            self.fault("losses", f"{number} is gone: {self.before[number]}")
        return found


def legs(snapshot: Snapshot, found: Mapping[int, Document], inspection: Inspection) -> None:
    """Both legs hold each passage of the catalog once, and nothing else."""
    encoder = CheapEncoder()
    passages = [p for document in found.values() for p in snapshot.passages(document.id)]
    ids = sorted(passage.id for passage in passages)
    near = encoder.encode(["common"])[0]
    counted = {
        "catalog": (snapshot.count().passages, len(ids)),
        "keyword leg": (sorted(h.passage_id for h in snapshot.keyword(["common"], None)[0]), ids),
        "vector leg": (sorted(h.passage_id for h in snapshot.semantic(near, None)), ids),
        "phrases": (snapshot.selected(snapshot.select(Filter(phrases=("common words",)))), ids),
    }
    for name, (holds, expected) in counted.items():
        if holds != expected:
            inspection.fault("half", f"the {name} holds {holds} instead of {expected}")
    for passage in passages:
        word = terms(passage.text.split()[-1])
        exact = encoder.encode(
            [embedding_text(passage.document.title, passage.heading, passage.text)]
        )[0]
        best = snapshot.semantic(exact, 1)[0]
        if (best.passage_id, round(best.score, 2)) != (passage.id, 1.0):
            inspection.fault("half", f"{passage.text!r} is not the nearest to itself: {best}")
        if "rare" in passage.text:
            by_word = [hit.passage_id for hit in snapshot.keyword(word, None)[0]]
            if by_word != [passage.id]:
                inspection.fault("half", f"{word} stands in {by_word}, not in {passage.id}")
    for shelf in (inspection.before, inspection.after):
        for number, (_, version) in shelf.items():
            if inspection.there.get(number, ("", 0))[1] != version:
                for word in rare(number, version)[1:]:
                    if snapshot.keyword(terms(word), None)[1]:
                        inspection.fault("half", f"{word} is found, and is of no document")


def whole(home: Path, inspection: Inspection) -> None:
    """SQLite itself finds nothing wrong with the catalog."""
    db = sqlite3.connect(home / "catalog.db")
    said = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    if said != "ok":
        inspection.fault("half", f"the catalog: {said}")


def trials(root: Path) -> Iterator[tuple[Trial, bool]]:
    """The home for each kill, and whether it is new: one for most, others now and then."""
    lasting = Trial(root / "lasting")
    count = 0
    while True:
        fresh = Trial(root / f"fresh-{count}")
        yield fresh, True
        for _ in range(3):
            yield fresh, False
        for _ in range(FRESH - 4):
            yield lasting, False
        count += 1


def main() -> NoReturn:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    root = Path(tempfile.mkdtemp(prefix="crash-"))
    kills: Counter[str] = Counter()
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    least = max(1, options.kills // ENOUGH)
    started = time.perf_counter()
    for count, (trial, new) in enumerate(trials(root)):
        few = [step for step in (OPENING, *TARGETS) if kills[step] < least]
        if count >= 3 * options.kills or (kills.total() >= options.kills and not few):
            break
        aims = few if kills.total() >= options.kills else TARGETS
        step = OPENING if new else aims[count % len(aims)]
        exactly = step in STEPS and chance.random() < 0.4
        nth = 1 if step == OPENING else chance.randrange(1, 4)
        told, status = trial.run(count, Target(step, nth, exactly), chance)
        if status == -signal.SIGKILL:
            kills[told.step] += 1
        elif status:
            faults[told.step]["failed to open"] += 1
        faults[told.step] += trial.faults(told)
        if any(f.total() for f in faults.values()):
            print(f"kept for you to look at: {trial.root}", file=sys.stderr)
            break
    told_table(kills, faults, time.perf_counter() - started)
    failed = (
        sum(f.total() for f in faults.values())
        or min(kills[step] for step in (OPENING, *TARGETS)) < least
    )
    if not failed:
        shutil.rmtree(root)
    sys.exit(bool(failed))


def told_table(
    kills: Mapping[str, int], faults: Mapping[str, Counter[str]], seconds: float
) -> None:
    """Print what was found, a line for each step."""
    kinds = ["losses", "doubled", "half", "failed to open"]
    print(f"{'killed at':20}{'kills':>8}" + "".join(f"{kind:>16}" for kind in kinds))
    for step in (OPENING, *TARGETS):
        found = "".join(f"{faults[step][kind] if step in faults else 0:16}" for kind in kinds)
        print(f"{step:20}{kills[step]:8}{found}")
    print(f"{'all':20}{sum(kills.values()):8}", end="")
    print("".join(f"{sum(f[kind] for f in faults.values()):16}" for kind in kinds))
    print(f"{seconds:.0f} seconds")


if __name__ == "__main__":
    main()
