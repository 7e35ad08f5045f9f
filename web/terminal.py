"""What the terminal shows: progress while it works, and answers, results and plans in words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

    from index.plan import Plan
    from index.progress import Progress
    from search.comparison import Difference
    from search.evaluation import Outcome
    from search.judgements import Judgement
    from search.results import Answer, Found, Result, Why
    from search.tuning import Tuning, Untuned


@contextmanager
def bar() -> Iterator[Callable[[Progress], None]]:
    """A progress bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("documents · {task.fields[rate]:.0f} passages/s ·"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as p:
        task: TaskID = p.add_task("Indexing", total=None, rate=0.0)

        def watch(progress: Any) -> None:
            rate = progress.passages / max(progress.seconds, 1e-3)
            p.update(task, completed=progress.done, total=progress.total, rate=rate)

        yield watch


def both(
    first: Callable[[Progress], None], second: Callable[[Progress], None]
) -> Callable[[Progress], None]:
    """Tell two watchers of progress."""

    def watch(progress: Progress) -> None:
        first(progress)
        second(progress)

    return watch


def summary(progress: Progress) -> None:
    """What an indexing run did, in words."""
    counts = {
        "added": progress.added,
        "changed": progress.changed,
        "renamed": progress.moved,
        "removed": progress.removed,
        "unchanged": progress.unchanged,
    }
    told = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing to do"
    click.echo(
        f"{told}; {progress.passages} passages, {progress.embedded} embedded,"
        f" in {progress.seconds:.1f} s (generation {progress.generation})."
    )
    for failed in progress.failed:
        click.echo(f"not read: {failed.uri}: {failed.reason}", err=True)
    show_kinds(progress)


OUTCOMES = ("read", "empty", "unsupported", "failed")


def show_kinds(progress: Progress) -> None:
    """A table by format: what was read in this run, and what was not."""
    from index.readers import by_name

    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for type, count in progress.read.items():
        rows[type]["read"] += count
    for failed in progress.failed:
        rows[by_name(failed.uri) or _suffix(failed.uri)][_outcome(failed.reason)] += 1
    if not rows:
        return
    click.echo(f"\n{'format':12}" + "".join(f"{name:>13}" for name in OUTCOMES), err=True)
    for name, row in sorted(rows.items()):
        cells = "".join(f"{row[outcome] or '–':>13}" for outcome in OUTCOMES)
        click.echo(f"{name:12}{cells}", err=True)


def _suffix(uri: str) -> str:
    """What the name of a file says of its format."""
    return PurePath(uri).suffix.lower().removeprefix(".")[:12] or "no suffix"


def _outcome(reason: str) -> str:
    """What became of a file, by the word that its reason begins with."""
    first = reason.partition(":")[0]
    return {"empty": "empty", "no text": "empty", "unsupported": first}.get(first, "failed")


def show_plan(plan: Plan, as_json: bool) -> None:
    """What an indexing run would do."""
    told: dict[str, Any] = {
        "added": [one.uri for part in plan.parts for one in part.new],
        "changed": [one.uri for part in plan.parts for one in part.changed],
        "renamed": [{"from": r.known.uri, "to": r.file.uri} for r in plan.renames],
        "removed": [one.uri for part in plan.parts for one in (*part.gone, *part.dropped)],
        "unchanged": sum(part.unchanged for part in plan.parts),
        "failed": [
            {"uri": one.uri, "reason": one.reason} for part in plan.parts for one in part.failures
        ],
    }
    if as_json:
        print_json(told)
        return
    for name in ("added", "changed", "removed"):
        for uri in told[name]:
            click.echo(f"{name:8} {uri}")
    for one in told["renamed"]:
        click.echo(f"renamed  {one['from']} → {one['to']}")
    for one in told["failed"]:
        click.echo(f"not read: {one['uri']}: {one['reason']}", err=True)
    click.echo(f"{told['unchanged']} documents are unchanged. Nothing was done.", err=True)


def show_answer(answer: Answer) -> None:
    """An answer, its sources, and where nothing was found the nearest passages."""
    if answer.answered:
        if not answer.certain:
            click.echo("Perhaps, but not for certain:")
        told = "answers"
        for citation in answer.citations:
            if citation.role != told:
                told = citation.role
                click.echo(
                    {"supports": "The same, elsewhere:", "differs": "Another value, elsewhere:"}[
                        told
                    ]
                )
            quote = " ".join(citation.quote.split())
            document = citation.passage.document
            page = f", page {citation.passage.page}" if citation.passage.page else ""
            date = f", {document.published}" if document.published else ""
            click.echo(f"[{citation.number}] “{quote}”")
            click.secho(f"    {document.title}{date}{page} · {document.uri}", dim=True)
    else:
        click.echo(answer.reason)
        if answer.results:
            click.echo("\nThe nearest passages, which are not answers:")
        for result in answer.results[:3]:
            show_result(result)
    for note in answer.notes:
        click.echo(note, err=True)


def show_found(found: Found) -> None:
    """A page of results."""
    if not found.results:
        click.echo("Nothing was found.")
    for result in found.results:
        show_result(result)
    for note in found.notes:
        click.echo(note, err=True)
    click.echo(f"{found.total} passages in {found.took_ms:.0f} ms", err=True)


def show_result(result: Result) -> None:
    """One passage and why it was found."""
    document, why = result.passage.document, result.why
    text = " ".join(result.passage.text.split())
    click.echo()
    click.secho(" › ".join(filter(None, [document.title, result.passage.heading])), bold=True)
    click.echo(text if len(text) <= 400 else f"{text[:399]}…")
    click.secho(f"found by {_reasons(why)} · {document.uri}", dim=True)


def _reasons(why: Why) -> str:
    """The place in each leg, the matched words with their weights, and what the reader thought."""
    told = []
    for name, leg in (("words", why.keyword), ("meaning", why.semantic)):
        if leg:
            told.append(f"{name} (place {leg.rank})" if leg.rank else name)
    if why.terms:
        told.append(", ".join(f"{m.word} {m.weight:.1f}" for m in why.terms))
    if why.reader is not None:
        told.append(f"reader {why.reader:+.1f}")
    return " · ".join(told) or "filter"


def counted(items: Sequence[Judgement], told: str) -> Iterable[Judgement]:
    """The same questions; how many are done is shown on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(items, told, console=console, transient=True, disable=not console.is_terminal)


def show_evaluation(
    outcomes: Sequence[Outcome],
    failed: Sequence[Outcome],
    other: Sequence[Outcome] | None,
    tunings: Sequence[Tuning | Untuned],
    as_json: bool,
) -> None:
    """Figures, beside those of other settings where there are any; what to write; failures."""
    from search.comparison import compare
    from search.evaluation import FIGURES, figures

    told = figures(outcomes)
    differences = compare(outcomes, other) if other is not None else {}
    against = figures(other) if other is not None else {}
    counts = {figure.name: len(figure.rows(outcomes)) for figure in FIGURES}
    if as_json:
        print_json(
            {
                "questions": len(outcomes),
                "figures": {
                    name: {"value": _known(value), "questions": counts[name]}
                    for name, value in told.items()
                },
                "against": {name: _known(value) for name, value in against.items()} or None,
                "differences": {n: _difference(d) for n, d in differences.items()} or None,
                "tuning": [_tuning(one) for one in tunings],
                "failures": [_failure(one) for one in failed],
            }
        )
        return
    sought = sum(one.judgement.found for one in outcomes)
    click.echo(f"{len(outcomes)} questions: {sought} to be found, {len(outcomes) - sought} not")
    heads = ["present", "against", "difference"] if other is not None else ["present"]
    click.secho(f"{'':18}" + "".join(f"{head:>11}" for head in heads), dim=True)
    for name, value in told.items():
        cells = [_shown(value)]
        if other is not None:
            cells += [_shown(against[name]), _shown(differences[name].value, "+")]
        noise = f"  {_noise(differences[name])}" if other is not None else ""
        click.echo(f"{name:18}" + "".join(f"{cell:>11}" for cell in cells) + noise)
    for tuning in tunings:
        click.echo()
        _show_tuning(tuning)
    if failed:
        click.secho("\nFailures, the most confident first", bold=True)
    for one in failed:
        _show_failure(one)


def _show_tuning(tuning: Tuning | Untuned) -> None:
    from search.tuning import Untuned

    if isinstance(tuning, Untuned):
        click.echo(f"{tuning.setting} can't be tuned: {tuning.reason}.")
        return
    click.echo(
        f"{tuning.setting}: {tuning.figure} {_shown(tuning.before)} as it is,"
        f" {_shown(tuning.after)} tuned (held out): {_noise(tuning.gain)}"
    )
    if tuning.better:
        click.echo("It is worth changing. Write in khazri.toml:")
        for line in tuning.lines:
            click.echo(f"    {line}")
    else:
        click.echo("The present setting stands.")


def _show_failure(one: Outcome) -> None:
    click.echo()
    click.echo(f"line {one.judgement.line}: {one.judgement.question}")
    click.secho(f"    {one.fault} (confidence {one.confidence:.2f})", bold=True)
    click.echo(f"    expected  {_brief(one.judgement.expected)}")
    click.echo(f"    found     {_brief(one.first) or '–'}")
    if one.quote:
        click.echo(f"    quoted    “{_brief(one.quote)}”")


def _failure(one: Outcome) -> dict[str, Any]:
    return {
        "line": one.judgement.line,
        "question": one.judgement.question,
        "fault": one.fault,
        "confidence": one.confidence,
        "expected": one.judgement.expected,
        "found": one.first,
        "quote": one.quote,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "value": _known(one.value),
        "interval": [_known(one.low), _known(one.high)],
        "questions": one.questions,
        "more_than_noise": one.real,
    }


def _tuning(one: Tuning | Untuned) -> dict[str, Any]:
    from search.tuning import Untuned

    if isinstance(one, Untuned):
        return {"setting": one.setting, "reason": one.reason}
    return {
        "setting": one.setting,
        "figure": one.figure,
        "present": one.before,
        "held_out": one.after,
        "gain": _difference(one.gain),
        "write": list(one.lines) if one.better else [],
    }


def _known(value: float) -> float | None:
    """A figure for JSON, which has no NaN."""
    return None if value != value else round(value, 4)


def _shown(value: float, sign: str = "") -> str:
    return "–" if value != value else f"{value:{sign}.3f}"


def _noise(one: Difference) -> str:
    from search.comparison import FEWEST

    if one.value != one.value:
        return ""
    if one.questions < FEWEST:
        return f"too few questions to tell ({one.questions})"
    told = "more than noise" if one.real else "noise"
    return f"{told} ({one.low:+.3f} to {one.high:+.3f})"


def _brief(text: str) -> str:
    """A text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 160 else f"{line[:159]}…"


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False))
