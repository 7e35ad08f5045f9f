"""What grows from 10,000 to a million passages: a question, memory, opening, one more document.

    python bench/growth.py [--sizes 10000 50000 200000 1000000] [--png FILE] [--json FILE]

Each size is served by a real ``khazri serve`` and asked hybrid questions through HTTP, all
distinct, with the cache off; memory is told as in ``serving.py``. Documents are added to a copy as
in ``additions.py``. The homes are those of ``large.py``, built once. Prints a table and draws it
(with matplotlib: ``pip install -e '.[bench]'``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

import large
from additions import Additions, copied, documents
from serving import questions, rate, serving
from stand_in import StandIn

ASKED = 300  # questions of each size, of which the first fifty warm up
ADDED = 40
PANELS = {
    "a question, ms": ("median", "99th percentile"),
    "memory above an empty service, MB": ("each page once", "not of a file"),
    "ready, s": ("models included",),
    "one more document, ms": ("commit and merge", "the first question after it"),
}
Point = dict[str, dict[str, float]]


def served(home: Path, asked: list[str], empty: dict[str, float]) -> Point:
    """What a service over a home takes for a question, in memory, and to be ready."""
    with serving(home) as service:
        connection = service.connection()
        took = [1000 * service.ask(connection, text)[1] for text in asked][50:]
        memory = service.memory()
    return {
        "a question, ms": {
            "median": median(took),
            "99th percentile": quantiles(took, n=100)[98],
        },
        "memory above an empty service, MB": {
            "each page once": memory["Pss"] - empty["Pss"],
            "not of a file": memory["Anonymous"] - empty["Anonymous"],
        },
        "ready, s": {"models included": service.opened},
    }


def added(home: Path) -> Point:
    """What one more document takes, of thirty."""
    warm = Additions(copied(home), StandIn())
    for number, parts in enumerate(islice(documents(), ADDED)):
        if number == 10:
            warm.forget()
        warm.add(number, parts)
    warm.store.close()
    return {
        "one more document, ms": {
            "commit and merge": 1000 * median(warm.wall),
            "the first question after it": 1000 * median(warm.seen),
        }
    }


def table(points: dict[int, Point]) -> str:
    """The figures in Markdown, a column for each size."""
    lines = [
        f"| passages | {' | '.join(f'{size:,}' for size in points)} |",
        f"|---|{'---|' * len(points)}",
    ]
    for panel, names in PANELS.items():
        for name in names:
            values = " | ".join(f"{point[panel][name]:,.1f}" for point in points.values())
            lines.append(f"| {panel}: {name} | {values} |")
    return "\n".join(lines)


def draw(points: dict[int, Point], png: Path) -> None:
    """One panel for each thing that grows, all from zero, over the logarithm of the size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(15, 3.6), layout="constrained")
    for axis, (panel, names) in zip(axes, PANELS.items(), strict=True):
        for name in names:
            values = [point[panel][name] for point in points.values()]
            axis.plot(list(points), values, marker="o", label=name)
        axis.set(title=panel, xlabel="passages", xscale="log")
        axis.set_ylim(bottom=0)
        axis.legend()
        axis.grid(alpha=0.3)
    figure.savefig(png, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sizes = [10_000, 50_000, 200_000, 1_000_000]
    parser.add_argument("--sizes", type=int, nargs="+", default=sizes)
    parser.add_argument("--png", type=Path, default=Path("build/growth.png"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    asked = questions(ASKED)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as service:
        rate(asked, 1, service)
        empty = service.memory()
    points = {}
    for size in options.sizes:
        home = large.built(size)
        points[size] = served(home, asked, empty) | added(home)
        print(f"{size:,}: {points[size]}", flush=True)
    print(table(points))
    draw(points, options.png)
    if options.json:
        options.json.write_text(json.dumps(points, indent=1))


if __name__ == "__main__":
    main()
