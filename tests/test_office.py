"""Office files: documents, slides, sheets and delimited text, all made here by their formats."""

from __future__ import annotations

import struct
import zipfile
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_word_notes_follow_what_calls_them() -> None:
    row = f"<w:tr><w:tc>{para('Seats', call(3))}</w:tc><w:tc>{para('400')}</w:tc></w:tr>"
    body = f"{para('One', call(2))}<w:tbl>{row}</w:tbl>{para('Last')}"
    data = word_file(body, footnotes=notes(_1="nowhere", _2="of the first", _3="of the row"))
    content = read(data, "a.docx")
    assert blocks(content) == [
        ("paragraph", "One"),
        ("paragraph", "of the first"),
        ("row", "Seats | 400"),
        ("paragraph", "of the row"),
        ("paragraph", "Last"),
    ]
    assert (content.title, content.published, content.language) == ("The Hall", "2016-04-28", "az")
    assert content.metadata == FACTS


def test_word_note_that_calls_itself() -> None:
    data = word_file(
        para("One", call(1)),
        footnotes=f'<w:footnotes {SPACES}><w:footnote w:id="1">{para("note", call(1))}'
        "</w:footnote></w:footnotes>",
    )
    assert read(data, "a").text == "One\n\nnote"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>", "A"),
        ('<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r>', "Ashown"),
        (
            "<w:r><w:ruby><w:rt><w:r><w:t>reading</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>base"
            "</w:t></w:r></w:rubyBase></w:ruby></w:r>",
            "Abase",
        ),
        (
            "<m:oMath><m:f><m:num><m:r><m:t>x</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r>"
            "</m:den></m:f></m:oMath>",
            "Ax/2",
        ),
        ('<w:r><w:commentReference w:id="1"/></w:r>', "A"),
        ("<w:moveFrom><w:r><w:t>moved away</w:t></w:r></w:moveFrom>", "A"),
    ],
)
def test_word_runs(inner: str, text: str) -> None:
    assert read(word_file(para("A", inner)), "a").text == text


def test_word_in_strict_conformance() -> None:
    parts = {
        "word/document.xml": f"<w:document {SPACES}><w:body>{para('Strict')}</w:body></w:document>"
    }
    data = zipped(
        {
            "[Content_Types].xml": "<Types/>",
            **{name: source.replace(WORD, "http://purl.oclc.org/ooxml/wordprocessingml/main")
               for name, source in parts.items()},
        }
    )  # fmt: skip
    assert read(data, "a").text == "Strict"


def test_word_shows_a_web_page_within_it() -> None:
    page = "<html><body><p>from the web</p><ul><li>one</li></ul></body></html>"
    data = word_file(f'{para("Before")}<w:altChunk r:id="h"/>', chunk=page)
    assert blocks(read(data, "a")) == [
        ("paragraph", "Before"),
        ("paragraph", "from the web"),
        ("item", "one"),
    ]


def test_word_of_many_pictures_is_read() -> None:
    data = word_file(para("Kept"), picture=bytes(201 << 20))
    assert read(data, "a.docx").text == "Kept"


def test_what_a_zip_says_of_its_sizes_is_not_believed() -> None:
    """A part that unpacks to more than it says, and one that says more than is read."""
    size = 201 << 20
    data = word_file(para("x" * 100), styles=b" " * size)
    assert refusal(data).startswith("too large")
    lying = data.replace(struct.pack("<I", size), struct.pack("<I", 1000))
    assert "damaged" in refusal(lying)


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


def frame(inner: str) -> str:
    return f"<p:graphicFrame><a:graphic>{inner}</a:graphic></p:graphicFrame>"


