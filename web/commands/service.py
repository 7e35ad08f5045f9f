"""The commands that go on until they are stopped, and who may use them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click

from web.commands import as_json, engine_over, opened
from web.terminal import print_json, summary

if TYPE_CHECKING:
    from index.home import Home


@click.command()
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


@click.command()
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


@click.command()
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
    from index.patrol import Patrol

    patrol = Patrol(home)
    patrol.start()
    try:
        yield
    finally:
        patrol.stop()


@click.command(hidden=True)
@click.pass_context
def work(ctx: click.Context) -> None:
    """Do the jobs that wait, then stop. Started by the server, at low priority."""
    from web import logs

    with opened(ctx) as home:
        logs.configure(home.settings.log_format)
        home.work()


@click.group(invoke_without_command=True)
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
