"""Mail: people, the body without what it repeats, and what is attached."""

from __future__ import annotations

from contextlib import suppress
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import Unreadable
from index.readers import kind, read
from index.readers.format import Inner
from index.readers.replies import repeated


def mail_message(subject: str = "Çıxış in the hall") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Aysel Əliyeva <aysel@example.org>"
    message["To"] = "board@example.org"
    message["Subject"] = subject
    message["Date"] = "Thu, 28 Apr 2016 23:30:00 +0400"
    message.set_content("Dear all,\n\nthe meeting is moved to Friday.\n")
    return message


def body(subject: str, text: str, *, subtype: str = "plain", answers: str = "") -> str:
    """The text of a mail with this body, without the block of people above it."""
    message = EmailMessage()
    message["From"] = "a@example.org"
    message["Subject"] = subject
    if answers:
        message["In-Reply-To"] = answers
    message.set_content(text, subtype=subtype)
    return read(message.as_bytes(), "a.eml").text.partition("\n\n")[2]


def unpacked(data: bytes, name: str = "a.eml") -> list[Inner]:
    unpack = kind(data, name).unpack
    assert unpack is not None
    return list(unpack(data))


# --- The mail itself -------------------------------------------------------------------------


def test_people_body_and_attachments() -> None:
    message = mail_message()
    message.add_alternative("<p>the <b>HTML</b> part</p>", subtype="html")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="plan ü.pdf")
    message.add_attachment("not read", filename="notes.txt")
    content = read(message.as_bytes(), "a.eml")
    assert content.type == "mail"
    assert content.title == "Çıxış in the hall"
    assert content.published == "2016-04-28"
    assert content.metadata == {"author": "Aysel Əliyeva", "created": "2016-04-28"}
    assert [content.text[block.start : block.end] for block in content.blocks] == [
        "From: Aysel Əliyeva <aysel@example.org>\nTo: board@example.org\n"
        "Date: Thu, 28 Apr 2016 23:30:00 +0400",
        "Dear all,",
        "the meeting is moved to Friday.",
        "Attachments: plan ü.pdf, notes.txt",
    ]


def test_html_alone() -> None:
    text = body("News", "<style>p{}</style><p>Dear <b>all</b>,</p><ul><li>one</li></ul>",
                subtype="html")  # fmt: skip
    assert text == "Dear all,\n\none"


@pytest.mark.parametrize(
    "headers",
    [
        b"From: a@b\nSubject: =?no-such?q?abc?=\nDate: yesterday",
        b"From: <<>@>,,\nSubject: \xff\xfe\nDate: Thu, 99 Foo 2016",
        b'From: a@b\nSubject: =?utf-8?b?A?=\nContent-Type: text/plain; charset="\xff"',
        b"From: a@b\nMIME-Version: 1.0\nContent-Type: multipart/mixed",
        b"From: a@b\nMIME-Version: 1.0\nContent-Transfer-Encoding: x-none",
    ],
)
def test_broken_headers_keep_the_body(headers: bytes) -> None:
    content = read(headers + b"\n\nBody\n", "a.eml")
    assert content.type == "mail"
    assert content.published is None
    assert content.text.endswith("\n\nBody")


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("Grüße aus Köln".encode(), "Grüße aus Köln"),
        ("Grüße aus Köln".encode("latin-1"), "Grüße aus Köln"),
        (b"=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),
        (b"Re: =?koi8-r?b?8NLJ18XU?= all", "Re: Привет all"),
    ],
)
def test_subject_in_any_encoding(raw: bytes, subject: str) -> None:
    assert read(b"From: a@b\nTo: c@d\nSubject: " + raw + b"\n\nText\n", "a").title == subject


def test_author_with_a_comma_in_an_encoded_name() -> None:
    raw = b'From: =?utf-8?q?M=C3=BCller=2C_Jo?= <j@x.de>, "Li, Wei" <w@x.cn>\nTo: a@b\n\nText\n'
    assert read(raw, "a.eml").metadata["author"] == "Müller, Jo, Li, Wei"


def test_parts_between_undeclared_lines_are_found() -> None:
    raw = (
        b'From: a@b\nTo: c@d\nContent-Type: multipart/mixed; boundary="declared"\n\n'
        b"--used\nContent-Type: text/html\nContent-Transfer-Encoding: base64\n\n"
        b"PHA+SGVsbG88L3A+\n--used--\n"
    )
    assert read(raw, "a.eml").text.endswith("\n\nHello")


