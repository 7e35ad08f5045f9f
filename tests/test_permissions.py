"""What may not be read or written is listed, loses nothing, and is read when it may be."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import ROOT

UNPRIVILEGED = """
import os, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from conftest import CheapEncoder, quiet
from index.errors import KhazriError
from index.indexer import Indexer
from index.store import Store
from tempfile import TemporaryDirectory

def opened(home):
    home.mkdir()
    store = Store(home)
    return store, Indexer(store, CheapEncoder())

if os.getuid() == 0:
    with TemporaryDirectory() as name:  # imports what the other user may not be able to
        store, indexer = opened(Path(name) / "home")
        Path(name, "a.txt").write_text("herring")
        indexer.index([Path(name, "a.txt")], quiet)
        store.close()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
here = Path({here!r})
folder = here / "files"
for name in ("open", "closed"):
    (folder / name).mkdir(parents=True)
    (folder / name / "a.txt").write_text("herring " + name)
(folder / "open" / "secret.txt").write_text("cod")
store, indexer = opened(here / "home")
first = indexer.index([folder], quiet)
assert first.added == 3 and not first.failed, first

def told(progress):
    return {{os.path.relpath(f.uri, folder): f.reason for f in progress.failed}}

def stored():
    with store.snapshot() as snapshot:
        return {{os.path.relpath(d.uri, folder) for d in snapshot.documents()[1]}}
"""


def unprivileged(body: str, here: Path) -> None:
    """Run a script as somebody who may not read everything, in a folder that is theirs."""
    script = UNPRIVILEGED.format(tests=str(ROOT / "tests"), root=str(ROOT), here=str(here))
    run = subprocess.run(
        [sys.executable, "-c", script + textwrap.dedent(body)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder that an unprivileged user may write, whoever runs the tests."""
    with TemporaryDirectory() as name:
        here = Path(name)
        if os.getuid() == 0:
            os.chown(here, 65534, 65534)
        yield here


def test_a_folder_that_may_not_be_read_is_listed_and_loses_nothing(theirs: Path) -> None:
    unprivileged(
        """
        (folder / "closed").chmod(0)
        progress = indexer.sync(quiet)
        (folder / "closed").chmod(0o700)
        assert told(progress) == {"closed": "the folder can't be read: Permission denied"}
        assert stored() == {"open/a.txt", "open/secret.txt", "closed/a.txt"}
        assert not indexer.sync(quiet).failed
        """,
        theirs,
    )


def test_a_folder_named_that_may_not_be_read_is_an_error(theirs: Path) -> None:
    unprivileged(
        """
        (folder / "closed").chmod(0)
        try:
            indexer.index([folder / "closed"], quiet)
        except KhazriError as error:
            assert "may not be read" in str(error), error
        else:
            raise AssertionError("no error")
        finally:
            (folder / "closed").chmod(0o700)
        """,
        theirs,
    )


def test_a_file_that_may_not_be_read_is_listed_until_it_may(theirs: Path) -> None:
    unprivileged(
        """
        secret = folder / "open" / "secret.txt"
        secret.write_text("plaice and more")
        secret.chmod(0)
        progress = indexer.sync(quiet)
        assert told(progress) == {"open/secret.txt": "can't be read: Permission denied"}, progress
        assert stored() == {"open/a.txt", "closed/a.txt"}
        secret.chmod(0o600)
        assert not indexer.sync(quiet).failed
        assert stored() == {"open/a.txt", "open/secret.txt", "closed/a.txt"}
        """,
        theirs,
    )


def test_a_home_that_may_not_be_written_is_an_error(theirs: Path) -> None:
    unprivileged(
        """
        (here / "closed home").mkdir(mode=0o500)
        try:
            Store(here / "closed home")
        except KhazriError as error:
            assert "permission" in str(error), error
        else:
            raise AssertionError("no error")
        """,
        theirs,
    )
