"""The front door: the ``khazri`` command. It parses arguments and calls a room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click

from web.terminal import (
    bar,
    both,
    counted,
    print_json,
    show_answer,
    show_evaluation,
    show_found,
    show_plan,
    summary,
)

if TYPE_CHECKING:
    from index.home import Home
    from index.settings import Settings
    from search.engine import Engine

MODES = click.Choice(["hybrid", "keyword", "semantic"])
as_json = click.option("--json", "as_json", is_flag=True, help="Print what the JSON route replies.")
narrow = click.option("--filter", default="", help="For example: 'type:pdf after:2024'.")


class Chosen(NamedTuple):
    """Which home a command is about, and the settings that it was given."""

    home: Path
    given: tuple[str, ...]


class Named(click.Path):
    """A path. An empty one is a slip, and not the folder that one stands in."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Refuse an empty path."""
        if not str(value).strip():
            self.fail("the path is empty. Name a file or a folder.", param, ctx)
        return super().convert(value, param, ctx)


class Door(click.Group):
    """Shows a failure that a person can mend as one sentence, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        from index.errors import KhazriError

        try:
            return super().invoke(ctx)
        except KhazriError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            raise click.ClickException("Stopped. What was committed stays.") from None


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    envvar="KHAZRI_HOME",
    default="~/.khazri",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The folder where everything lives (or KHAZRI_HOME).",
)
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting, before those of the environment and of khazri.toml. May be repeated.",
)
@click.version_option(package_name="khazri")
@click.pass_context
def main(ctx: click.Context, home: Path, given: tuple[str, ...]) -> None:
    """Ask questions of your own documents and get exact, verified quotes."""
    ctx.obj = Chosen(home, given)


@contextmanager
def opened(ctx: click.Context, *given: str) -> Iterator[Home]:
    """The home that the command names; settings ``given`` here go before all others."""
    from index.home import Home

    home = Home(ctx.obj.home, given=(*ctx.obj.given, *given))
    try:
        yield home
    finally:
        home.close()


def engine_over(home: Home, settings: Settings | None = None) -> Engine:
    """The engine over a home, as its settings want it, or others."""
    from search.engine import Engine
    from search.reader import Reader

    chosen = settings or home.settings
    return Engine(
        home.store,
        home.encoder,
        chosen.fusion,
        chosen.semantic_weight,
        reader=None if chosen.reader == "none" else Reader(chosen.reader),
        read=chosen.read,
        threshold=chosen.threshold,
        cache=chosen.cache,
    )


@contextmanager
def engine(ctx: click.Context) -> Iterator[Engine]:
    """The engine over the home that the command names."""

    with opened(ctx) as home:
        yield engine_over(home)


@main.command()
@click.argument("paths", nargs=-1, type=Named(path_type=Path))
@click.option("--jsonl", is_flag=True, help="PATHS hold one JSON document a line.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option(
    "--allow-deletions", is_flag=True, help="Even if most documents of a source are gone at once."
)
@as_json
@click.pass_context
def index(
    ctx: click.Context,
    paths: tuple[Path, ...],
    jsonl: bool,
    dry_run: bool,
    allow_deletions: bool,
    as_json: bool,
) -> None:
    """Index files and folders; without PATHS, bring what is known up to date."""
    from index.jobs import describe

    if jsonl and not paths:
        raise click.UsageError("--jsonl needs the path of a file.")
    if dry_run:
        with opened(ctx) as home:
            plan = home.indexer.preview(paths, jsonl=jsonl, allow_deletions=allow_deletions)
        show_plan(plan, as_json)
        ctx.exit(int(any(part.withheld for part in plan.parts)))
    with opened(ctx) as home, bar() as watch:
        job = home.jobs.start("index", {"paths": [str(path) for path in paths]})
        progress = home.jobs.run(
            job,
            lambda report: home.index(
                paths, both(watch, report), jsonl=jsonl, allow_deletions=allow_deletions
            ),
        )
    if as_json:
        print_json(describe(progress))
    else:
        summary(progress)
    ctx.exit(int(progress.withheld > 0))


@main.command()
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
        from web.schemas import AnswerReply

        click.echo(AnswerReply.of(answer).model_dump_json())
    else:
        show_answer(answer)


@main.command()
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
                from web.schemas import SearchReply

                click.echo(SearchReply.of(found).model_dump_json())
            else:
                show_found(found)


@main.command("eval")
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


@main.command()
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


@main.command()
@click.argument("documents", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, documents: tuple[str, ...]) -> None:
    """Remove DOCUMENTS, by id or name. They stay away until their files change."""
    with opened(ctx) as home:
        for name in documents:
            id = home.indexer.find(name)
            generation = home.indexer.remove(id)
            click.echo(f"Removed {name} (gone from generation {generation} on).", err=True)


@main.command()
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Say what the home holds."""
    with opened(ctx) as home:
        told = home.status()
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        click.echo(f"{name:12} {value}")


