"""The embedded store: one home folder, one writer at a time, any number of readers.

A commit goes in this order, and a crash between any two steps loses nothing: the vectors are in
the embedding store; the new segment is written and flushed to the disk, where nobody knows it;
one transaction of the catalog names the segment, changes the rows and advances the generation.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import log as log_of
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.catalog import Catalog
from index.changes import Changes, Draft
from index.disk import of_disk
from index.embeddings import EmbeddingStore, Encoder, Half
from index.errors import KhazriError
from index.keyword import ANALYZER, Entry
from index.locks import Busy, locked
from index.rows import Rows
from index.segments import Damaged, Files, Segment, build, load_files, open_segment
from index.snapshot import Mask, Snapshot, View
from index.stored import fetch, spoken
from index.twins import without_twins
from index.vectors import gathered

log = logging.getLogger("khazri.store")

FANOUT = 8  # this many segments of about one size become one
GRACE = 60  # seconds that the files of a merged segment stay for questions under way


class NotEmbedded(KhazriError):
    """The vectors of some passages are not in the embedding store; they can be made again."""


class Store:
    """An opened home folder's catalog and indexes."""

    def __init__(self, home: Path, encoder: Encoder | None = None) -> None:
        """Open the store in ``home``. Raises ``KhazriError``.

        ``encoder`` is used only for a repair that finds a vector in no other place.
        """
        self.home = home
        self.encoder = encoder
        self.catalog = Catalog(home / "catalog.db")
        self.embeddings = EmbeddingStore(home / "embeddings.db")
        self._segments: dict[int, Segment] = {}
        self._view = View(-1, (), ())
        self._guard = threading.Lock()
        (home / "segments").mkdir(exist_ok=True)

    def close(self) -> None:
        """Close the files."""
        self.catalog.close()
        self.embeddings.close()

    @property
    def model(self) -> str:
        """The identity of the model that the vectors are of; empty in a new home."""
        with self.catalog.read() as db:
            return str(db.execute("SELECT model FROM state").fetchone()[0])

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One generation to read from, whatever is committed meanwhile."""
        with self.catalog.connection() as db:
            yield Snapshot(db, self._current(db))

    def _current(self, db: sqlite3.Connection) -> View:
        """Begin a read transaction and open the view of its generation."""
        seen = None
        while True:
            db.execute("BEGIN")
            generation = db.execute("SELECT generation FROM state").fetchone()[0]
            view = self._view
            if view.generation == generation:
                return view
            try:
                return self._opened(db, generation)
            except Damaged as error:
                db.rollback()
                if seen == generation:
                    self._repair(error)
                seen = generation  # a merge may have removed what it replaced: look again

    def _opened(self, db: sqlite3.Connection, generation: int) -> View:
        """The view of a generation; segments already open are shared, only new ones are read."""
        with self._guard:
            old = self._view
            if old.generation == generation:
                return old
            rows = db.execute("SELECT id, files FROM segments ORDER BY id").fetchall()
            segments = tuple(
                self._segments.get(row["id"]) or self._open(row["id"], row["files"]) for row in rows
            )
            view = _view(db, generation, segments, old)
            if generation > old.generation:
                self._segments = {segment.id: segment for segment in segments}
                self._view = view
            return view

    def _open(self, id: int, files: str) -> Segment:
        return open_segment(id, self.folder(id), load_files(files))

    def _repair(self, damage: Damaged) -> None:
        """Rebuild what is damaged from the catalog. Raises ``KhazriError`` where that can't be."""
        from index.repair import repair  # which works on stores

        try:
            repair(self)
        except KhazriError as error:
            raise KhazriError(
                f"{damage}. It could not be rebuilt: {error} Then run 'khazri check'."
            ) from error

    def folder(self, id: int) -> Path:
        """The folder of a segment."""
        return self.home / "segments" / f"{id:06d}"

    def named(self, db: sqlite3.Connection) -> set[Path]:
        """The folders that the catalog names."""
        ids = db.execute("SELECT id FROM segments UNION SELECT id FROM rebuilds")
        return {self.folder(row[0]) for row in ids}

    # Writing

    def apply(self, changes: Changes, model: str, wait: float = -1) -> int:
        """Commit ``changes``, with vectors of ``model``; return the generation that shows them.

        Waits ``wait`` seconds for another writer (-1: as long as needed). Raises ``KhazriError``,
        and then nothing has changed.
        """
        with locked(self.home / "write.lock", "a commit", wait):
            return self._commit(changes, model)

    def _commit(self, changes: Changes, model: str) -> int:
        drafts = list({(d.source_id, d.uri): d for d in changes.drafts}.values())
        with self.catalog.read() as db:
            self._sweep(db)
            passage = _next(db, "passages")
            ids = _document_ids(db, drafts)
            drafts = without_twins(db, changes, drafts, ids)
            count = sum(len(draft.spans) for draft in drafts)
            segment = self.reserve() if count else 0
        files: Files = {}
        if count:
            owners = [id for draft, id in zip(drafts, ids, strict=True) for _ in draft.spans]
            rows = self._vectors(model, [key for draft in drafts for key in draft.keys])
            log.debug("commit: segment %d", segment)
            files = build(self.folder(segment), list(_entries(drafts, passage)), owners, rows)
        log.debug("commit: catalog")
        with self.catalog.write() as db:
            state = db.execute("SELECT generation, model, analyzer FROM state").fetchone()
            if state["model"] not in ("", model):
                raise KhazriError(
                    f"The index is of the model {state['model']} now, not {model}. Try again."
                )
            generation = int(state["generation"]) + 1
            written = Rows(db, generation)
            written.apply(changes)
            if count:
                written.segment(segment, count, files)
            for draft, id in zip(drafts, ids, strict=True):
                written.store(draft, id, passage)
                passage += len(draft.spans)
            db.execute(
                "UPDATE state SET generation = ?, model = ?, analyzer = ?",
                [generation, model, state["analyzer"] or ANALYZER],
            )
        log.debug("commit: generation %d", generation)
        return generation

    def _vectors(self, model: str, keys: Sequence[bytes]) -> Half:
        found = self.embeddings.get(model, list(set(keys)))
        try:
            return np.stack([found[key] for key in keys])
        except KeyError:
            raise NotEmbedded("Some passages were not embedded before the commit.") from None

    def reserve(self) -> int:
        """Make the folder of a new segment, which nobody knows yet; return its id."""
        with self.catalog.read() as db:
            id = _next(db, "segments")
        while True:
            try:
                self.folder(id).mkdir()
            except FileExistsError:
                id += 1
            except OSError as error:
                raise of_disk(error, self.home) from error
            else:
                return id

    def _sweep(self, db: sqlite3.Connection) -> None:
        """Remove segment folders that no commit names: left by a crash, or by a merge."""
        named = self.named(db)
        idle = time.time() - GRACE
        orphans = [
            f
            for f in (self.home / "segments").iterdir()
            if f not in named and f.stat().st_mtime < idle
        ]
        if not orphans:
            return
        with suppress(Busy), locked(self.home / "merge.lock", "a clean-up", wait=0):
            for folder in orphans:
                log.info("removing %s, which belongs to no commit", folder)
                shutil.rmtree(folder, ignore_errors=True)

    # Merging

    def crowded(self, at_most: int | None = None) -> list[int]:
        """Segments of about one size to merge, if there are; of ``at_most`` passages in all."""
        with self.catalog.read() as db:
            return _group(db.execute("SELECT id, passages FROM segments").fetchall(), at_most)

    def merge(self, at_most: int | None = None) -> bool:
        """Merge one group of segments of about one size, if there is one; say whether it did.

        The new segment is built beside the old ones without holding up other writers. While
        another process merges or rebuilds, there is nothing to do.
        """
        try:
            return self._merge(at_most)
        except Busy:
            return False

    def _merge(self, at_most: int | None) -> bool:
        with locked(self.home / "merge.lock", "a merge", wait=0):
            with self.catalog.read() as db:
                rows = db.execute("SELECT id, passages, files FROM segments").fetchall()
                group = _group([(row["id"], row["passages"]) for row in rows], at_most)
                if not group:
                    return False
                try:
                    old = [self._open(r["id"], r["files"]) for r in rows if r["id"] in group]
                    living = _living(db, old)
                except Damaged as error:
                    damage = error
                    living = None
            if living:
                self.swap(group, *living)
                return True
        self._repair(damage)
        return True

    def swap(
        self,
        group: Sequence[int],
        entries: Sequence[Entry],
        owners: Sequence[int],
        vectors: Half,
        dead: Sequence[int],
        fresh: Sequence[int] = (),
    ) -> None:
        """Put one new segment in the place of a group, under the lock of merges.

        ``dead`` are deletions that the group took with it, ``fresh`` ones that were missing.
        """
        files: Files = {}
        if entries:
            id = self.reserve()
            log.debug("merge: segment %d from %s", id, group)
            files = build(self.folder(id), entries, owners, vectors)
        log.debug("merge: catalog")
        with locked(self.home / "write.lock", "a merge"), self.catalog.write() as db:
            generation = int(db.execute("SELECT generation FROM state").fetchone()[0]) + 1
            db.executemany("DELETE FROM segments WHERE id = ?", [(old,) for old in group])
            db.executemany("DELETE FROM deletions WHERE passage_id = ?", [(n,) for n in dead])
            db.executemany(
                "INSERT OR IGNORE INTO deletions VALUES (?, ?)", [(n, generation) for n in fresh]
            )
            if entries:
                Rows(db, generation).segment(id, len(entries), files)
            db.execute("UPDATE state SET generation = ?", [generation])
        log.debug("merge: generation %d", generation)
        for old in group:
            with suppress(OSError):
                os.utime(self.folder(old))  # a question under way may still open it: see GRACE


