"""The disk: what makes written bytes stay, what tells if they did, what its errors mean."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from index.errors import KhazriError


def flush(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_disk(error: OSError, path: Path) -> KhazriError:
    """What a person can do about an error of the system in writing to ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KhazriError(f"The disk that holds {path} is full. Make room and try again.")
    why = error.strerror or str(error)
    return KhazriError(f"{path} can't be written: {why}. Check its permissions.")
