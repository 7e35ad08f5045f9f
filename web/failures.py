"""Files that could not be read, by what stands in the way, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from index.stored import Failure


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure: its heading, and what to do."""

    key: str
    heading: str
    advice: str


@dataclass(frozen=True, slots=True)
class Group:
    """The files that failed in one way."""

    kind: Kind
    failures: Sequence[Failure]


# By how the reason of a failure begins.
_KINDS = {
    "encrypted": Kind(
        "locked",
        "Locked",
        "Open the file with its password, save a copy without one, and add that.",
    ),
    "no text": Kind(
        "pictures",
        "No text in them",
        "Often these are scans: pictures of pages. Run text recognition (OCR) over them, for"
        " example with OCRmyPDF, and add the result.",
    ),
    "damaged": Kind(
        "damaged",
        "Damaged",
        "Open the file in the program that it was made with. If it opens, save it anew; if not,"
        " take it from a backup or ask for it again.",
    ),
    "unsupported": Kind(
        "unsupported",
        "Of a kind that is not read",
        "Save documents as PDF, as Word (.docx) or as plain text. Pictures, sound and programs"
        " hold no text: leave them.",
    ),
    "too large": Kind(
        "large",
        "Too large",
        "Split the file into smaller ones, or save only the part that matters.",
    ),
    "too slow": Kind(
        "slow",
        "Took too long",
        "Save the file in a simpler format, such as plain text, or split it.",
    ),
    "can't be read": Kind(
        "refused",
        "Not allowed to be read",
        "Check that the file is still there, and that its permissions let Khazri read it.",
    ),
    "empty": Kind(
        "empty",
        "Empty",
        "There is nothing in the file. If there should be, it was not saved whole: save it again.",
    ),
}
_KINDS["too deep"] = _KINDS["too large"]
_KINDS["the folder can't be read"] = _KINDS["can't be read"]
_OTHER = Kind("other", "For other reasons", "The reason says what stands in the way.")


def kind_of(reason: str) -> Kind:
    """The kind of a failure, told by its reason."""
    return next((kind for start, kind in _KINDS.items() if reason.startswith(start)), _OTHER)


def grouped(failures: Iterable[Failure]) -> list[Group]:
    """Failures by kind, those that a person can do most about first."""
    found: dict[Kind, list[Failure]] = {kind: [] for kind in (*_KINDS.values(), _OTHER)}
    for failure in failures:
        found[kind_of(failure.reason)].append(failure)
    return [Group(kind, listed) for kind, listed in found.items() if listed]
