"""Office files made by hand, by their formats, and what every reading of one holds to."""

from __future__ import annotations

import struct
import zipfile
from io import BytesIO

import pytest

from index.errors import Unreadable
from index.readers import read
from index.values import Content

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
SPACES = (
    f'xmlns:w="{WORD}" xmlns:p="{SLIDE}" xmlns:a="{DRAWING}/main" xmlns:r="{OFFICE}/relationships"'
    f' xmlns:c="{DRAWING}/chart" xmlns:dgm="{DRAWING}/diagram" xmlns:m="{OFFICE}/math"'
)
CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org'
    '/dc/terms/"><dc:title>The Hall</dc:title><dc:creator>Aysel; Murad</dc:creator><dc:language>'
    "az</dc:language><dcterms:created>2016-04-28T09:30:00Z</dcterms:created><dcterms:modified>"
    "2017-05-01T10:00:00Z</dcterms:modified></cp:coreProperties>"
)
FACTS = {"author": "Aysel, Murad", "created": "2016-04-28", "changed": "2017-05-01"}


def blocks(content: Content) -> list[tuple[str, str]]:
    """Kind and text of each block, a heading with its level."""
    return [
        (f"{block.kind}{block.level or ''}", content.text[block.start : block.end])
        for block in content.blocks
    ]


def pages(content: Content) -> list[int | None]:
    return [block.page for block in content.blocks]


def check(content: Content) -> None:
    """The invariants of every ``Content``."""
    end = 0
    for block in content.blocks:
        assert end <= block.start < block.end <= len(content.text)
        assert not content.text[end : block.start].strip()
        assert (block.kind == "heading") == (block.level > 0)
        end = block.end
    assert content.blocks
    assert not content.text[end:].strip()


def refusal(data: bytes, name: str = "a") -> str:
    with pytest.raises(Unreadable) as caught:
        read(data, name)
    return str(caught.value)


# --- Packages --------------------------------------------------------------------------------


def zipped(parts: dict[str, str | bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in parts.items():
            archive.writestr(name, source)
    return out.getvalue()


def relations(**targets: str) -> str:
    """A part of relations: each id with ``type target``."""
    listed = "".join(
        f'<Relationship Id="{id}" Type="{"" if ":" in type else f"{OFFICE}/relationships/"}{type}"'
        f' Target="{target}"/>'
        for id, (type, target) in ((id, stated.split()) for id, stated in targets.items())
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<?xml version="1.0"?><Relationships xmlns="{space}">{listed}</Relationships>'


def package(main: str, parts: dict[str, str | bytes]) -> bytes:
    core = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(a=f"officeDocument {main}", b=f"{core} docProps/core.xml"),
            "docProps/core.xml": CORE,
            **parts,
        }
    )


# --- Word ------------------------------------------------------------------------------------


def word_file(body: str, **parts: str | bytes) -> bytes:
    """A Word document; parts are named without ``word/`` and ``.xml``."""
    more = {f"word/{name}.xml": source for name, source in parts.items()}
    return package(
        "word/document.xml",
        {
            "word/document.xml": f"<w:document {SPACES}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": relations(
                f="footnotes footnotes.xml", s="styles styles.xml", h="aFormat chunk.xml"
            ),
            **more,
        },
    )


def para(text: str, more: str = "") -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r>{more}</w:p>"


def notes(**texts: str) -> str:
    listed = "".join(
        f'<w:footnote w:id="{id[1:]}">{para(t)}</w:footnote>' for id, t in texts.items()
    )
    return f"<w:footnotes {SPACES}>{listed}</w:footnotes>"


def call(id: int) -> str:
    return f'<w:r><w:footnoteReference w:id="{id}"/></w:r>'


# --- Slides ----------------------------------------------------------------------------------


def shape(text: str, place: str | None = None, properties: str = "") -> str:
    holder = "" if place is None else f'<p:ph type="{place}"/>' if place else "<p:ph/>"
    paragraphs = "".join(
        f"<a:p>{properties}<a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n")
    )
    return (
        f"<p:sp><p:nvSpPr><p:cNvPr/><p:cNvSpPr/><p:nvPr>{holder}</p:nvPr></p:nvSpPr>"
        f"<p:txBody>{paragraphs}</p:txBody></p:sp>"
    )


def slide(*shapes: str) -> str:
    return f"<p:sld {SPACES}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:sld>"


def slides_file(*slides: str, **parts: str) -> bytes:
    """A presentation; its parts lie in ``ppt/`` and each slide knows those in ``parts``."""
    listed = "".join(f'<p:sldId r:id="s{n}"/>' for n in range(len(slides)))
    shared = {
        "n": "notesSlide ../notes.xml",
        "c": "chart ../chart.xml",
        "d": "diagramData ../data.xml",
    }
    files: dict[str, str | bytes] = {
        "ppt/presentation.xml": f"<p:presentation {SPACES}><p:sldIdLst>{listed}</p:sldIdLst>"
        "</p:presentation>",
        "ppt/_rels/presentation.xml.rels": relations(
            **{f"s{n}": f"slide slides/{len(slides) - n}.xml" for n in range(len(slides))}
        ),
    }
    for number, source in enumerate(reversed(slides), 1):  # their names are no order
        files[f"ppt/slides/{number}.xml"] = source
        files[f"ppt/slides/_rels/{number}.xml.rels"] = relations(**shared)
    return package(
        "ppt/presentation.xml", files | {f"ppt/{name}.xml": part for name, part in parts.items()}
    )