def _view(
    db: sqlite3.Connection, generation: int, segments: tuple[Segment, ...], old: View
) -> View:
    """The view of a generation: masks of what is deleted, read from the older view on."""
    known = {s.id: mask for s, mask in zip(old.segments, old.alive, strict=True)}
    since = old.generation if generation > old.generation else -1
    fresh = _ids(db, "SELECT passage_id FROM deletions WHERE generation > ?", since)
    every = None
    alive: list[Mask | None] = []
    for segment in segments:
        if since >= 0 and segment.id in known:
            alive.append(_without(segment, known[segment.id], fresh))
            continue
        if every is None:
            every = _ids(db, "SELECT passage_id FROM deletions WHERE generation > ?", -1)
        alive.append(_without(segment, None, every))
    return View(generation, segments, tuple(alive), spoken(db))


def _ids(db: sqlite3.Connection, query: str, *values: int) -> npt.NDArray[np.int64]:
    return np.fromiter((row[0] for row in db.execute(query, values)), np.int64)


def _without(segment: Segment, mask: Mask | None, deleted: npt.NDArray[np.int64]) -> Mask | None:
    numbers = segment.numbers(deleted)
    numbers = numbers[numbers >= 0]
    if not len(numbers):
        return mask
    mask = np.ones(len(segment), bool) if mask is None else mask.copy()
    mask[numbers] = False
    return mask


