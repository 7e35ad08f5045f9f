"""The indexer: what changed in the sources, and nothing else, is brought into the store."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from conftest import CheapEncoder, quiet
from indexing import LONG, Write, counts, documents, failures, found, paragraph

from index.documents import Given
from index.errors import KhazriError
from index.indexer import Cancelled, Indexer, Progress, Upload


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
    monkeypatch.setattr("index.making.LARGEST", 10)
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
