"""A home that may only be read: it is served, and what can't be written or mended is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import commit, drafted
from damage import FILES

from index.store import Store

READ_ONLY = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from index.errors import KhazriError
from index.store import Store
from index.locks import locked
store = Store(Path(sys.argv[1]))
try:
    with store.snapshot() as snapshot:
        print([p.text for p in snapshot.fetch([1, 2])])
    with store.catalog.write() as db:
        db.execute("UPDATE state SET generation = 9")
except KhazriError as error:
    print("refused:", error)
try:
    with locked(store.home / "write.lock", "a test"):
        print("locked")
except KhazriError as error:
    print("refused:", error)
"""


unprivileged = pytest.mark.skipif(
    os.geteuid() == 0 and not shutil.which("setpriv"), reason="root needs setpriv to be held"
)


def read_only(store: Store) -> str:
    """What a process says that has no right to write."""
    shut = [store.home, *(p for p in store.home.rglob("*"))]
    modes = {path: path.stat().st_mode for path in shut}
    for path in shut:
        path.chmod(0o555 if path.is_dir() else 0o444)
    # Permissions do not hold root, who has to give up the right to pass over them.
    drop = [] if os.geteuid() else ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    try:
        told = subprocess.run(
            [*drop, sys.executable, "-c", READ_ONLY, str(store.home)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parent.parent,
        )
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert told.returncode == 0, told.stderr
    return told.stdout


@unprivileged
@pytest.mark.parametrize("served", [False, True])
def test_a_home_that_may_only_be_read_is_served(tmp_path: Path, served: bool) -> None:
    (tmp_path / "home").mkdir()
    store = Store(tmp_path / "home")
    commit(store, drafted("a", "herring", "cod"))
    if not served:
        store.close()
    said = read_only(store)
    store.close()
    assert said.startswith("['herring', 'cod']")
    assert said.count("refused:") == 2
    assert said.count("can't be written") == 2


@unprivileged
def test_damage_in_a_home_that_may_only_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    store = Store(tmp_path / "home")
    commit(store, drafted("a", "herring"))
    (store.folder(1) / FILES[0]).unlink()
    store.close()
    said = read_only(store)
    assert "is missing" in said
    assert "khazri check" in said
