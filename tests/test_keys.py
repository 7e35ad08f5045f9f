"""Keys: kept as hashes in a file of the home, and managed by ``khazri keys``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from clients import client_of, small_home
from conftest import ROOT, CheapEncoder

import khazri
import web.serving
from index.backup import backup, restore
from index.check import check
from index.compact import compact
from index.errors import KhazriError
from web.keys import Keys

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``khazri`` over a home of its own."""
    home = ["--home", str(tmp_path / "home")]
    return lambda *words: CliRunner().invoke(khazri.main, [*home, *words])


# The file


def test_of_a_key_nothing_is_kept_that_opens(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "home")
    text = keys.add("Anna", "write")
    assert re.fullmatch("khazri_[0-9a-f]{64}", text)
    stored = keys.path.read_text()
    assert text not in stored
    assert text.removeprefix("khazri_") not in stored
    assert keys.path.stat().st_mode & 0o777 == 0o600
    assert keys.path.parent.stat().st_mode & 0o777 == 0o700
    (key,) = keys.read().keys
    assert (key.name, key.kind, key.ending) == ("Anna", "write", text[-4:])
    assert keys.read().find(text) == key
    for wrong in ("", text[:-1], text.upper(), f"{text} ", key.hash, key.id, "\ud800"):
        assert keys.read().find(wrong) is None


def test_what_another_process_changed_is_seen(tmp_path: Path) -> None:
    here, there = Keys(tmp_path), Keys(tmp_path)
    assert here.read().keys == ()
    text = there.add("one", "read")
    assert here.read().find(text)
    there.revoke("one")
    assert here.read().find(text) is None
    there.path.unlink()
    assert here.read().keys == ()


def test_keys_that_are_added_at_once_all_stay(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda n: Keys(tmp_path).add(f"key {n}", "read"), range(24)))
    ring = Keys(tmp_path).read()
    assert all(ring.find(text) for text in texts)
    assert len({key.id for key in ring.keys}) == 24


def test_a_write_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path)
    first = keys.add("first", "read")
    before = keys.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KhazriError, match="is full"):
        keys.add("second", "read")
    monkeypatch.undo()
    assert keys.path.read_bytes() == before
    keys.add("second", "read")  # what was left of the first try is in nobody's way
    assert keys.read().find(first)


@pytest.mark.parametrize(
    "garbled",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"keys": [{}]}',
        b'{"secret": "", "keys": []}',
        b'{"secret": null, "keys": [], "more": 1}',
        b'{"keys": [{"id": "000000000000", "name": "x", "kind": "all", "created": "", "ending":'
        b' "0000", "hash": ""}]}',
    ],
)
def test_a_garbled_file_opens_nothing(tmp_path: Path, garbled: bytes) -> None:
    keys = Keys(tmp_path)
    keys.add("one", "write")
    keys.path.write_bytes(garbled)
    for act in (keys.read, lambda: keys.add("two", "read"), lambda: keys.revoke("one")):
        with pytest.raises(KhazriError, match=r"keys\.json is damaged.*Delete it.*khazri keys add"):
            act()
    assert keys.path.read_bytes() == garbled


