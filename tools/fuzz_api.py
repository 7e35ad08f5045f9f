"""Ask the real service thousands of generated requests, and hold each reply to its description.

    python tools/fuzz_api.py [--examples 24]

schemathesis reads ``/api/v1/openapi.json`` and makes requests of it, right and wrong ones, with all
of its checks: no server error, no reply, status, type or header outside the description, what is
wrong is refused, keys can't be left out. One service is open, as on one's own machine; another asks
for keys, and is asked without one, with one to read, and with one to write. Documents are those of
``samples``. Exits with 1 when a check fails.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORK = Path("build/fuzz")
KHAZRI = [sys.executable, "-m", "khazri", "--home"]
# What the description can't say: a question without a word, or a form without a file, is refused.
# And 414 and 431 refuse as well as 400 does.
CHECKS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429, 431, "5xx"]
[phases.stateful.inference]  # the links of the description say what leads where: guessed ones seek
algorithms = []  # the document of a file that could not be read, which has none
"""
UNSAID = """
[[operations]]
include-path-regex = "/api/v1/(answer|search|export|documents)$"
checks.positive_data_acceptance.expected-statuses = [
    "2xx", "3xx", 400, 401, 403, 404, 409, 413, 414, 429, 431, "5xx",
]
"""
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


def fuzzed(name: str, address: str, examples: int, key: str = "", schema_key: str = "") -> bool:
    """Print what schemathesis says of a service; whether all of it is well."""
    schema = f"{address}/api/v1/openapi.json"
    if schema_key:  # which is read with another key than the requests have, or than none
        told = subprocess.run(
            ["curl", "-sfH", f"Authorization: Bearer {schema_key}", schema],
            capture_output=True,
            check=True,
        )
        file = WORK / "openapi.json"
        file.write_bytes(told.stdout)
        schema = str(file)
    command = [
        Path(sys.executable).with_name("st"),
        "--config-file",
        WORK / "toml",
        "run",
        schema,
        "--checks",
        "all",
        "--seed=1",
    ]
    command += ["--url", address, "--max-examples", str(examples), "--continue-on-failure"]
    command += ["--no-color", "--request-timeout", "60", "--suppress-health-check", "all"]
    command += ["--header", f"Authorization: Bearer {key}"] if key else []
    print(f"== {name}", flush=True)
    ran = subprocess.run(command, capture_output=True, text=True)
    print(ran.stdout if ran.returncode else ran.stdout[-1500:], ran.stderr[-500:])
    return ran.returncode == 0


def made(home: Path) -> Path:
    """A home of the samples."""
    subprocess.run([*KHAZRI, str(home), "index", "samples"], check=True)
    return home


def added(home: Path, name: str, *kind: str) -> str:
    """A new key of a home."""
    command = [*KHAZRI, str(home), "keys", "add", name, *kind]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(word for word in told.split() if word.startswith("khazri_"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--examples", type=int, default=24, help="for each route and kind")
    options = parser.parse_args()
    if WORK.exists():
        shutil.rmtree(WORK)
    WORK.mkdir(parents=True)
    (WORK / "toml").write_text(CHECKS + UNSAID)
    well = []
    with serving(made(WORK / "open")) as address:
        well.append(fuzzed("open", address, options.examples))
    home = made(WORK / "guarded")
    reading, writing = added(home, "reader"), added(home, "writer", "--write")
    with serving(home, "auth=keys") as address:
        for name, key in (("no key", ""), ("a reading key", reading), ("a writing key", writing)):
            well.append(fuzzed(name, address, options.examples, key, writing))
    sys.exit(not all(well))


if __name__ == "__main__":
    main()