@main.command()
@click.option("--failed", is_flag=True, help="The files that gave no document, and why.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.option("--offset", default=0, type=click.IntRange(0))
@click.argument("text", default="")
@click.pass_context
def documents(ctx: click.Context, text: str, failed: bool, limit: int, offset: int) -> None:
    """List the documents, or those with TEXT in their title or name."""
    with opened(ctx) as home, home.store.snapshot() as snapshot:
        if failed:
            for failure in snapshot.failures():
                click.echo(f"{failure.uri}: {failure.reason}")
            return
        total, page = snapshot.documents(offset, limit, text)
    for document in page:
        date = document.published or "undated"
        click.echo(f"{document.id:6}  {date:10}  {document.title}  ({document.uri})")
    click.echo(f"{total} documents", err=True)


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def sources(ctx: click.Context, as_json: bool) -> None:
    """List the sources, or change them."""
    if ctx.invoked_subcommand:
        return
    with opened(ctx) as home, home.store.snapshot() as snapshot:
        listed = snapshot.sources()
    if as_json:
        from dataclasses import asdict

        print_json([asdict(source) for source in listed])
        return
    for source in listed:
        lists = {"include": source.include, "exclude": source.exclude, "tags": source.tags}
        told = "".join(f"  {name}: {', '.join(given)}" for name, given in lists.items() if given)
        click.echo(f"{source.name}  {source.documents} documents  {source.location}{told}")


patterns = [
    click.option("--include", multiple=True, metavar="PATTERN", help="Only files like this."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="No files like this."),
    click.option("--tag", multiple=True, help="Given to every document of the source."),
]


def patterned(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a source. Each may be repeated; an empty value clears it."""
    for option in reversed(patterns):
        command = option(command)
    return command


@sources.command("add")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", default="", help="By default, the name of the folder or file.")
@click.option("--jsonl", is_flag=True, help="PATH holds one JSON document a line.")
@patterned
@click.pass_context
def add_source(
    ctx: click.Context,
    path: Path,
    name: str,
    jsonl: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    tag: tuple[str, ...],
) -> None:
    """Make PATH a source. It is read when 'khazri index' or 'khazri watch' next runs."""
    from index import sources

    with opened(ctx) as home:
        added = sources.add(
            home.store, path, name, jsonl, include=include, exclude=exclude, tags=tag
        )
    click.echo(f"Added {added.name}: {added.location}. 'khazri index' reads it.", err=True)


@sources.command("change")
@click.argument("source")
@click.option("--name", help="Its new name.")
@patterned
@click.pass_context
def change_source(
    ctx: click.Context,
    source: str,
    name: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    tag: tuple[str, ...],
) -> None:
    """Change what is given of SOURCE; an empty value clears a list."""
    from index import sources

    with opened(ctx) as home:
        retagged = sources.change(
            home.store,
            source,
            rename=name,
            include=include or None,
            exclude=exclude or None,
            tags=tag or None,
        )
    told = f"{retagged} documents have other tags now. " if retagged else ""
    click.echo(f"Changed {source}. {told}Patterns count from the next 'khazri index' on.", err=True)


@sources.command("remove")
@click.argument("source")
@click.pass_context
def remove_source(ctx: click.Context, source: str) -> None:
    """Forget SOURCE and remove its documents. Its files stay where they are."""
    from index import sources

    with opened(ctx) as home:
        count = sources.remove(home.store, source)
    click.echo(f"Removed {source} and its {count} documents.", err=True)


@main.command()
@click.option("--until-eof", is_flag=True, hidden=True, help="Stop when standard input ends.")
@click.pass_context
def watch(ctx: click.Context, until_eof: bool) -> None:
    """Follow the sources, and take in what changes until stopped."""
    import signal
    from threading import Event, Thread

    from index.watch import Watch

    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if until_eof:  # the server that started this one is gone then, however it ended
        Thread(target=lambda: stop.set() if not os.read(0, 1) else None, daemon=True).start()
        os.nice(10)
    if not until_eof:
        click.echo("Watching (stop it with Ctrl-C).", err=True)
    while not stop.is_set():  # opened again when its embedding model was changed meanwhile
        with opened(ctx) as home:
            if home.outgrown:
                home.renew(lambda progress: None)
            settings = home.settings
            watching = Watch(
                home.indexer,
                home.jobs,
                interval=settings.watch_interval,
                settle=settings.watch_settle,
                told=summary,
            )
            watching.run(stop)


@main.command()
@click.option("--host", help="By default 127.0.0.1, or 'host' of khazri.toml.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="By default 8000, or 'port' of khazri.toml."
)
@click.option("--watch", is_flag=True, help="Also follow the sources, like 'khazri watch'.")
@click.option("--no-auth", is_flag=True, help="Ask nobody for a key, whoever can reach it.")
@click.pass_context
def serve(
    ctx: click.Context, host: str | None, port: int | None, watch: bool, no_auth: bool
) -> None:
    """Serve the web page and the JSON routes."""
    from web import logs
    from web.app import create_app
    from web.serving import serve as run

    with opened(ctx, *["auth=none"] * no_auth) as home:
        settings = home.settings
        logs.configure(settings.log_format)
        app = create_app(home, engine_over(home))
        if home.outgrown:  # what an older Khazri made is renewed beside the serving
            home.jobs.submit("reindex")
        with watcher(home) if watch else nullcontext(), patrol(home):
            run(app, host or settings.host, settings.port if port is None else port)


@main.command()
@click.pass_context
def mcp(ctx: click.Context) -> None:
    """Let a language model's client search, ask and read, over standard input and output."""
    from web.mcp import serve

    with opened(ctx) as home:
        serve(home, engine_over(home))


@contextmanager
def watcher(home: Home) -> Iterator[None]:
    """A process beside the server that watches, at low priority, and ends with it."""
    from web.worker import command

    words = command(home, "watch", "--until-eof")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL):
        yield  # leaving closes its standard input, and waits


@contextmanager
def patrol(home: Home) -> Iterator[None]:
    """A thread of low priority that verifies what is stored while the home is served."""
    from index.check import Patrol

    patrol = Patrol(home)
    patrol.start()
    try:
        yield
    finally:
        patrol.stop()


@main.command()
@click.option("--repair/--no-repair", default=True, show_default=True, help="Mend what can be.")
@click.pass_context
def check(ctx: click.Context, repair: bool) -> None:
    """Verify every stored hash, and each part of the home against the others."""
    from index.check import check

    with opened(ctx) as home:
        report = check(home, repair, click.echo)
    if not (report.catalog or report.derived):
        click.echo(
            f"All is well: {report.documents} documents, {report.passages} passages in"
            f" {report.segments} segments."
        )
    ctx.exit(int(bool(report.catalog)))


@main.command()
@click.pass_context
def compact(ctx: click.Context) -> None:
    """Give back the space of deleted documents; none of their text is left in the home."""
    from index.compact import compact

    with opened(ctx) as home:
        space = compact(home)
    click.echo(f"From {space.before:,} to {space.after:,} bytes.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, file: Path) -> None:
    """Write the whole home into FILE, while others read and write."""
    from index.backup import backup

    with opened(ctx) as home:
        manifest = backup(home.path, file)
    click.echo(f"Wrote generation {manifest.generation} to {file}.", err=True)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Make the home what it was when FILE was written, also while it is served."""
    from index.backup import restore

    generation = restore(file, ctx.obj.home.expanduser().absolute())
    click.echo(f"Restored {file} (generation {generation}).", err=True)


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def keys(ctx: click.Context, as_json: bool) -> None:
    """List the keys of the service, or change them."""
    from web.keys import Keys

    if ctx.invoked_subcommand:
        return
    listed = Keys(ctx.obj.home).read().keys
    if as_json:
        print_json([key.model_dump(exclude={"hash"}) for key in listed])
        return
    for key in listed:
        click.echo(f"{key.id}  {key.kind:5}  {key.created[:10]}  …{key.ending}  {key.name}")
    click.echo(f"{len(listed)} keys", err=True)


@keys.command("add")
@click.argument("name")
@click.option("--write", is_flag=True, help="It may also add, remove and index.")
@click.pass_context
def add_key(ctx: click.Context, name: str, write: bool) -> None:
    """Make a key for NAME, a person or a program, and print it this once."""
    from web.keys import Keys

    text = Keys(ctx.obj.home).add(name, "write" if write else "read")
    click.echo(text)
    may = "read and write" if write else "read"
    click.echo(f"This key may {may}. Keep it well: it is shown only now.", err=True)


@keys.command("revoke")
@click.argument("key")
@click.pass_context
def revoke_key(ctx: click.Context, key: str) -> None:
    """Make KEY, an id or a name, worthless from the next request on."""
    from web.keys import Keys

    revoked = Keys(ctx.obj.home).revoke(key)
    click.echo(f"Revoked {revoked.name} (…{revoked.ending}).", err=True)


@main.command(hidden=True)
@click.pass_context
def work(ctx: click.Context) -> None:
    """Do the jobs that wait, then stop. Started by the server, at low priority."""
    from web import logs

    with opened(ctx) as home:
        logs.configure(home.settings.log_format)
        home.work()


if __name__ == "__main__":
    sys.exit(main())
