"""What the README promises: its commands exist, its examples run, its question is answered."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner
from clients import client_of, serving, small_home
from conftest import ROOT
from flask.testing import FlaskClient

from index.embeddings import Encoder
from index.home import Home
from khazri import main

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"khazri (?:--home \S+ )?([a-z]{3,})\b", README)))
TARGETS = sorted(set(re.findall(r"^    make (\w+)", README, re.MULTILINE)))
CURLS = [line.strip() for line in README.splitlines() if line.strip().startswith("curl ")]
PROGRAM = re.search(r"^    import json\n(?:(?:    .*)?\n)+?(?=\S)", README, re.MULTILINE)
MCP = re.search(r'^    (\{"mcpServers".*)$', README, re.MULTILINE)
EXAMPLE = re.search(r"\$ .*? (ask .*)\n((?:    .+\n)+)", README)


@pytest.fixture
def client(sample_home: Home) -> FlaskClient:
    """A client of the service over the samples, as ``make run`` leaves it."""
    return client_of(sample_home)


def test_the_patterns_find_something() -> None:
    """Without this, a README that is written differently would check nothing."""
    assert {"index", "ask", "search", "serve"} <= set(COMMANDS)
    assert {"run", "test"} <= set(TARGETS)
    assert len(CURLS) >= 4
    assert EXAMPLE


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command: str) -> None:
    """Every command that is named is one, and explains itself."""
    if command in ("answers", "writes", "says"):  # "Khazri answers …"
        return
    assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


@pytest.mark.parametrize("target", TARGETS)
def test_targets_exist(target: str) -> None:
    """Every ``make`` target that is named is one."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_example_is_what_is_printed(sample_home: Home) -> None:
    """The question of the README gets the answer that stands under it."""
    assert EXAMPLE
    run = CliRunner().invoke(main, ["--home", str(sample_home.path), *shlex.split(EXAMPLE[1])])
    assert run.exit_code == 0, run.output
    shown = " ".join(EXAMPLE[2].split())
    printed = " ".join(run.stdout.replace(f"{ROOT}/", "").split())
    assert shown in printed


@pytest.mark.parametrize("example", [c for c in CURLS if "-" not in shlex.split(c)[1][:1]])
def test_questions_by_curl(client: FlaskClient, example: str) -> None:
    """The examples that ask are answered."""
    path = shlex.split(example)[-1].removeprefix("http://127.0.0.1:8000")
    reply = client.get(path)
    assert reply.status_code == 200
    assert reply.json
    assert reply.json["results"]


def test_the_program_stores_and_asks(
    tmp_path: Path, encoder: Encoder, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program in Python runs as it stands, against a real service."""
    assert PROGRAM
    with small_home(tmp_path, encoder) as home:
        home.close()
    with serving(tmp_path / "home") as address:
        program = textwrap.dedent(PROGRAM[0]).replace("http://127.0.0.1:8000", address)
        exec(compile(program, "README.md", "exec"), {})
    assert "The harbour froze in 1987." in capsys.readouterr().out


def test_what_a_client_of_language_models_is_told_is_a_command() -> None:
    """The configuration is JSON, and what it starts exists."""
    assert MCP
    told = json.loads(MCP[1])["mcpServers"]["khazri"]
    assert told["command"].endswith("/khazri")
    assert CliRunner().invoke(main, [*told["args"], "--help"]).exit_code == 0
