"""OpenDocument: texts, slides and sheets are read as those of Office are."""

from __future__ import annotations

from office import FACTS, blocks, check, odf_file, pages, refusal

from index.readers import read


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
