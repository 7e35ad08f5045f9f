"""Files within files: each a document of its own, that comes and goes with its file."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from conftest import CheapEncoder, quiet

from index.indexer import Indexer, Upload
from index.readers.inside import parts
from index.readers.process import Process
from index.store import Store
from index.values import file_of, within

PROSE = "The ferry to {} leaves at {} o'clock every morning of the week, in any weather."


def zipped(**files: str | bytes) -> bytes:
    """A ZIP archive; ``name_txt`` is stored as ``name.txt``."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("_", "."), data)
    return into.getvalue()


def mailed(text: str, **attached: bytes) -> bytes:
    """A mail with attachments."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@example.org", "ben@example.org", "Ferries"
    mail.set_content(text)
    for name, data in attached.items():
        mail.add_attachment(
            data, maintype="application", subtype="octet-stream", filename=name.replace("_", ".")
        )
    return mail.as_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "files"
    path.mkdir()
    return path


def held(store: Store) -> dict[str, str]:
    """The text of each document, by the end of its name."""
    with store.snapshot() as snapshot:
        _, documents = snapshot.documents(limit=1000)
        return {d.uri.rpartition("/files/")[2]: snapshot.text(d.id)[0] for d in documents}


def failed(store: Store) -> dict[str, str]:
    with store.snapshot() as snapshot:
        return {f.uri.rpartition("/files/")[2]: f.reason for f in snapshot.failures()}


def test_names_lead_into_files_and_back() -> None:
    assert file_of(within("/a/b.zip", "c/d.txt")) == "/a/b.zip"
    assert within("/a/b.txt", "") == file_of("/a/b.txt") == "/a/b.txt"


def test_an_archive_is_a_folder(indexer: Indexer, store: Store, folder: Path) -> None:
    inner = zipped(deep_txt=PROSE.format("Skarrow", "nine"))
    archive = zipped(a_txt=PROSE.format("Ganja", "six"), b_png=b"\x89PNG\r\n\x1a\n", c_zip=inner)
    (folder / "all.zip").write_bytes(archive)
    progress = indexer.index([folder], quiet)
    assert progress.added == 2
    assert set(held(store)) == {"all.zip//a.txt", "all.zip//c.zip//deep.txt"}
    assert list(failed(store)) == ["all.zip//b.png"]


def test_what_is_within_changes_with_its_file(indexer: Indexer, store: Store, folder: Path) -> None:
    path = folder / "all.zip"
    one, two = PROSE.format("A", "one"), PROSE.format("B", "two")
    path.write_bytes(zipped(a_txt=one, b_txt=two, c_txt=""))
    indexer.index([folder], quiet)
    assert list(failed(store)) == ["all.zip//c.txt"]
    path.write_bytes(zipped(b_txt=PROSE.format("B", "three"), d_txt=PROSE.format("D", "four")))
    progress = indexer.sync(quiet)
    assert progress.changed == 2
    assert set(held(store)) == {"all.zip//b.txt", "all.zip//d.txt"}
    assert "three" in held(store)["all.zip//b.txt"]
    assert not failed(store)
    path.unlink()
    (folder / "other.txt").write_text(PROSE.format("E", "five"))
    assert indexer.sync(quiet).removed == 2
    assert set(held(store)) == {"other.txt"}


def test_a_second_run_reads_nothing_and_a_rename_moves_all(
    indexer: Indexer, store: Store, folder: Path, cheap: CheapEncoder
) -> None:
    mail = mailed(PROSE.format("A", "one"), list_txt=PROSE.format("B", "two").encode(), x_png=b"\0")
    (folder / "one.eml").write_bytes(mail)
    indexer.index([folder], quiet)
    before = held(store)
    assert set(before) == {"one.eml", "one.eml//list.txt"}
    again = indexer.sync(quiet)
    assert (again.total, again.unchanged, len(again.failed)) == (0, 1, 1)
    embedded = len(cheap.encoded)
    (folder / "one.eml").rename(folder / "two.eml")
    moved = indexer.sync(quiet)
    assert (moved.added, moved.removed) == (0, 0)
    assert len(cheap.encoded) == embedded
    assert held(store) == {f"two{name[3:]}": text for name, text in before.items()}
    assert list(failed(store)) == ["two.eml//x.png"]


def test_an_archive_of_nothing_readable_is_told_once(
    indexer: Indexer, store: Store, folder: Path
) -> None:
    path = folder / "all.zip"
    path.write_bytes(zipped(a_png=b"\x89PNG\r\n\x1a\n"))
    os.utime(path, (0, 0))  # what was written just now is looked at again
    indexer.index([folder], quiet)
    assert set(failed(store)) == {"all.zip", "all.zip//a.png"}
    again = indexer.sync(quiet)
    assert again.total == 0
    assert len(again.failed) == 2


def test_a_document_removed_by_hand_stays_away_until_its_file_changes(
    indexer: Indexer, store: Store, folder: Path
) -> None:
    path = folder / "all.zip"
    files = {"a_txt": PROSE.format("A", "one"), "b_txt": PROSE.format("B", "two")}
    path.write_bytes(zipped(**files))
    indexer.index([folder], quiet)
    indexer.remove(indexer.find(f"{path}//a.txt"))
    path.touch()
    indexer.sync(quiet)
    assert set(held(store)) == {"all.zip//b.txt"}
    path.write_bytes(zipped(**files, c_txt=PROSE.format("C", "three")))
    indexer.sync(quiet)
    assert set(held(store)) == {"all.zip//a.txt", "all.zip//b.txt", "all.zip//c.txt"}


def test_removing_one_and_renaming_the_file_loses_nothing_else(
    indexer: Indexer, store: Store, folder: Path
) -> None:
    path = folder / "all.zip"
    files = {"a_txt": PROSE.format("A", "one"), "b_txt": PROSE.format("B", "two")}
    path.write_bytes(zipped(**files))
    indexer.index([folder], quiet)
    indexer.remove(indexer.find(f"{path}//a.txt"))
    path.rename(folder / "new.zip")
    indexer.sync(quiet)
    assert set(held(store)) == {"new.zip//b.txt"}
    shutil.copy(folder / "new.zip", folder / "copy.zip")  # a file of its own
    indexer.sync(quiet)
    assert set(held(store)) == {"new.zip//b.txt", "copy.zip//a.txt", "copy.zip//b.txt"}


def test_an_archive_whose_documents_were_all_removed_is_not_read_again(
    indexer: Indexer, store: Store, folder: Path
) -> None:
    path = folder / "all.zip"
    path.write_bytes(zipped(a_txt=PROSE.format("A", "one")))
    indexer.index([folder], quiet)
    indexer.remove(indexer.find(f"{path}//a.txt"))
    again = indexer.sync(quiet)
    assert (again.total, again.unchanged) == (0, 1)
    assert not held(store)


def test_what_breaks_within_a_mail_is_told_beside_the_mail() -> None:
    broken = zipped(a_txt=PROSE.format("A", "one"))[:60]
    found = {p.path: p.reason for p in parts(mailed("A letter.", all_zip=broken), "m.eml")}
    assert found[""] == ""
    assert found["all.zip"]


def test_an_upload_replaces_all_that_was_within_it(indexer: Indexer, store: Store) -> None:
    first = indexer.add([Upload("all.zip", zipped(a_txt=PROSE.format("A", "one")))])
    assert [(o.uri, o.stored) for o in first] == [("all.zip//a.txt", True)]
    indexer.add([Upload("all.zip", zipped(b_txt=PROSE.format("B", "two")))])
    assert set(held(store)) == {"all.zip//b.txt"}


def test_names_and_depth_within_a_file_are_bounded() -> None:
    data = b"just a line of text, long enough to be read"
    for _ in range(8):
        data = zipped(inner_zip=data)
    (part,) = parts(data, "a.zip")
    assert part.reason.startswith("too deep")
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("x//y.txt", "Words that can be read here.")
        archive.writestr("x/y.txt", "Words that can be read there.")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x/y.txt", "Words that can be read anywhere.")
    assert [p.path for p in parts(into.getvalue(), "a.zip")] == [
        "x/y.txt",
        "x/y.txt (2)",
        "x/y.txt (3)",
    ]


# The process


def test_a_file_that_breaks_the_process_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(seconds=1e-4)  # even the first file is too slow then
    (slow,) = process.parts(b"some words", "a.txt")
    process.close()
    assert slow.reason.startswith("too slow")


def test_a_killed_process_is_replaced() -> None:
    process = Process()
    try:
        assert [p.content is not None for p in process.parts(b"some words", "a.txt")] == [True]
        assert process._child is not None
        process._child.kill()
        process._child.wait()
        assert [p.content is not None for p in process.parts(b"some words", "a.txt")] == [True]
    finally:
        process.close()


def test_a_lack_of_memory_is_told(tmp_path: Path) -> None:
    process = Process(memory=1 << 30)
    try:
        (part,) = process.parts(b"word " * (100 << 20), "a.txt")
        assert part.content is None
        assert part.reason.startswith(("too large", "damaged"))
        assert [p.content is not None for p in process.parts(b"some words", "a.txt")] == [True]
    finally:
        process.close()
    shutil.rmtree(tmp_path)
