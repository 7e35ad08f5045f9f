"""reStructuredText as a person reads it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from content import blocks, check
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import read


def rst(source: str) -> list[tuple[str, str]]:
    content = read(source.encode(), "a.rst")
    check(content)
    assert content.type == "rst"
    return blocks(content)


def test_document() -> None:
    source = """\
.. _top:

========
The Hall
========

:Author: Ann *B.*
:Date: 2016-04-28

It has **two** ``*doors*`` and :ref:`a stage <stage>`,
see `the plan <http://example.org>`_, top_ and [1]_.

Parts
-----

- first
  goes on

  still first

  #. inner
- second

term : class
  What it means.

Code::

    if x:
        pass

More
~~~~

* * *

.. [1] The note.
.. a comment
   over lines

Ending
------
Done.
"""
    content = read(source.encode(), "a.rst")
    assert (content.title, content.published, content.metadata) == (
        "The Hall",
        "2016-04-28",
        {"author": "Ann B."},
    )
    found = rst(source)
    assert found[:9] == [
        ("heading1", "The Hall"),
        ("paragraph", "Author: Ann B."),
        ("paragraph", "Date: 2016-04-28"),
        ("paragraph", "It has two *doors* and a stage,\nsee the plan, top and [1]."),
        ("heading2", "Parts"),
        ("item", "first\ngoes on"),
        ("item", "still first"),
        ("item", "inner"),
        ("item", "second"),
    ]
    assert found[9:14] == [
        ("item", "term : class"),
        ("item", "What it means."),
        ("paragraph", "Code:"),
        ("paragraph", "if x:\n    pass"),
        ("heading3", "More"),
    ]
    assert found[-3:] == [
        ("paragraph", "[1] The note."),
        ("heading2", "Ending"),
        ("paragraph", "Done."),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (".. note:: Mind\n   the *step*.\n\n   Twice.", ["Mind\nthe step.", "Twice."]),
        (".. code-block:: python\n   :linenos:\n\n   *a*\n     b", ["*a*\n  b"]),
        (".. image:: x.png\n   :alt: A plan", ["A plan"]),
        (".. figure:: x.png\n   :width: 9\n\n   The caption", ["The caption"]),
        (".. versionadded:: 3.2 The door.", ["New in version 3.2: The door."]),
        (".. py:function:: open(door)\n\n   Opens.", ["open(door)", "Opens."]),
        (".. |x| replace:: the hall\n\nSee |x| and |y|.", ["See the hall and |y|."]),
        (":meth:`~a.b.run` \\*kept\\* a_b c__d", ["run *kept* a_b c__d"]),
        ("One\n\n----\n\nTwo", ["One", "Two"]),
        (
            "1. one\n2. two\n\nA. Einstein was\nborn.",
            ["1. one", "2. two", "A. Einstein was\nborn."],
        ),
        ("== ===\na  one\n   two\nb  c\n== ===", ["a | one two", "b | c"]),
        ("| a line\n| below", ["a line\nbelow"]),
        ("Text\n\n   quoted\n\nText", ["Text", "quoted", "Text"]),
        (">>> 1 *a* 2\n3", [">>> 1 *a* 2\n3"]),
        (".. toctree::\n   :maxdepth: 2\n\n   one\n   two\n\nText", ["Text"]),
    ],
)
def test_as_read(source: str, expected: list[str]) -> None:
    assert [text for _, text in rst(source)] == expected


@pytest.mark.parametrize(
    "source",
    [
        "+------+-------+\n| Part | Seats |\n+======+=======+\n| The  | 300   |\n| hall |       |\n"
        "+------+-------+",
        "======== =====\nPart     Seats\n======== =====\nThe hall 300\n======== =====",
        ".. csv-table:: \n   :header: Part,Seats\n\n   The hall,300",
        ".. list-table::\n   :header-rows: 1\n\n   * - Part\n     - Seats\n"
        "   * - The hall\n     - 300",
    ],
)
def test_tables(source: str) -> None:
    assert [text for _, text in rst(source + "\n\nEnd")] == [
        "Part | Seats",
        "The hall | 300",
        "End",
    ]


def test_nothing_is_included(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    source = "Text\n\n" + "\n\n".join(
        f".. {directive}\n   :file: {secret}\n   :url: file://{secret}"
        for directive in (f"include:: {secret}", "raw:: html", "csv-table:: T", f"image:: {secret}")
    )
    assert "SECRET" not in read(source.encode(), "a.rst").text


LINES = st.sampled_from(
    ["", "  ", "text", "====", "----", "=== ===", "+--+--+", "|a |b |", "- x", "  - y", "1. z"]
    + [
        ".. note::",
        ".. list-table::",
        "   * - a",
        ":f: v",
        "x::",
        "`a <b>`_ **c",
        "    deep",
        "|x|",
    ]
    + [
        ".. csv-table:: t",
        '   "a',
        ".. |x| replace:: |x|",
        ">>> 1",
        "\\",
        "``",
        ".. [#]",
        "__",
        "| ",
    ]
)


@settings(deadline=None)
@given(st.lists(LINES | st.text(max_size=20)).map("\n".join))
def test_any_source_is_read_or_refused(source: str) -> None:
    with suppress(Unreadable):
        check(read(source.encode("utf-8", "surrogatepass"), "a.rst"))


@given(st.lists(st.text(st.characters(categories=["L", "Nd"]), min_size=1), min_size=1))
def test_no_word_is_lost(words: list[str]) -> None:
    assert read("\n".join(words).encode(), "a.rst").text.split() == words


@pytest.mark.parametrize(
    "source", ["- " * 3000 + "x", ":a" * 30_000, "a." * 30_000, "``" * 9999 + "a"]
)
def test_deep_or_long_lines_end_soon(source: str) -> None:
    assert read(source.encode(), "a.rst").text


def test_bullets_nested_without_end_are_still_text() -> None:
    source = "\n".join(" " * n + "- x" for n in range(200))
    assert read(source.encode(), "a.rst").text.count("x") == 200
