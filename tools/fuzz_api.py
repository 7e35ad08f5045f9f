"""Ask the real service thousands of generated requests, and hold each reply to its description.

    python tools/fuzz_api.py [--examples 24] [--seed 1]

schemathesis reads ``/api/v1/openapi.json`` and makes requests of it, right and wrong ones, with all
of its checks: no server error, no reply, status, type or header outside the description, what is
wrong is refused, keys can't be left out. One service is open, as on one's own machine; another asks
for keys, and is asked without one, with one to read, and with one to write. Documents are those of
``samples``. Prints a table, and what failed; exits with 1 when a check fails.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

WORK = Path("build/fuzz")
KHAZRI = [sys.executable, "-m", "khazri", "--home"]
EXPECTED = Path(__file__).with_suffix(".toml")
GENEROUS = ("rate=0", "request_seconds=120")  # the limits are tested elsewhere


@contextmanager
def serving(home: Path, *given: str) -> Iterator[str]:
    """The address of a service over a home."""
    options = [f"--set={one}" for one in (*GENEROUS, *given)]
    command = [*KHAZRI, str(home), *options, "serve", "--port", "0"]
    with (WORK / "log").open("w+") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            while process.poll() is None:
                if found := re.search(r"http://\S+", (WORK / "log").read_text()):
                    break
                time.sleep(0.05)
            else:
                raise SystemExit((WORK / "log").read_text())
            yield found.group()
        finally:
            process.terminate()


def described(address: str, key: str = "") -> Path:
    """The description that a service gives of itself, as a file."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with urlopen(Request(f"{address}/api/v1/openapi.json", headers=headers)) as reply:
        (WORK / "openapi.json").write_bytes(reply.read())
    return WORK / "openapi.json"


def fuzzed(name: str, address: str, schema: Path, chosen: argparse.Namespace, key: str = "") -> int:
    """Print a line of the table, and what failed; return how many requests were well, or -1."""
    report = WORK / "report.json"
    command = [str(Path(sys.executable).with_name("st")), "--config-file", str(EXPECTED), "run"]
    command += [str(schema), "--url", address, "--checks", "all", "--continue-on-failure"]
    command += ["--max-examples", str(chosen.examples), "--seed", str(chosen.seed)]
    command += ["--suppress-health-check", "all", "--request-timeout", "60", "--no-color"]
    command += ["--report", "json", "--report-json-path", str(report)]
    command += ["--header", f"Authorization: Bearer {key}"] if key else []
    ran = subprocess.run(command, capture_output=True, text=True)
    if not report.exists():
        raise SystemExit(ran.stdout + ran.stderr)
    told = json.loads(report.read_text())
    report.unlink()
    routes, cases = told["operations"]["tested"], told["test_cases"]
    failed, seconds = cases["with_failures"] + cases["errored"], told["running_time"]
    print(
        f"{name:15} {routes:6} {cases['generated']:8,} {failed:6} {seconds:7.0f} s",
        flush=True,
    )
    if ran.returncode:
        print(ran.stdout, ran.stderr)
    return -1 if ran.returncode else int(cases["generated"])


def made(home: Path) -> Path:
    """A home of the samples."""
    subprocess.run([*KHAZRI, str(home), "index", "samples"], check=True, capture_output=True)
    return home


def added(home: Path, name: str, *kind: str) -> str:
    """A new key of a home."""
    command = [*KHAZRI, str(home), "keys", "add", name, *kind]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(word for word in told.split() if word.startswith("khazri_"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=24, help="for each route and kind")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    if WORK.exists():
        shutil.rmtree(WORK)
    WORK.mkdir(parents=True)
    print(f"{'asked':15} routes requests failed    time")
    counts = []
    with serving(made(WORK / "open")) as address:
        counts.append(fuzzed("open", address, described(address), chosen))
    home = made(WORK / "guarded")
    reading, writing = added(home, "reader"), added(home, "writer", "--write")
    with serving(home, "auth=keys") as address:
        schema = described(address, reading)
        for name, key in (("no key", ""), ("a reading key", reading), ("a writing key", writing)):
            counts.append(fuzzed(name, address, schema, chosen, key))
    if min(counts) < 0:
        sys.exit(1)
    print(f"{'all':15} {'':6} {sum(counts):8,} {0:6}")


if __name__ == "__main__":
    main()