def test_a_file_that_everybody_may_read_is_not_trusted(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    text = keys.add("one", "write")
    keys.path.chmod(0o644)
    with pytest.raises(KhazriError, match=f"chmod 600 {re.escape(str(keys.path))}"):
        keys.read()
    keys.path.chmod(0o600)
    assert keys.read().find(text)


def test_a_damaged_file_is_told_to_who_looks_after_it_alone(
    tmp_path: Path, cheap: CheapEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    with small_home(tmp_path, cheap, "auth=keys") as home:
        text, client = Keys(home.path).add("one", "write"), client_of(home)
        given = {"Authorization": f"Bearer {text}"}
        assert client.get("/api/v1/jobs", headers=given).status_code == 200
        Keys(home.path).path.write_text("{")
        for reply in (
            client.get("/api/v1/jobs", headers=given),
            client.post("/sign-in", data={"key": text}),
        ):
            assert reply.status_code == 503
            assert str(home.path) not in reply.text
        assert "keys.json is damaged" in caplog.text
        assert client.get("/healthz").status_code == 200


def test_a_backup_brings_no_key_back(tmp_path: Path, cheap: CheapEncoder) -> None:
    with small_home(tmp_path, cheap) as home:
        keys = Keys(home.path)
        revoked = keys.add("revoked", "write")
        backup(home.path, tmp_path / "backup.zip")
        with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
            assert not [name for name in archive.namelist() if "key" in name]
        keys.revoke("revoked")
        kept = keys.add("kept", "read")
        restore(tmp_path / "backup.zip", home.path, cheap)
        assert keys.read().find(revoked) is None
        assert keys.read().find(kept)


def test_looking_after_a_home_leaves_its_keys(tmp_path: Path, cheap: CheapEncoder) -> None:
    with small_home(tmp_path, cheap) as home:
        text = Keys(home.path).add("one", "write")
        compact(home)
        report = check(home, True, lambda line: None)
        assert (*report.catalog, *report.derived) == ()
        assert Keys(home.path).read().find(text)


# The command


def test_keys_are_made_listed_and_revoked(run: Run, tmp_path: Path) -> None:
    made = run("keys", "add", "Anna's laptop", "--write")
    text = made.stdout.strip()
    assert re.fullmatch("khazri_[0-9a-f]{64}", text)
    assert "shown only now" in made.stderr
    run("keys", "add", "bot")
    listed = run("keys")
    assert [line.split()[1] for line in listed.stdout.splitlines()] == ["write", "read"]
    assert f"…{text[-4:]}  Anna's laptop" in listed.stdout
    described = json.loads(run("keys", "--json").stdout)
    assert [key["name"] for key in described] == ["Anna's laptop", "bot"]
    for shown in (listed.output, str(described)):
        assert text not in shown
        assert "hash" not in shown
    assert run("keys", "revoke", "Anna's laptop").exit_code == 0
    assert run("keys", "revoke", described[1]["id"]).exit_code == 0
    assert run("keys").stdout == ""
    assert Keys(tmp_path / "home").read().find(text) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "bot"], "There is a key 'bot' already"),
        (["add", " bot "], "There is a key 'bot' already"),
        (["add", ""], "a line of 1 to 80 characters"),
        (["add", "a\nb"], "a line of 1 to 80 characters"),
        (["add", "x" * 81], "a line of 1 to 80 characters"),
        (["revoke", "nobody"], "There is no key 'nobody'. 'khazri keys' lists them."),
    ],
)
def test_what_goes_wrong_is_explained(run: Run, words: list[str], said: str) -> None:
    run("keys", "add", "bot")
    told = run("keys", *words)
    assert told.exit_code == 1
    assert said in told.stderr
    assert len(run("keys").stdout.splitlines()) == 1


def test_without_a_key_others_are_not_served(tmp_path: Path) -> None:
    words = ["--home", str(tmp_path / "home"), "serve", "--host", "0.0.0.0", "--port", "0"]
    told = subprocess.run(
        [sys.executable, "-m", "khazri", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (told.returncode, told.stdout) == (1, "")
    assert f"khazri --home {tmp_path / 'home'} keys add NAME --write" in told.stderr
    assert "khazri serve --no-auth" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(("option", "keyed"), [([], True), (["--no-auth"], False)])
def test_keys_can_be_done_without(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: list[str], keyed: bool
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "khazri.toml").write_text('auth = "keys"\n')
    seen = []
    monkeypatch.setattr(web.serving, "serve", lambda app, *_: seen.append(app.config["GUARDED"]))
    told = run("serve", *option)
    assert told.exit_code == 0, told.output
    assert seen == [keyed]
