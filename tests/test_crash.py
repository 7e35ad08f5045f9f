"""Kills at any moment: the short form of ``bench/crash.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_nothing_is_lost_doubled_or_half_after_a_kill() -> None:
    command = [sys.executable, "bench/crash.py", "--kills", "30"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
