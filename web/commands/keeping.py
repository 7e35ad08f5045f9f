"""The commands that keep a home whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from web.commands import opened

if TYPE_CHECKING:
    pass


@click.command()
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


@click.command()
@click.pass_context
def compact(ctx: click.Context) -> None:
    """Give back the space of deleted documents; none of their text is left in the home."""
    from index.compact import compact

    with opened(ctx) as home:
        space = compact(home)
    click.echo(f"From {space.before:,} to {space.after:,} bytes.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def backup(ctx: click.Context, file: Path) -> None:
    """Write the whole home into FILE, while others read and write."""
    from index.backup import backup

    with opened(ctx) as home:
        manifest = backup(home.path, file)
    click.echo(f"Wrote generation {manifest.generation} to {file}.", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def restore(ctx: click.Context, file: Path) -> None:
    """Make the home what it was when FILE was written, also while it is served."""
    from index.backup import restore

    generation = restore(file, ctx.obj.home.expanduser().absolute())
    click.echo(f"Restored {file} (generation {generation}).", err=True)