def _next(db: sqlite3.Connection, table: str) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
    return int(row[0]) + 1 if row else 1


def _document_ids(db: sqlite3.Connection, drafts: Sequence[Draft]) -> list[int]:
    """The id of each draft: that of the document it replaces, or a new one."""
    following = _next(db, "documents")
    ids = []
    for draft in drafts:
        row = db.execute(
            "SELECT id FROM documents WHERE source_id = ? AND uri = ?",
            [draft.source_id, draft.uri],
        ).fetchone()
        ids.append(int(row[0]) if row else following)
        following += not row
    return ids


def _entries(drafts: Sequence[Draft], first: int) -> Iterator[Entry]:
    for draft in drafts:
        for span in draft.spans:
            text = draft.text[span.start : span.end]
            yield Entry(first, text, span.heading, draft.title, draft.language)
            first += 1


def _group(segments: Iterable[Sequence[int]], at_most: int | None) -> list[int]:
    """``FANOUT`` segments within one power of ``FANOUT``, of the smallest such power; or none.

    ``segments`` are ids and sizes in passages.
    """
    tiers: dict[int, dict[int, int]] = {}
    for id, passages in segments:
        tiers.setdefault(int(log_of(max(passages, 1), FANOUT)), {})[id] = passages
    for _, sizes in sorted(tiers.items()):
        if len(sizes) >= FANOUT and (at_most is None or sum(sizes.values()) <= at_most):
            return sorted(sizes)
    return []


def _living(
    db: sqlite3.Connection, segments: Sequence[Segment]
) -> tuple[list[Entry], list[int], Half, list[int]]:
    """What is alive in some segments, by passage id, and the ids of what is not."""
    deleted = _ids(db, "SELECT passage_id FROM deletions")
    ids = np.concatenate([segment.ids for segment in segments])
    order = np.argsort(ids)
    order = order[~np.isin(ids[order], deleted)]
    passages = fetch(db, [int(id) for id in ids[order]])
    # A damaged document is left out: its passages stand nowhere until it is read again.
    order = order[np.isin(ids[order], [passage.id for passage in passages])]
    entries = [Entry.of(p) for p in passages]
    dead = np.intersect1d(ids, deleted)
    rows = gathered([segment.vectors.rows for segment in segments], order)
    return entries, [p.document.id for p in passages], rows, [int(n) for n in dead]
