"""Archives and compressed files: what is in them, and what their limits keep out."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import archives, kind, read
from index.readers.format import Inner

MB = 1 << 20


def zip_file(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tar_file(members: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
    return out.getvalue()


def unpacked(data: bytes, name: str = "a") -> list[Inner]:
    format = kind(data, name)
    assert format.type == "archive"
    assert format.unpack is not None
    return list(format.unpack(data))


def names(found: list[Inner]) -> list[str]:
    return [inner.name for inner in found]


MEMBERS = {"a.txt": b"One", "docs/Übersicht 目次.md": b"# Two", "docs/empty.txt": b""}
KINDS: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    "zip": zip_file,
    "zip stored": lambda members: zip_file(members, zipfile.ZIP_STORED),
    "zip bzip2": lambda members: zip_file(members, zipfile.ZIP_BZIP2),
    "zip lzma": lambda members: zip_file(members, zipfile.ZIP_LZMA),
    "tar pax": tar_file,
    "tar gnu": lambda members: tar_file(members, tarfile.GNU_FORMAT),
    "tar.gz": lambda members: gzip.compress(tar_file(members)),
    "tar.bz2": lambda members: bz2.compress(tar_file(members)),
    "tar.xz": lambda members: lzma.compress(tar_file(members)),
}
KIND = pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)


@KIND
@pytest.mark.parametrize("name", ["a", "a.txt", "a.docx"])
def test_files_in_their_order(made: Callable[[dict[str, bytes]], bytes], name: str) -> None:
    found = unpacked(made(MEMBERS), name)
    assert [(inner.name, inner.data, inner.reason) for inner in found] == [
        (name, data, "") for name, data in MEMBERS.items()
    ]


@KIND
def test_an_archive_has_no_text_of_its_own(made: Callable[[dict[str, bytes]], bytes]) -> None:
    with pytest.raises(Unreadable, match="only holds other files"):
        read(made(MEMBERS), "a")


@KIND
def test_archives_within_archives_are_files(made: Callable[[dict[str, bytes]], bytes]) -> None:
    (inner,) = unpacked(made({"inner": made(MEMBERS)}))
    assert names(unpacked(inner.data)) == list(MEMBERS)


@pytest.mark.parametrize(
    ("data", "name", "content"),
    [
        (gzip.compress(b"Text"), "content", b"Text"),
        (bz2.compress(b"Text"), "content", b"Text"),
        (lzma.compress(b"Text"), "content", b"Text"),
        (gzip.compress(b"One, ") + gzip.compress(b"two"), "content", b"One, two"),
        (b"\x1f\x8b\x08\x08" + bytes(6) + b"../notes.md\0" + gzip.compress(b"x")[10:],
         "notes.md", b"x"),
    ],
)  # fmt: skip
def test_compressed_file_gives_its_content(data: bytes, name: str, content: bytes) -> None:
    assert unpacked(data) == [Inner(name, content)]


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/root/a.txt", "root/a.txt"),
        ("C:\\Users\\a.txt", "Users/a.txt"),
        ("a/../b/./c.txt", "a/b/c.txt"),
        ("bell\x07 and\nline.txt", "bell and line.txt"),
        ("x" * 300 + ".txt", "x" * 195 + "….txt"),
    ],
)
@pytest.mark.parametrize("made", [zip_file, tar_file])
def test_names_are_safe_to_show(
    made: Callable[[dict[str, bytes]], bytes], stated: str, shown: str
) -> None:
    assert names(unpacked(made({stated: b"x", "last": b"y"}))) == [shown, "last"]


@KIND
def test_hidden_files_are_left_out(made: Callable[[dict[str, bytes]], bytes]) -> None:
    hidden = ["__MACOSX/._a.txt", "._a.txt", ".DS_Store", "docs/.git/config"]
    assert names(unpacked(made({**dict.fromkeys(hidden, b"x"), "a.txt": b"y"}))) == ["a.txt"]


def test_links_devices_and_folders_of_a_tar_are_left_out() -> None:
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for type in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE,
                     tarfile.CHRTYPE, tarfile.BLKTYPE):  # fmt: skip
            entry = tarfile.TarInfo(f"entry{type.decode()}")
            entry.type, entry.linkname = type, "/etc/passwd"
            archive.addfile(entry)
        entry = tarfile.TarInfo("file.txt")
        entry.size = 4
        archive.addfile(entry, BytesIO(b"Text"))
    assert unpacked(out.getvalue()) == [Inner("file.txt", b"Text")]


def test_links_and_folders_of_a_zip_are_left_out() -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.mkdir("folder")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("file.txt", "Text")
    assert unpacked(out.getvalue()) == [Inner("file.txt", b"Text")]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Übung.txt".encode("cp437"), "Übung.txt"),
        ("Übung.txt".encode(), "Übung.txt"),  # without the flag, as many programs do
        ("目次.txt".encode(), "目次.txt"),
    ],
)
def test_zip_names_without_the_flag(raw: bytes, shown: str) -> None:
    data = zip_file({"x" * len(raw): b"Text"}).replace(b"x" * len(raw), raw)
    assert unpacked(data) == [Inner(shown, b"Text")]


def test_encrypted_member_is_named_and_the_others_read() -> None:
    data = bytearray(zip_file({"secret.txt": b"x", "open.txt": b"y"}))
    data[6] |= 1  # the flag in the local header of the first, and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    first, second = unpacked(bytes(data))
    assert (first.name, first.data) == ("secret.txt", b"")
    assert first.reason.startswith("encrypted")
    assert second == Inner("open.txt", b"y")


def test_damaged_member_is_named_and_the_others_read() -> None:
    data = zip_file({"a.txt": b"first", "b.txt": b"second"}, zipfile.ZIP_STORED)
    first, second = unpacked(data.replace(b"first", b"worst"))
    assert (first.name, first.reason.split(":")[0]) == ("a.txt", "damaged")
    assert second == Inner("b.txt", b"second")


def test_unknown_compression_is_named() -> None:
    data = bytearray(zip_file({"a.txt": b"x" * 50}))
    data[8:10] = struct.pack("<H", 9)  # Deflate64
    at = data.index(b"PK\x01\x02") + 10
    data[at : at + 2] = struct.pack("<H", 9)
    (inner,) = unpacked(bytes(data))
    assert "compressed in a way" in inner.reason


def test_cut_tar_gives_what_is_whole() -> None:
    data = gzip.compress(
        tar_file({"a.txt": b"x" * 2000, "b.txt": random.Random(0).randbytes(50_000)})
    )
    first, last = unpacked(data[: len(data) // 2])
    assert first == Inner("a.txt", b"x" * 2000)
    assert (last.name, last.reason.split(":")[0]) == ("b.txt", "damaged")


# --- Limits ----------------------------------------------------------------------------------


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST", 2 * MB)
    monkeypatch.setattr(archives, "TOGETHER", 5 * MB)
    monkeypatch.setattr(archives, "MEMBERS", 10)


@KIND
@pytest.mark.usefixtures("_small")
def test_too_many_files(made: Callable[[dict[str, bytes]], bytes]) -> None:
    found = unpacked(made({f"{n}.txt": b"x" for n in range(20)}))
    assert len(found) == 11
    assert found[-1].reason.startswith("too many files")


@pytest.mark.usefixtures("_small")
def test_too_many_entries_that_are_no_files() -> None:
    found = unpacked(tar_file({f".hidden{n}": b"" for n in range(200)}))
    assert [inner.reason.split(":")[0] for inner in found] == ["too many files"]


@KIND
@pytest.mark.usefixtures("_small")
def test_one_file_too_large(made: Callable[[dict[str, bytes]], bytes]) -> None:
    first, second = unpacked(made({"a": bytes(3 * MB), "b": b"x"}))
    assert (first.name, first.data) == ("a", b"")
    assert first.reason.startswith("too large")
    assert second == Inner("b", b"x")


@KIND
@pytest.mark.usefixtures("_small")
def test_all_together_too_large(made: Callable[[dict[str, bytes]], bytes]) -> None:
    found = unpacked(made({f"{n}": bytes(2 * MB - 10) for n in range(5)}))
    assert [bool(inner.reason) for inner in found] == [False, False, True]
    assert found[-1].reason.startswith("too large: the archive")


BOMB = bytes(64 * MB)


def lying_zip(method: int) -> bytes:
    """A ZIP whose one member says that it unpacks to ten bytes."""
    size = struct.pack("<I", len(BOMB))
    return zip_file({"a.txt": BOMB}, method).replace(size, struct.pack("<I", 10))


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(
    "bomb",
    [
        zip_file({"a.txt": BOMB}),
        lying_zip(zipfile.ZIP_DEFLATED),
        lying_zip(zipfile.ZIP_BZIP2),
        gzip.compress(BOMB),
        bz2.compress(BOMB),
        lzma.compress(BOMB),
        gzip.compress(tar_file({"a.txt": BOMB})),
        bz2.compress(tar_file({"a.txt": BOMB})),
        gzip.compress(tar_file({"x/" * 24 * MB: b"x"})),  # a name as a bomb
    ],
)
def test_bomb_does_not_go_off(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        found = unpacked(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found[-1].reason
    assert not any(inner.data for inner in found)
    assert peak < 16 * MB


# --- Recognition -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"BZh is a text", b"PK\x03\x04 is one too", b"\x1f\x8b\x07", b"\xfd7zXZ"]
)
def test_what_only_begins_so_is_no_archive(data: bytes) -> None:
    assert not archives.recognise(data)


@settings(deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.floats(0, 1), st.binary(max_size=20))
def test_damage_never_raises_anything_else(name: str, place: float, put: bytes) -> None:
    whole = KINDS[name](MEMBERS)
    at = int(place * len(whole))
    for data in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        with suppress(Unreadable):
            format = kind(data, "a")
            if format.unpack:
                list(format.unpack(data))
