"""Word documents."""

from __future__ import annotations

import docx
from content import (
    blocks,
    check,
    docx_file,
    refusal,
    word_document,
)
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls

from index.readers import read


def test_docx_in_document_order() -> None:
    content = read(word_document(), "a.docx")
    check(content)
    assert (content.title, content.published, content.language) == (
        "The Hall",
        "2016-04-28",
        "en-GB",
    )
    assert blocks(content) == [
        ("heading1", "Opening"),
        ("paragraph", "It was opened in spring."),
        ("item", "a stage"),
        ("item", "a foyer"),
        ("row", "Seats | 400"),
        ("row", "Doors | 6"),
        ("heading2", "Later"),
        ("paragraph", "It still stands."),
    ]


def test_docx_revisions_controls_and_boxes() -> None:
    document = docx.Document()
    document.add_heading("Styled title", level=0)
    for inner in (
        "<w:p {ns}><w:ins><w:r><w:t>added</w:t></w:r></w:ins><w:del><w:r><w:delText>gone"
        "</w:delText></w:r></w:del><w:r><w:tab/><w:t>kept</w:t><w:br/><w:t>below</w:t></w:r></w:p>",
        "<w:sdt {ns}><w:sdtContent><w:p><w:r><w:t>controlled</w:t></w:r></w:p></w:sdtContent>"
        "</w:sdt>",
        "<w:p {ns}><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p>"
        "</w:txbxContent></w:pict></w:r></w:p>",
    ):
        document.element.body.insert_element_before(
            parse_xml(inner.format(ns=nsdecls("w"))), "w:sectPr"
        )
    content = read(docx_file(document), "a.docx")
    assert content.text == "Styled title\n\nadded\tkept\nbelow\n\ncontrolled\n\nboxed"
    assert content.title == "Styled title"


def test_docx_refusals() -> None:
    whole = word_document()
    locked = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500) + "EncryptedPackage".encode("utf-16-le")
    )
    assert refusal(locked, "a.docx").startswith("encrypted")
    assert refusal(whole[: len(whole) // 2], "a.docx").startswith("damaged")
    assert refusal(docx_file(docx.Document()), "a.docx").startswith("no text")
