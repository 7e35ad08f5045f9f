"""The ``khazri`` command: what it prints where, and its exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import ROOT

import khazri
from index.home import Home
from search.question import LONGEST

Run = Callable[..., Result]
COST = "What did it cost to build the Harbour Line?"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command over a home of its own."""

    def running(*arguments: object, home: Path = tmp_path / "home", **options: object) -> Result:
        told = CliRunner().invoke(
            khazri.main, ["--home", str(home), *map(str, arguments)], **options
        )
        assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
        return told

    return running


@pytest.fixture
def ask_samples(run: Run, sample_home: Home) -> Run:
    """Run the command over the sample documents, without changing them."""
    return lambda *arguments, **options: run(*arguments, home=sample_home.path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "otters.md").write_text("# Otters\n\nThe wardens counted 47 otters in the Reed Lake.")
    (folder / "bridge.txt").write_text("The bridge reopened after repairs of nine months.")
    return folder


def khazri_process(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as people do, in a process of its own."""
    command = [sys.executable, "-W", "error::DeprecationWarning", "-m", "khazri"]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, **options
    )


# --- Index -----------------------------------------------------------------------------------


def test_a_folder_is_indexed_and_told_of(run: Run, folder: Path) -> None:
    (folder / "empty.txt").write_text("")
    told = run("index", folder)
    assert told.exit_code == 0
    assert told.stdout.startswith("2 added")
    assert "empty.txt: empty" in told.stderr
    again = run("index", folder)
    assert again.exit_code == 0
    assert "2 unchanged" in again.stdout
    assert " 0 embedded" in again.stdout


def test_indexing_in_json_prints_json_alone(run: Run, folder: Path) -> None:
    (folder / "empty.txt").write_text("")
    told = run("index", folder, "--json")
    assert told.exit_code == 0
    reply = json.loads(told.stdout)
    assert (reply["added"], reply["failed_total"], reply["generation"]) == (2, 1, 1)
    assert reply["failed"][0]["reason"].startswith("empty")


def test_what_is_known_is_brought_up_to_date(run: Run, folder: Path) -> None:
    run("index", folder)
    (folder / "bridge.txt").unlink()
    (folder / "heron.txt").write_text("The heron waits.")
    told = run("index")
    assert told.exit_code == 0
    assert "1 added" in told.stdout
    assert "1 removed" in told.stdout
    assert "nothing to do" in run("index", home=folder.parent / "empty home").stdout


def test_json_lines_are_indexed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.write_text('{"id": "x-1", "text": "A heron stood there."}\nnot json\n')
    told = run("index", "--jsonl", path)
    assert told.exit_code == 0
    assert "line 2: not a line of JSON" in told.stderr
    found = json.loads(run("search", "heron", "--json").stdout)
    assert found["results"][0]["document"]["uri"] == "x-1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing"], "does not exist"),
        (["{folder}", "{folder}/missing"], "does not exist"),
        (["--jsonl", "{folder}"], "is a folder"),
    ],
)
def test_a_path_that_is_none_is_an_error(
    run: Run, folder: Path, arguments: list[str], said: str
) -> None:
    told = run("index", *(argument.format(folder=folder) for argument in arguments))
    assert told.exit_code == 1
    assert told.stdout == ""
    assert said in told.stderr
    assert "Traceback" not in told.stderr
    assert json.loads(run("status", "--json").stdout)["documents"] == 0


def test_an_empty_path_is_an_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the present folder: an unset variable would index whatever is there."""
    monkeypatch.chdir(tmp_path)
    told = run("index", "")
    assert told.exit_code in (1, 2)
    assert "path" in told.stderr
    assert json.loads(run("status", "--json").stdout)["sources"] == []


def test_a_job_is_recorded_of_each_run(run: Run, folder: Path, tmp_path: Path) -> None:
    run("index", folder)
    run("index", "missing")
    home = Home(tmp_path / "home")
    jobs = [(job.kind, job.status) for job in home.jobs.list()]
    home.close()
    assert jobs == [("index", "failed"), ("index", "done")]


# --- Ask and search --------------------------------------------------------------------------


def test_an_answer_is_quoted_with_its_source(ask_samples: Run) -> None:
    told = ask_samples("ask", *COST.split())
    assert told.exit_code == 0
    assert "[1] “" in told.stdout
    assert "1.24 billion crowns" in told.stdout
    assert "metro-opens-harbour-line.md" in told.stdout


def test_an_answer_in_json_is_that_of_the_route(ask_samples: Run) -> None:
    told = ask_samples("ask", COST, "--json", "--limit", 3)
    assert told.exit_code == 0
    assert told.stderr == ""
    answer = json.loads(told.stdout)
    assert answer["question"] == COST
    assert answer["answered"] is True
    assert answer.keys() >= {"text", "citations", "results", "generation", "took_ms"}
    assert len(answer["results"]) == 3
    (citation, *_) = answer["citations"]
    assert citation.keys() >= {"number", "quote", "start", "end", "passage_id", "document"}


def test_what_is_not_there_is_said(ask_samples: Run) -> None:
    told = ask_samples("ask", "What is the capital of Mongolia?")
    assert told.exit_code == 0
    assert "Not in your documents" in told.stdout
    assert "nearest passages, which are not answers" in told.stdout
    reply = json.loads(ask_samples("ask", "What is the capital of Mongolia?", "--json").stdout)
    assert (reply["answered"], reply["text"], reply["citations"]) == (False, "", [])
    assert reply["results"]


def test_passages_are_shown_with_their_reasons(ask_samples: Run) -> None:
    told = ask_samples("search", "harbour", "line")
    assert told.exit_code == 0
    assert re.search(
        r"found by words \(place 1\) · meaning \(place \d+\) · harbour \d", told.stdout
    )
    assert "passages in" in told.stderr


def test_results_in_json(ask_samples: Run) -> None:
    told = ask_samples(
        *("search", "harbour", "--json", "--limit", 2, "--offset", 1),
        *("--mode", "keyword", "--order", "date", "--filter", "type:markdown"),
    )
    assert told.exit_code == 0
    assert told.stderr == ""
    found = json.loads(told.stdout)
    assert (found["limit"], found["offset"], found["mode"], found["order"]) == (
        2,
        1,
        "keyword",
        "date",
    )
    assert found.keys() >= {"results", "total", "generation", "took_ms", "notes"}
    for result in found["results"]:
        assert result.keys() >= set(
            "passage_id text score document start end heading page why".split()
        )
        assert result["document"].keys() >= set("id title uri published type".split())
        assert result["document"]["type"] == "markdown"
        assert result["why"].keys() == {"keyword", "semantic", "terms", "sentence", "reader"}


def test_a_query_that_begins_with_a_dash(ask_samples: Run) -> None:
    found = json.loads(ask_samples("search", "--json", "--", "harbour -ferry").stdout)
    assert found["results"]
    assert all("ferry" not in result["text"].lower() for result in found["results"])


def test_nothing_found_is_no_failure(ask_samples: Run) -> None:
    told = ask_samples("search", "xyzzy", "--mode", "keyword")
    assert told.exit_code == 0
    assert "Nothing was found" in told.stdout


def test_notes_go_to_standard_error(ask_samples: Run) -> None:
    told = ask_samples("search", "storm before:yesterday")
    assert "before:yesterday" in told.stderr
    assert "is no filter" in told.stderr


def test_a_file_of_questions_is_answered_line_by_line(ask_samples: Run, tmp_path: Path) -> None:
    path = tmp_path / "queries"
    path.write_text('Harbour Line\n\n  "timber piles" type:markdown\nGröße?\n')
    told = ask_samples("search", "--batch", path, "--json", "--limit", 1)
    assert told.exit_code == 0
    replies = [json.loads(line) for line in told.stdout.splitlines()]
    assert [r["query"] for r in replies] == [
        "Harbour Line",
        '"timber piles" type:markdown',
        "Größe?",
    ]
    assert "timber piles" in replies[1]["results"][0]["text"]
    from_input = ask_samples("search", "--batch", "-", "--json", input="Harbour Line\n")
    assert json.loads(from_input.stdout)["query"] == "Harbour Line"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["ask", ""], 1, "question is empty"),
        (["ask", "?!"], 1, "question is empty"),
        (["search", " "], 1, "question is empty"),
        (["ask", "word " * 10_000], 1, f"at most {LONGEST:,}"),
        (["ask"], 2, "Missing argument"),
        (["search"], 2, "Give either a query or --batch"),
        (["search", "a", "--batch", os.devnull], 2, "Give either a query or --batch"),
        (["search", "--batch", "/missing"], 2, "/missing"),
        (["search", "a", "--limit", "0"], 2, "--limit"),
        (["search", "a", "--mode", "magic"], 2, "magic"),
        (["search", "a", "--limt", "3"], 2, "--limit"),
        (["export", ""], 1, "question is empty"),
        (["export", "a", "--format", "xml"], 2, "xml"),
        (["remove"], 2, "Missing argument"),
        (["remove", "nothing"], 1, "no document nothing"),
        (["index", "--jsonl"], 2, "--jsonl"),
        (["fetch"], 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_explained(
    run: Run, arguments: list[str], status: int, said: str
) -> None:
    told = run(*arguments)
    assert (told.exit_code, told.stdout) == (status, "")
    assert said in told.stderr
    assert "Traceback" not in told.stderr


def test_an_empty_home_is_asked_in_vain(run: Run) -> None:
    assert run("ask", "anything").exit_code == 0
    assert json.loads(run("search", "anything", "--json").stdout)["total"] == 0


def test_a_home_that_is_none_is_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    told = run("status", home=tmp_path / "file")
    assert told.exit_code == 1
    assert "is a file, not a folder" in told.stderr


def test_the_home_may_be_named_by_the_environment(sample_home: Home) -> None:
    told = CliRunner().invoke(
        khazri.main, ["status", "--json"], env={"KHAZRI_HOME": str(sample_home.path)}
    )
    assert json.loads(told.stdout)["documents"] == 13


# --- The collection --------------------------------------------------------------------------


def test_an_export_holds_every_match(ask_samples: Run) -> None:
    total = json.loads(ask_samples("search", "harbour", "--mode", "keyword", "--json").stdout)[
        "total"
    ]
    lines = ask_samples("export", "harbour").stdout.splitlines()
    rows = list(
        csv.DictReader(io.StringIO(ask_samples("export", "harbour", "--format", "csv").stdout))
    )
    assert len(lines) == len(rows) == total
    exported = [json.loads(line) for line in lines]
    assert [str(r["passage_id"]) for r in exported] == [row["passage_id"] for row in rows]
    assert {r["document"]["type"] for r in exported} > {"markdown"}
    pdf = ask_samples("export", "--filter", "type:pdf").stdout.splitlines()
    assert {json.loads(line)["document"]["type"] for line in pdf} == {"pdf"}


def test_documents_are_listed_and_removed(run: Run, folder: Path) -> None:
    (folder / "empty.txt").write_text("")
    run("index", folder)
    listed = run("documents")
    assert "otters.md" in listed.stdout
    assert "2 documents" in listed.stderr
    assert "bridge" not in run("documents", "otter").stdout
    assert "empty.txt: empty" in run("documents", "--failed").stdout
    removed = run("remove", folder / "otters.md")
    assert removed.exit_code == 0
    assert "Removed" in removed.stderr
    assert json.loads(run("search", "otters", "--mode", "keyword", "--json").stdout)["total"] == 0
    run("index", folder)
    assert json.loads(run("search", "otters", "--mode", "keyword", "--json").stdout)["total"] == 0
    run("index", folder / "otters.md")
    assert json.loads(run("search", "otters", "--mode", "keyword", "--json").stdout)["total"] == 1


def test_the_state_of_a_home(ask_samples: Run, sample_home: Home) -> None:
    told = json.loads(ask_samples("status", "--json").stdout)
    assert told == sample_home.status()
    assert "documents" in ask_samples("status").stdout


def test_work_does_what_waits(run: Run, folder: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    job = home.jobs.submit("index", {"paths": [str(folder)]})
    assert run("work").exit_code == 0
    done = home.jobs.get(job.id)
    home.close()
    assert done
    assert (done.status, done.progress["added"]) == ("done", 2)


# --- Processes of their own ------------------------------------------------------------------


def test_the_answer_of_a_process_is_json_alone(sample_home: Home) -> None:
    told = khazri_process("--home", sample_home.path, "ask", COST, "--json")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["answered"] is True
    assert told.stderr == ""


def test_an_error_of_a_process(tmp_path: Path) -> None:
    told = khazri_process("--home", tmp_path / "home", "index", tmp_path / "missing")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr == f"Error: {tmp_path / 'missing'} does not exist. Check the path.\n"
    assert khazri_process("nonsense").returncode == 2


HEAVY = ("torch", "sentence_transformers", "transformers", "flask", "whoosh", "numpy")
LOADED = (
    "import sys, atexit; from click.testing import CliRunner; import khazri;"
    "told = CliRunner().invoke(khazri.main, sys.argv[1:]); assert told.exit_code == 0, told.output;"
    f"print([name for name in {HEAVY} if name in sys.modules])"
)


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["--help"], HEAVY),
        (["search", "--help"], HEAVY),
        (["keys"], HEAVY),
        (["keys", "add", "Anna"], HEAVY),
        (["status"], HEAVY[:4]),
        (["documents"], HEAVY[:4]),
        (["search", "storm", "--mode", "keyword"], HEAVY[:4]),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(
    tmp_path: Path, arguments: list[str], without: tuple[str, ...]
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LOADED, "--home", str(tmp_path), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert set(json.loads(told.stdout.replace("'", '"'))).isdisjoint(without)


def test_a_port_in_use_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = khazri_process("--home", tmp_path / "home", "serve", "--port", port, timeout=60)
    assert (told.returncode, told.stdout) == (1, "")
    assert f"Port {port} of 127.0.0.1 is in use" in told.stderr
    assert "Traceback" not in told.stderr
