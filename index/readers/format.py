"""What a file format gives to the registry in ``__init__.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from index.values import Content


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: how it is named, how it is known, how it is read.

    ``recognise`` says whether the bytes are certainly of this kind. ``textual`` kinds have no
    signature that they must carry, so the file's name may choose them for any text.
    ``read`` may raise anything; the registry turns it into ``Unreadable``.
    """

    type: str
    suffixes: tuple[str, ...]
    recognise: Callable[[bytes], bool]
    read: Callable[[bytes], Content]
    textual: bool = False