def test_attachment_past_the_end_is_found() -> None:
    raw = (
        b'From: a@b\nTo: c@d\nContent-Type: multipart/mixed; boundary="x"\n\n'
        b"--x\nContent-Type: text/plain\n\nText\n--x--\n\n"
        b'--x\nContent-Type: application/pdf; name="a.pdf"\n\n%PDF\n--x--\n'
    )
    assert read(raw, "a.eml").text.endswith("Text\n\nAttachments: a.pdf")
    assert [inner.name for inner in unpacked(raw)] == ["a.pdf"]


def test_delivery_report_is_read() -> None:
    raw = (
        b'From: a@b\nTo: c@d\nContent-Type: multipart/report; boundary="x"\n\n'
        b"--x\nContent-Type: text/plain\n\nIt came back.\n"
        b"--x\nContent-Type: message/delivery-status\n\n"
        b"Reporting-MTA: dns; b\n\nStatus: 5.4.6\n\n--x--\n"
    )
    assert "It came back.\n\nReporting-MTA: dns; b\n\nStatus: 5.4.6" in read(raw, "a.eml").text


# --- What is repeated ------------------------------------------------------------------------

REPLIES = {
    "quoted below": "Yes.\n\nOn Mon, 4 Apr 2016 at 10:00, Ann <a@x.org> wrote:\n> Come?\n> Ann\n",
    "quoted above": "Ann wrote:\n> Come?\n\nYes.\n",
    "attribution over lines": "Yes.\n\nOn Mon, 4 Apr 2016, Ann\n<a@x.org> wrote:\n\n> Come?\n",
    "in German": "Yes.\n\nAm 04.04.2016 um 10:00 schrieb Ann:\n> Kommst du?\n>> Wann?\n",
    "in Russian": "Yes.\n\n4 апреля 2016, Анна написала:\n> Придёшь?\n",
    "Outlook's line": "Yes.\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\n\nCome?\n",
    "Outlook's headers": "Yes.\n\n________________________________\nFrom: Ann\n"
    "Sent: Monday, April 4, 2016\nTo: Bob\nSubject: Party\n\nCome?\n",
    "Outlook in German": "Yes.\n\nVon: Ann\nGesendet: Montag\nAn: Bob\nBetreff: Fest\n\nKommst du?",
    "unquoted": "Yes.\n\nOn Mon, 4 Apr 2016 at 10:00 Ann <a@x.org> wrote:\n\nCome?\n\nAnn\n",
}


@pytest.mark.parametrize("text", REPLIES.values(), ids=REPLIES)
def test_reply_without_the_mail_before_it(text: str) -> None:
    assert body("Re: Party", text) == "Yes."
    assert body("Party", text, answers="<1@x.org>") == "Yes."


def test_answers_between_quotes_stay_in_order() -> None:
    text = "Ann wrote:\n> When?\n\nAt six.\n\n> Where?\nAt home.\n\n-- \nBob\nBaku\n"
    assert body("Re: Party", text) == "At six.\n\nAt home.\n\n-- \nBob\nBaku"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Fwd: Party", REPLIES["quoted below"]),
        ("FW: Party", REPLIES["Outlook's line"]),
        ("WG: Fest", REPLIES["Outlook in German"]),
        ("Party", REPLIES["Outlook's headers"]),
        ("Party", "A poem:\n\n> The wind\n> blows.\n"),
        ("Re: Party", "> Come?\n> Ann\n"),
        ("Re: Party", "Ann wrote:\n> Come?\n\n-- \nBob\n"),
        ("Re: Party", "-----Original Message-----\nFrom: Ann\nSent: Monday\n\nCome?\n"),
        ("Re: Party", "See this.\n\n---------- Forwarded message ---------\nFrom: Ann\n"
         "Date: Monday\n\nCome?\n"),
        ("Re: Party", "From here on Friday:\nit starts at six.\nSent it to all.\n"),
        ("Re: x", "He wrote: come.\n\nOn Monday she wrote:\nso be it."),
    ],
)  # fmt: skip
def test_nothing_that_stands_nowhere_else_is_lost(subject: str, text: str) -> None:
    assert body(subject, text).split() == text.split()


QUOTED_PAGES = {
    "cite": '<p>Yes.</p><div>On Mon, 4 Apr 2016, Ann wrote:</div><blockquote type="cite">'
    "<p>Come?</p><blockquote>Old</blockquote></blockquote>",
    "Gmail": '<div>Yes.</div><div class="gmail_quote"><div class="gmail_attr">On Mon, Apr 4, 2016 '
    'Ann &lt;a@x.org&gt; wrote:<br></div><blockquote class="gmail_quote">Come?</blockquote></div>',
    "Outlook": "<p>Yes.</p><div><p><b>From:</b> Ann<br><b>Sent:</b> Monday<br><b>To:</b> Bob<br>"
    "<b>Subject:</b> Party</p></div><p>Come?</p>",
}