# --- Sheets ----------------------------------------------------------------------------------


def cell(place: str, value: str, type: str = "n", style: int = 0) -> str:
    return f'<c r="{place}" t="{type}" s="{style}"><v>{value}</v></c>'


def sheet_file(*sheets: str, strings: str = "", codes: tuple[str, ...] = ()) -> bytes:
    """A workbook of sheets with these cells; style n has the format code n, from 1."""
    named = "".join(
        f'<sheet name="Sheet {n}" sheetId="{n}" r:id="s{n}"/>' for n in range(1, len(sheets) + 1)
    )
    space = f'xmlns="{SHEET}" xmlns:r="{OFFICE}/relationships"'
    formats = "".join(
        f'<numFmt numFmtId="{200 + n}" formatCode="{c}"/>' for n, c in enumerate(codes)
    )
    styles = "".join(f'<xf numFmtId="{200 + n}"/>' for n in range(len(codes)))
    targets = {f"s{n}": f"worksheet sheets/{n}.xml" for n in range(1, len(sheets) + 1)}
    return package(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f"<workbook {space}><sheets>{named}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(
                t="sharedStrings strings.xml", y="styles styles.xml", **targets
            ),
            "xl/strings.xml": f"<sst {space}>{strings}</sst>",
            "xl/styles.xml": f"<styleSheet {space}><numFmts>{formats}</numFmts><cellXfs>"
            f'<xf numFmtId="0"/>{styles}</cellXfs></styleSheet>',
            **{
                f"xl/sheets/{n}.xml": f"<worksheet {space}>{cells}</worksheet>"
                for n, cells in enumerate(sheets, 1)
            },
        },
    )


def row(number: int, *cells: str) -> str:
    return f'<row r="{number}">{"".join(cells)}</row>'


# --- OpenDocument ----------------------------------------------------------------------------

ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"), ("text", "text"), ("table", "table"), ("draw", "drawing"),
        ("p", "presentation"), ("svg", "svg-compatible"), ("meta", "meta"),
    )
)  # fmt: skip


def odf_file(kind: str, body: str, manifest: str = "<manifest/>") -> bytes:
    root = {"text": "text", "spreadsheet": "spreadsheet", "presentation": "presentation"}[kind]
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "META-INF/manifest.xml": manifest,
            "content.xml": f"<office:document-content {ODF}><office:body><office:{root}>{body}"
            f"</office:{root}></office:body></office:document-content>",
            "meta.xml": f'<office:document-meta {ODF} xmlns:dc="http://purl.org/dc/elements/1.1/">'
            "<office:meta><dc:title>The Hall</dc:title><meta:initial-creator>Aysel"
            "</meta:initial-creator><meta:creation-date>2016-04-28T09:30:00</meta:creation-date>"
            "<dc:date>2017-05-01T10:00:00</dc:date><dc:language>az</dc:language></office:meta>"
            "</office:document-meta>",
        }
    )


# --- Compound files --------------------------------------------------------------------------


def compound(**streams: bytes) -> bytes:
    """A compound file ([MS-CFB]) of streams; a name's underscores are spaces."""

    def entry(name: str, type: int, start: int, size: int, child: int, right: int) -> bytes:
        wide = name.encode("utf-16-le") + b"\0\0"
        return (
            wide.ljust(64, b"\0")
            + struct.pack("<HBBIII", len(wide), type, 1, 0xFFFFFFFF, right, child)
            + bytes(36)
            + struct.pack("<IQ", start, size)
        )

    size = 4096  # the least that stands in sectors of its own
    count = len(streams)
    folders = -(-(count + 1) // 4)
    chains = [0xFFFFFFFD] + [*range(2, folders + 1), 0xFFFFFFFE]
    directory = entry("Root Entry", 5, 0xFFFFFFFE, 0, 1, 0xFFFFFFFF)
    body = b""
    for number, (name, data) in enumerate(streams.items(), 1):
        start = len(chains)
        chains += [*range(start + 1, start + size // 512), 0xFFFFFFFE]
        right = number + 1 if number < count else 0xFFFFFFFF
        directory += entry(name.replace("_", " "), 2, start, size, 0xFFFFFFFF, right)
        body += data.ljust(size, b"\0")
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + bytes(16)
        + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6)
        + bytes(10)
        + struct.pack("<IIIIIIIII", 1, 1, 0, size, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
        + struct.pack("<I", 0xFFFFFFFF) * 108
    )
    table = struct.pack(f"<{len(chains)}I", *chains).ljust(512, b"\xff")
    return header + table + directory.ljust(512 * folders, b"\0") + body


def record(type: int, data: bytes) -> bytes:
    return struct.pack("<HH", type, len(data)) + data


def xls_stream(locked: bool = False) -> bytes:
    """A workbook ([MS-XLS]) of one sheet with a word and a number in it."""
    start = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 6))
    password = record(0x2F, bytes(6)) if locked else b""
    name = b"Halls"
    at = len(start) + len(password) + 4 + 8 + len(name) + 4
    label = struct.pack("<HHHHB", 0, 0, 0, 5, 0) + b"Seats"
    return (
        start
        + password
        + record(0x85, struct.pack("<IBBBB", at, 0, 0, len(name), 0) + name)
        + record(0x0A, b"")
        + record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 6))
        + record(0x204, label)
        + record(0x203, struct.pack("<HHHd", 0, 1, 0, 400.0))
        + record(0x0A, b"")
    )


WORD_HEAD = struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0, 0, 0)
