"""What a reply repeats of the mails before it, told by the marks that mail programs leave.

No standard says how to quote. RFC 3676 (4.5) has ``>`` before each line; programs write a line
such as "On … wrote:" above that, and Outlook puts the whole earlier mail, headers and all, below.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FORWARD = re.compile(
    r"\s*(?:\[[^\]]*\]\s*)*(?:fwd?|wg|tr|rv|enc|i|doorst|vb|vl|vs|pd|ynt ilt|ilt|пересл|转发)\s*:",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"\s*(?:\[[^\]]*\]\s*)*(?:re|aw|antw?|sv|vs|odp|ynt|cvp|res|r|rif|отв|ответ|回复|答复)"
    r"(?:\[\d+\]|\s\d+)?\s*[:：]",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\s{0,3}>(?!From )")
_SIGNATURE = re.compile(r"--\s*")
_WROTE = (
    r"wrote|writes|said|schrieb|écrit|a écrit|escribió|ha scritto|scrisse|schreef|skrev|escreveu"
    r"|napisał(?:\(?a\)?)?|написала?|пишет|писала?|yazdı|写道|さんは書きました"
)
_VERB = re.compile(rf"\b(?:{_WROTE})\b", re.IGNORECASE)
_LONGEST = 500  # characters that say whose a quote is
_OPENING = re.compile(r"\W{0,2}(?:On|Am|Le|El|Il|Op|Den|Em|W dniu|Dnia)\s", re.IGNORECASE)
_DATED = re.compile(r"\b(?:19|20)\d\d\b|\d[./-]\d")
_DIVIDER = re.compile(
    r"\s*[-_*]{2,}\s*(?:Original Message|Original Appointment|Reply message|Ursprüngliche Nachricht"
    r"|Originalnachricht|Message d'origine|Message original|Mensaje original|Messaggio originale"
    r"|Mensagem original|Oorspronkelijk bericht|Ursprungligt meddelande|Oprindelig meddelelse"
    r"|Opprinnelig melding|Wiadomość oryginalna|Исходное сообщение|Orijinal İleti"
    r"|Orijinal Mesaj|原始邮件|邮件原件)\s*[-_*]{2,}\s*",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"\s*(?:-{3,}\s*Forwarded (?:message|by)\b|Begin forwarded message:|-{3,}\s*Weitergeleitete)",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"\W{0,3}(?:From|Von|De|Da|Van|Från|Fra|Od|Kimden|От|发件人|差出人)\W{0,3}[:：]", re.IGNORECASE
)
_SENT = re.compile(
    r"\W{0,3}(?:Sent|Date|Gesendet|Datum|Envoyé|Enviado(?: el| em)?|Fecha|Data|Inviato|Verzonden"
    r"|Skickat|Sendt|Wysłano|Gönderildi|Gönderme Tarihi|Tarih|Отправлено|Дата"
    r"|发送时间|日期|送信日時)"
    r"\W{0,3}[:：]",
    re.IGNORECASE,
)
_HEADERS = 4  # lines, at most, from a mail's From to its date
_RULE = re.compile(r"\s*[_-]{5,}\s*")


def is_forward(subject: str) -> bool:
    """Say whether the subject begins as programs mark what is passed on."""
    return _FORWARD.match(subject) is not None


def is_reply(subject: str) -> bool:
    """Say whether the subject begins as programs mark an answer (RFC 5322 3.6.5)."""
    return _REPLY.match(subject) is not None


def repeated(lines: Sequence[str], *, reply: bool) -> list[bool]:
    """For each line of a body, whether it repeats an earlier mail.

    Quoted lines do where the mail is a ``reply`` or a line above says whose they are; what
    stands between or below them is new. A whole mail below a reply does, to the end. Where
    nothing else would be left, or no more than a signature, nothing counts as repeated.
    """
    drop = [False] * len(lines)
    written = False  # whether anything new stands above
    at = 0
    while at < len(lines):
        line = lines[at]
        if _FORWARDED.match(line):
            break
        if _QUOTED.match(line):
            end = _run(lines, at)
            above = _attribution(lines, at)
            if reply or above < at:
                drop[above:end] = [True] * (end - above)
            at = end
        elif reply and _starts_mail(lines, at) and not _quoted_below(lines, at):
            if written:  # else it is passed on, and nobody has answered it
                drop[at:] = [True] * (len(lines) - at)
            break
        else:
            written = written or bool(line.strip())
            at += 1
    return drop if _says_more(lines, drop) else [False] * len(lines)


def _quoted_below(lines: Sequence[str], at: int) -> bool:
    """Whether the next line with words on it is a quoted one."""
    below = next((line for line in lines[at + 1 :] if line.strip()), "")
    return _QUOTED.match(below) is not None


def _run(lines: Sequence[str], start: int) -> int:
    """The end of a run of quoted lines, with the blank ones within it."""
    end = at = start
    while at < len(lines) and (_QUOTED.match(lines[at]) or not lines[at].strip()):
        at += 1
        if lines[at - 1].strip():
            end = at
    return end


def _attribution(lines: Sequence[str], quote: int) -> int:
    """Where the words begin that say whose the quote is; ``quote`` itself where there are none."""
    last = quote - 1
    while last >= 0 and not lines[last].strip() and quote - last < 3:
        last -= 1
    if last < 0:
        return quote
    if _DIVIDER.fullmatch(lines[last]):
        return last
    for start in range(max(0, last - 2), last + 1):  # wrapped over up to three lines
        words = lines[start : last + 1]
        if all(word.strip() for word in words) and (start == last or _OPENING.match(words[0])):
            if _is_attribution(" ".join(words)):
                return start
    return quote


def _is_attribution(words: str) -> bool:
    """Whether the words are such as "On Monday, Ann wrote:"."""
    words = words.strip()
    return words.endswith((":", "：")) and len(words) < _LONGEST and bool(_VERB.search(words))


def _starts_mail(lines: Sequence[str], at: int) -> bool:
    """Whether an earlier mail begins here that is not marked line by line."""
    line = lines[at]
    if _DIVIDER.fullmatch(line):
        return True
    if _RULE.fullmatch(line):  # the line that Outlook draws above the headers
        return at + 1 < len(lines) and _is_head(lines, at + 1)
    if _OPENING.match(line):
        for size in (1, 2, 3):
            words = " ".join(lines[at : at + size])
            if _is_attribution(words) and _DATED.search(words):
                return True
    return _is_head(lines, at)


def _is_head(lines: Sequence[str], at: int) -> bool:
    """Whether the headers of a mail stand here, as Outlook writes them into a reply."""
    if not _FROM.match(lines[at]):
        return False
    following = [line for line in lines[at + 1 : at + 1 + 2 * _HEADERS] if line.strip()]
    return any(_SENT.match(line) for line in following[:_HEADERS])


def _says_more(lines: Sequence[str], drop: Sequence[bool]) -> bool:
    for line, dropped in zip(lines, drop, strict=True):
        if dropped:
            continue
        if _SIGNATURE.fullmatch(line):
            return False
        if any(character.isalnum() for character in line):
            return True
    return False
