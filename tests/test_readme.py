"""What the README promises: its commands exist, its examples run, its question is answered."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from clients import serving, small_home
from conftest import ROOT, SAMPLES

from index.embeddings import Encoder
from index.home import Home
from khazri import main

README = (ROOT / "README.md").read_text()
COMMANDS = sorted(set(re.findall(r"khazri (?:--home \S+ )?([a-z]{3,})\b", README)))
TARGETS = sorted(set(re.findall(r"^    make (\w+)", README, re.MULTILINE)))
CURLS = [line.strip() for line in README.splitlines() if line.strip().startswith("curl ")]
PROGRAM = re.search(r"^    import json, time\n(?:(?:    .*)?\n)+?(?=\S)", README, re.MULTILINE)
MCP = re.search(r'^    (\{"mcpServers".*)$', README, re.MULTILINE)
EXAMPLE = re.search(r"\$ .*? (ask .*)\n((?:    .+\n)+)", README)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, encoder: Encoder) -> Iterator[str]:
    """The address of a real service over three small documents."""
    place = tmp_path_factory.mktemp("readme")
    with small_home(place, encoder):
        pass
    with serving(place / "home") as address:
        yield address


def test_the_patterns_find_something() -> None:
    """Without this, a README that is written differently would check nothing."""
    assert {"index", "ask", "search", "serve"} <= set(COMMANDS)
    assert {"run", "test"} <= set(TARGETS)
    assert len(CURLS) >= 7
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


def test_each_curl_is_answered(service: str, tmp_path: Path) -> None:
    """The examples run as they stand, one after the other; the collection's tag then holds."""
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    shutil.copy(SAMPLES / "budget-2026-summary.pdf", tmp_path / "report.pdf")

    def run(line: str) -> str:
        words = shlex.split(line.replace("http://127.0.0.1:8000", service), comments=True)
        ran = subprocess.run([*words, "-sSf"], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, (line, ran.stderr)
        return ran.stdout

    for line in CURLS:
        assert json.loads(run(line))["generation"], line
    (tagged,) = (line for line in CURLS if "etag" in line)
    assert run(tagged) == ""


def test_the_program_stores_asks_and_waits(
    service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program in Python runs as it stands."""
    assert PROGRAM
    program = textwrap.dedent(PROGRAM[0]).replace("http://127.0.0.1:8000", service)
    told: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), told)
    assert "The harbour froze in 1987." in capsys.readouterr().out
    assert told["job"]["status"] == "done"


def test_what_a_client_of_language_models_is_told_is_a_command() -> None:
    """The configuration is JSON, and what it starts exists."""
    assert MCP
    told = json.loads(MCP[1])["mcpServers"]["khazri"]
    assert told["command"].endswith("/khazri")
    assert CliRunner().invoke(main, [*told["args"], "--help"]).exit_code == 0
