"""The map of the project, held: which room may import which, and who owns which library."""

from __future__ import annotations

import ast
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest
from conftest import ROOT

ROOMS = {
    "index": {"index"},
    "search": {"search", "index"},
    "web": {"web", "search", "index"},
    "khazri.py": {"web", "search", "index"},
}
OURS = {"index", "search", "web", "khazri"}
COMMANDS = {f"web/commands/{path.name}" for path in (ROOT / "web" / "commands").glob("*.py")}
OWNED = {  # a library, and all the files that may know it
    "whoosh": {"index/keyword.py"},
    "sentence_transformers": {"index/embeddings.py"},
    "torch": {
        "index/bert.py",
        "index/compute.py",
        "index/embeddings.py",
        "search/adapter.py",
        "search/reader.py",
    },
    "transformers": {"index/embeddings.py", "search/reader.py"},
    "tokenizers": {"index/embeddings.py"},
    "numkong": {"index/vectors.py"},
    "faiss": {"index/codes.py"},
    "safetensors": {"search/adapter.py"},
    "sentencex": {"index/sentences.py"},
    "filelock": {"index/locks.py"},
    "click": {"khazri.py", "web/terminal.py", *COMMANDS},
    "prometheus_client": {"web/metrics.py"},
    "waitress": {"web/serving.py"},
    "rich": {"web/terminal.py"},
    "mcp": {"web/mcp.py"},
}
WEB_ONLY = {"flask", "flask_openapi3", "werkzeug", "jinja2", "waitress"}

FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "khazri.py", *(f for r in OURS for f in (ROOT / r).rglob("*.py"))]
)


def imported(file: str) -> set[str]:
    """The top-level names that a file imports, at its start or anywhere inside."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            names.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("__import__", "import_module", "importlib.import_module"), file
    return names


def test_there_are_files_in_every_room() -> None:
    assert {file.partition("/")[0] for file in FILES} == set(ROOMS)


@pytest.mark.parametrize("file", FILES)
def test_a_room_imports_only_what_it_may(file: str) -> None:
    names = imported(file)
    room = file.partition("/")[0]
    assert names & OURS <= ROOMS[room]
    if room != "web":
        assert not names & WEB_ONLY
    for library, owners in OWNED.items():
        assert library not in names or file in owners, f"{file} knows {library}"


def test_libraries_that_have_an_owner_are_used_there() -> None:
    for library, owners in OWNED.items():
        for owner in owners:
            assert library in imported(owner)


def test_the_engine_knows_neither_files_nor_databases() -> None:
    """Above the store nobody knows how it keeps things."""
    for file in FILES:
        if file.startswith(("search/", "web/")):
            assert not imported(file) & {"sqlite3", "mmap"}, file


def test_our_names_are_credited_to_us_alone() -> None:
    try:
        distribution("khazri")
    except PackageNotFoundError:
        pytest.skip("khazri is not installed as a distribution")
    credited = packages_distributions()
    assert {name: set(credited[name]) for name in OURS} == {name: {"khazri"} for name in OURS}


def test_every_file_says_what_it_is_for() -> None:
    for file in FILES:
        assert ast.get_docstring(ast.parse((ROOT / file).read_text())), file


def test_the_project_opens_no_connection_by_itself() -> None:
    for file in FILES:
        assert not imported(file) & {"requests", "httpx", "urllib3", "huggingface_hub"}, file
    assert Path(ROOT / "samples").is_dir()
