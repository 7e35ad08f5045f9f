"""The indexer: what changed in the sources, and nothing else, is brought into the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import ROOT, CheapEncoder, quiet

from index.documents import Given
from index.errors import KhazriError
from index.indexer import Cancelled, Indexer, Progress, Upload
from index.keyword import terms
from index.store import Store
from index.values import Document, Filter, Passage

Write = Callable[[str, str], Path]
LONG = " ".join(f"filler{n}" for n in range(25))  # a paragraph that stands alone


def paragraph(text: str) -> str:
    return f"{text} {LONG}"


def documents(store: Store) -> dict[str, Document]:
    """The stored documents, by the names of their files."""
    with store.snapshot() as snapshot:
        return {Path(d.uri).name: d for d in snapshot.documents(limit=1000)[1]}


def found(store: Store, word: str) -> list[Passage]:
    with store.snapshot() as snapshot:
        return snapshot.fetch([h.passage_id for h in snapshot.keyword(terms(word), None)[0]])


def failures(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {Path(f.uri).name: f.reason for f in snapshot.failures()}


def counts(progress: Progress) -> dict[str, int]:
    """What a run did, as far as it did anything."""
    names = ("added", "changed", "moved", "removed", "unchanged")
    told = {name: getattr(progress, name) for name in names} | {"failed": len(progress.failed)}
    return {name: number for name, number in told.items() if number}


@pytest.fixture
def folder(write: Write) -> Path:
    """A folder of three files."""
    write("a.txt", paragraph("herring"))
    write("b.md", f"# Cod\n\n{paragraph('cod')}\n\n{paragraph('haddock')}")
    return write("deep/er/c.html", f"<p>{paragraph('plaice')}</p>").parent.parent.parent


@pytest.fixture
def indexed(folder: Path, indexer: Indexer) -> Path:
    """The same folder, indexed."""
    assert counts(indexer.index([folder], quiet)) == {"added": 3}
    indexer.encoder.encoded.clear()
    return folder


# --- What changed ----------------------------------------------------------------------------


def test_a_folder_is_read_with_all_that_is_in_it(folder: Path, indexer: Indexer) -> None:
    progress = indexer.index([folder], quiet)
    assert counts(progress) == {"added": 3}
    assert (progress.total, progress.done, progress.passages, progress.embedded) == (3, 3, 4, 4)
    stored = documents(indexer.store)
    assert {name: d.type for name, d in stored.items()} == {
        "a.txt": "text",
        "b.md": "markdown",
        "c.html": "html",
    }
    assert stored["c.html"].uri == str(folder / "deep/er/c.html")
    assert stored["c.html"].source == folder.name
    assert [p.document.uri for p in found(indexer.store, "haddock")] == [str(folder / "b.md")]


def test_unchanged_files_are_not_even_read(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = indexer.store.model, documents(indexer.store)
    monkeypatch.setattr(Path, "read_bytes", None)
    progress = indexer.index([indexed], quiet)
    assert counts(progress) == {"unchanged": 3}
    assert cheap.encoded == []
    assert progress.generation == 1
    assert (indexer.store.model, documents(indexer.store)) == before


def test_a_touched_file_is_unchanged(indexed: Path, indexer: Indexer, cheap: CheapEncoder) -> None:
    before = found(indexer.store, "herring")
    os.utime(indexed / "a.txt", (1, 1))
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert cheap.encoded == []
    assert found(indexer.store, "herring") == before


def test_a_new_file_is_added_alone(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, write: Write
) -> None:
    write("deep/d.txt", paragraph("sprat"))
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 3}
    (text,) = cheap.encoded
    assert "sprat" in text


def test_only_the_changed_paragraph_is_embedded(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, write: Write
) -> None:
    before = documents(indexer.store)["b.md"]
    write("b.md", f"# Cod\n\n{paragraph('cod')}\n\n{paragraph('whiting')}")
    assert counts(indexer.sync(quiet)) == {"changed": 1, "unchanged": 2}
    (text,) = cheap.encoded
    assert "whiting" in text
    assert documents(indexer.store)["b.md"].id == before.id
    assert found(indexer.store, "haddock") == []
    assert len(found(indexer.store, "cod")) == 2


def test_a_text_that_comes_back_is_not_embedded_again(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder, write: Write
) -> None:
    text = (indexed / "a.txt").read_text()
    write("a.txt", paragraph("sprat"))
    indexer.sync(quiet)
    cheap.encoded.clear()
    write("a.txt", text)
    assert counts(indexer.sync(quiet)) == {"changed": 1, "unchanged": 2}
    assert cheap.encoded == []
    assert len(found(indexer.store, "herring")) == 1


def test_a_renamed_file_keeps_its_document(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder
) -> None:
    before = found(indexer.store, "herring")[0]
    (indexed / "a.txt").rename(indexed / "deep" / "renamed.txt")
    assert counts(indexer.sync(quiet)) == {"moved": 1, "unchanged": 2}
    after = found(indexer.store, "herring")[0]
    assert (after.id, after.document.id) == (before.id, before.document.id)
    assert after.document.uri == str(indexed / "deep" / "renamed.txt")
    assert cheap.encoded == []


def test_two_files_that_change_names(indexed: Path, indexer: Indexer, write: Write) -> None:
    write("x.txt", paragraph("sprat"))
    indexer.sync(quiet)
    (indexed / "a.txt").rename(indexed / "t.txt")
    (indexed / "x.txt").rename(indexed / "a.txt")
    (indexed / "t.txt").rename(indexed / "x.txt")
    indexer.sync(quiet)
    assert Path(found(indexer.store, "herring")[0].document.uri).name == "x.txt"
    assert Path(found(indexer.store, "sprat")[0].document.uri).name == "a.txt"
    assert len(documents(indexer.store)) == 4


def test_a_copy_is_a_document_of_its_own(
    indexed: Path, indexer: Indexer, cheap: CheapEncoder
) -> None:
    shutil.copy(indexed / "a.txt", indexed / "copy.txt")
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 3}
    assert len(found(indexer.store, "herring")) == 1  # one text is indexed once
    (indexed / "a.txt").unlink()
    assert counts(indexer.sync(quiet)) == {"removed": 1, "unchanged": 3}
    assert [p.document.uri for p in found(indexer.store, "herring")] == [str(indexed / "copy.txt")]


def test_a_deleted_file_is_gone(indexed: Path, indexer: Indexer) -> None:
    (indexed / "b.md").unlink()
    assert counts(indexer.sync(quiet)) == {"removed": 1, "unchanged": 2}
    assert found(indexer.store, "cod") == []
    assert documents(indexer.store).keys() == {"a.txt", "c.html"}


def test_a_folder_that_is_gone_loses_nothing(indexed: Path, indexer: Indexer) -> None:
    """A disk that is not mounted is no reason to forget what was on it."""
    indexed.rename(indexed.parent / "elsewhere")
    progress = indexer.sync(quiet)
    assert counts(progress) == {"failed": 1}
    assert "can't be read" in progress.failed[0].reason
    assert len(documents(indexer.store)) == 3
    (indexed.parent / "elsewhere").rename(indexed)
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert failures(indexer.store) == {}


def test_hidden_files_and_links_are_passed_over_and_other_kinds_told(
    indexed: Path, indexer: Indexer, write: Write
) -> None:
    write(".hidden.txt", "hidden")
    write(".git/config.txt", "hidden")
    (indexed / "program.exe").write_bytes(b"MZ\x90\0\x03")
    (indexed / "link.txt").symlink_to(indexed / "a.txt")
    (indexed / "loop").symlink_to(indexed)
    os.mkfifo(indexed / "pipe.txt")
    assert counts(indexer.sync(quiet)) == {"unchanged": 3, "failed": 1}
    assert failures(indexer.store)["program.exe"].startswith("unsupported: ")


@pytest.mark.parametrize("order", [["a.txt", "."], [".", "a.txt"], [".", "deep"], ["deep", "."]])
def test_no_file_is_stored_twice_however_it_was_named(
    folder: Path, indexer: Indexer, order: list[str]
) -> None:
    for name in order:
        indexer.index([folder / name], quiet)
    assert len(found(indexer.store, "herring")) == 1
    assert len(found(indexer.store, "plaice")) == 1
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


def test_odd_names_are_read(indexer: Indexer, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    names = (b"spa ce.txt", "Größe 😀.txt".encode(), b"caf\xe9.txt", b"%41;'\".txt")
    for number, name in enumerate(names):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        path.write_text(paragraph(f"herring {number}"))
    progress = indexer.index([folder], quiet)
    assert counts(progress) == {"added": 4}
    assert len(found(indexer.store, "herring")) == 4
    assert counts(indexer.sync(quiet)) == {"unchanged": 4}


# --- What cannot be read ---------------------------------------------------------------------


def test_unreadable_files_are_listed_and_stop_nothing(
    indexed: Path, indexer: Indexer, write: Write
) -> None:
    write("empty.txt", " \n")
    (indexed / "binary.txt").write_bytes(bytes(range(256)) * 20)
    (indexed / "not.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (indexed / "not.docx").write_bytes(b"PK\x03\x04 half a zip")
    write("z.txt", paragraph("sprat"))
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 3, "failed": 4}
    told = failures(indexer.store)
    assert told.keys() == {"empty.txt", "binary.txt", "not.pdf", "not.docx"}
    assert "empty" in told["empty.txt"]
    assert all(reason and "Traceback" not in reason for reason in told.values())
    # They are told of again, and not read again.
    assert counts(indexer.sync(quiet)) == {"unchanged": 4, "failed": 4}
    (indexed / "not.pdf").unlink()
    write("empty.txt", paragraph("whiting"))
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 4, "failed": 2}
    assert failures(indexer.store).keys() == {"binary.txt", "not.docx"}


def test_a_document_that_became_unreadable_is_no_longer_found(
    indexed: Path, indexer: Indexer, write: Write
) -> None:
    write("a.txt", "")
    assert counts(indexer.sync(quiet))["failed"] == 1
    assert found(indexer.store, "herring") == []
    assert failures(indexer.store).keys() == {"a.txt"}
    write("a.txt", paragraph("herring"))
    indexer.sync(quiet)
    assert len(found(indexer.store, "herring")) == 1
    assert failures(indexer.store) == {}


def test_a_file_that_is_too_large_is_listed(
    indexed: Path, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.indexer.LARGEST", 10)
    (indexed / "a.txt").write_text("herring and cod")
    assert counts(indexer.sync(quiet))["failed"] == 1
    assert "too large" in failures(indexer.store)["a.txt"]


@pytest.mark.parametrize("path", ["missing", "a.txt/below", "deep/missing.txt", "nul\0byte"])
def test_a_path_that_is_not_there_is_an_error_before_anything_is_read(
    folder: Path, indexer: Indexer, path: str
) -> None:
    with pytest.raises(KhazriError, match=r"does not exist|can't be read"):
        indexer.index([folder, folder / path], quiet)
    assert documents(indexer.store) == {}


UNPRIVILEGED = """
import os, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from conftest import CheapEncoder, quiet
from index.errors import KhazriError
from index.indexer import Indexer
from index.store import Store
from tempfile import TemporaryDirectory

