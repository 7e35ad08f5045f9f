"""A home changes its embedding model or its analyzer while it serves.

Beside every segment a new one is built, with the part that changes made anew and the rest kept;
each is noted in the catalog as it is done, so that an interrupted change goes on where it
stopped. One commit then puts all new ones in the place of the old ones. What other writers commit
meanwhile, for the old model, is taken along before that commit.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence

import numpy as np

from index.embeddings import Encoder, Half, text_key
from index.keyword import ANALYZER, Entry
from index.languages import detect
from index.locks import locked
from index.rows import Rows
from index.segments import Files, Segment, build, derive, load_files, open_segment
from index.store import Store
from index.stored import fetch
from index.values import Passage, embedding_text

log = logging.getLogger("khazri.rebuild")

BATCH = 256  # passages that are encoded, and kept, at a time
PURPOSE = "a change of the model or the analyzer"

Told = Callable[[int], None]  # told of the passages of each batch; raises to stop


def outdated(store: Store, encoder: Encoder) -> bool:
    """Whether the indexes are of another model, or another analyzer, than is wanted."""
    with store.catalog.read() as db:
        model, analyzer = _state(db)
    return bool(model) and (model, analyzer) != (encoder.identity, ANALYZER)


def rebuild(store: Store, encoder: Encoder, told: Told) -> None:
    """Bring a store to ``encoder``'s model and to this version's analyzer.

    Searching goes on with the old ones until the last commit, and so does adding documents.
    """
    with locked(store.home / "merge.lock", PURPOSE):
        _tell_languages(store)
        while segments := _left(store, encoder):
            for segment in segments:
                _beside(store, encoder, segment, told)
        with locked(store.home / "write.lock", PURPOSE):
            for segment in _left(store, encoder):  # committed since the last look: very few
                _beside(store, encoder, segment, told)
            _switch(store, encoder)


def outgrown(store: Store) -> bool:
    """Whether an older Khazri made the indexes, with another analyzer."""
    with store.catalog.read() as db:
        model, analyzer = _state(db)
    return bool(model) and analyzer != ANALYZER


def _tell_languages(store: Store) -> None:
    """Find the language of the documents that an older Khazri stored without one."""
    with store.catalog.read() as db:
        rows = db.execute("SELECT id FROM documents WHERE language IS NULL").fetchall()
    for (id,) in rows:
        with store.catalog.write() as db:
            row = db.execute("SELECT text FROM texts WHERE document_id = ?", [id]).fetchone()
            text = row[0].decode("utf-8", "replace") if row and isinstance(row[0], bytes) else ""
            if language := detect(text):
                Rows(db, 0).tell_language(id, language)


def _state(db: sqlite3.Connection) -> tuple[str, str]:
    row = db.execute("SELECT model, analyzer FROM state").fetchone()
    return row["model"], row["analyzer"]


def _left(store: Store, encoder: Encoder) -> list[Segment]:
    """The segments beside which no new one of the wanted kind stands yet."""
    with store.catalog.write() as db:
        db.execute(
            "DELETE FROM rebuilds WHERE model != ? OR analyzer != ?"
            " OR replaced NOT IN (SELECT id FROM segments)",
            [encoder.identity, ANALYZER],
        )
        rows = db.execute(
            "SELECT id, files FROM segments WHERE id NOT IN (SELECT replaced FROM rebuilds)"
            " ORDER BY id"
        ).fetchall()
    return [open_segment(r["id"], store.folder(r["id"]), load_files(r["files"])) for r in rows]


def _beside(store: Store, encoder: Encoder, segment: Segment, told: Told) -> None:
    """Build the segment that will take the place of ``segment``, and note it."""
    with store.catalog.read() as db:
        model, analyzer = _state(db)
        old = load_files(
            db.execute("SELECT files FROM segments WHERE id = ?", [segment.id]).fetchone()[0]
        )
        passages = {p.id: p for p in fetch(db, [int(id) for id in segment.ids])}
    files: Files = {}
    if not passages:  # all of it is deleted: nothing takes its place
        id, count = 0, 0
    else:
        id = store.reserve()
        rows = segment.vectors.rows
        if model != encoder.identity:
            rows = _embedded(store, encoder, [passages.get(int(n)) for n in segment.ids], told)
        if analyzer == ANALYZER:
            files = derive(segment.folder, old, store.folder(id), segment.ids, rows)
            count = len(segment)
        else:
            kept = [place for place, n in enumerate(segment.ids) if int(n) in passages]
            entries = [_entry(passages[int(segment.ids[place])]) for place in kept]
            owners = [passages[entry.id].document.id for entry in entries]
            files = build(store.folder(id), entries, owners, rows[kept])
            count = len(entries)
    with store.catalog.write() as db:
        db.execute(
            "INSERT INTO rebuilds VALUES (?, ?, ?, ?, ?, ?)",
            [segment.id, encoder.identity, ANALYZER, id, count, json.dumps(files)],
        )
    log.debug("rebuild: segment %d beside %d", id, segment.id)


def _entry(passage: Passage) -> Entry:
    return Entry.of(passage)


def _embedded(
    store: Store, encoder: Encoder, passages: Sequence[Passage | None], told: Told
) -> Half:
    """The vectors of some passages; zeros for those that are deleted. Kept batch by batch."""
    found: dict[int, Half] = {}
    for start in range(0, len(passages), BATCH):
        part = passages[start : start + BATCH]
        texts = {
            place: embedding_text(p.document.title, p.heading, p.text)
            for place, p in enumerate(part, start)
            if p is not None
        }
        keys = {place: text_key(text) for place, text in texts.items()}
        have = store.embeddings.get(encoder.identity, list(set(keys.values())))
        missing = {key: texts[place] for place, key in keys.items() if key not in have}
        if missing:
            made = encoder.encode(list(missing.values()))
            store.embeddings.put(encoder.identity, list(missing), made)
            have |= dict(zip(missing, made, strict=True))
        found |= {place: have[key] for place, key in keys.items()}
        told(len(part))
    rows = np.zeros((len(passages), len(next(iter(found.values()), ()))), np.float16)
    for place, row in found.items():
        rows[place] = row
    return rows


def _switch(store: Store, encoder: Encoder) -> None:
    """The one commit after which the new segments are searched, and the old ones gone."""
    with store.catalog.write() as db:
        generation = int(db.execute("SELECT generation FROM state").fetchone()[0]) + 1
        new = db.execute("SELECT id, passages, files FROM rebuilds ORDER BY replaced").fetchall()
        db.execute("DELETE FROM segments")
        for row in new:
            if row["passages"]:
                Rows(db, generation).segment(row["id"], row["passages"], load_files(row["files"]))
        db.execute("DELETE FROM rebuilds")
        db.execute(
            "UPDATE state SET generation = ?, model = ?, analyzer = ?",
            [generation, encoder.identity, ANALYZER],
        )
    log.info(
        "the index is of %s and %s from generation %d on", encoder.identity, ANALYZER, generation
    )