@pytest.mark.parametrize("page", QUOTED_PAGES.values(), ids=QUOTED_PAGES)
def test_page_without_the_mail_before_it(page: str) -> None:
    assert body("Re: Party", page, subtype="html") == "Yes."
    assert "Come?" in body("Fwd: Party", page, subtype="html")


def test_page_keeps_answers_between_quotes_and_a_quote_alone() -> None:
    quote = '<blockquote type="cite"><p>When?</p></blockquote>'
    page = f"<p>Hi,</p>{quote}<p>At six.</p>{quote}<p>Bye</p>"
    assert body("Re: Party", page, subtype="html") == "Hi,\n\nAt six.\n\nBye"
    assert body("Re: Party", quote, subtype="html") == "When?"


@given(
    st.lists(
        st.sampled_from(
            ["", "> q", "Ann wrote:", "On 4.4.2016 Ann wrote:", "-----Original Message-----", "--"]
            + ["From: a", "Sent: b", "word", "> ", "_____", "Begin forwarded message:"]
        )
    ),
    st.booleans(),
)
def test_repeats_leave_something_and_never_a_line_before_any_mark(
    lines: list[str], reply: bool
) -> None:
    drop = repeated(lines, reply=reply)
    assert len(drop) == len(lines)
    kept = [line for line, dropped in zip(lines, drop, strict=True) if not dropped]
    if any(drop):
        assert any(character.isalnum() for line in kept for character in line)
    assert kept.count("word") == lines.count("word") or reply
    if not reply:  # only quotes and the words above them
        assert all(
            line.startswith((">", "Ann", "On", "-----")) or not line
            for line, dropped in zip(lines, drop, strict=True)
            if dropped
        )


# --- What is attached ------------------------------------------------------------------------


def test_attachments_are_unpacked() -> None:
    inner = mail_message("Re: 1/2 ü")
    message = mail_message()
    message.add_attachment(b"%PDF\0", maintype="application", subtype="pdf", filename="../plan.pdf")
    message.add_attachment("notes ü", filename="notes.txt")
    message.add_attachment(inner)
    data = message.as_bytes()
    found = unpacked(data)
    assert [(i.name, i.reason) for i in found] == [
        ("plan.pdf", ""),
        ("notes.txt", ""),
        ("Re: 1-2 ü.eml", ""),
    ]
    assert found[0].data == b"%PDF\0"
    assert found[1].data.decode().strip() == "notes ü"
    assert read(found[2].data, found[2].name).title == "Re: 1/2 ü"
    assert "plan.pdf, notes.txt, Re: 1/2 ü" in read(data, "a.eml").text


def test_inline_images_without_names_are_unpacked_and_not_listed() -> None:
    message = mail_message()
    message.add_related(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", cid="<i>")
    data = message.as_bytes()
    assert [(i.name, i.data[:4]) for i in unpacked(data)] == [("attachment 1.png", b"\x89PNG")]
    assert "Attachments" not in read(data, "a.eml").text


def test_body_is_no_attachment() -> None:
    message = mail_message()
    message.add_alternative("<p>the HTML part</p>", subtype="html")
    assert unpacked(message.as_bytes()) == []


def test_attached_message_in_base64() -> None:
    raw = (
        b'From: a@b\nTo: c@d\nContent-Type: multipart/mixed; boundary="x"\n\n'
        b"--x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        b"RnJvbTogeEB5ClRvOiB6QHkKU3ViamVjdDogSW4KCkhpCg==\n--x--\n"
    )
    (inner,) = unpacked(raw)
    assert read(inner.data, inner.name).title == "In"


@settings(deadline=None)
@given(st.floats(0, 1), st.binary(max_size=20))
def test_damage_never_raises_anything_else(place: float, put: bytes) -> None:
    message = mail_message()
    message.add_attachment(mail_message())
    message.add_attachment(b"%PDF\0", maintype="application", subtype="pdf", filename="plan.pdf")
    whole = message.as_bytes()
    at = int(place * len(whole))
    damaged = whole[:at] + put + whole[at + len(put) :]
    with suppress(Unreadable):
        read(damaged, "a.eml")
        format = kind(damaged, "a.eml")
        if format.unpack:
            for inner in format.unpack(damaged):
                with suppress(Unreadable):
                    read(inner.data, inner.name)
