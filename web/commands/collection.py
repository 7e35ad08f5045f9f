"""The commands that say what is in a collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.commands import Named, as_json, opened
from web.terminal import bar, both, print_json, show_plan, summary

if TYPE_CHECKING:
    pass


@click.command()
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


@click.command()
@click.argument("documents", nargs=-1, required=True)
@click.pass_context
def remove(ctx: click.Context, documents: tuple[str, ...]) -> None:
    """Remove DOCUMENTS, by id or name. They stay away until their files change."""
    with opened(ctx) as home:
        for name in documents:
            id = home.indexer.find(name)
            generation = home.indexer.remove(id)
            click.echo(f"Removed {name} (gone from generation {generation} on).", err=True)


@click.command()
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


@click.command()
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


@click.group(invoke_without_command=True)
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
