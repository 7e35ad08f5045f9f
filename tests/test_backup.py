"""A home in one file and back: whole, checked first, while it is served."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import quiet
from damage import flip, words_found
from storing import add, whole_but_note

from index import backup as backup_module
from index.backup import CATALOG, EMBEDDINGS, MANIFEST, backup, restore
from index.check import check
from index.errors import KhazriError
from index.home import Home
from index.locks import locked
from index.rows import digest
from khazri import main

pytestmark = pytest.mark.usefixtures("cheap_homes")


@pytest.fixture
def home(harbour: Home) -> Home:
    """A home of four files, an upload and a JSON document."""
    return harbour


# --- There and back --------------------------------------------------------------------------


def test_a_backup_comes_back_whole(home: Home, tmp_path: Path) -> None:
    with home.store.snapshot() as snapshot:
        before = [(d.id, d.uri, snapshot.text(d.id)) for d in snapshot.documents()[1]]
    manifest = backup(home.path, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0
    assert manifest.generation == home.status()["generation"]
    restore(tmp_path / "b.zip", tmp_path / "new" / "home")
    again = Home(tmp_path / "new" / "home")
    whole_but_note(again)
    assert words_found(again.store, "fog") == ["Fog."]
    with again.store.snapshot() as snapshot:
        assert [(d.id, d.uri, snapshot.text(d.id)) for d in snapshot.documents()[1]] == before
        assert snapshot.generation > manifest.generation
    assert again.encoder.encoded == []
    assert [p.name for p in (again.path / "uploads").iterdir()]
    with again.store.catalog.read() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    again.indexer.sync(quiet)
    add(again, "later", "A later herring.")
    assert len(words_found(again.store, "herring")) == 5
    assert not list(again.path.glob("restoring-*"))
    again.close()


def test_it_holds_no_index(home: Home, tmp_path: Path) -> None:
    backup(home.path, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        names = set(archive.namelist())
    upload = digest(b"The lighthouse keeper wrote.")
    assert names == {MANIFEST, CATALOG, EMBEDDINGS, f"uploads/{upload}"}


def test_settings_and_kept_questions_come_along(home: Home, tmp_path: Path) -> None:
    (home.path / "khazri.toml").write_text("port = 8123\n")
    (home.path / "questions.jsonl").write_text('{"question": "Who?", "found": false}\n')
    backup(home.path, tmp_path / "b.zip")
    restore(tmp_path / "b.zip", tmp_path / "new")
    again = Home(tmp_path / "new")
    assert again.settings.port == 8123
    assert "Who?" in (again.path / "questions.jsonl").read_text()
    again.close()


def test_a_served_home_goes_back_and_its_server_picks_it_up(home: Home, tmp_path: Path) -> None:
    backup(home.path, tmp_path / "b.zip")
    for n in range(5):
        add(home, f"new{n}", f"Newer herring {n}.")
    home.indexer.remove(home.indexer.find("note"))
    other = Home(home.path)
    with other.store.snapshot() as old:
        held = old.generation
        before = {p.id for p in old.fetch(range(1, 100))}
        generation = restore(tmp_path / "b.zip", home.path)
        assert {p.id for p in old.fetch(range(1, 100))} == before
        assert old.generation == held < generation
    for served in (home, other):
        assert len(words_found(served.store, "herring")) == 4
        assert words_found(served.store, "fog") == ["Fog."]
        assert served.status()["generation"] == generation
    add(other, "after", "Herring after.")
    assert words_found(home.store, "after") == ["Herring after."]
    with home.store.snapshot() as snapshot:
        new = {p.id for p in snapshot.fetch(range(1, 100))}
        after = max(p.id for d in snapshot.documents()[1] for p in snapshot.passages(d.id))
    assert after > max(before)  # the numbers of what was there are not given again
    assert new
    whole_check = check(home)
    assert (whole_check.catalog, whole_check.derived) == ([], [])
    other.close()


def test_questions_go_on_while_both_happen(home: Home, tmp_path: Path) -> None:
    backup(home.path, tmp_path / "first.zip")
    stop, wrong, asked = threading.Event(), [], 0

    def ask() -> None:
        nonlocal asked
        while not stop.is_set():
            asked += 1
            if len(texts := words_found(home.store, "herring")) != 4:
                wrong.append(texts)

    def guarded() -> None:
        try:
            ask()
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    for n in range(3):
        backup(home.path, tmp_path / f"{n}.zip")
        add(home, f"x{n}", "Something else.")
        restore(tmp_path / "first.zip", home.path)
    stop.set()
    thread.join()
    assert wrong == []
    assert asked > 3


def test_a_damaged_home_is_restored_and_its_server_says_so(home: Home, tmp_path: Path) -> None:
    backup(home.path, tmp_path / "b.zip")
    home.close()
    served = Home(home.path)
    data = (home.path / CATALOG).read_bytes()
    (home.path / CATALOG).write_bytes(b"no database at all" + data[18:5000])
    (home.path / EMBEDDINGS).write_bytes(b"x" * 5000)
    restore(tmp_path / "b.zip", home.path)
    with pytest.raises(KhazriError, match="replaced while it was open. Start this program again"):
        served.status()
    served.close()
    again = Home(home.path)
    whole_but_note(again)
    again.close()


def test_vectors_that_a_backup_lacks_are_made_again(home: Home, tmp_path: Path) -> None:
    home.close()
    (home.path / EMBEDDINGS).unlink()
    backup(home.path, tmp_path / "b.zip")
    restore(tmp_path / "b.zip", tmp_path / "new")
    again = Home(tmp_path / "new")
    whole_but_note(again)
    again.close()


# --- What is refused -------------------------------------------------------------------------


@pytest.fixture
def file(home: Home, tmp_path: Path) -> Path:
    """A backup of the home."""
    backup(home.path, tmp_path / "b.zip")
    return tmp_path / "b.zip"


def repacked(file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Another backup, with a manifest that is right for its changed members."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(members.pop(MANIFEST))
    change(members)
    manifest["members"] = {n: [len(d), digest(d)] for n, d in members.items()}
    other = file.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr(MANIFEST, json.dumps(manifest))
    return other


def refused(file: Path, home: Path) -> str:
    with pytest.raises(KhazriError) as caught:
        restore(file, home)
    assert not list(home.glob("restoring-*"))
    return str(caught.value)


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/tmp/evil",
        "uploads/../../evil",
        "segments/000001/keyword/_MAIN_1.toc",
        "uploads/short",
        "catalog.db/x",
        "work.lock",
    ],
)
def test_members_of_other_names_are_refused(home: Home, file: Path, name: str) -> None:
    trap = home.path.parent / "trap"
    other = repacked(file, lambda members: members.update({name: pickle.dumps(Trap(trap))}))
    assert "Nothing was changed" in refused(other, home.path)
    assert not trap.exists()
    assert not (home.path.parent / "evil").exists()
    whole_but_note(home)


def test_a_backup_that_is_not_whole_is_refused(home: Home, file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for junk in (b"", b"no zip", data[: len(data) // 2]):
        (tmp_path / "junk.zip").write_bytes(junk)
        assert "can't be restored" in refused(tmp_path / "junk.zip", home.path)
    assert "does not exist" in refused(tmp_path / "none.zip", home.path)
    with zipfile.ZipFile(file) as archive:
        at = archive.getinfo(CATALOG).header_offset + 500
    for byte in range(64):  # one bit alone may mean nothing in a compressed row of zeros
        flip(file, (at + byte) * 8)
    assert "can't be restored" in refused(file, home.path)
    whole_but_note(home)


def test_a_manifest_that_does_not_fit_is_refused(home: Home, file: Path) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"uploads/{'0' * 64}", b"not in the manifest")
    assert "manifest does not name" in refused(file, home.path)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[" * 1_000_000,
        b'{"khazri-backup": 1, "generation": 1e999, "members": {"catalog.db": [1, "a"]}}',
        b'{"khazri-backup": 1, "generation": 1, "members": {"catalog.db": [1e999, "a"]}}',
        b'{"khazri-backup": 1, "generation": 1, "members": []}',
        b'{"khazri-backup": {}, "generation": 1, "members": {}}',
        b"null",
        bytes(100 << 20),
    ],
    ids=range(8),
)
def test_a_hostile_manifest_is_refused(home: Home, tmp_path: Path, manifest: bytes) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(MANIFEST, manifest)
    assert "its manifest" in refused(other, home.path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 0x63])
@pytest.mark.parametrize("flags", [0, 1])
def test_members_that_do_not_unpack_are_refused(
    home: Home, tmp_path: Path, method: int, flags: int
) -> None:
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(MANIFEST, b"junk that is no stream of that kind")
    data = bytearray(other.read_bytes())
    for at in (0, data.index(b"PK\x01\x02") + 2):  # the local header, and the central one
        data[at + 6 : at + 10] = struct.pack("<HH", flags, method)
    other.write_bytes(data)
    assert "no whole ZIP file" in refused(other, home.path)


def test_a_newer_catalog_is_refused(home: Home, file: Path, tmp_path: Path) -> None:
    def newer(members: dict[str, bytes]) -> None:
        (tmp_path / "c.db").write_bytes(members[CATALOG])
        with closing(sqlite3.connect(tmp_path / "c.db")) as db:
            db.execute("PRAGMA user_version=99")
        members[CATALOG] = (tmp_path / "c.db").read_bytes()

    assert "newer Khazri" in refused(repacked(file, newer), home.path)
    whole_but_note(home)


def test_a_catalog_that_is_not_ours_is_refused(home: Home, file: Path, tmp_path: Path) -> None:
    def strange(members: dict[str, bytes]) -> None:
        (tmp_path / "c.db").write_bytes(members[CATALOG])
        with closing(sqlite3.connect(tmp_path / "c.db")) as db:
            db.execute("CREATE TRIGGER evil AFTER INSERT ON jobs BEGIN DELETE FROM texts; END")
            db.commit()
        members[CATALOG] = (tmp_path / "c.db").read_bytes()

    assert "trigger" in refused(repacked(file, strange), home.path)
    cut = repacked(file, lambda members: members.update({CATALOG: members[CATALOG][:6000]}))
    assert "damaged" in refused(cut, home.path)
    gone = repacked(file, lambda members: members.pop(CATALOG) and None)
    assert "no catalog" in refused(gone, home.path)
    whole_but_note(home)


def test_a_restore_waits_for_writers_and_says_who_they_are(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "WAIT", 0.1)
    with locked(home.path / "index.lock", "khazri index"):
        assert "khazri index" in refused(file, home.path)


def test_a_backup_overwrites_nothing_and_says_why_it_fails(home: Home, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(KhazriError, match="exists already"):
        backup(home.path, tmp_path / "there")
    with pytest.raises(KhazriError, match="can't be written"):
        backup(home.path, tmp_path / "no" / "folder.zip")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["files", "home", "there"]


# --- Crashes ---------------------------------------------------------------------------------

CRASH = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests")
from conftest import Cheap
import index.backup as b
b.Encoder = Cheap
step, file, home = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if step == 0: b._prepare = die
if step == 1: b._switch = die
if step in (2, 3):
    whole, calls = b._overwrite, []
    def overwrite(*a):
        calls.append(a)
        if len(calls) == step - 1: die()
        whole(*a)
    b._overwrite = overwrite
if step == 4:
    whole = b._switch
    b._switch = lambda *a: (whole(*a), die())
b.restore(file, home)
"""


@pytest.mark.parametrize("step", range(5))
def test_a_crash_leaves_the_old_home_or_the_new_one(home: Home, file: Path, step: int) -> None:
    add(home, "newer", "Newer herring.")
    home.close()
    arguments = [str(step), str(file), str(home.path)]
    done = subprocess.run(
        [sys.executable, "-c", CRASH, *arguments], cwd=Path(__file__).parent.parent, check=False
    )
    assert done.returncode == -9
    again = Home(home.path)
    assert len(words_found(again.store, "herring")) == (4 if step == 4 else 5)
    report = check(again)
    assert report.catalog == []
    restore(file, home.path)
    whole_but_note(again)
    again.close()


# --- The commands ----------------------------------------------------------------------------


def test_the_commands(home: Home, tmp_path: Path) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["--home", str(home.path), *arguments])
        return result.exit_code, result.output

    assert run("backup", str(tmp_path / "b.zip"))[0] == 0
    add(home, "newer", "Newer herring.")
    assert run("restore", str(tmp_path / "b.zip"))[0] == 0
    whole_but_note(home)
    status, output = run("compact")
    assert status == 0
    assert "bytes" in output
    status, output = run("restore", str(tmp_path / "none.zip"))
    assert status == 1
    assert "does not exist" in output