def opened(home):
    home.mkdir()
    store = Store(home)
    return store, Indexer(store, CheapEncoder())

if os.getuid() == 0:
    with TemporaryDirectory() as name:  # imports what the other user may not be able to
        store, indexer = opened(Path(name) / "home")
        Path(name, "a.txt").write_text("herring")
        indexer.index([Path(name, "a.txt")], quiet)
        store.close()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
here = Path({here!r})
folder = here / "files"
for name in ("open", "closed"):
    (folder / name).mkdir(parents=True)
    (folder / name / "a.txt").write_text("herring " + name)
(folder / "open" / "secret.txt").write_text("cod")
store, indexer = opened(here / "home")
first = indexer.index([folder], quiet)
assert first.added == 3 and not first.failed, first

def told(progress):
    return {{os.path.relpath(f.uri, folder): f.reason for f in progress.failed}}

def stored():
    with store.snapshot() as snapshot:
        return {{os.path.relpath(d.uri, folder) for d in snapshot.documents()[1]}}
"""


def unprivileged(body: str, here: Path) -> None:
    """Run a script as somebody who may not read everything, in a folder that is theirs."""
    script = UNPRIVILEGED.format(tests=str(ROOT / "tests"), root=str(ROOT), here=str(here))
    run = subprocess.run(
        [sys.executable, "-c", script + textwrap.dedent(body)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder that an unprivileged user may write, whoever runs the tests."""
    with TemporaryDirectory() as name:
        here = Path(name)
        if os.getuid() == 0:
            os.chown(here, 65534, 65534)
        yield here


