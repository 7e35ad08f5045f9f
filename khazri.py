"""The front door: the ``khazri`` command. Its commands parse arguments and call a room."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from web.commands import Chosen, asking, collection, keeping, service


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


for command in (
    collection.index,
    asking.ask,
    asking.search,
    asking.evaluate,
    asking.export,
    collection.remove,
    collection.status,
    collection.documents,
    collection.sources,
    service.watch,
    service.serve,
    service.keys,
    service.mcp,
    service.work,
    keeping.check,
    keeping.compact,
    keeping.backup,
    keeping.restore,
):
    main.add_command(command)

if __name__ == "__main__":
    sys.exit(main())
