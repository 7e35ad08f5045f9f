"""Khazri as a tool of language models: a real process, asked by the protocol's own client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from conftest import ROOT
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult

from index.home import Home

QUESTION = "What did it cost to build the Harbour Line?"
COST = "1.24 billion crowns"

Asking = Callable[[Client], Awaitable[Any]]


@pytest.fixture(scope="module")
def asked(sample_home: Home) -> dict[str, Any]:
    """What a client is told in one session: the tools, and what each of several calls gives."""
    command = ["-m", "khazri", "--home", str(sample_home.path), "mcp"]
    server = StdioServerParameters(
        command=sys.executable, args=command, cwd=ROOT, env={"OMP_NUM_THREADS": "1"}
    )
    told: dict[str, Any] = {}

    async def session() -> None:
        async with Client(server, read_timeout_seconds=60) as client:
            told["instructions"] = client.instructions
            told["tools"] = {tool.name: tool for tool in (await client.list_tools()).tools}
            told["answer"] = await client.call_tool("answer", {"question": QUESTION})
            told["unknown"] = await client.call_tool(
                "answer", {"question": "What is the capital of Mongolia?"}
            )
            told["search"] = await client.call_tool("search", {"query": "harbour", "limit": 3})
            told["more"] = await client.call_tool(
                "search", {"query": "harbour", "limit": 3, "offset": 3}
            )
            first = told["answer"].structured_content["quotes"][0]
            told["quote"] = await client.call_tool(
                "read",
                {
                    "document": str(first["document_id"]),
                    "start": first["start"],
                    "length": first["end"] - first["start"],
                },
            )
            told["named"] = await client.call_tool("read", {"document": first["uri"]})
            told["nothing"] = await client.call_tool("search", {"query": "???"})
            told["missing"] = await client.call_tool("read", {"document": "99999"})
            told["beyond"] = await client.call_tool("read", {"document": "1", "start": 10**9})
            told["wrong"] = await client.call_tool("search", {"query": "a", "limit": 0})

    anyio.run(session)
    return told


def content(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


def said(result: CallToolResult) -> str:
    """The sentence with which a call failed."""
    assert result.is_error
    return " ".join(part.text for part in result.content if part.type == "text")


def test_each_tool_says_what_it_is_for_and_only_reads(asked: dict[str, Any]) -> None:
    assert set(asked["tools"]) == {"answer", "search", "read"}
    assert "word for word" in asked["instructions"]
    for tool in asked["tools"].values():
        assert tool.description
        assert tool.annotations.read_only_hint is True
        assert tool.output_schema
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description") or name == "limit"


def test_an_answer_is_quoted_with_its_place(asked: dict[str, Any]) -> None:
    answer = content(asked["answer"])
    assert answer["answered"] is True
    assert COST in answer["text"]
    quote = answer["quotes"][0]
    assert COST in quote["quote"]
    assert quote["title"]
    assert quote["published"] == "2025-03-01"
    assert answer["nearest"] == []
    assert content(asked["quote"])["text"] == quote["quote"]


def test_what_is_not_there_is_told_as_that(asked: dict[str, Any]) -> None:
    answer = content(asked["unknown"])
    assert (answer["answered"], answer["text"], answer["quotes"]) == (False, "", [])
    assert answer["reason"]
    assert answer["nearest"]


def test_a_search_goes_on_where_it_ended(asked: dict[str, Any]) -> None:
    first, more = content(asked["search"]), content(asked["more"])
    assert first["total"] == more["total"] > 6
    places = [(p["document_id"], p["start"]) for p in first["passages"] + more["passages"]]
    assert len(set(places)) == 6


def test_a_document_is_read_by_its_name(asked: dict[str, Any]) -> None:
    part = content(asked["named"])
    assert part["start"] == 0
    assert part["end"] == len(part["text"]) <= part["length"]
    assert COST in part["text"]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("nothing", "Type a word, a question or a filter."),
        ("missing", "There is no document 99999."),
        ("beyond", "Begin before that."),
        ("wrong", "greater than or equal to 1"),
    ],
)
def test_what_fails_is_told_so_that_one_can_act(
    asked: dict[str, Any], call: str, sentence: str
) -> None:
    assert sentence in said(asked[call])


def test_without_its_package_the_command_says_how_to_get_it(sample_home: Home) -> None:
    script = (
        "import sys; sys.modules['mcp'] = None; sys.argv[0] = 'khazri';"
        "from khazri import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, "--home", str(sample_home.path), "mcp"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stdout) == (1, "")
    assert "pip install 'mcp>=2,<3'" in run.stderr
    assert "Traceback" not in run.stderr
