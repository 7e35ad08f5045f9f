"""Keys: who may read a collection, and who may change it.

They stand in ``keys.json`` of the home, of which no backup is made: a restored one would bring
back keys that were revoked.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.disk import flush, of_disk
from index.errors import KhazriError
from index.locks import locked

FILE = "keys.json"
PREFIX = "khazri_"  # by which scanners for secrets know a key; 64 hexadecimal digits follow
LONGEST = 80  # characters of a name

Kind = Literal["read", "write"]
_Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Key(BaseModel):
    """What is kept of a key. Whoever may write may read as well."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
    name: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    kind: Kind
    created: str
    ending: Annotated[str, Field(pattern="^[0-9a-f]{4}$")]  # to recognise it by
    hash: _Hash


class Ring(BaseModel):
    """The keys of a home at one moment, and the secret that its sessions are signed with.

    While there is no file each ring has a secret of its own, so that no session is good for long.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: _Hash = Field(default_factory=lambda: secrets.token_hex(32))
    keys: tuple[Key, ...] = ()

    def find(self, text: str) -> Key | None:
        """The key that is written so. How long it takes tells nothing about the others."""
        hash, found = _hash(text), None
        for key in self.keys:
            if hmac.compare_digest(key.hash, hash):
                found = key
        return found

    def get(self, id: str) -> Key | None:
        """The key of that id."""
        return next((key for key in self.keys if key.id == id), None)

    def named(self, text: str) -> Key | None:
        """The key of that id or name."""
        return next((key for key in self.keys if text in (key.id, key.name)), None)


class Keys:
    """The file of keys. Every process that reads it sees at once what another one changed."""

    def __init__(self, home: Path) -> None:
        """``home`` need not exist before a key is added."""
        self.path = home.expanduser().absolute() / FILE
        self._read: tuple[tuple[int, ...], Ring] = ((), Ring())

    def read(self) -> Ring:
        """The keys as they are now. Raises ``KhazriError`` when the file can't be trusted."""
        try:
            found = self.path.stat()
            state = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
            if self._read[0] != state:
                self._read = (state, self._load(found.st_mode))
        except FileNotFoundError:
            self._read = ((), Ring())
        except OSError as error:
            raise KhazriError(f"{self.path} can't be read: {error.strerror}.") from error
        return self._read[1]

    def add(self, name: str, kind: Kind) -> str:
        """Make a key; return it as it is written, which is not kept. Raises ``KhazriError``."""
        name = name.strip()
        if not name.isprintable() or not 1 <= len(name) <= LONGEST:
            raise KhazriError(f"The name of a key is a line of 1 to {LONGEST} characters.")
        text = PREFIX + secrets.token_hex(32)
        with self._writing() as ring:
            if ring.named(name):
                raise KhazriError(f"There is a key '{name}' already. Revoke it, or name another.")
            key = Key(
                id=secrets.token_hex(6),
                name=name,
                kind=kind,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                ending=text[-4:],
                hash=_hash(text),
            )
            self._write(ring.secret, (*ring.keys, key))
        return text

    def revoke(self, text: str) -> Key:
        """Make the key of an id or name worthless; return it. Raises ``KhazriError``."""
        with self._writing() as ring:
            key = ring.named(text)
            if key is None:
                raise KhazriError(f"There is no key '{text}'. 'khazri keys' lists them.")
            self._write(ring.secret, tuple(other for other in ring.keys if other != key))
        return key

    @contextmanager
    def _writing(self) -> Iterator[Ring]:
        """The keys as they are until one writes them: nobody else does meanwhile."""
        with suppress(OSError):  # which the lock tells of
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.path.with_suffix(".lock"), "khazri keys"):
            yield self.read()

    def _load(self, mode: int) -> Ring:
        if mode & 0o007:
            raise KhazriError(
                f"{self.path} may be read or written by everybody, so that sessions could be"
                f" forged. Delete it and make new keys, or, if nobody has, type:"
                f" chmod 600 {self.path}"
            )
        try:
            return Ring.model_validate_json(self.path.read_bytes())
        except ValidationError as error:
            raise KhazriError(
                f"{self.path} is damaged, so no key is known. Delete it, and make new keys with"
                " 'khazri keys add'."
            ) from error

    def _write(self, secret: str, keys: tuple[Key, ...]) -> None:
        """Replace the file as a whole, or not at all; only its owner may read it."""
        part = self.path.with_suffix(".part")
        try:
            part.unlink(missing_ok=True)  # of a process that was killed
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(Ring(secret=secret, keys=keys).model_dump_json(indent=1))
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
            flush(self.path.parent)
        except OSError as error:
            raise of_disk(error, self.path) from error


def _hash(text: str) -> str:
    # A fast hash is right for 256 random bits: they can't be guessed however fast one tries. Slow
    # ones (scrypt, Argon2) are for passwords, and would let a stranger keep the service busy.
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
