"""Numbers and dates as a spreadsheet shows them, by its format codes (ECMA-376-1, 18.8.30)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import NamedTuple

# The codes that files name by number alone (18.8.30), without the currency of the reader's country.
BUILT_IN = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%"},
    **{14: "d/m/y", 15: "d-m-y", 16: "d-m", 17: "m-y", 18: "h:m", 19: "h:m:s", 20: "h:m"},
    **{5: "#,##0", 6: "#,##0", 7: "#,##0.00", 8: "#,##0.00", 21: "h:m:s", 22: "d/m/y h:m"},
    **{37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00"},
    **{41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00"},
    **{45: "m:s", 46: "[h]:m:s", 47: "m:s"},
}

_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[\$([^\]-]*)[^\]]*\]|(\[[^\]]*\])')
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_DIGITS = re.compile(r"[0#?](?:[0#?,. ]*[0#?])?,*")
_LAST = 2_958_466  # the day after 9999-12-31


class _Code(NamedTuple):
    """One section of a format code."""

    elapsed: bool = False
    date: bool = False
    time: bool = False
    seconds: bool = False
    before: str = ""
    digits: str = ""
    after: str = ""


def shown(value: float, code: str, *, since_1904: bool = False) -> str:
    """A number as its cell shows it; dates are written as ISO 8601 whatever their order there."""
    sections = _sections(code)
    at = 1 if value < 0 and len(sections) > 1 else 2 if value == 0 and len(sections) > 2 else 0
    section = sections[at]
    if section.date or section.time or section.elapsed:
        return _moment(value + (1462 if since_1904 and section.date else 0), section)
    if not section.digits:
        return plain(value)
    try:
        body = _figures(abs(value) if at == 1 else value, section)
    except InvalidOperation:  # more digits than any cell shows
        return plain(value)
    return " ".join(f"{section.before}{body}{section.after}".split())


def plain(value: float) -> str:
    """A number at the fifteen digits that a spreadsheet keeps."""
    return f"{value:.0f}" if value == value // 1 and abs(value) < 1e15 else f"{value:.15g}"


def moment(value: datetime) -> str:
    """A date, with the time of day where it is not midnight."""
    form = "%H:%M" if not value.second else "%H:%M:%S"
    return f"{value.date().isoformat()} {value.strftime(form)}".removesuffix(" 00:00")


def span(value: timedelta) -> str:
    """A length of time in hours, minutes and seconds."""
    seconds = round(value.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    return f"{'-' if seconds < 0 else ''}{hours}:{rest // 60:02}:{rest % 60:02}"


def _moment(value: float, section: _Code) -> str:
    if section.elapsed and abs(value) < _LAST:
        return span(timedelta(days=value))
    if not 0 <= value < _LAST:
        return plain(value)
    # Day 60 is the 29th of February 1900, which never was: 18.17.4.1.
    whole = datetime(1899, 12, 30 if value >= 60 else 31) + timedelta(seconds=round(value * 86400))
    day, time = whole.date().isoformat(), whole.strftime("%H:%M:%S" if section.seconds else "%H:%M")
    return f"{day} {time}" if section.date and section.time else day if section.date else time


def _figures(value: float, section: _Code) -> str:
    digits = section.digits.rstrip(",")
    percents = (section.before + section.after).count("%")
    exact = Decimal(repr(value)).scaleb(2 * percents - 3 * (len(section.digits) - len(digits)))
    whole, _, fraction = digits.partition(".")
    places = min(sum(character in "0#?" for character in fraction), 15)
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:{',' if ',' in whole else ''}f}"
    for place in reversed(fraction):
        if place in "#?" and text.endswith("0"):
            text = text[:-1]
        else:
            break
    zeros = whole.replace(",", "").replace("#", "").count("0")
    if "," not in whole and zeros > 1:  # 007
        text = text.zfill(zeros + len(text) - len(text.partition(".")[0]))
    return text.rstrip(".")


@lru_cache(maxsize=1000)
def _sections(code: str) -> tuple[_Code, ...]:
    if code.strip().lower() in ("", "general", "@"):
        return (_Code(),)
    return tuple(map(_section, re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', code[:500])))


def _section(code: str) -> _Code:
    bare = _LITERAL.sub("", code).lower().replace("am/pm", "").replace("a/p", "")
    elapsed = _ELAPSED.search(code) is not None
    time = any(letter in bare for letter in "hs")
    date = any(letter in bare for letter in "yd") or ("m" in bare and not time and not elapsed)
    if (date or time or elapsed) and "general" not in bare:
        return _Code(elapsed, date, time or elapsed, "s" in bare)
    literals: list[str] = []

    def keep(match: re.Match[str]) -> str:
        literals.append(match.group(1) or match.group(2) or match.group(3) or "")
        return "\0" if literals[-1] else " "

    masked = _LITERAL.sub(keep, code)
    literals = [literal for literal in literals if literal]
    found = _DIGITS.search(masked)
    if found is None or "E" in masked.upper() or "/" in masked:  # powers of ten, fractions
        return _Code()
    before, after = masked[: found.start()], masked[found.end() :]
    split = before.count("\0")
    return _Code(
        before=_filled(before, literals[:split]),
        digits=found.group().replace(" ", ""),
        after=_filled(after, literals[split:]),
    )


def _filled(masked: str, literals: list[str]) -> str:
    for literal in literals:
        masked = masked.replace("\0", literal, 1)
    return masked.replace("\0", "")
