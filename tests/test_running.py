"""What docs/running.md says is what the code has: settings, metrics, variables, commands."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner
from clients import client_of, small_home
from conftest import ROOT, CheapEncoder
from prometheus_client.parser import text_string_to_metric_families

from index.settings import PREFIX, Settings
from khazri import main
from web import inputs, limits

RUNNING = (ROOT / "docs" / "running.md").read_text()
UNIT = (ROOT / "docs" / "khazri.service").read_text()


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    part = RUNNING.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return rows[1:]


def test_every_setting_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in table("Settings")}
    real = {one.name: one.default for one in fields(Settings)}
    assert list(told) == list(real)
    for name, default in real.items():
        text = told[name]
        shown = text if isinstance(default, str) else tomllib.loads(f"v = {text}")["v"]
        assert (tuple(shown) if isinstance(default, tuple) else shown) == default, name


def test_every_metric_is_told_and_no_other(tmp_path: Path) -> None:
    with small_home(tmp_path, CheapEncoder(), "reader=none") as home:
        text = client_of(home).get("/metrics").text
    kinds = {one.name: one.type for one in text_string_to_metric_families(text)}
    real = {f"{name}_total" if kind == "counter" else name for name, kind in kinds.items()}
    told = {
        name for row in table("Health, measures, logs") for name in re.findall("`(.*?)`", row[0])
    }
    assert {name for name in told ^ real if not name.startswith("process_")} == set()
    if Path("/proc/self").exists():
        assert told == real


def test_limits_are_settings_or_what_the_schemas_say() -> None:
    rows = table("What a client sees at each limit")
    named = {name for row in rows for name in re.findall("`(.*?)`", row[0])}
    assert named <= {one.name for one in fields(Settings)}
    assert {row[1] for row in rows} == {"429", "503", "413", "414"}
    assert f"{inputs.MAX_WORDS:,} words, {inputs.LONGEST:,} characters" in RUNNING
    assert set(limits.FREE) == {"static", "health", "ready"}


@pytest.mark.parametrize("text", [RUNNING, UNIT, (ROOT / "README.md").read_text()])
def test_every_variable_that_is_named_is_read(text: str) -> None:
    real = {f"{PREFIX}{one.name.upper()}" for one in fields(Settings)} | {"KHAZRI_HOME"}
    assert set(re.findall(r"\bKHAZRI_[A-Z_]*[A-Z]\b", text)) <= real | {"KHAZRI_NAME"}


def test_the_unit_starts_a_command_that_exists() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(UNIT)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert os.path.basename(program) == "khazri"
    told = CliRunner().invoke(main, [words[0], "--help"])
    assert told.exit_code == 0
    assert all(word in told.output for word in words if word.startswith("--"))
    assert int(unit["Service"]["TimeoutStopSec"]) > Settings().request_seconds + 10


def test_every_command_that_is_named_exists() -> None:
    named = set(re.findall(r"khazri (?:--set \S+ )?([a-z]{4,})", RUNNING))
    assert {"serve", "index", "keys", "backup", "restore"} <= named
    for command in named:
        assert command in main.commands, command
