"""What all commands share: which home they are about, its engine, and a few options."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from index.home import Home
    from index.settings import Settings
    from search.engine import Engine

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
