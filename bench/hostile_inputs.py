"""Hostile inputs without end: questions, documents to split, pages.

    python bench/hostile_inputs.py [--inputs 100000] [--json FILE]

Each input is drawn by Hypothesis from the strategies of ``tests/hostile.py``, and checked by what
stands beside them: the parser with a search after it, the splitter, the reader of web pages. Fails
where one raises, breaks a promise, or takes over a second of the processor; what did is written
below ``build/bench/hostile``.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from stand_in import StandIn

sys.path.append(str(Path(__file__).parent.parent / "tests"))

import hostile
from clients import DOCUMENTS

from index.indexer import Indexer
from index.store import Store
from search.engine import Engine

WORK = Path("build/bench/hostile")
ALLOWED = 1.0  # seconds of the processor
STUCK = 120  # seconds after which it is told where it stands, and given up
ROUND = 1_000  # inputs of one run of Hypothesis, which remembers them all
KEPT = 20  # failures of one kind that are written down

Check = Callable[..., None]


@dataclass
class Figures:
    """What became of the inputs of one kind."""

    inputs: int = 0
    raised: int = 0
    slow: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def failures(self) -> int:
        """Those that raised or were too slow."""
        return self.raised + self.slow


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine over a home of three small documents."""
    home = WORK / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    store, encoder = Store(home), StandIn()
    Indexer(store, encoder).add(DOCUMENTS)
    yield Engine(store, encoder)
    store.close()


def kinds(engine: Engine) -> dict[str, tuple[Check, list[st.SearchStrategy[Any]]]]:
    """What is tried, by name: the check, and what it is given."""

    def question(query: str, more: str, mode: str) -> None:
        hostile.check_question(engine, query, more, mode=mode)

    more = st.one_of(st.just(""), hostile.questions)
    return {
        "questions": (
            question,
            [hostile.questions, more, st.sampled_from(["keyword", "hybrid"])],
        ),
        "splitting": (
            hostile.check_split,
            [hostile.contents, hostile.limits, hostile.measures, hostile.languages],
        ),
        "pages": (hostile.check_page, [hostile.pages]),
    }


def attack(name: str, check: Check, drawn: list[st.SearchStrategy[Any]], inputs: int) -> Figures:
    """Try so many inputs of one kind."""
    figures = Figures()

    def one(values: tuple[Any, ...]) -> None:
        faulthandler.dump_traceback_later(STUCK, exit=True)
        figures.inputs += 1
        began = time.thread_time()
        said = ""
        try:
            check(*values)
        except Exception:
            figures.raised += 1
            said = traceback.format_exc()
        taken = time.thread_time() - began
        figures.seconds += taken
        figures.slowest = max(figures.slowest, taken)
        if not said and taken > ALLOWED:
            figures.slow += 1
            said = f"{taken:.1f} s"
        if said and figures.failures <= KEPT:
            told = f"{values!r}\n\n{said}"
            (WORK / f"{name}-{figures.failures}.txt").write_text(told, "utf-8", "backslashreplace")

    number = 0
    while figures.inputs < inputs:
        number += 1
        trial = settings(
            max_examples=min(ROUND, inputs - figures.inputs),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
        )
        seed(number)(trial(given(st.tuples(*drawn))(one)))()
    faulthandler.cancel_dump_traceback_later()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="of each kind")
    parser.add_argument("--only", help="one kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    report: dict[str, Figures] = {}
    print(f"{'':10} {'inputs':>8} {'failures':>8} {'mean ms':>8} {'slowest ms':>10}")
    with engine() as over:
        for name, (check, drawn) in kinds(over).items():
            if options.only in (None, name):
                found = report[name] = attack(name, check, drawn, options.inputs)
                mean, slowest = found.seconds / found.inputs * 1e3, found.slowest * 1e3
                cells = f"{found.inputs:8,} {found.failures:8} {mean:8.2f} {slowest:10.1f}"
                print(f"{name:10} {cells}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({n: asdict(f) for n, f in report.items()}, indent=1))
    if any(found.failures for found in report.values()):
        print(f"what failed stands in {WORK}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