def test_a_folder_that_may_not_be_read_is_listed_and_loses_nothing(theirs: Path) -> None:
    unprivileged(
        """
        (folder / "closed").chmod(0)
        progress = indexer.sync(quiet)
        (folder / "closed").chmod(0o700)
        assert told(progress) == {"closed": "the folder can't be read: Permission denied"}
        assert stored() == {"open/a.txt", "open/secret.txt", "closed/a.txt"}
        assert not indexer.sync(quiet).failed
        """,
        theirs,
    )


def test_a_folder_named_that_may_not_be_read_is_an_error(theirs: Path) -> None:
    unprivileged(
        """
        (folder / "closed").chmod(0)
        try:
            indexer.index([folder / "closed"], quiet)
        except KhazriError as error:
            assert "may not be read" in str(error), error
        else:
            raise AssertionError("no error")
        finally:
            (folder / "closed").chmod(0o700)
        """,
        theirs,
    )


def test_a_file_that_may_not_be_read_is_listed_until_it_may(theirs: Path) -> None:
    unprivileged(
        """
        secret = folder / "open" / "secret.txt"
        secret.write_text("plaice and more")
        secret.chmod(0)
        progress = indexer.sync(quiet)
        assert told(progress) == {"open/secret.txt": "can't be read: Permission denied"}, progress
        assert stored() == {"open/a.txt", "closed/a.txt"}
        secret.chmod(0o600)
        assert not indexer.sync(quiet).failed
        assert stored() == {"open/a.txt", "open/secret.txt", "closed/a.txt"}
        """,
        theirs,
    )


