"""Archives (ZIP, tar) and compressed files (gzip, bzip2, xz): the files in them, within limits.

ZIP after PKWARE's APPNOTE.TXT 6.3, tar after POSIX.1-2017 pax and GNU tar. Nothing is ever
written to the disk, and what an archive says of its sizes is not believed.
"""

from __future__ import annotations

import stat
import struct
import tarfile
from bz2 import BZ2File
from collections.abc import Iterable, Iterator
from gzip import GzipFile
from io import BytesIO
from lzma import LZMAFile
from typing import IO, cast
from zipfile import ZIP_BZIP2, BadZipFile, ZipFile, ZipInfo

from index.errors import Unreadable
from index.readers.encoding import decode
from index.readers.format import Format, Inner
from index.readers.names import relative

MEMBERS = 10_000  # files in one archive
LARGEST = 256 * 1024 * 1024  # bytes of one file, unpacked
TOGETHER = 1024 * 1024 * 1024  # bytes of all files, unpacked

_CHUNK = 256 * 1024  # bytes unpacked at a time
_ENTRIES = 10  # times as many links, folders and hidden files may be passed over
_LONGEST_HEADER = 1024 * 1024  # bytes of a tar header that holds a long name
_ENCRYPTED = 0x1  # bits of a ZIP member's flags (APPNOTE 4.4.4)
_UTF8 = 0x800
_TOO_MANY = f"too many files: the archive holds more than {MEMBERS:,}; the rest was not read"
_TOO_LARGE = f"too large: it unpacks to more than {LARGEST >> 20} MB"
_TOO_MUCH = (
    f"too large: the archive unpacks to more than {TOGETHER >> 30} GB; the rest was not read"
)


class _Over(Exception):
    """More was unpacked than an archive may hold."""


class _Budget:
    """The bytes that an archive may still unpack to."""

    def __init__(self) -> None:
        self.left = TOGETHER

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise _Over


class _Metered:
    """A stream of which every byte that is read counts, also what is only skipped."""

    def __init__(self, stream: IO[bytes], budget: _Budget) -> None:
        self._stream = stream
        self._budget = budget

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._budget.spend(len(chunk))
        return chunk


