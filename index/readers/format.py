"""What a file format gives to the registry in ``__init__.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from index.values import Content


@dataclass(frozen=True, slots=True)
class Inner:
    """A file within a file, such as an attachment: its name there, and its bytes.

    ``reason`` says why it can't be had, in words for people, where that is so.
    """

    name: str
    data: bytes
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how it is named, how it is known, how it is read.

    ``recognise`` says whether the bytes are certainly of this kind. ``textual`` kinds have no
    signature that they must carry, so the file's name may choose them for any text.
    ``read`` gives the text of the file itself; None where it only holds other files. ``unpack``
    gives the files within it, one at a time. Both may raise anything; the registry turns it into
    ``Unreadable``.
    """

    type: str
    suffixes: tuple[str, ...]
    recognise: Callable[[bytes], bool]
    read: Callable[[bytes], Content] | None
    textual: bool = False
    unpack: Callable[[bytes], Iterator[Inner]] | None = None
