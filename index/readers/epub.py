"""Electronic books (EPUB 3.3, and 2.0.1 before it): the chapters in the order of the spine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any
from urllib.parse import unquote
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

from lxml import etree

from index.errors import Unreadable
from index.readers import markup
from index.readers.blocks import Piece, assemble, one_line
from index.readers.dates import stated_date
from index.readers.encoding import decode
from index.readers.format import Format
from index.values import Content

Element = Any  # of lxml

_LARGEST = 200 * 1024 * 1024  # bytes unpacked; beyond it is a bomb, not a book
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_LOCKED = 0x1  # bit of a ZIP member's flags: it needs a password (APPNOTE 4.4.4)
_MEDIA_TYPE = b"application/epub+zip"
# What only scrambles embedded fonts (EPUB 3.3, 4.4, and Adobe's older way) locks no text.
_FONTS_ONLY = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_TEXT = ("html", "application/xml", "text/xml", "dtbook")
# XHTML closes any empty element in its tag, which an HTML parser would leave open.
_CLOSED = re.compile(r"<(?!br|hr|img|meta|link|input|col)([A-Za-z][\w:.-]{0,60})((?:\s[^<>]*)?)/>")


def recognise(data: bytes) -> bool:
    """Say whether the content is a ZIP with the container file of a book (EPUB 3.3, 4.2)."""
    if not data.startswith(b"PK\x03\x04"):
        return False
    try:
        with ZipFile(BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "mimetype" not in names:
                return _CONTAINER in names
            with archive.open("mimetype") as stream:
                return stream.read(100).strip(b"\xef\xbb\xbf\r\n\t ") == _MEDIA_TYPE
    except Exception:  # of many kinds; the archive is damaged, and perhaps no book
        return False


def read(data: bytes) -> Content:
    """Read a book without its table of contents. Raises ``Unreadable`` for a locked one."""
    with ZipFile(BytesIO(data)) as archive:
        book = _Book(archive)
        path, package = book.package()
        chapters = _chapters(package, path)
        book.refuse_locked(chapters)
        found = [piece for chapter in chapters for piece in book.pieces(chapter)]
    facts = _facts(package)
    return assemble(
        "epub",
        found,
        title=facts.pop("title", ""),
        published=facts.pop("published", None),
        language=facts.pop("language", None),
        metadata=facts,
    )


class _Book:
    """The files of a book, which together may not unpack to more than a limit."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._left = _LARGEST
        self._names = set(archive.namelist())

    def package(self) -> tuple[str, Element]:
        """The package document and its path."""
        container = _xml(self._member(_CONTAINER))
        for root in _named(container, "rootfile"):
            path = root.get("full-path", "")
            if path in self._names:
                return path, _xml(self._member(path))
        raise Unreadable("damaged: the book does not say what it is made of")

    def refuse_locked(self, chapters: list[str]) -> None:
        """Raise ``Unreadable`` when a chapter is encrypted (EPUB 3.3, 4.2.6.3.2)."""
        if any(self._archive.getinfo(c).flag_bits & _LOCKED for c in self._names & set(chapters)):
            raise Unreadable("encrypted: save it without a password")
        if _ENCRYPTION not in self._names:
            return
        for entry in _named(_xml(self._member(_ENCRYPTION)), "EncryptedData"):
            ways = [method.get("Algorithm", "") for method in _named(entry, "EncryptionMethod")]
            places = [unquote(to.get("URI", "")) for to in _named(entry, "CipherReference")]
            if not set(ways) & set(_FONTS_ONLY) and set(places) & set(chapters):
                raise Unreadable("encrypted: the book is copy-protected (DRM)")

    def pieces(self, chapter: str) -> list[Piece]:
        """The blocks of a chapter; one that is missing or damaged leaves the others readable."""
        try:
            source = decode(self._member(chapter))
        except (KeyError, BadZipFile, EOFError, etree.LxmlError, OSError, ValueError):
            return []
        return markup.page(_CLOSED.sub(r"<\1\2></\1>", source))

    def _member(self, name: str) -> bytes:
        entry = self._archive.getinfo(name)
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # the only ones in a book
            raise BadZipFile(f"{name} is compressed in an unknown way")
        with self._archive.open(entry) as stream:
            data = stream.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable("too large: it unpacks to more than 200 MB")
        return data


def _chapters(package: Element, path: str) -> list[str]:
    """The paths of the chapters in the order of the spine (EPUB 3.3, 5.7), without navigation."""
    items = {item.get("id"): item for item in _named(package, "item")}
    contents = {
        _target(path, reference.get("href", ""))
        for reference in _named(package, "reference")
        if reference.get("type", "").lower() == "toc"
    }
    chapters: dict[str, None] = {}  # a set in order
    for reference in _named(package, "itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        media_type = item.get("media-type", "").lower()
        target = _target(path, item.get("href", ""))
        if target not in contents and any(kind in media_type for kind in _TEXT):
            chapters[target] = None
    return list(chapters)


def _target(path: str, href: str) -> str:
    """The file in the archive that a reference from ``path`` leads to."""
    href = unquote(href.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), href))


def _facts(package: Element) -> dict[str, str]:
    """What the book states of itself, in Dublin Core (EPUB 3.3, 5.5)."""
    facts = {
        "title": next(_texts(package, "title"), ""),
        "language": next(_texts(package, "language"), ""),
        "author": ", ".join(_texts(package, "creator")),
    }
    for element in _named(package, "date"):
        day = stated_date(_text(element))
        event = next((v for name, v in element.items() if name.endswith("event")), "publication")
        name = {"creation": "created", "modification": "changed"}.get(event, "published")
        if day:
            facts.setdefault(name, day)
    for element in _named(package, "meta"):
        if element.get("property") == "dcterms:modified" and (day := stated_date(_text(element))):
            facts["changed"] = day
    return {name: value for name, value in facts.items() if value}


def _xml(data: bytes) -> Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    tree = etree.fromstring(data.lstrip(), parser)
    if tree is None:
        raise Unreadable("damaged: the book does not say what it is made of")
    return tree


def _named(tree: Element, name: str) -> Iterator[Element]:
    """The elements so named, in whatever namespace."""
    yield from tree.iter(f"{{*}}{name}", name)


def _texts(tree: Element, name: str) -> Iterator[str]:
    return filter(None, map(_text, _named(tree, name)))


def _text(element: Element) -> str:
    return one_line("".join(element.itertext()))


FORMAT = Format("epub", (".epub",), recognise, read)
