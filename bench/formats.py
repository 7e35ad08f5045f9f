"""Reading files of all kinds: what gives text, how fast, in how much memory, and how true.

    python bench/formats.py [--json FILE]

Every file of ``formats/`` in the development data is read by the process that reads for the index
and split by the measure of the model; nothing is embedded. The order is drawn, so that memory in
the first quarter and in the last one are of the same mixture of files. Then the text of pages is
compared with what Readability takes for their article, and that of RTF files with what striprtf
expects: F1 of words, each counted as often as it stands there.

Fails where a file breaks the process that reads, or takes it over ten seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from lxml import html
from texts import DATA

from index.documents import draft
from index.embeddings import Encoder
from index.readers.inside import Part
from index.readers.process import Process

FOLDER = DATA / "formats"
ALLOWED = 10.0  # seconds of a file
OUTCOMES = ("read", "no text", "unsupported", "encrypted", "failed")
# Where words are written without spaces, each character is one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")


@dataclass(frozen=True)
class Row:
    """What became of one file. ``opens`` is what the data says of it."""

    path: str
    ext: str
    opens: bool
    bytes: int
    seconds: float
    outcome: str
    reason: str  # of the file, or of the first thing within it
    texts: int
    passages: int
    refused: tuple[str, ...]  # the reasons of what is within it and gave no text
    resident: int  # bytes of the reading process after it


class Reading:
    """The process that reads, and what it takes."""

    def __init__(self) -> None:
        self.process = Process()
        self.encoder = Encoder()
        self.started = 0
        self.peak = 0
        self._pid = 0

    def read(self, about: Mapping[str, Any]) -> tuple[Row, list[Part]]:
        """Read and split one file."""
        data = (FOLDER / about["path"]).read_bytes()
        started = time.perf_counter()
        parts, passages = [], 0
        for part in self.process.parts(data, Path(about["path"]).name):
            parts.append(part)
            if part.content is not None:
                made = draft(0, about["path"], part.content, "", self.encoder)
                passages += len(made.spans)
        seconds = time.perf_counter() - started
        texts = sum(part.content is not None for part in parts)
        reasons = [part.reason for part in parts if part.content is None]
        row = Row(
            about["path"],
            about["ext"],
            about["opens"],
            len(data),
            seconds,
            "read" if texts else outcome(reasons[0]),
            "" if texts else reasons[0],
            texts,
            passages,
            tuple(part.reason for part in parts if part.path and part.content is None),
            self._resident(),
        )
        return row, parts

    def _resident(self) -> int:
        child = self.process._child
        if child is None:
            return 0
        if child.pid != self._pid:
            self._pid = child.pid
            self.started += 1
        told = Path(f"/proc/{child.pid}/status").read_text()
        sizes = {name: int(kb) << 10 for name, kb in re.findall(r"(Vm\w+):\s+(\d+) kB", told)}
        self.peak = max(self.peak, sizes["VmHWM"])
        return sizes["VmRSS"]


def outcome(reason: str) -> str:
    """The kind of a reason: its first words, or else a failure."""
    first = reason.partition(":")[0].replace("empty", "no text")
    return first if first in OUTCOMES else "failed"


def broken(row: Row) -> bool:
    """Whether a file broke the process that reads, or took too long."""
    crashed = row.reason.startswith(("damaged: it broke", "too slow"))
    return crashed or row.seconds > ALLOWED


# Truth


def f1(found: str, expected: str) -> float:
    """F1 of the words of two texts, as bags, case aside."""
    have, want = (Counter(w.casefold() for w in _WORD.findall(t)) for t in (found, expected))
    if not have and not want:  # signs alone
        return float(found.split() == expected.split())
    both = (have & want).total()
    return 2 * both / (have.total() + want.total()) if both else 0.0


def article(path: Path) -> str:
    """The words of ``expected.html``."""
    parser = html.HTMLParser(encoding="utf-8", no_network=True)
    tree = html.document_fromstring(path.read_bytes(), parser=parser)
    return " ".join(tree.itertext("*"))


def pairs() -> dict[str, list[tuple[str, Callable[[], str]]]]:
    """By collection: a file, and what gives the text that is expected of it."""
    pages = sorted(FOLDER.glob("readability/*/*/*/source.html"))
    striprtf = FOLDER / "striprtf" / "tests"
    expected = [(path, striprtf / "text" / f"{path.stem}.txt") for path in striprtf.glob("rtf/*")]
    return {
        "readability": [
            (str(path.relative_to(FOLDER)), lambda p=path: article(p.with_name("expected.html")))
            for path in pages
        ],
        "striprtf": [
            (str(path.relative_to(FOLDER)), lambda p=text: p.read_text("utf-8", "replace"))
            for path, text in sorted(expected)
            if text.is_file()
        ],
    }


def truth(found: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """F1 by collection and file."""
    return {
        name: {path: f1(found.get(path, ""), expected()) for path, expected in every}
        for name, every in pairs().items()
    }


# What is printed


def table(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """The figures of each format."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row.ext].append(row)
        by["all"].append(row)
    return {ext: _figures(by[ext]) for ext in sorted(by, key=lambda ext: (ext == "all", ext))}


