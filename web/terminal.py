"""What the terminal shows: progress while it works, and answers, results and plans in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.progress import TaskID

    from index.plan import Plan
    from index.progress import Progress
    from search.results import Answer, Found, Result


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
        for citation in answer.citations:
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
    found = [name for name, leg in (("words", why.keyword), ("meaning", why.semantic)) if leg]
    click.echo()
    click.secho(" › ".join(filter(None, [document.title, result.passage.heading])), bold=True)
    click.echo(text if len(text) <= 400 else f"{text[:399]}…")
    matched = f" ({', '.join(why.terms)})" if why.terms else ""
    click.secho(f"found by {' and '.join(found) or 'filter'}{matched} · {document.uri}", dim=True)


def print_json(value: Any) -> None:
    """One JSON object on standard output."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False))
