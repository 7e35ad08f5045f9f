"""Files from an attacker: links, swaps, archives, files that call out.

What can't be read safely is refused with a reason, and nothing outside the sources is read.
"""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import quiet
from office import SPACES, para
from office import zipped as office
from test_archives import tar_file, zip_file
from test_epub import book

from index.errors import KhazriError
from index.indexer import Indexer, Upload
from index.originals import original, removal
from index.readers.process import parts
from index.sources import place
from index.store import Store

SECRET = "the password is correct horse battery staple"
PROSE = "The ferry to Skarrow leaves at nine o'clock every morning of the week, in any weather."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A source with one honest file; beside it lies a secret."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.txt").write_text(SECRET)
    path = tmp_path / "files"
    (path / "sub").mkdir(parents=True)
    (path / "sub" / "a.txt").write_text(PROSE)
    return path


def texts(store: Store) -> dict[str, str]:
    """The text of each document, by its name."""
    with store.snapshot() as snapshot:
        _, documents = snapshot.documents(limit=1000)
        return {document.uri: snapshot.text(document.id)[0] for document in documents}


def reasons(store: Store) -> list[str]:
    with store.snapshot() as snapshot:
        return [failure.reason for failure in snapshot.failures()]


# --- Links -----------------------------------------------------------------------------------


def test_what_is_no_regular_file_is_passed_over(
    folder: Path, indexer: Indexer, store: Store
) -> None:
    for name, target in {
        "link.txt": folder.parent / "secret" / "a.txt",
        "passwd.txt": Path("/etc/passwd"),
        "zero.txt": Path("/dev/zero"),
        "loop.txt": folder / "loop.txt",
        "linked": folder.parent / "secret",
        "above": folder.parent,
        "gone.txt": folder / "nothing",
    }.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.getcwd()
        os.chdir(folder)  # the path of a socket must be short
        bound.bind("socket.txt")
        os.chdir(here)
        indexer.index([folder], quiet)
    assert list(texts(store)) == [str(folder / "sub" / "a.txt")]


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "/dev/null"])
def test_no_pipe_or_device_becomes_a_source(folder: Path, path: str) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(KhazriError, match="no regular file"):
        place(folder / path)


def _link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path, target: Path) -> None:
    path.parent.rename(path.parent.with_name("moved"))
    path.parent.symlink_to(target.parent)


Swap = Callable[[Path, Path], object]
SWAPS: dict[str, Swap] = {
    "a link": _link,
    "a link to a device": lambda path, target: _link(path, Path("/dev/zero")),
    "a link to itself": lambda path, target: _link(path, path),
    "a pipe": lambda path, target: _pipe(path),
    "a folder that is a link": _folder,
}
SWAP = pytest.mark.parametrize("swap", SWAPS.values(), ids=SWAPS)


@pytest.fixture
def path(folder: Path, indexer: Indexer) -> Path:
    """A file that is indexed."""
    indexer.index([folder], quiet)
    return folder / "sub" / "a.txt"


@pytest.fixture
def secret(folder: Path) -> Path:
    """A file of the same name elsewhere."""
    return folder.parent / "secret" / "a.txt"


@SWAP
def test_a_file_swapped_after_it_was_listed_is_not_followed(
    path: Path, secret: Path, indexer: Indexer, store: Store, swap: Swap
) -> None:
    path.write_text(f"{PROSE} It changed.")
    with indexer.planned() as plan:
        assert plan.parts[0].changed
        swap(path, secret)
        indexer.carry_out(plan, quiet)
    assert SECRET not in "".join(texts(store).values())
    (reason,) = reasons(store)
    assert "a link has taken its place" in reason or "it is no regular file" in reason


@SWAP
def test_an_original_swapped_for_a_link_is_not_sent(
    path: Path, secret: Path, indexer: Indexer, store: Store, swap: Swap
) -> None:
    found = original(store, indexer.find(str(path)))
    assert found
    with found.open() as file:
        assert file.read() == PROSE.encode()
    secret.write_text(PROSE)  # even where it is the very same
    swap(path, secret)
    with pytest.raises(KhazriError, match=r"a link has taken its place|no regular file"):
        found.open()


@SWAP
def test_a_removed_document_comes_back_from_no_link(
    path: Path, secret: Path, indexer: Indexer, store: Store, swap: Swap
) -> None:
    indexer.remove(indexer.find(str(path)))
    swap(path, secret)
    removed = removal(store, "files", str(path))
    assert removed
    with pytest.raises(KhazriError, match="can't be brought back"):
        indexer.restore(removed)
    assert not texts(store)