def _figures(some: Sequence[Row]) -> dict[str, Any]:
    seconds = sum(row.seconds for row in some)
    slowest = max(some, key=lambda row: row.seconds)
    return {
        "files": len(some),
        **{name: sum(row.outcome == name for row in some) for name in OUTCOMES},
        "texts": sum(row.texts for row in some),
        "MB/s": sum(row.bytes for row in some) / 1e6 / seconds,
        "files/s": len(some) / seconds,
        "slowest, s": slowest.seconds,
        "slowest": slowest.path,
    }


def memory(rows: Sequence[Row], reading: Reading) -> dict[str, float]:
    """Megabytes of both processes; the first files, that load the libraries, aside."""
    quarter = len(rows) // 4
    first = [row.resident for row in rows[quarter // 4 : quarter]]
    last = [row.resident for row in rows[-quarter:]]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return {
        "reading: peak, MB": reading.peak / 1e6,
        "reading: first quarter, MB": median(first) / 1e6,
        "reading: last quarter, MB": median(last) / 1e6,
        "reading: processes started": reading.started,
        "own: peak, MB": own / 1e6,
    }


def short(path: str) -> str:
    """The collection of a file, its folder and its name."""
    parts = Path(path).parts
    return path if len(parts) < 4 else f"{parts[0]}/…/{parts[-2]}/{parts[-1]}"


def show(report: Mapping[str, Any]) -> None:
    """Print all that was found."""
    formats: dict[str, dict[str, Any]] = report["formats"]
    print(f"{'':7}" + "".join(f"{name:>12}" for name in formats["all"]))
    for ext, figures in formats.items():
        cells = [f"{v:12.2f}" if isinstance(v, float) else f"{v:>12}" for v in figures.values()]
        print(f"{ext:7}" + "".join(cells[:-1]) + f"  {short(figures['slowest'])}")
    print()
    for name, value in report["memory"].items():
        print(f"{name:30} {value:8.1f}")
    print("\nopens, but gave no text:")
    for reason, paths in report["without text"].items():
        print(f"  {len(paths)} × {reason}")
        for path in paths:
            print(f"      {short(path)}")
    print("\nwithin files, gave no text:")
    for reason, count in report["within"].items():
        print(f"  {count} × {reason}")
    for name, every in report["F1"].items():
        lowest = sorted(every, key=lambda path: every[path])[:8]
        print(f"\nF1 {name}: {100 * mean(every.values()):.1f} over {len(every)}, the lowest:")
        for path in lowest:
            print(f"  {100 * every[path]:5.1f} {short(path)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    manifest = FOLDER / "MANIFEST.jsonl"
    if not manifest.is_file():
        raise SystemExit(f"{manifest} is not there; say where the data is with KHAZRI_DATA")
    every = [json.loads(line) for line in manifest.read_text().splitlines()]
    random.Random(4).shuffle(every)
    reading = Reading()
    reading.encoder.measure(["ready"])
    compared = {path for some in pairs().values() for path, _ in some}
    rows, found = [], {}
    for about in every:
        row, parts = reading.read(about)
        rows.append(row)
        if row.path in compared and parts[0].content is not None:
            found[row.path] = parts[0].content.text
    without: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.ext, row.path)):
        if row.opens and not row.texts:
            without[row.reason].append(row.path)
    report = {
        "formats": table(rows),
        "memory": memory(rows, reading),
        "without text": without,
        "within": Counter(reason for row in rows for reason in row.refused),
        "F1": truth(found),
    }
    show(report)
    if options.json:
        report["files"] = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(report, indent=1, ensure_ascii=False))
    bad = [row for row in rows if broken(row)]
    for row in bad:
        print(f"{row.path}: {row.reason or 'slow'} ({row.seconds:.1f} s)", file=sys.stderr)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