def test_slides_in_order_with_titles_items_and_tables() -> None:
    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>".format
    rows = f"<a:tr>{cell('Seats')}{cell('400')}</a:tr><a:tr>{cell('')}{cell('6')}</a:tr>"
    table = f"<a:tbl>{rows}</a:tbl>"
    data = slides_file(
        slide(
            shape("one\ntwo", "body"), shape("The\nHall", "ctrTitle"), shape("7", "sldNum"),
            f"<p:grpSp>{shape('in a group')}</p:grpSp>", shape("Foot", "ftr"),
        ),
        slide(shape("No title here"), frame(table)),
        slide(frame(table)),
    )  # fmt: skip
    content = read(data, "a.pptx")
    check(content)
    assert content.type == "slides"
    assert blocks(content) == [
        ("heading1", "The Hall"),
        ("item", "one"),
        ("item", "two"),
        ("paragraph", "in a group"),
        ("heading1", "No title here"),
        ("row", "Seats | 400"),
        ("row", "6"),
        ("heading1", "Slide 3"),
        ("row", "Seats | 400"),
        ("row", "6"),
    ]
    assert pages(content) == [1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert content.metadata == FACTS


@pytest.mark.parametrize(
    ("properties", "kind"),
    [
        ("", "paragraph"),
        ('<a:pPr><a:buChar char="-"/></a:pPr>', "item"),
        ("<a:pPr><a:buNone/></a:pPr>", "paragraph"),
    ],
)
def test_slides_bullets(properties: str, kind: str) -> None:
    data = slides_file(slide(shape("T", "title"), shape("a\nb", None, properties)))
    assert [block.kind for block in read(data, "a").blocks] == ["heading", kind, kind]


def test_slides_notes_charts_and_schemes() -> None:
    point = '<c:pt idx="{}"><c:v>{}</c:v></c:pt>'.format
    series = (
        f"<c:ser><c:tx><c:strRef><c:strCache>{point(0, 'Visitors')}</c:strCache></c:strRef></c:tx>"
        f"<c:cat><c:strRef><c:strCache>{point(0, 'May')}{point(1, 'June')}</c:strCache></c:strRef>"
        "</c:cat><c:val><c:numRef><c:numCache><c:formatCode>0.0%</c:formatCode>"
        f"{point(0, '0.25')}{point(1, '0.5')}</c:numCache></c:numRef></c:val></c:ser>"
    )
    data = slides_file(
        slide(
            shape("T", "title"),
            frame('<c:chart r:id="c"/>'),
            frame('<dgm:relIds r:dm="d"/>'),
            frame('<c:chart r:id="missing"/>'),
        ),
        notes=slide(shape("Say this.", "body"), shape("1", "sldNum")).replace("p:sld ", "p:notes ")
        .replace("/p:sld>", "/p:notes>"),
        chart=f"<c:chartSpace {SPACES}><c:title><a:p><a:r><a:t>By month</a:t></a:r></a:p></c:title>"
        f"{series}</c:chartSpace>",
        data=f"<dgm:dataModel {SPACES}><dgm:pt><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t>"
        "</dgm:pt></dgm:dataModel>",
    )  # fmt: skip
    assert blocks(read(data, "a")) == [
        ("heading1", "T"),
        ("paragraph", "By month"),
        ("row", "May | Visitors: 25.0%"),
        ("row", "June | Visitors: 50.0%"),
        ("item", "Plan"),
        ("heading2", "Notes"),
        ("paragraph", "Say this."),
    ]


def test_slides_without_text() -> None:
    assert refusal(slides_file(slide())).startswith("no text")


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


def test_sheet_rows_carry_the_names_of_their_columns() -> None:
    strings = (
        "<si><t>Hall</t></si><si><r><t>Se</t></r><r><t>ats</t></r><rPh><t>reading</t></rPh></si>"
    )
    data = sheet_file(
        row(1, cell("A1", "All halls", "str"))
        + row(2, cell("A2", "0", "s"), cell("C2", "1", "s"))
        + row(3, cell("A3", "North", "str"), cell("C3", "400"))
        + row(4, cell("A4", "South", "str"), cell("C4", "6.5"), cell("XFD4", "1", "b"))
        + row(5, cell("A5", "The end", "str"))
        + row(9, cell("A9", "5"), cell("B9", "#N/A", "e")),
        row(1),
        row(1048576, cell("XFD1048576", "far away", "str")),
        strings=strings,
    )
    content = read(data, "a.xlsx")
    check(content)
    assert blocks(content) == [
        ("heading1", "Sheet 1"),
        ("row", "All halls"),
        ("row", "Hall | Seats"),
        ("row", "North | 400"),
        ("row", "South | 6.5 | TRUE"),
        ("row", "The end"),
        ("row", "5 | #N/A"),
        ("heading1", "Sheet 3"),
        ("row", "far away"),
    ]
    assert pages(content) == [1] * 7 + [3] * 2
    assert content.metadata == FACTS
    even = sheet_file(
        row(1, cell("B1", "Hall", "str"), cell("C1", "Seats:", "str"))
        + row(2, cell("B2", "North", "str"), cell("C2", "400"))
    )
    assert blocks(read(even, "a"))[1:] == [
        ("row", "Hall | Seats:"),
        ("row", "Hall: North | Seats: 400"),
    ]


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        ("0.025", "0%", "3%"),
        ("0.1", "General", "0.1"),
        ("0.30000000000000004", "", "0.3"),
        ("1234567.5", "#,##0.00", "1,234,567.50"),
        ("-5", "$#,##0.00;[Red]($#,##0.00)", "($5.00)"),
        ("1.5", "[$€-407] #,##0.00", "€ 1.50"),
        ("1234567", "#,##0,", "1,235"),
        ("7", "000", "007"),
        ("3", "0.0#&quot; kg&quot;", "3.0 kg"),
        ("42488", "dd/mm/yyyy", "2016-04-28"),
        ("42488.5", "yyyy-mm-dd h:mm AM/PM", "2016-04-28 12:00"),
        ("0.260428240740741", "h:mm:ss", "06:15:01"),
        ("1.25", "[h]:mm", "30:00:00"),
        ("12", "mmm", "1900-01-12"),
        ("-1", "d/m/y", "-1"),
        ("0.5", "# ?/?", "0.5"),
        ("150000000", "0.00E+00", "150000000"),
        ("none", "0", "none"),
        ("1e400", "0", "inf"),
    ],
)
def test_sheet_numbers_as_a_person_sees_them(value: str, code: str, shown: str) -> None:
    data = sheet_file(row(1, cell("A1", value, style=1)), codes=(code,))
    assert blocks(read(data, "a"))[1:] == [("row", shown)]


