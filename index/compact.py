"""The space of deleted documents given back: none of their text is left in the home."""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from index.catalog import connect
from index.errors import KhazriError
from index.home import Home
from index.locks import locked
from index.repair import repair
from index.segments import load_files, open_segment
from index.store import Store

PATIENCE = 30.0  # seconds that other readers are waited for


@dataclass(frozen=True, slots=True)
class Space:
    """The bytes of a home before and after."""

    before: int
    after: int


def compact(home: Home, patience: float = PATIENCE) -> Space:
    """Rebuild what holds deleted text, and drop everything that nothing needs.

    Searches go on; writers wait. Raises ``KhazriError`` when another process goes on reading an
    old generation for longer than ``patience`` seconds: then all is done but the last step.
    """
    store, before = home.store, size(home.path)
    with store.snapshot():
        pass  # which repairs what can't be opened
    with store.catalog.read() as db:
        deleted = {row[0] for row in db.execute("SELECT passage_id FROM deletions")}
        rows = db.execute("SELECT id, files FROM segments").fetchall()
        opened = [open_segment(id, store.folder(id), load_files(files)) for id, files in rows]
        # Those that a document got from another one stand under that one's title still.
        for first, last in db.execute("SELECT first, last FROM adoptions"):
            deleted.update(range(first, last + 1))
    holding = [s.id for s in opened if not deleted.isdisjoint(s.ids.tolist())]
    repair(store, dict.fromkeys(holding, "it held deleted passages"))
    with (
        locked(home.path / "merge.lock", "compacting"),
        locked(home.path / "write.lock", "compacting"),
    ):
        with store.catalog.write() as db:
            # What a change of the model built beside segments that are no more
            db.execute("DELETE FROM adoptions")
            db.execute("DELETE FROM rebuilds WHERE replaced NOT IN (SELECT id FROM segments)")
            model = str(db.execute("SELECT model FROM state").fetchone()[0])
            keys = [row[0] for row in db.execute("SELECT DISTINCT key FROM passages")]
            originals = {row[0] for row in db.execute("SELECT content_hash FROM documents")}
        _folders(store)
        _files(home.path, originals)
        store.embeddings.keep([model, home.wanted.identity], keys)
        for path in (home.path / "catalog.db", home.path / "embeddings.db"):
            _vacuum(path, patience)
    return Space(before, size(home.path))


def size(folder: Path) -> int:
    """The bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _folders(store: Store) -> None:
    """Remove every segment folder that no commit names, under both locks of writers.

    A question under way goes on: its arrays are mapped, and phrases are found from them too.
    """
    with store.catalog.read() as db:
        named = store.named(db)
    for folder in (store.home / "segments").iterdir():
        if folder not in named:
            shutil.rmtree(folder, ignore_errors=True)


def _files(home: Path, originals: set[str]) -> None:
    """Remove originals of uploads without a document, and copies of older catalogs."""
    for path in (home / "uploads").glob("*"):
        if path.name not in originals:
            path.unlink(missing_ok=True)
    for path in [*home.glob("restoring-*"), *home.glob("catalog.v*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _vacuum(path: Path, patience: float) -> None:
    if not path.exists():
        return
    with closing(connect(path)) as db:
        try:
            db.execute("VACUUM")
            until = time.monotonic() + patience
            db.execute("PRAGMA busy_timeout=1000")
            # Pages that were overwritten stay in the log until it is emptied.
            while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > until:
                    raise KhazriError(
                        f"{path} is being read without pause, so old text is still in its log."
                        " Run 'khazri compact' again later."
                    )
        except sqlite3.OperationalError as error:
            raise KhazriError(f"{path} could not be compacted: {error}. Try again.") from error
