"""Twins: documents of one text under several names, whose passages are indexed once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from index.changes import Changes, Draft
from index.documents import named_by
from index.rows import digest, read_anew


def without_twins(
    db: sqlite3.Connection, changes: Changes, drafts: Sequence[Draft], ids: Sequence[int]
) -> list[Draft]:
    """The drafts, without the passages of those whose text is indexed under another name.

    What this very commit may change or remove does not count as that other one.
    """
    touched = {*ids, *changes.removals, *read_anew(db, changes.read)}
    seen: set[tuple[object, ...]] = set()
    kept = []
    for draft, id in zip(drafts, ids, strict=True):
        hash = digest(draft.text.encode())
        like = (hash, *_likeness(draft.title, draft.uri, draft))
        rows = db.execute(
            "SELECT id, title, uri, type, published, language, tags, passages FROM documents"
            " WHERE text_hash = ?",
            [hash],
        ).fetchall()
        own = any(row["id"] == id and row["passages"] for row in rows)
        # One without passages gets them when what has them changes or goes.
        standing = any(
            row["id"] not in touched and like == (hash, *_likeness(row["title"], row["uri"], row))
            for row in rows
        )
        if like in seen or (standing and not own):
            draft = replace(draft, spans=(), keys=())
        else:
            seen.add(like)  # only what has the passages spares others theirs
        kept.append(draft)
    return kept


def _likeness(title: str, uri: str, one: Draft | sqlite3.Row) -> tuple[object, ...]:
    """What two documents of one text must share to be one: all that is searched or filtered by.

    Titles that are only the names of files do not count.
    """
    if isinstance(one, Draft):
        rest = (one.type, one.published, one.language, json.dumps(one.tags))
    else:
        rest = (one["type"], one["published"], one["language"], one["tags"])
    return "" if title == named_by(uri) else title, *rest
