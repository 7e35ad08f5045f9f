"""Outlook items, in compound files made here after [MS-CFB]."""

from __future__ import annotations

import struct
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import compressed_rtf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import kind, read
from index.readers.format import Inner

SECTOR = 512
END, FREE, FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def compound_file(root: dict[str, Any]) -> bytes:
    """A compound file: folders are dictionaries. Streams fill up to 4,096 bytes with zeros."""
    entries: list[bytes] = []
    sectors: list[bytes] = []
    chain: list[int] = []

    def store(data: bytes) -> int:
        start = len(sectors)
        parts = [data[at : at + SECTOR] for at in range(0, len(data), SECTOR)]
        sectors.extend(part.ljust(SECTOR, b"\0") for part in parts)
        chain.extend([*range(start + 1, start + len(parts)), END])
        return start

    def add(name: str, item: Any, kind: int) -> int:
        number = len(entries)
        entries.append(b"")
        first, start, size = FREE, 0, 0
        if isinstance(item, bytes):
            data = item.ljust(4096, b"\0")
            start, size = store(data), len(data)
        else:
            children = [(n, add(n, i, 2 if isinstance(i, bytes) else 1)) for n, i in item.items()]
            for (_, left), (_, right) in pairwise(children):
                entries[left] = entries[left][:72] + struct.pack("<I", right) + entries[left][76:]
            first = children[0][1] if children else FREE
            start = END if kind == 5 else 0
        wide = name.encode("utf-16-le") + b"\0\0"
        entries[number] = struct.pack(
            "<64sHBBIII16sI8s8sIII", wide, len(wide), kind, 1, FREE, FREE, first, bytes(16), 0,
            bytes(8), bytes(8), start, size, 0,
        )  # fmt: skip
        return number

    add("Root Entry", root, 5)
    while len(entries) % 4:
        entries.append(bytes(68) + struct.pack("<III", FREE, FREE, FREE) + bytes(48))
    directory = store(b"".join(entries))
    count = -(-len(sectors) // 127)  # of sectors of the table, which lists itself too
    first_fat = len(sectors)
    table = [*chain, *[FAT] * count]
    table += [FREE] * (count * 128 - len(table))
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE,
        9, 6, bytes(6), 0, count, directory, 0, 4096, END, 0, END, 0, first_fat,
    )  # fmt: skip
    rest = [*range(first_fat + 1, first_fat + count), *[FREE] * (109 - count)]
    return header + struct.pack("<108I", *rest) + b"".join(sectors) + struct.pack(
        f"<{len(table)}I", *table
    )  # fmt: skip