def test_a_home_that_may_not_be_written_is_an_error(theirs: Path) -> None:
    unprivileged(
        """
        (here / "closed home").mkdir(mode=0o500)
        try:
            Store(here / "closed home")
        except KhazriError as error:
            assert "permission" in str(error), error
        else:
            raise AssertionError("no error")
        """,
        theirs,
    )


# --- Removing by hand ------------------------------------------------------------------------


def test_a_removed_document_stays_removed(indexed: Path, indexer: Indexer, write: Write) -> None:
    indexer.remove(indexer.find(str(indexed / "a.txt")))
    assert found(indexer.store, "herring") == []
    for _ in range(2):
        assert counts(indexer.index([indexed], quiet)) == {"unchanged": 2}
    os.utime(indexed / "a.txt", (1, 1))
    assert counts(indexer.sync(quiet)) == {"unchanged": 2}
    write("a.txt", paragraph("herring again"))
    assert counts(indexer.sync(quiet)) == {"added": 1, "unchanged": 2}
    assert len(found(indexer.store, "herring")) == 1
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


def test_a_removed_document_comes_back_when_it_is_asked_for(
    indexed: Path, indexer: Indexer
) -> None:
    indexer.remove(indexer.find(str(indexed / "a.txt")))
    indexer.index([indexed / "a.txt"], quiet)
    assert len(found(indexer.store, "herring")) == 1
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}


