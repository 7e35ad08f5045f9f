"""Documents that come with their text: lines of JSON, uploads, and what programs send."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import CheapEncoder, quiet
from indexing import counts, documents, failures, found, paragraph

from index.documents import Given
from index.errors import KhazriError
from index.indexer import Indexer, Upload
from index.values import Filter

# --- JSON lines ------------------------------------------------------------------------------


def jsonl(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    return path


def test_json_lines_are_documents_with_their_ids(tmp_path: Path, indexer: Indexer) -> None:
    path = jsonl(
        tmp_path / "all.jsonl",
        {
            "id": "one",
            "title": "One",
            "text": paragraph("herring"),
            "published": "2024-05-01",
            "tags": ["sea"],
            "language": "en",
            "type": "press",
            "unknown": {"kept": "out"},
        },
        "",
        {"_id": 7, "text": paragraph("cod")},
        {"text": paragraph("plaice")},
    )
    assert counts(indexer.index([path], quiet, jsonl=True)) == {"added": 3}
    stored = documents(indexer.store)
    assert stored.keys() == {"one", "7", "line 4"}
    one = stored["one"]
    assert (one.title, one.published, one.tags) == ("One", "2024-05-01", ("sea",))
    assert (one.language, one.type, one.source) == ("en", "press", "all.jsonl")
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


def test_json_lines_change_one_by_one(
    tmp_path: Path, indexer: Indexer, cheap: CheapEncoder
) -> None:
    one, two = {"id": "1", "text": paragraph("cod")}, {"id": "2", "text": paragraph("plaice")}
    path = jsonl(tmp_path / "all.jsonl", one, two)
    indexer.index([path], quiet, jsonl=True)
    cheap.encoded.clear()
    jsonl(path, {"id": "3", "text": paragraph("sprat")}, two | {"tags": ["flat"]})
    assert counts(indexer.sync(quiet)) == {"added": 1, "changed": 1, "removed": 1}
    assert len(cheap.encoded) == 1
    assert documents(indexer.store)["2"].tags == ("flat",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{half", "not a line of JSON"),
        ("[" * 100_000, "not a line of JSON"),
        ("[1, 2]", "not a document"),
        ('"text"', "not a document"),
        ('{"id": "x"}', "'text' is missing"),
        ('{"text": 5}', "'text' is missing"),
        ('{"text": "a", "title": 5}', "'title'"),
        ('{"text": "a", "tags": "sea"}', "'tags'"),
        ('{"text": "a", "id": {}}', "'id'"),
        ('{"text": "a", "id": ""}', "'id'"),
        ('{"text": "a", "id": "good"}', "earlier line"),
        ('{"text": "  "}', "no text"),
        ('{"text": "\\ud800", "id": "\\ud800"}', ""),
    ],
)
def test_a_bad_line_is_listed_and_stops_nothing(
    tmp_path: Path, indexer: Indexer, line: str, reason: str
) -> None:
    path = jsonl(
        tmp_path / "all.jsonl",
        {"id": "good", "text": "herring"},
        line,
        {"id": "last", "text": "cod"},
    )
    progress = indexer.index([path], quiet, jsonl=True)
    assert documents(indexer.store).keys() >= {"good", "last"}
    if reason:
        (failed,) = progress.failed
        assert failed.uri == "line 2"
        assert reason in failed.reason
        assert failures(indexer.store).keys() == {"line 2"}
        assert counts(indexer.sync(quiet)) == {"unchanged": 2, "failed": 1}


def test_a_date_that_is_none_meets_no_date_filter(tmp_path: Path, indexer: Indexer) -> None:
    path = jsonl(tmp_path / "all.jsonl", {"id": "1", "text": "herring", "published": "yesterday"})
    indexer.index([path], quiet, jsonl=True)
    with indexer.store.snapshot() as snapshot:
        assert snapshot.select(Filter(after="2024-01-01")).count == 0
        assert snapshot.select(Filter(before="2024-01-01")).count == 0


def test_a_jsonl_file_that_is_gone_loses_nothing_and_stops_nothing(
    tmp_path: Path, folder: Path, indexer: Indexer
) -> None:
    path = jsonl(tmp_path / "all.jsonl", {"id": "1", "text": "sprat"})
    indexer.index([path], quiet, jsonl=True)
    indexer.index([folder], quiet)
    path.unlink()
    (folder / "one.txt").write_text(paragraph("whiting"))
    progress = indexer.sync(quiet)
    assert counts(progress) == {"changed": 1, "unchanged": 2, "failed": 1}
    assert len(found(indexer.store, "sprat")) == 1
    assert len(found(indexer.store, "whiting")) == 1


def test_a_folder_is_no_jsonl_file(tmp_path: Path, folder: Path, indexer: Indexer) -> None:
    with pytest.raises(KhazriError, match=str(folder)):
        indexer.index([folder], quiet, jsonl=True)
    assert counts(indexer.index([folder], quiet)) == {"added": 3}
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


# --- Handed over -----------------------------------------------------------------------------


def test_uploads_and_json_are_stored_and_told_one_by_one(indexer: Indexer) -> None:
    outcomes = indexer.add(
        [
            Upload("letter.md", b"# Letter\n\nherring"),
            Upload("empty.txt", b""),
            Given("json", "cod", "A title", tags=("sea",)),
            Given("blank", " "),
        ]
    )
    assert [(o.uri, o.stored) for o in outcomes] == [
        ("letter.md", True),
        ("empty.txt", False),
        ("json", True),
        ("blank", False),
    ]
    assert {o.generation for o in outcomes} == {1}
    assert "empty" in outcomes[1].reason
    assert outcomes[1].document_id is None
    stored = documents(indexer.store)
    assert {d.id for d in stored.values()} == {outcomes[0].document_id, outcomes[2].document_id}
    assert (stored["letter.md"].source, stored["json"].source) == ("uploads", "api")
    assert [p.document.uri for p in found(indexer.store, "herring")] == ["letter.md"]


def test_a_bad_upload_leaves_the_good_one_of_its_name(indexer: Indexer) -> None:
    indexer.add([Upload("a.txt", b"herring")])
    (outcome,) = indexer.add([Upload("a.txt", b"")])
    assert not outcome.stored
    assert len(found(indexer.store, "herring")) == 1


def test_what_was_handed_over_is_left_alone_by_a_run(indexed: Path, indexer: Indexer) -> None:
    indexer.add([Upload("one.txt", b"sprat"), Given("b", "whiting")])
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert len(documents(indexer.store)) == 4  # one of the names stands twice
    assert found(indexer.store, "sprat")
    assert found(indexer.store, "whiting")


def test_a_removed_upload_comes_back_when_it_is_handed_over_again(indexer: Indexer) -> None:
    (outcome,) = indexer.add([Upload("a.txt", b"herring")])
    indexer.remove(outcome.document_id)
    indexer.add([Upload("a.txt", b"herring")])
    assert len(found(indexer.store, "herring")) == 1