def test_sheet_without_cells() -> None:
    assert refusal(sheet_file(row(1)), "a.xlsx").startswith("no text")


# --- Delimited text --------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_delimited(delimiter: str, encoding: str) -> None:
    rows = (("Зал", "Мест"), ("Северный, большой", "400"), ('Южный "новый"', "60"))
    text = "\r\n".join(
        delimiter.join('"' + field.replace('"', '""') + '"' for field in fields) for fields in rows
    )
    content = read(text.encode(encoding), "a.csv")
    check(content)
    assert content.type == "csv"
    assert blocks(content) == [
        ("row", "Зал | Мест"),
        ("row", "Зал: Северный, большой | Мест: 400"),
        ("row", 'Зал: Южный "новый" | Мест: 60'),
    ]


def test_delimited_names_its_delimiter() -> None:
    assert read(b"sep=;\na,b;c\nd;e,f\n", "a.csv").text == "a,b | c\nd | e,f"


def test_delimited_without_a_header() -> None:
    assert read(b"Ada,London\nBob,Paris\n", "a.csv").text == "Ada | London\nBob | Paris"
    assert read(b"1,2\n3,4\n", "a.csv").text == "1 | 2\n3 | 4"


def test_delimited_is_read_up_to_a_limit() -> None:
    line = "word " * 200
    content = read((f"{line},{line}\n" * 3000).encode(), "a.csv")
    assert len(content.text) < 2_100_000
    assert "too large to be read to its end" in content.text[-100:]


@given(st.lists(st.lists(st.text("ab1 é\n\"'"), min_size=1), min_size=1))
def test_delimited_loses_no_word(rows: list[list[str]]) -> None:
    text = "\n".join("\t".join('"' + f.replace('"', '""') + '"' for f in fields) for fields in rows)
    words = [word for fields in rows for field in fields for word in field.split()]
    if words:
        found = read(text.encode(), "a.tsv").text.split()
        assert set(words) <= set(found) | {word.rstrip(":") for word in found}


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


