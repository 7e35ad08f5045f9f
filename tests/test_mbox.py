"""Mailboxes: their mails, one at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import kind, read
from index.readers.format import Inner

LINE = b"From ann@example.org Mon Jun 01 10:00:00 2009\n"


def mail(subject: str, text: str = "Some text.") -> bytes:
    return f"From: a@b\nTo: c@d\nSubject: {subject}\n\n{text}\n".encode()


def unpacked(data: bytes, name: str) -> list[Inner]:
    format = kind(data, name)
    assert format.type == "mailbox"
    assert format.unpack is not None
    return list(format.unpack(data))


@pytest.mark.parametrize("name", ["a", "a.mbox", "a.txt", "Inbox.eml"])
def test_mails_in_order_by_number_and_subject(name: str) -> None:
    data = LINE + mail("First: a/b") + b"\n" + LINE + mail("") + b"\n" + LINE + mail("Third")
    found = unpacked(data, name)
    assert [inner.name for inner in found] == ["0001 First: a-b.eml", "0002.eml", "0003 Third.eml"]
    assert [read(inner.data, inner.name).title for inner in found] == ["First: a/b", "", "Third"]


def test_it_has_no_text_of_its_own() -> None:
    with pytest.raises(Unreadable, match="only holds other files"):
        read((LINE + mail("One") + b"\n") * 2, "a.mbox")


@pytest.mark.parametrize(
    "line",
    [
        b"From MAILER-DAEMON Fri Jul  8 12:08:34 2011\n",
        b"From - Mon Jan 01 09:00:00 2001\n",
        b"From 1533@xxx Mon Jan 01 00:00:00 +0000 2015\n",
        b"From ann at example.org  Sat Jan  1 10:00:00 2005\n",
        b'From "ann b"@example.org Wed Jan 30 18:07:01 2002\r\n',
        b"From somebody without a date\n",
    ],
)
def test_lines_between_mails(line: bytes) -> None:
    found = unpacked(line + mail("One") + b"\n" + line + mail("Two"), "a.mbox")
    assert [inner.name for inner in found] == ["0001 One.eml", "0002 Two.eml"]


def test_lines_of_the_text_are_not_taken_for_mails() -> None:
    text = "Dear Bob,\n\nFrom Monday on we meet.\n>From here it is far.\n>>From there too.\n"
    found = unpacked(LINE + mail("One", text) + b"\n" + LINE + mail("Two"), "a.mbox")
    assert len(found) == 2
    assert b"\nFrom Monday on we meet.\nFrom here it is far.\n>From there" in found[0].data


def test_mails_without_headers_by_name() -> None:
    found = unpacked(LINE + b"\nContent 1\n\n" + LINE + b"\nContent 2\n", "simple.mbox")
    assert [read(inner.data, inner.name).text for inner in found] == ["Content 1", "Content 2"]


def test_one_mail_stays_a_mail() -> None:
    data = LINE + mail("Only", ">From far away\n\nFrom Monday on.")
    for name in ("a.eml", "a.txt", "a"):
        content = read(data, name)
        assert (content.type, content.title) == ("mail", "Only")
        assert "\n\nFrom far away\n\nFrom Monday on." in content.text


def test_prose_is_no_mailbox() -> None:
    assert read(b"From Monday on: rain\n\nFrom Tuesday on:\nsun: much\n", "a.txt").type == "text"


@given(st.lists(st.sampled_from([LINE, b"From x\n", b"To: a\n", b"\n", b"text\n", b"\xff\0"])))
def test_any_lines_give_mails_with_all_their_words(lines: list[bytes]) -> None:
    data = b"".join(lines) + b"text\n"
    unpack = kind(LINE, "a.mbox").unpack
    assert unpack is not None
    assert sum(inner.data.count(b"text") for inner in unpack(data)) == data.count(b"text")
