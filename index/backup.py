"""A home in one file, and back.

A backup is a ZIP of the catalog, the embeddings, the originals of uploads, the settings, and a
manifest with the SHA-256 of each. The indexes are not in it: they are built from the rest, and
nothing of a backup is ever run or unpickled. Restoring prepares everything aside; what changes
the home is one transaction at the end.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import seals
from index.catalog import Catalog, connect, explained
from index.check import fault, named, structure
from index.disk import file_hash, flush
from index.embeddings import Encoder
from index.errors import KhazriError
from index.locks import locked
from index.repair import repair
from index.store import Store

log = logging.getLogger("khazri.backup")

FORMAT = 1
WAIT = 10.0  # seconds that a restore waits for those who write
MANIFEST, CATALOG, EMBEDDINGS = "manifest.json", "catalog.db", "embeddings.db"
LONGEST = 64 << 20  # bytes of a manifest; each upload takes some 150
OWN = ("khazri.toml", "questions.jsonl")  # what a person writes: settings, questions for testing
_MEMBER = re.compile(
    r"manifest\.json|catalog\.db|embeddings\.db|khazri\.toml|questions\.jsonl|uploads/[0-9a-f]{64}"
)
_NUMBERED = ("passages", "segments", "documents", "sources", "jobs")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: the size and SHA-256 of each member, as of one generation."""

    generation: int
    members: dict[str, tuple[int, str]]