class _Header(tarfile.TarInfo):
    """A tar header whose long names are not so long that they fill the memory."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.size > _LONGEST_HEADER and self.type in (
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
        ):
            raise Unreadable("damaged: a name in the archive is too long")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


def recognise(data: bytes) -> bool:
    """Say whether the content is a ZIP that opens, a tar, or begins as compressed data does."""
    return _is_zip(data) or _is_tar(data[:512]) or _opened(data) is not None


def unpack(data: bytes) -> Iterator[Inner]:
    """The regular files of an archive in its order; hidden ones and links are left out.

    A file that can't be had comes with the reason. Past a limit of the whole archive a last one
    says so. A compressed file that is no archive gives its one content.
    """
    found = _zip(data) if _is_zip(data) else _stream(data)
    for number, inner in enumerate(found):
        if number == MEMBERS:
            yield Inner("…", b"", _TOO_MANY)
            return
        yield inner


# --- ZIP -------------------------------------------------------------------------------------


def _is_zip(data: bytes) -> bool:
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        with ZipFile(BytesIO(data)):
            return True
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return False


def _zip(data: bytes) -> Iterator[Inner]:
    budget = _Budget()
    with ZipFile(BytesIO(data)) as archive:
        for entry in archive.infolist():
            name = relative(_zip_name(entry))
            if (
                entry.filename.endswith("/")
                or stat.S_ISLNK(entry.external_attr >> 16)
                or _hidden(name)
            ):
                continue
            if entry.flag_bits & _ENCRYPTED:
                yield Inner(name, b"", "encrypted: unpack it with its password")
                continue
            if entry.file_size > LARGEST:
                yield Inner(name, b"", _TOO_LARGE)
                continue
            try:
                with _zip_member(archive, entry, data) as stream:
                    yield _inner(name, stream, budget)
            except _Over:
                yield Inner(name, b"", _TOO_MUCH)
                return
            except NotImplementedError:
                yield Inner(name, b"", "compressed in a way that is not read: unpack it")
            except MemoryError:
                raise
            except Exception as error:  # one damaged member says nothing of the others
                yield Inner(name, b"", f"damaged: {_words(error)}")


def _zip_name(entry: ZipInfo) -> str:
    """Names are in UTF-8 or else in cp437, but many programs forget to say UTF-8."""
    if not entry.flag_bits & _UTF8:
        try:
            return entry.filename.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return entry.filename


def _zip_member(archive: ZipFile, entry: ZipInfo, data: bytes) -> IO[bytes]:
    if entry.compress_type != ZIP_BZIP2:
        return archive.open(entry)
    # zipfile unpacks bzip2 in steps of any size, so a bomb would go off; BZ2File keeps to ours.
    start = entry.header_offset
    lengths = struct.unpack_from("<HH", data, start + 26)  # of name and extra (APPNOTE 4.3.7)
    start += 30 + sum(lengths)
    return BZ2File(BytesIO(data[start : start + entry.compress_size]))


# --- tar and compressed files ----------------------------------------------------------------


def _is_tar(head: bytes) -> bool:
    """By the checksum of the first header, which every kind of tar has."""
    try:
        return bool(tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape").name)
    except (tarfile.TarError, ValueError):
        return False


def _opened(data: bytes) -> IO[bytes] | None:
    """The unpacked stream of a compressed file, by its signature (RFC 1952; bzip2; xz 1.1)."""
    if data.startswith(b"\x1f\x8b\x08"):
        return cast(IO[bytes], GzipFile(fileobj=BytesIO(data)))
    if data.startswith(b"BZh") and data[4:10] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):
        return BZ2File(BytesIO(data))
    if data.startswith(b"\xfd7zXZ\0"):
        return LZMAFile(BytesIO(data))
    return None


def _stream(data: bytes) -> Iterator[Inner]:
    stream = _opened(data) or BytesIO(data)
    name = _gzip_name(data) or "content"
    try:
        head = stream.read(512)
        stream.seek(0)
        inner = None if _is_tar(head) else _inner(name, stream, None)
    except MemoryError:
        raise
    except Exception as error:  # zlib, bz2 and lzma have each their own
        raise Unreadable(f"damaged: it can't be unpacked ({_words(error)})") from error
    if inner:
        yield inner
    else:
        yield from _tar(stream, _Budget())


def _gzip_name(data: bytes) -> str:
    """The name that a gzip file states of its content (RFC 1952 2.3); "" where it states none."""
    if not data.startswith(b"\x1f\x8b") or len(data) < 12 or not data[3] & 0x08:
        return ""
    start = 10
    if data[3] & 0x04:
        start += 2 + int.from_bytes(data[10:12], "little")
    return relative(decode(data[start : start + 1000].split(b"\0")[0]))


def _tar(stream: IO[bytes], budget: _Budget) -> Iterator[Inner]:
    name = "…"
    try:
        metered = _Metered(stream, budget)
        # Mode "r|" reads from the front to the end, so that nothing is unpacked twice.
        with tarfile.open(fileobj=metered, mode="r|", tarinfo=_Header) as archive:  # type: ignore[call-overload]
            for entry in _members(archive):
                name = relative(_tar_name(entry))
                if not entry.isreg() or _hidden(name):
                    continue
                if entry.size > LARGEST:
                    yield Inner(name, b"", _TOO_LARGE)
                    continue
                member = archive.extractfile(entry)
                if member is not None:
                    # A sparse file is mostly holes, which the stream does not count.
                    counted = None if entry.sparse is None else budget
                    yield _inner(name, member, counted)
    except _Over:
        yield Inner(name, b"", _TOO_MUCH)
    except Unreadable as error:
        yield Inner(name, b"", str(error))
    except MemoryError:
        raise
    except Exception as error:  # what was read before is whole
        yield Inner(name, b"", f"damaged: the archive ends here ({_words(error)})")


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries one at a time; the archive would keep them all."""
    for _ in range(_ENTRIES * MEMBERS):
        if (entry := archive.next()) is None:
            return
        archive.members.clear()  # type: ignore[attr-defined]
        yield entry
    raise Unreadable(_TOO_MANY)


def _tar_name(entry: tarfile.TarInfo) -> str:
    if entry.name.isascii():
        return entry.name
    return decode(entry.name.encode("utf-8", "surrogateescape"))


# --- Both ------------------------------------------------------------------------------------


def _inner(name: str, stream: IO[bytes], budget: _Budget | None) -> Inner:
    """Read one file in steps, so that one larger than it says is dropped in time."""
    whole = BytesIO()
    while chunk := stream.read(_CHUNK):
        if budget:
            budget.spend(len(chunk))
        if whole.tell() + len(chunk) > LARGEST:
            return Inner(name, b"", _TOO_LARGE)
        whole.write(chunk)
    return Inner(name, whole.getvalue())


def _hidden(name: str) -> bool:
    """Files that people don't see: dotted ones, and what macOS keeps beside its files."""
    parts: Iterable[str] = name.split("/")
    return not name or any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _words(error: Exception) -> str:
    return str(error).split("\n")[0][:120] or type(error).__name__


FORMAT = Format(
    "archive",
    (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".tbz", ".xz", ".txz"),
    recognise,
    None,
    unpack=unpack,
)