def test_documents_are_found_by_id_name_or_path(
    indexed: Path, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = documents(indexer.store)["a.txt"].id
    monkeypatch.chdir(indexed)
    assert indexer.find(str(id)) == id
    assert indexer.find("a.txt") == id
    assert indexer.find(str(indexed / "a.txt")) == id
    with pytest.raises(KhazriError, match="no document nothing"):
        indexer.find("nothing")
    for given in (Given("a.txt", "herring"), Upload("a.txt", b"herring")):
        indexer.add([given])
    with pytest.raises(KhazriError, match=r"several documents; give an id: \d+, \d+"):
        indexer.find("a.txt")


def test_removing_what_is_not_there_is_an_error(indexer: Indexer) -> None:
    with pytest.raises(KhazriError, match="no document 7"):
        indexer.remove(7)


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
    (folder / "a.txt").write_text(paragraph("whiting"))
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
    indexer.add([Upload("a.txt", b"sprat"), Given("b", "whiting")])
    assert counts(indexer.sync(quiet)) == {"unchanged": 3}
    assert len(documents(indexer.store)) == 4  # one of the names stands twice
    assert found(indexer.store, "sprat")
    assert found(indexer.store, "whiting")


def test_a_removed_upload_comes_back_when_it_is_handed_over_again(indexer: Indexer) -> None:
    (outcome,) = indexer.add([Upload("a.txt", b"herring")])
    indexer.remove(outcome.document_id)
    indexer.add([Upload("a.txt", b"herring")])
    assert len(found(indexer.store, "herring")) == 1


# --- The run itself --------------------------------------------------------------------------


def test_a_run_is_told_of_and_can_be_stopped(
    write: Write, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.indexer.BATCH", 5)
    for n in range(23):
        folder = write(f"{n:02}.txt", paragraph(f"herring{n}")).parent
    seen: list[tuple[int, int]] = []

    def stopping(progress: Progress) -> None:
        seen.append((progress.done, progress.added))
        if progress.added >= 10:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        indexer.index([folder], stopping)
    assert seen == sorted(seen)
    assert len(documents(indexer.store)) == 10  # two whole batches
    progress = indexer.sync(quiet)
    assert counts(progress) == {"added": 13, "unchanged": 10}
    assert len(documents(indexer.store)) == 23


def test_many_small_commits_are_merged(
    write: Write, indexer: Indexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.indexer.BATCH", 1)
    for n in range(20):
        folder = write(f"{n:02}.txt", paragraph(f"herring {n}")).parent
    indexer.index([folder], quiet)
    assert len(found(indexer.store, "herring")) == 20
    with indexer.store.catalog.read() as db:
        assert db.execute("SELECT count(*) FROM segments").fetchone()[0] < 8


def test_a_document_without_a_title_is_called_by_its_name(write: Write, indexer: Indexer) -> None:
    indexer.index([write("annual-report_2024.txt", paragraph("herring"))], quiet)
    (document,) = documents(indexer.store).values()
    assert document.title == "annual report 2024"


def test_every_passage_fits_the_model_with_its_title_and_heading(
    indexer: Indexer, cheap: CheapEncoder, write: Write
) -> None:
    body = "\n\n".join(f"## Part {n}\n\n{LONG} {LONG} {LONG} {LONG}" for n in range(3))
    indexer.index([write("a.md", f"# A title of some words\n\n{body}")], quiet)
    assert len(cheap.encoded) > 3
    assert max(cheap.measure(cheap.encoded)) <= cheap.window