def test_a_catalog_that_names_a_file_elsewhere_gives_nothing_away(
    folder: Path, indexer: Indexer, store: Store
) -> None:
    indexer.index([folder], quiet)
    id = indexer.find(str(folder / "sub" / "a.txt"))
    (folder.parent / "secret" / "a.txt").write_text(PROSE)
    for uri in (folder.parent / "secret" / "a.txt", folder / ".." / "secret" / "a.txt", folder):
        with store.catalog.write() as db:
            db.execute("UPDATE documents SET uri = ? WHERE id = ?", [str(uri), id])
        if found := original(store, id):
            with pytest.raises(KhazriError, match="outside its folder"):
                found.open()


# --- Archives --------------------------------------------------------------------------------


def special_tar() -> bytes:
    """Links, devices, and a file behind a link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind, name, target in [
            (tarfile.SYMTYPE, "out", "/tmp"),
            (tarfile.LNKTYPE, "hard.txt", "/etc/passwd"),
            (tarfile.SYMTYPE, "a.txt", "../secret/a.txt"),
            (tarfile.CHRTYPE, "zero", ""),
            (tarfile.FIFOTYPE, "pipe", ""),
        ]:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
        entry = tarfile.TarInfo("out/evil.txt")
        entry.size = len(PROSE)
        archive.addfile(entry, io.BytesIO(PROSE.encode()))
    return out.getvalue()


def linked_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("passwd.txt")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
        archive.writestr("evil.txt", PROSE)
    return out.getvalue()


def each(*names: str) -> dict[str, bytes]:
    """Files of these names, each with a text of its own."""
    return {name: f"{PROSE} Number {n}.".encode() for n, name in enumerate(names)}


PATHS = each(
    "../evil.txt", "../../../../etc/cron.d/evil.txt", "/etc/evil.txt", "C:\\evil.txt",
    "a/../../e.txt",
    "..\\..\\evil.txt", "\\\\host\\evil.txt", "a//b//c.txt", "//x.txt", "./e.txt", "~/evil.txt",
)  # fmt: skip
ALIKE = each(
    "a.txt", "A.txt", "A.TXT", "é.txt", "e\u0301.txt", "a.txt ", "a .txt", "CON", "nul.txt"
)
ARCHIVES: dict[str, tuple[bytes, int]] = {
    "paths in a zip": (zip_file(PATHS), len(PATHS)),
    "paths in a tar": (tar_file(PATHS), len(PATHS)),
    "paths in a gnu tar": (tar_file(PATHS, tarfile.GNU_FORMAT), len(PATHS)),
    "names that differ in little": (zip_file(ALIKE), len(ALIKE)),
    "the same in a tar": (tar_file(ALIKE), len(ALIKE)),
    "links and devices in a tar": (special_tar(), 1),
    "the same, compressed": (gzip.compress(special_tar()), 1),
    "a link in a zip": (linked_zip(), 1),
    "long names": (zip_file(each("x" * 60_000, "y/" * 20_000 + "z")), 2),
    "many members": (zip_file(each(*(f"{n}.txt" for n in range(300)))), 300),
}


@pytest.mark.parametrize(("data", "count"), ARCHIVES.values(), ids=ARCHIVES)
def test_members_are_named_and_never_placed(
    folder: Path, indexer: Indexer, store: Store, data: bytes, count: int
) -> None:
    before = {path for path in folder.parent.rglob("*") if "home" not in path.parts}
    outcomes = indexer.add([Upload("all.zip", data)])
    assert {path for path in folder.parent.rglob("*") if "home" not in path.parts} == before
    assert len([one for one in outcomes if one.stored]) == count
    found = texts(store)
    assert len(found) == count
    for uri in found:
        inner = uri.removeprefix("all.zip//").split("/")
        assert not {"", ".", ".."} & set(inner)
        assert "root:" not in found[uri]


# --- Files that call out ---------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


def calling(url: str, file: str) -> dict[str, bytes]:
    """Files of many formats that point to an address, and to a file."""
    dtd = (
        f'<!DOCTYPE r SYSTEM "{url}" [<!ENTITY x SYSTEM "{file}"><!ENTITY y SYSTEM "{url}">'
        f'<!ENTITY % p SYSTEM "{url}">%p;]>'
    )
    page = (
        f"<html><head><base href='{url}'><link rel=stylesheet href='{url}'><script src='{url}'>"
        f"</script><style>@import url({url})</style><meta http-equiv=refresh content='0;{url}'>"
        f"</head><body><p>{PROSE}</p><img src='{url}'><iframe src='{url}'></iframe>"
        f"<object data='{file}'></object><embed src='{url}'><video src='{url}'></video>"
        f"<svg><image href='{url}'/><use href='{url}#a'/></svg></body></html>"
    )
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="a" Type="x/image" Target="{url}" TargetMode="External"/>'
        f'<Relationship Id="b" Type="x/attachedTemplate" Target="{url}" TargetMode="External"/>'
        f'<Relationship Id="h" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        f'relationships/aFormat" Target="{file}"/></Relationships>'
    )
    word = (
        f"{dtd}<w:document {SPACES}><w:body>{para(PROSE)}{para('&x;&y;')}"
        '<w:altChunk r:id="h"/></w:body></w:document>'
    )
    spaces = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        ' xmlns:xlink="http://www.w3.org/1999/xlink"'
    )
    odt = (
        f"{dtd}<office:document-content {spaces}><office:body><office:text>"
        f"<text:p>{PROSE}</text:p><text:p>&x;&y;</text:p>"
        f'<text:section text:name="s"><text:section-source xlink:href="{url}"/></text:section>'
        "</office:text></office:body></office:document-content>"
    )
    mail = (
        "From: a@b.example\nSubject: Hello\nMIME-Version: 1.0\n"
        "Content-Type: multipart/mixed; boundary=cut\n\n--cut\nContent-Type: text/html\n\n"
        f"{page}\n--cut\nContent-Type: message/external-body; access-type=URL; URL={url}\n\n"
        f"Content-Type: text/plain\n\n--cut\nContent-Type: message/external-body;"
        f" access-type=local-file; name={file}\n\nContent-Type: text/plain\n\n--cut--\n"
    )
    rst = (
        f"Title\n=====\n\n{PROSE}\n\n.. include:: {file}\n\n.. raw:: html\n   :url: {url}\n\n"
        f".. csv-table::\n   :url: {url}\n\n.. literalinclude:: {file}\n\n.. image:: {url}\n"
    )
    pdf = (
        "%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R"
        f" /OpenAction << /S /URI /URI ({url}) >> >>\nendobj\n"
        "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
        "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>\nendobj\n"
        f"4 0 obj\n<< /Length 0 /F << /Type /Filespec /FS /URL /F ({url}) >> >>\nstream\n\n"
        "endstream\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
    )
    made = {
        "a.html": page,
        "a.xhtml": f"<?xml version='1.0'?>{dtd}{page}&x;",
        "a.svg": f"<?xml version='1.0'?>{dtd}<svg><text>{PROSE}&x;&y;</text></svg>",
        "a.xml": f"<?xml version='1.0'?>{dtd}<r>{PROSE}&x;&y;</r>",
        "a.md": f"# A\n\n{PROSE} ![a]({url}) <img src='{url}'> [a]: {url}\n\n<script src={url}>",
        "a.rst": rst,
        "a.eml": mail,
        "a.mhtml": mail.replace("multipart/mixed", "multipart/related"),
        "a.rtf": rf"{{\rtf1{{\*\template {file}}}{PROSE}{{\field{{\*\fldinst INCLUDETEXT "
        rf'"{file}"}}}}{{\field{{\*\fldinst INCLUDEPICTURE "{url}"}}}}\par}}',
        "a.pdf": pdf,
        "a.json": f'{{"$ref": "{url}", "text": "{PROSE}", "more": {{"$ref": "{file}"}}}}',
        "a.csv": f'name,value\n=WEBSERVICE("{url}"),{file}\nb,"{PROSE}"\n',
    }
    packed = {
        "a.odt": office(
            {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": odt}
        ),
        "a.epub": book(
            more={
                "OEBPS/text/second.xhtml": f"<?xml version='1.0'?>{dtd}<html><body><p>{PROSE}</p>"
                f"<p>&x;&y;</p><img src='{url}'/></body></html>"
            }
        ),
    }
    packed["a.docx"] = office(
        {
            "[Content_Types].xml": "<Types/>",
            "word/document.xml": word,
            "word/_rels/document.xml.rels": relations,
            "_rels/.rels": relations,
        }
    )
    return {name: text.encode() for name, text in made.items()} | packed


FORMATS = sorted(calling("", ""))


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_that_a_file_points_to_is_fetched(
    folder: Path, listener: socket.socket, name: str
) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    data = calling(url, (folder.parent / "secret" / "a.txt").as_uri())[name]
    found = list(parts(data, name))
    assert found
    for part in found:
        assert part.content is None or SECRET not in part.content.text
    if name != "a.pdf":  # whose page is empty
        assert any(part.content and "ferry" in part.content.text for part in found)
