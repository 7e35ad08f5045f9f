"""ZIP packages of office files: parts under limits, and how they refer to each other.

Open Packaging Conventions (ISO/IEC 29500-2, 8 and 9); OpenDocument packages (ODF 1.3, part 2)
are ZIP files too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile, ZipInfo

from lxml import etree

from index.errors import Unreadable
from index.readers.blocks import one_line
from index.readers.dates import iso_date

Element = Any  # of lxml

_LARGEST = 200 * 1024 * 1024  # bytes of the parts read; beyond it is a bomb, not a document
_STEP = 1024 * 1024  # bytes unpacked at a time
_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")  # ISO/IEC 29500-1; else 29500-4
_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_CORE = "metadata/core-properties"
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: ``type`` is the last word of the type's address."""

    type: str
    target: str


@dataclass(frozen=True, slots=True)
class Properties:
    """What a package states of its document, in the fields of ``Content``."""

    title: str
    published: str | None
    language: str | None
    metadata: Mapping[str, str]


class Package:
    """The parts of a ZIP file. Names are compared without regard to case (29500-2, 6.3.5)."""

    def __init__(self, data: bytes) -> None:
        self._archive = ZipFile(BytesIO(data))
        self._entries: dict[str, ZipInfo] = {
            _plain(entry.filename): entry for entry in self._archive.infolist()
        }
        self._left = _LARGEST

    def __contains__(self, name: str) -> bool:
        return _plain(name) in self._entries

    def names(self) -> list[str]:
        """The names of all parts, in lower case."""
        return list(self._entries)

    def part(self, name: str) -> bytes:
        """The bytes of a part, empty where there is none.

        Unpacked in steps, since what a file says of its own size need not be true.
        """
        entry = self._entries.get(_plain(name))
        if entry is None:
            return b""
        if entry.flag_bits & 1:
            raise Unreadable("encrypted: save it without a password")
        steps: list[bytes] = []
        if entry.file_size <= self._left:
            with self._archive.open(entry) as unpacked:
                while step := unpacked.read(_STEP):
                    steps.append(step)
                    self._left -= len(step)
                    if self._left < 0:
                        break
        if self._left < 0 or entry.file_size > self._left + sum(map(len, steps)):
            raise Unreadable("too large: its text unpacks to more than 200 MB")
        return b"".join(steps)

    def tree(self, name: str) -> Element | None:
        """The root of an XML part, None where there is none. Nothing outside it is loaded."""
        source = self.part(name)
        return parse(source) if source else None

    def relations(self, name: str = "") -> dict[str, Relation]:
        """What a part (or the package itself) refers to within the package, by id."""
        folder, file = posixpath.split(name)
        tree = self.tree(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, Relation] = {}
        for child in () if tree is None else tree:
            if child.get("TargetMode") != "External":
                target = posixpath.join("/", folder, unquote(child.get("Target", "")))
                type = child.get("Type", "").removeprefix(_TYPE)
                found[child.get("Id", "")] = Relation(type, posixpath.normpath(target).strip("/"))
        return found

    def related(self, name: str, type: str) -> Iterator[str]:
        """The names of the parts that a part refers to in one way."""
        for relation in self.relations(name).values():
            if relation.type == type and relation.target in self:
                yield relation.target

    def main(self, fallback: str) -> str:
        """The name of the part that holds the document."""
        return next(self.related("", "officeDocument"), fallback)

    def properties(self) -> Properties:
        """The core properties (29500-2, 11): whatever is stated, nothing made up."""
        relations = self.relations().values()
        names = [relation.target for relation in relations if relation.type.endswith(_CORE)]
        tree = next(filter(_filled, map(self.tree, names)), None)
        if tree is None:
            return Properties("", None, None, {})
        created = iso_date(_stated(tree, f"{_TERMS}created"))
        authors = re.split(r"\s*;\s*", _stated(tree, f"{_DUBLIN}creator"))
        return Properties(
            _stated(tree, f"{_DUBLIN}title"),
            created,
            _stated(tree, f"{_DUBLIN}language") or None,
            facts(", ".join(authors), created, iso_date(_stated(tree, f"{_TERMS}modified"))),
        )


def opened(data: bytes) -> Package | None:
    """The package that ``data`` is, None where it is none."""
    if not data.startswith(b"PK\x03\x04"):
        return None
    try:
        return Package(data)
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return None


def holds(data: bytes, folder: str) -> bool:
    """Say whether the content is an OPC package with parts in this folder."""
    package = opened(data)
    return package is not None and any(name.startswith(f"{folder}/") for name in package.names())


def parse(source: bytes) -> Element | None:
    """The root of XML. Entities stay unexpanded; depth and length are those libxml2 allows."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,  # characters that XML forbids are common in what programs write
        remove_comments=True,
        remove_pis=True,
    )
    return etree.fromstring(transitional(source), parser)


def transitional(source: bytes) -> bytes:
    """XML with the names that nearly all files use in place of those of strict conformance."""
    return _STRICT.sub(rb"http://schemas.openxmlformats.org/\1/2006/", source)


def facts(author: str, created: str | None, changed: str | None) -> dict[str, str]:
    """The metadata of a document: only what is stated."""
    stated = {"author": one_line(author), "created": created, "changed": changed}
    return {name: value for name, value in stated.items() if value}


def _plain(name: str) -> str:
    return name.replace("\\", "/").strip("/").lower()


def _filled(tree: Element | None) -> bool:
    return tree is not None


def _stated(tree: Element, name: str) -> str:
    return " ".join((tree.findtext(name) or "").split())
