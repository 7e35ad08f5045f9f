"""Judgements: questions with what should be found, one JSON object a line. The format is told here.

==============  ================================================================================
``question``    what is asked (required)
``document``    the documents that should be found: each by its uri, the last part of that, its
                title or its id; one, or a list
``passage``     a text that the right passage holds
``answer``      words of the answer; a text, or a list of alternatives
``filter``      filters of the question, in its own grammar
``found``       ``false``: nothing in the collection answers; then none of the three is given
==============  ================================================================================

Lines that begin with ``#``, and empty ones, are skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from index.disk import of_disk
from index.errors import KhazriError
from index.folding import fold
from index.values import Document, Passage
from search.engine import ask

_FIELDS = ("question", "document", "passage", "answer", "filter", "found")


@dataclass(frozen=True, slots=True)
class Judgement:
    """A question and what should be found; where ``found`` is false, nothing should be."""

    question: str
    documents: tuple[str, ...] = ()
    passage: str = ""
    answers: tuple[str, ...] = ()
    filter: str = ""
    found: bool = True
    line: int = 0

    @property
    def expected(self) -> str:
        """What should be found, in words."""
        told = [f"the document {' and '.join(self.documents)}"] if self.documents else []
        told += [f"the passage “{self.passage}”"] if self.passage else []
        told += [" or ".join(f"“{words}”" for words in self.answers)] if self.answers else []
        return ", ".join(told) or "nothing"

    def holding(self, text: str) -> bool:
        """Whether a text holds one of the answers."""
        return any(holds(text, words) for words in self.answers)

    def relevant(self, passage: Passage) -> bool:
        """Whether a passage is one that should be found."""
        if self.documents:
            return any(names(name, passage.document) for name in self.documents)
        if self.passage:
            return holds(passage.text, self.passage)
        return self.holding(passage.text)


def names(name: str, document: Document) -> bool:
    """Whether a document is meant by a name."""
    last = document.uri.rstrip("/").rpartition("/")[2]
    return name in (document.uri, last, document.title, str(document.id))


def holds(text: str, words: str) -> bool:
    """Whether words stand in a text, case and white space folded. A number stands as a whole."""
    sought = fold(words)
    before = r"(?<!\d)" if sought[0].isdigit() else ""
    after = r"(?!\d)" if sought[-1].isdigit() else ""
    return re.search(before + re.escape(sought) + after, fold(text)) is not None


def read(path: Path) -> list[Judgement]:
    """The judgements of a file. Raises ``KhazriError``, which names the line at fault."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise KhazriError(f"{path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise KhazriError(f"{path} is not UTF-8: save it as such.") from error
    judged = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                judged.append(_parsed(line, number))
            except KhazriError as error:
                raise KhazriError(f"{path}, line {number}: {error}") from error
    if not judged:
        raise KhazriError(f'{path} holds no question. Write {{"question": "…", "answer": "…"}}.')
    return judged


def append(path: Path, judged: Judgement) -> None:
    """Add a judgement at the end of a file, and have it on the disk. Raises ``KhazriError``."""
    fields = {
        "question": judged.question,
        "document": list(judged.documents),
        "passage": judged.passage,
        "answer": list(judged.answers),
        "filter": judged.filter,
    }
    row: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if not judged.found:
        row["found"] = False
    line = json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    try:
        with path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":  # somebody's editor, or a disk that was full
                    line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise of_disk(error, path) from error


def _parsed(line: str, number: int) -> Judgement:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise KhazriError(
            'not a JSON object. Write {"question": "…", "answer": "…"}, all on one line.'
        )
    for name in row:
        if name not in _FIELDS:
            near = get_close_matches(name, _FIELDS, 1, cutoff=0)[0]
            raise KhazriError(f"there is no '{name}'. Did you mean '{near}'?")
    if "question" not in row:
        raise KhazriError("'question' is missing. Write what is asked.")
    judged = Judgement(
        _text(row, "question"),
        _texts(row, "document"),
        _text(row, "passage"),
        _texts(row, "answer"),
        _text(row, "filter"),
        row.get("found", True),
        number,
    )
    if not isinstance(judged.found, bool):
        raise KhazriError("'found' must be true or false.")
    expects = bool(judged.documents or judged.passage or judged.answers)
    if judged.found and not expects:
        raise KhazriError(
            "it does not say what should be found. Give a 'document', a 'passage' or an 'answer',"
            ' or "found": false where nothing should be.'
        )
    if expects and not judged.found:
        raise KhazriError(
            "it expects something, and that nothing is found. Leave out 'found', or the rest."
        )
    ask(judged.question, judged.filter)
    return judged


def _text(row: Mapping[str, Any], name: str) -> str:
    if name not in row or (name == "filter" and row[name] == ""):
        return ""
    return _plain(row[name], f"'{name}' must be a text that is not empty.")


def _texts(row: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if name not in row:
        return ()
    value = row[name]
    values = value if isinstance(value, list) and value else [value]
    if name == "document":  # an id may be written as a number
        values = [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in values]
    wrong = f"'{name}' must be a text that is not empty, or a list of such texts."
    return tuple(_plain(one, wrong) for one in values)


def _plain(value: Any, wrong: str) -> str:
    """A text that can be compared and printed: half surrogates are shown as such."""
    if not isinstance(value, str) or not fold(value):
        raise KhazriError(wrong)
    return value.encode("utf-8", "replace").decode()