def backup(home: Path, file: Path) -> Manifest:
    """Write a home as of now into a new file, while others read and write. Raises ``KhazriError``.

    The file holds the text of every document: it is readable by its owner alone.
    """
    if file.exists():
        raise KhazriError(f"{file} exists already. Name a new file.")
    with _writing(file.parent):
        folder = Path(tempfile.mkdtemp(prefix=f".{file.name}-", dir=file.parent))
        try:
            manifest, paths = _gather(home, folder)
            part = folder / "backup.zip"
            with zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, path in paths.items():
                    archive.write(path, name)
                archive.writestr(MANIFEST, _dump(manifest))
            part.chmod(0o600)
            flush(part)
            part.replace(file)
            flush(file.parent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return manifest


def _gather(home: Path, folder: Path) -> tuple[Manifest, dict[str, Path]]:
    """Copy both databases into a folder; the catalog first, so that its embeddings are there."""
    paths = {}
    for name in (CATALOG, EMBEDDINGS):
        if (home / name).exists():
            paths[name] = folder / name
            try:
                _copy(home / name, folder / name)
            except sqlite3.Error as error:
                raise explained(error, home / name) from error
    with closing(sqlite3.connect(folder / CATALOG, isolation_level=None)) as db:
        # One file, which names no segment, since none comes along, and no process at work.
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute("DELETE FROM segments")
        db.execute("DELETE FROM deletions")
        with suppress(sqlite3.OperationalError):
            db.execute("DELETE FROM rebuilds")
        db.execute(
            "UPDATE jobs SET status = 'cancelled', pid = NULL, error = 'interrupted by a restore'"
            " WHERE status IN ('queued', 'running')"
        )
        generation = db.execute("SELECT generation FROM state").fetchone()[0]
        hashes = db.execute("SELECT DISTINCT content_hash FROM documents").fetchall()
    for (hash,) in hashes:
        if (home / "uploads" / hash).is_file():
            paths[f"uploads/{hash}"] = home / "uploads" / hash
    for name in OWN:
        if (home / name).is_file():  # copied first: it may be written to meanwhile
            paths[name] = Path(shutil.copyfile(home / name, folder / name))
    members = {name: (path.stat().st_size, file_hash(path)) for name, path in paths.items()}
    return Manifest(generation, members), paths


def restore(file: Path, home: Path, encoder: Encoder | None = None) -> int:
    """Make a home what it was when ``file`` was written; return its new generation.

    The home may be new, damaged, or served at this moment: a question sees the old content or the
    new. Everything is verified before anything is changed. Raises ``KhazriError``.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KhazriError(f"{home} can't be made: {error.strerror}.") from error
    with ExitStack() as held, _writing(home):
        for name in ("index", "merge", "write"):
            held.enter_context(locked(home / f"{name}.lock", "khazri restore", WAIT))
        for left in home.glob("restoring-*"):
            shutil.rmtree(left)
        aside = Path(tempfile.mkdtemp(prefix="restoring-", dir=home))
        try:
            names = _unpack(file, aside)
            live = _counts(home / CATALOG)
            generation = _prepare(aside, live, home / "segments", encoder)
            _switch(aside, home, names)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return generation


def _unpack(file: Path, folder: Path) -> list[str]:
    """Unpack a backup whose every member has the name, size and hash that it should."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            strange = [name for name in names if not _MEMBER.fullmatch(name)]
            if strange or len(set(names)) != len(names):
                raise _refused(file, f"it holds {strange[0] if strange else 'a name twice'!r}")
            with archive.open(MANIFEST) as told:
                manifest = _load(told.read(LONGEST), file)
            if manifest.members.keys() != set(names) - {MANIFEST}:
                raise _refused(file, "its manifest does not name what it holds")
            for name, (size, hash) in manifest.members.items():
                path = folder / name
                path.parent.mkdir(exist_ok=True)
                if _extract(archive, name, path, size) != hash:
                    raise _refused(file, f"{name} is not what was written into it")
    except FileNotFoundError:
        raise KhazriError(f"{file} does not exist. Check the path.") from None
    except KhazriError:
        raise
    except Exception as error:  # zipfile and what unpacks for it have many of their own
        if isinstance(error, OSError) and error.errno:  # which speaks of the disk
            raise
        raise _refused(file, f"it is no whole ZIP file ({error})") from error
    return list(manifest.members)


def _extract(archive: zipfile.ZipFile, name: str, path: Path, size: int) -> str:
    """Write at most ``size`` bytes of a member, which is one too many where it has more."""
    hash, left = hashlib.sha256(), size + 1
    with archive.open(name) as source, path.open("xb") as target:
        while left and (data := source.read(min(left, 1 << 20))):
            hash.update(data)
            target.write(data)
            left -= len(data)
        target.flush()
        os.fsync(target.fileno())
    return hash.hexdigest()


def _prepare(aside: Path, live: dict[str, int], segments: Path, encoder: Encoder | None) -> int:
    """Verify what was unpacked, number it beyond what is there, and build its indexes."""
    highest = max([live.get("segments", 0), *_numbers(segments)])
    _known(aside / CATALOG)
    store = Store(aside)  # which refuses a newer version, and upgrades an older one
    try:
        with store.catalog.connection() as db:
            db.execute("PRAGMA journal_mode=WAL")
        with store.catalog.read() as db:
            if wrong := structure(db):
                raise KhazriError(f"The catalog in the backup is damaged: {wrong[0]}. Use another.")
            for row in seals.broken(db):
                log.warning("the backup holds a damaged row: %s", row)
            for (id,) in db.execute("SELECT id FROM documents").fetchall():
                if why := fault(db, id):
                    log.warning("the backup holds a damaged document, %s: %s", named(db, id), why)
        with store.catalog.write() as db:
            seals.install(db)  # its own triggers, whatever came along
            model = str(db.execute("SELECT model FROM state").fetchone()[0]).rpartition("@")[0]
            store.encoder = encoder or Encoder(model)
            for name in _NUMBERED:
                seals.raise_number(db, name, max(live.get(name, 0), highest * (name == "segments")))
            db.execute("UPDATE state SET generation = max(generation, ?) + 1", [live[""]])
        repair(store)
        with store.catalog.read() as db:
            return int(db.execute("SELECT generation FROM state").fetchone()[0])
    finally:
        store.close()


def _switch(aside: Path, home: Path, names: list[str]) -> None:
    """Put the new content in place: first what nobody looks for yet, then the catalog."""
    (home / "segments").mkdir(exist_ok=True)
    (home / "uploads").mkdir(exist_ok=True)
    for folder in (aside / "segments").iterdir():
        folder.rename(home / "segments" / folder.name)
    for name in names:
        if name.startswith("uploads/") or name in OWN:
            (aside / name).replace(home / name)
    for folder in (home / "segments", home / "uploads", home):
        flush(folder)
    if (aside / EMBEDDINGS).exists():
        _overwrite(aside / EMBEDDINGS, home / EMBEDDINGS)
    _overwrite(aside / CATALOG, home / CATALOG)


def _overwrite(source: Path, target: Path) -> None:
    """Make one database the content of another, in one transaction of its own.

    Whoever has it open reads the new content from then on. Where it is too damaged for that, the
    file is replaced; a process that has it open says that it must be started again.
    """
    try:
        _copy(source, target)
    except sqlite3.OperationalError as error:  # it could not be written
        raise explained(error, target) from error
    except sqlite3.DatabaseError:
        for end in ("-wal", "-shm"):  # which would be taken for the new file's
            target.with_name(target.name + end).unlink(missing_ok=True)
        flush(source)
        source.replace(target)
        flush(target.parent)


def _copy(source: Path, target: Path) -> None:
    """SQLite's online backup: a copy of one moment, while others read and write."""
    with closing(connect(source)) as one, closing(sqlite3.connect(target, timeout=60)) as two:
        two.execute("PRAGMA synchronous=FULL")
        one.backup(two)


def _counts(catalog: Path) -> dict[str, int]:
    """The generation (under ``""``) and the highest numbers that a catalog has given."""
    counts = {"": 0}
    with suppress(KhazriError, sqlite3.Error, TypeError), closing(connect(catalog)) as db:
        counts[""] = int(db.execute("SELECT generation FROM state").fetchone()[0])
        rows = db.execute("SELECT name, seq FROM sqlite_sequence").fetchall()
        counts |= {str(name): int(seq) for name, seq in rows}
    return counts


def _numbers(segments: Path) -> Iterator[int]:
    if segments.is_dir():
        yield from (int(f.name) for f in segments.iterdir() if f.name.isdecimal())


def _known(catalog: Path) -> None:
    """Refuse a catalog that holds anything but Khazri's own tables: its triggers would run."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Catalog(Path(folder) / CATALOG)
        with empty.read() as db:
            expected = {tuple(row) for row in db.execute(_OBJECTS)}
        empty.close()
    try:
        with closing(sqlite3.connect(catalog)) as db:
            found = {tuple(row) for row in db.execute(_OBJECTS)}
    except sqlite3.Error as error:
        raise KhazriError(f"The catalog in the backup is damaged: {error}.") from error
    if strange := found - expected:
        raise KhazriError(f"The backup is not one of Khazri's: its catalog holds {min(strange)}.")


_OBJECTS = "SELECT type, name FROM sqlite_master"


def _dump(manifest: Manifest) -> str:
    value = {
        "khazri-backup": FORMAT,
        "generation": manifest.generation,
        "members": manifest.members,
    }
    return json.dumps(value, indent=1)


def _load(data: bytes, file: Path) -> Manifest:
    try:
        value: Any = json.loads(data)
        if value["khazri-backup"] > FORMAT:
            raise _refused(file, "it was written by a newer Khazri: upgrade this one")
        members = {str(n): (int(size), str(hash)) for n, (size, hash) in value["members"].items()}
        if CATALOG not in members:
            raise _refused(file, "it holds no catalog")
        return Manifest(int(value["generation"]), members)
    except (
        ArithmeticError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise _refused(file, f"its manifest can't be read ({error!r})") from error


def _refused(file: Path, why: str) -> KhazriError:
    return KhazriError(f"{file} can't be restored: {why}. Nothing was changed.")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KhazriError(
            f"{folder} can't be written: {error.strerror or error}. Nothing was changed; check"
            " the disk's space and the folder's permissions."
        ) from error