def test_odt_in_document_order() -> None:
    content = read(
        odf_file(
            "text",
            "<text:tracked-changes><text:changed-region><text:p>deleted</text:p>"
            "</text:changed-region></text:tracked-changes>"
            '<text:h text:outline-level="2">What  was\n built</text:h>'
            "<text:p>One<text:note><text:note-citation>1</text:note-citation><text:note-body>"
            '<text:p>its note</text:p></text:note-body></text:note><text:s text:c="2"/>more'
            "<office:annotation><text:p>comment</text:p></office:annotation>"
            "<draw:frame><svg:title>alt</svg:title><draw:text-box><text:p>boxed</text:p>"
            "</draw:text-box></draw:frame><text:line-break/>below</text:p>"
            "<text:list><text:list-item><text:p>a stage</text:p><text:list><text:list-item>"
            "<text:p>within</text:p></text:list-item></text:list></text:list-item></text:list>"
            "<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>"
            "Seats</text:p></table:table-cell><table:table-cell><text:p>400<text:note><text:p>"
            "about</text:p></text:note></text:p></table:table-cell></table:table-row>"
            "</table:table-header-rows></table:table>",
        ),
        "a.odt",
    )
    check(content)
    assert blocks(content) == [
        ("heading2", "What was built"),
        ("paragraph", "One  more\nbelow"),
        ("paragraph", "its note"),
        ("paragraph", "boxed"),
        ("item", "a stage"),
        ("item", "within"),
        ("row", "Seats | 400"),
        ("paragraph", "about"),
    ]
    assert (content.type, content.title, content.published) == ("odt", "The Hall", "2016-04-28")
    assert content.language == "az"
    assert content.metadata == FACTS | {"author": "Aysel"}


def test_odp_is_read_as_slides() -> None:
    page = (
        "<draw:page><draw:frame><draw:text-box><text:p>body</text:p></draw:text-box></draw:frame>"
        '<draw:frame p:class="title"><draw:text-box><text:p>Title</text:p></draw:text-box>'
        '</draw:frame><draw:frame p:class="footer"><text:p>foot</text:p></draw:frame><p:notes>'
        '<draw:frame p:class="notes"><text:p>said</text:p></draw:frame></p:notes></draw:page>'
    )
    content = read(odf_file("presentation", page * 2), "a.odp")
    assert content.type == "slides"
    assert blocks(content)[:4] == [
        ("heading1", "Title"),
        ("paragraph", "body"),
        ("heading2", "Notes"),
        ("paragraph", "said"),
    ]
    assert pages(content) == [1] * 4 + [2] * 4


def test_ods_shows_what_its_cells_show() -> None:
    data = odf_file(
        "spreadsheet",
        '<table:table table:name="Halls"><table:table-row><table:table-cell><text:p>Hall</text:p>'
        "</table:table-cell><table:table-cell><text:p>Share</text:p></table:table-cell>"
        '</table:table-row><table:table-row table:number-rows-repeated="2"><table:table-cell>'
        "<text:p>North</text:p></table:table-cell><table:table-cell><text:p>25 %</text:p>"
        '</table:table-cell><table:table-cell table:number-columns-repeated="16000"/>'
        '</table:table-row><table:table-row table:number-rows-repeated="1000000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row></table:table>',
    )
    content = read(data, "a.ods")
    assert content.type == "sheet"
    assert blocks(content) == [
        ("heading1", "Halls"),
        ("row", "Hall | Share"),
        ("row", "Hall: North | Share: 25 %"),
        ("row", "Hall: North | Share: 25 %"),
    ]


def test_opendocument_under_a_password() -> None:
    locked = odf_file("text", "<text:p>x</text:p>", "<manifest><encryption-data/></manifest>")
    assert refusal(locked, "a.odt").startswith("encrypted")


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


