"""The commands that ask: of a collection, and how well it answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from web.commands import Named, as_json, engine, engine_over, narrow, opened
from web.terminal import counted, show_answer, show_evaluation, show_found

if TYPE_CHECKING:
    pass

MODES = click.Choice(["hybrid", "keyword", "semantic"])


@click.command()
@click.argument("question", nargs=-1, required=True)
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 100))
@narrow
@as_json
@click.pass_context
def ask(
    ctx: click.Context, question: tuple[str, ...], limit: int, filter: str, as_json: bool
) -> None:
    """Answer a question with verified quotes."""
    with engine(ctx) as answering:
        answer = answering.answer(" ".join(question), limit=limit, filter=filter)
    if as_json:
        from web.replies import AnswerReply

        click.echo(AnswerReply.of(answer).model_dump_json())
    else:
        show_answer(answer)


@click.command()
@click.argument("query", nargs=-1)
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--offset", default=0, type=click.IntRange(0))
@click.option("--mode", default="hybrid", show_default=True, type=MODES)
@click.option("--order", default="relevance", type=click.Choice(["relevance", "date"]))
@click.option("--read", is_flag=True, help="Let the reader take part in the order of the first.")
@click.option("--batch", type=click.File(encoding="utf-8"), help="A file of queries, one a line.")
@narrow
@as_json
@click.pass_context
def search(
    ctx: click.Context, /, query: tuple[str, ...], batch: Any, as_json: bool, **options: Any
) -> None:
    """Find passages. With --batch and --json, one reply a line."""
    import json

    from index.errors import KhazriError

    if bool(query) == bool(batch):
        raise click.UsageError("Give either a query or --batch FILE.")
    queries = [line.strip() for line in batch if line.strip()] if batch else [" ".join(query)]
    with engine(ctx) as searching:
        for one in queries:
            try:
                found = searching.search(one, **options)
            except KhazriError as error:
                if not batch:
                    raise
                told = {"query": one, "error": str(error)}  # the other lines are answered
                click.echo(json.dumps(told, ensure_ascii=False))
                continue
            if as_json:
                from web.replies import SearchReply

                click.echo(SearchReply.of(found).model_dump_json())
            else:
                show_found(found)


@click.command("eval")
@click.argument("questions", type=Named(path_type=Path))
@click.option(
    "--against",
    multiple=True,
    metavar="NAME=VALUE",
    help="Compare with other settings, for example: 'semantic_weight=0.5'. May be repeated.",
)
@click.option("--tune", "tuned", is_flag=True, help="Fit the fusion weight and the threshold.")
@click.option("--failures", "worst", default=10, show_default=True, type=click.IntRange(0))
@as_json
@click.pass_context
def evaluate(
    ctx: click.Context,
    questions: Path,
    against: tuple[str, ...],
    tuned: bool,
    worst: int,
    as_json: bool,
) -> None:
    """Measure how well QUESTIONS, a JSON lines file, are answered."""
    from search.comparison import changed
    from search.evaluation import evaluate, failures
    from search.judgements import read
    from search.tuning import tune

    judged = read(questions)
    with opened(ctx) as home:
        others = changed(home.settings, against)
        asked = engine_over(home)
        outcomes = evaluate(asked, counted(judged, "Asking"))
        other = None
        if against:
            other = evaluate(engine_over(home, others), counted(judged, "Asking again"))
        tunings = tune(asked, outcomes, home.settings) if tuned else ()
    show_evaluation(outcomes, failures(outcomes)[:worst], other, tunings, as_json)


@click.command()
@click.argument("query", nargs=-1)
@click.option("--format", default="jsonl", type=click.Choice(["jsonl", "csv"]), show_default=True)
@narrow
@click.pass_context
def export(
    ctx: click.Context, query: tuple[str, ...], format: Literal["jsonl", "csv"], filter: str
) -> None:
    """Print every passage that matches a keyword query or a filter."""
    from web.export import lines

    with engine(ctx) as exporting:
        for line in lines(exporting.export(" ".join(query), filter=filter), format):
            click.echo(line, nl=False)
