"""What a commit changes: documents stored, removed, or known under another name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from index.values import Block, Span


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to be stored, in place of the one with the same source and ``uri`` if any.

    ``keys`` are the embedding keys of ``spans``, one each; their vectors must be in the
    embedding store. ``content_hash`` is the SHA-256 of the file as it was read.
    """

    source_id: int
    uri: str
    title: str
    type: str
    text: str
    blocks: tuple[Block, ...]
    spans: tuple[Span, ...]
    keys: tuple[bytes, ...]
    content_hash: str
    size: int = 0
    mtime_ns: int = 0
    published: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """A document whose file has another name or time now, and the same content."""

    document_id: int
    uri: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that gave no document, and why."""

    source_id: int
    uri: str
    reason: str
    size: int = 0
    mtime_ns: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """All that one commit does, applied together or not at all.

    ``removals`` are document ids; ``by_hand`` says that a person removed them, so that they stay
    away when their source is read again. ``read`` are files that were read anew: what was known of
    them and of what is within them, and is not among ``drafts`` and ``failures``, goes.
    ``cleared`` are names whose failure is to be forgotten.
    """

    drafts: Sequence[Draft] = ()
    removals: Sequence[int] = ()
    by_hand: bool = False
    moves: Sequence[Move] = ()
    failures: Sequence[Failed] = ()
    cleared: Sequence[tuple[int, str]] = ()
    read: Sequence[tuple[int, str]] = ()

    def __bool__(self) -> bool:
        return any((self.drafts, self.removals, self.moves, self.failures, self.cleared, self.read))
