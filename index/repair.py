"""Indexes built anew from the catalog, where they are damaged or do not agree with it.

What is right is what the catalog says: each passage stands in exactly one segment and is not
marked as deleted. A segment that is in the way of that is dropped, and the passages that stand in
no other one are written into one new segment, in one commit.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import numpy.typing as npt

from index import arrays
from index.embeddings import Half
from index.errors import KhazriError
from index.keyword import Entry
from index.locks import locked
from index.segments import Damaged, load_files, open_segment, verify
from index.store import Store
from index.stored import fetch
from index.values import Passage, embedding_text

log = logging.getLogger("khazri.repair")

Ids = npt.NDArray[np.int64]
VECTORS = "vectors.safetensors"


@dataclass(slots=True)
class Survey:
    """How the segments stand to the catalog. Numbers are passage ids.

    ``broken`` are the segments to drop, and why; ``missing`` stand in no other segment;
    ``unmarked`` are gone from the catalog and not marked as deleted; ``idle`` are marked and
    stand in no segment that stays.
    """

    broken: dict[int, str] = field(default_factory=dict)
    missing: Sequence[int] = ()
    unmarked: Sequence[int] = ()
    idle: Sequence[int] = ()


def survey(db: sqlite3.Connection, store: Store, drop: Mapping[int, str] | None = None) -> Survey:
    """Compare the segments with the catalog; ``drop`` are known to be broken, and why."""
    found = Survey(dict(drop or {}))
    passages = _ids(db, "SELECT id FROM passages")
    deleted = _ids(db, "SELECT passage_id FROM deletions")
    standing = np.empty(0, np.int64)
    for id, dumped in db.execute("SELECT id, files FROM segments ORDER BY id").fetchall():
        if id in found.broken:
            continue
        try:
            ids = open_segment(id, store.folder(id), load_files(dumped)).ids
        except Damaged as error:
            found.broken[id] = str(error)
            continue
        if len(np.intersect1d(ids, np.intersect1d(passages, deleted))):
            found.broken[id] = "it hides passages that are not deleted"
        elif len(np.intersect1d(ids, standing)):
            found.broken[id] = "it holds passages that stand in another segment too"
        else:
            standing = np.concatenate([standing, ids])
    found.missing = np.setdiff1d(passages, standing).tolist()
    found.unmarked = np.setdiff1d(standing, np.concatenate([passages, deleted])).tolist()
    found.idle = np.setdiff1d(deleted, standing).tolist()
    return found


def repair(store: Store, drop: Mapping[int, str] | None = None) -> list[str]:
    """Bring the segments in line with the catalog; return what was done, in words, and log it.

    The text comes from the catalog, the vectors from the embedding store, else from the damaged
    segment if that part of it is whole, else from the store's encoder. Raises ``KhazriError``.
    """
    with locked(store.home / "merge.lock", "a repair"):
        with store.catalog.read() as db:
            named = {row[0] for row in db.execute("SELECT id FROM segments")}
            wanted = {id: why for id, why in (drop or {}).items() if id in named}
            found = survey(db, store, wanted)
            passages = fetch(db, found.missing)
            if not (found.broken or found.unmarked or passages):
                return []
            rows = _Vectors(db, store, list(found.broken)).of(passages)
        entries = [Entry.of(p) for p in passages]
        owners = [p.document.id for p in passages]
        store.swap(list(found.broken), entries, owners, rows, found.idle, found.unmarked)
    done = [f"Segment {id} was dropped: {why}." for id, why in found.broken.items()]
    if passages:
        done.append(f"{len(passages)} passages were indexed again from the catalog.")
    if found.unmarked:
        done.append(f"{len(found.unmarked)} passages without a document were marked as deleted.")
    for words in done:
        log.warning("%s: %s", store.home, words)
    return done


class _Vectors:
    """The vectors of passages, from wherever they still are."""

    def __init__(self, db: sqlite3.Connection, store: Store, broken: Sequence[int]) -> None:
        self._db = db
        self._store = store
        self._broken = broken
        self._model = str(db.execute("SELECT model FROM state").fetchone()[0])

    def of(self, passages: Sequence[Passage]) -> Half:
        """The rows of some passages, in their order."""
        keys = passage_keys(self._db, [p.id for p in passages])
        try:
            found = self._store.embeddings.get(self._model, list(set(keys.values())))
        except KhazriError as error:
            log.warning("%s", error)
            found = {}
        for source in (self._from_segments, self._encoded):
            lost = {keys[p.id]: p for p in passages if keys[p.id] not in found}
            if lost:
                found |= source(lost)
        rows = [found[keys[p.id]] for p in passages]
        return np.stack(rows) if rows else np.empty((0, 0), np.float16)

    def _from_segments(self, lost: Mapping[bytes, Passage]) -> dict[bytes, Half]:
        at = {passage.id: key for key, passage in lost.items()}
        found: dict[bytes, Half] = {}
        for id in self._broken:
            row = self._db.execute("SELECT files FROM segments WHERE id = ?", [id]).fetchone()
            try:
                files = load_files(row[0])
                if verify(self._store.folder(id), {VECTORS: files[VECTORS]}):
                    continue
                part = arrays.load(self._store.folder(id) / VECTORS)
            except (Damaged, KeyError, OSError, ValueError):
                continue
            pairs = zip(part["ids"].tolist(), part["rows"], strict=True)
            found |= {at[id]: np.array(row) for id, row in pairs if id in at}
        return found

    def _encoded(self, lost: Mapping[bytes, Passage]) -> dict[bytes, Half]:
        encoder = self._store.encoder
        if encoder is None or encoder.identity != self._model:
            raise KhazriError(f"{len(lost)} passages have to be embedded again by {self._model}.")
        log.warning("%s: %d passages are embedded again", self._store.home, len(lost))
        found: dict[bytes, Half] = {}
        rest = iter(lost.items())
        while part := dict(islice(rest, 256)):
            texts = [embedding_text(p.document.title, p.heading, p.text) for p in part.values()]
            rows = encoder.encode(texts)
            found |= dict(zip(part, rows, strict=True))
            self._store.embeddings.put(self._model, list(part), rows)
        return found


def passage_keys(db: sqlite3.Connection, ids: Sequence[int]) -> dict[int, bytes]:
    """The embedding key of each passage."""
    found: dict[int, bytes] = {}
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        marks = ",".join("?" * len(part))
        found |= dict(
            db.execute(f"SELECT id, key FROM passages WHERE id IN ({marks})", part).fetchall()
        )
    return found


def _ids(db: sqlite3.Connection, query: str) -> Ids:
    return np.fromiter((row[0] for row in db.execute(query)), np.int64)