def item(
    texts: dict[int, str], *, header: int = 32, numbers: dict[int, int] | None = None,
    date: datetime | None = None, more: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The folder of an item: texts and numbers by their property, and what else it holds."""
    properties = [struct.pack("<HHIQ", 0x001F, number, 6, 0) for number in texts]
    properties += [struct.pack("<HHIQ", 3, n, 6, value) for n, value in (numbers or {}).items()]
    if date:
        ticks = int((date - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
        properties.append(struct.pack("<HHIQ", 0x0040, 0x0039, 6, ticks))
    streams = {f"__substg1.0_{n:04X}001F": text.encode("utf-16-le") for n, text in texts.items()}
    return {
        "__properties_version1.0": bytes(header) + b"".join(properties), **streams, **(more or {})
    }  # fmt: skip


def attached(name: str, data: bytes | dict[str, Any]) -> dict[str, Any]:
    type = "0102" if isinstance(data, bytes) else "000D"
    return item({0x3707: name} if name else {}, header=8, more={f"__substg1.0_3701{type}": data})


def mail(subject: str = "Wind im Saal", text: str = "Liebe alle,\r\n\r\nbis Freitag.\r\n",
         **more: Any) -> dict[str, Any]:  # fmt: skip
    return item(
        {0x0037: subject, 0x1000: text, 0x0C1A: "Əliyeva, Aysel", 0x5D01: "aysel@example.org"},
        date=datetime(2016, 4, 28, 19, 30, tzinfo=UTC),
        more={
            "__recip_version1.0_#00000000": item(
                {0x3001: "The Board", 0x39FE: "board@example.org"}, header=8, numbers={0x0C15: 1}
            ),
            **more,
        },
    )


PLAN = b"%PDF-1.7\n" + bytes(range(256)) * 20


def whole() -> bytes:
    inner = mail("Innen", "Text innen.", **{
        "__attach_version1.0_#00000000": attached("tief.bin", PLAN)
    })  # fmt: skip
    inner["__properties_version1.0"] = inner["__properties_version1.0"][8:]  # 24 bytes of header
    return compound_file(mail(**{
        "__attach_version1.0_#00000000": attached("../plan ü.pdf", PLAN),
        "__attach_version1.0_#00000001": attached("", inner),
    }))  # fmt: skip


WHOLE = whole()


def unpacked(data: bytes) -> list[Inner]:
    unpack = kind(data, "a").unpack
    assert unpack is not None
    return list(unpack(data))


@pytest.mark.parametrize("name", ["a", "a.msg", "a.txt", "a.doc"])
def test_people_date_body_and_attachments(name: str) -> None:
    content = read(WHOLE, name)
    assert (content.type, content.title) == ("mail", "Wind im Saal")
    assert content.published == "2016-04-28"
    assert content.metadata["author"] == "Əliyeva, Aysel"
    assert content.text == (
        'From: "Əliyeva, Aysel" <aysel@example.org>\nTo: "The Board" <board@example.org>\n'
        "Date: Thu, 28 Apr 2016 19:30:00 +0000\n\nLiebe alle,\n\nbis Freitag.\n\n"
        "Attachments: plan ü.pdf, a message.eml"
    )


def test_attachments_and_items_within_are_unpacked() -> None:
    plan, inner = unpacked(WHOLE)
    assert (plan.name, plan.data) == ("plan ü.pdf", PLAN)
    assert inner.name == "a message.eml"
    content = read(inner.data, inner.name)
    assert (content.title, content.published) == ("Innen", "2016-04-28")
    assert "Text innen." in content.text
    (deep,) = unpacked(inner.data)
    assert (deep.name, deep.data) == ("tief.bin", PLAN)


def test_headers_that_came_with_it_count() -> None:
    headers = "Received: x\r\nFrom: Ann <a@x.org>\r\nDate: Fri, 29 Apr 2016 01:00:00 +0400\r\n"
    content = read(compound_file(item({0x0037: "S", 0x1000: "T", 0x007D: headers})), "a.msg")
    assert content.text.startswith("From: Ann <a@x.org>\nDate: Fri, 29 Apr 2016 01:00:00 +0400\n")
    assert content.published == "2016-04-29"


def test_reply_without_the_mail_before_it() -> None:
    text = "Yes.\r\n\r\nFrom: Ann\r\nSent: Monday\r\nTo: Bob\r\nSubject: Party\r\n\r\nCome?\r\n"
    assert read(compound_file(item({0x0037: "RE: Party", 0x1000: text})), "a").text == "Yes."
    assert "Come?" in read(compound_file(item({0x0037: "FW: Party", 0x1000: text})), "a").text


def test_body_of_html_alone() -> None:
    page = "<html><body><p>Grüße</p><ul><li>eins</li></ul></body></html>".encode("cp1252")
    data = compound_file(
        item({0x0037: "S"}, numbers={0x3FDE: 1252}, more={"__substg1.0_10130102": page})
    )
    assert read(data, "a.msg").text == "Grüße\n\neins"


def test_body_of_rtf_alone() -> None:
    body = compressed_rtf.compress(rb"{\rtf1\ansi One paragraph.\par Another one.\par}")
    data = compound_file(item({0x0037: "S"}, more={"__substg1.0_10090102": body}))
    assert read(data, "a.msg").text == "One paragraph.\n\nAnother one."


def test_texts_in_a_code_page() -> None:
    data = compound_file(
        item({}, numbers={0x3FFD: 1251}, more={
            "__substg1.0_0037001E": "Привет".encode("cp1251"),
            "__substg1.0_1000001E": "Всем привет".encode("cp1251"),
        })
    )  # fmt: skip
    content = read(data, "a.msg")
    assert (content.title, content.text) == ("Привет", "Всем привет")


def test_contact_and_appointment_say_what_they_hold() -> None:
    contact = read(compound_file(item({0x0037: "Ann", 0x3A16: "Fence Co", 0x3A08: "123"})), "a")
    assert contact.text == "Company: Fence Co\nBusiness phone: 123"
    entry = struct.pack("<IHH", 0x8208, 0, 5)  # the place is property 0x8005 in this file
    names = {"__nameid_version1.0": {"__substg1.0_00030102": entry}}
    meeting = read(compound_file(item({0x0037: "M", 0x8005: "Hall 3"}, more=names)), "a")
    assert meeting.text == "Where: Hall 3"


def test_link_and_object_instead_of_a_file_have_a_reason() -> None:
    link, object = unpacked(compound_file(mail(**{
        "__attach_version1.0_#00000000": item({0x3707: "far.doc"}, header=8),
        "__attach_version1.0_#00000001": attached("sheet", {"Workbook": b"x"}),
    })))  # fmt: skip
    assert (link.name, "link" in link.reason) == ("far.doc", True)
    assert "embedded object" in object.reason


def test_items_far_within_each_other_are_refused() -> None:
    inner = mail("Innermost")
    for _ in range(12):
        inner = mail(**{"__attach_version1.0_#00000000": attached("", inner)})
    with pytest.raises(Unreadable, match="too deep"):
        unpacked(compound_file(inner))


def test_other_compound_files_are_no_mail() -> None:
    with pytest.raises(Unreadable, match="unsupported"):
        read(compound_file({"WordDocument": b"x"}), "a.msg")


def test_streams_that_share_their_bytes_are_refused() -> None:
    data = bytearray(compound_file(mail()))
    at = data.index("__substg1.0_1000001F".encode("utf-16-le")) + 120  # the size of that stream
    data[at : at + 4] = struct.pack("<I", 10 * len(data))
    with pytest.raises(Unreadable, match="damaged"):
        read(bytes(data), "a.msg")


@settings(deadline=None, max_examples=150)
@given(st.floats(0, 1), st.binary(min_size=1, max_size=20), st.booleans())
def test_damage_never_raises_anything_else(place: float, put: bytes, cut: bool) -> None:
    at = int(place * len(WHOLE))
    data = WHOLE[:at] if cut else WHOLE[:at] + put + WHOLE[at + len(put) :]
    with suppress(Unreadable):
        read(data, "a.msg")
