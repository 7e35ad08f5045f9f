"""The disk: what makes written bytes stay, what tells if they did, what its errors mean."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from io import BufferedReader
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


def open_within(folder: Path, path: Path) -> BufferedReader:
    """Open a regular file that lies in a folder. From there on no link is followed.

    Who may write in the folder could put a link in the place of a file, or of a folder on the way,
    after it was looked at; so each step is taken from the folder that the last one opened. Raises
    ``OSError``.
    """
    if path == folder or not path.is_relative_to(folder) or ".." in path.parts:
        raise OSError(errno.EINVAL, "it lies outside its folder", str(path))
    *names, last = path.relative_to(folder).parts
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = below
        # A pipe would keep who opens it waiting for its other end.
        file = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=held)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(error.errno, "a link has taken its place", str(path)) from error
        raise
    finally:
        os.close(held)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return open(file, "rb")


def of_disk(error: OSError, path: Path) -> KhazriError:
    """What a person can do about an error of the system in writing to ``path``."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KhazriError(f"The disk that holds {path} is full. Make room and try again.")
    why = error.strerror or str(error)
    return KhazriError(f"{path} can't be written: {why}. Check its permissions.")