def test_xls_is_read() -> None:
    content = read(compound(Workbook=xls_stream()), "a.doc")
    assert content.type == "sheet"
    assert blocks(content) == [("heading1", "Halls"), ("row", "Seats | 400")]


WORD_HEAD = struct.pack("<HHHHHH", 0xA5EC, 0xC1, 0, 0, 0, 0)
POINT_HEAD = struct.pack("<III", 0, 0, 0x14)


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ({"WordDocument": WORD_HEAD}, "unsupported: a Word document of before 2007"),
        ({"PowerPoint_Document": b"", "Current_User": POINT_HEAD}, "unsupported: a PowerPoint"),
        ({"Something": b""}, "unsupported: an old Office file"),
        ({"WordDocument": WORD_HEAD[:10] + b"\0\1"}, "encrypted: save it without a password"),
        (
            {"PowerPoint_Document": b"", "Current_User": POINT_HEAD + b"\xdf\xc4\xd1\xf3"},
            "encrypted: save it without a password",
        ),
        ({"Workbook": xls_stream(locked=True)}, "encrypted: save it without a password"),
        ({"EncryptedPackage": b"", "EncryptionInfo": b""}, "encrypted: save it without a password"),
        ({"WordDocument": WORD_HEAD, "\tDRMContent": b""}, "encrypted: its rights are managed"),
        ({"Workbook": b"\x09\x08\xff\xff"}, "damaged"),
    ],
)
@pytest.mark.parametrize("name", ["a.doc", "a.docx", "a.txt"])
def test_compound_files_are_refused_by_what_they_are(
    streams: dict[str, bytes], reason: str, name: str
) -> None:
    assert refusal(compound(**streams), name).startswith(reason)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b'<?xml version="1.0"?>\n<?mso-application progid="Word.Document"?><w/>',
            "save it as .docx",
        ),
        (
            b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><w/>',
            "save it as .xlsx",
        ),
        (b"\x09\x04\x06\0\0\0\x10\0", "save it as .xlsx"),
        (b"\xffWPC\x10\0\0\0", "WordPerfect"),
    ],
)
def test_older_files_are_refused_by_what_they_are(data: bytes, words: str) -> None:
    reason = refusal(data, "a.doc")
    assert reason.startswith("unsupported")
    assert words in reason


# --- Any damage ------------------------------------------------------------------------------

WHOLE = {
    "a.docx": word_file(para("One", call(1)), footnotes=notes(_1="note")),
    "a.pptx": slides_file(slide(shape("T", "title"), shape("a\nb", "body"))),
    "a.xlsx": sheet_file(row(1, cell("A1", "word", "str"), cell("B1", "5"))),
    "a.odt": odf_file("text", "<text:p>Some words</text:p>"),
    "a.xls": compound(Workbook=xls_stream()),
    "a.doc": compound(WordDocument=WORD_HEAD),
    "a.csv": b"Hall;Seats\nNorth;400\n",
}


@settings(deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.floats(0, 1), st.binary(max_size=20))
def test_damaged_files_are_read_or_refused(name: str, place: float, put: bytes) -> None:
    whole = WHOLE[name]
    at = int(place * len(whole))
    for data in (whole[:at], whole[:at] + put + whole[at + len(put) :]):
        with suppress(Unreadable):
            check(read(data, name))


@settings(deadline=None)
@given(st.text(alphabet='<>/="&; wprtc:sia1#x', max_size=80))
def test_any_markup_within_is_read_or_refused(markup: str) -> None:
    for data in (word_file(markup), slides_file(slide(markup)), sheet_file(markup)):
        with suppress(Unreadable):
            check(read(data, "a"))


def test_entities_are_not_expanded() -> None:
    bomb = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    part = (
        f'<!DOCTYPE d [<!ENTITY a0 "ha"><!ENTITY x SYSTEM "file:///etc/passwd">{bomb}]>'
        f"<w:document {SPACES}><w:body>{para('Kept')}{para('&a9;&x;')}</w:body></w:document>"
    )
    assert read(package("word/document.xml", {"word/document.xml": part}), "a").text == "Kept"
