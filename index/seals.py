"""Copies of the catalog's small rows, kept by triggers, so that a flipped bit in any shows.

A document has a seal of its own over its text and passages (``rows.seal``). Everything else that
the catalog says is written twice: ``seals`` holds each row again, as SQL values, by table and key.
The triggers are plain SQL, so that whoever writes a row seals it. The tables are small, and the
two versions tell a person what a damaged row may have said.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

_TABLE = "CREATE TABLE seals (name TEXT, key, row, PRIMARY KEY (name, key)) WITHOUT ROWID"
_WHOLE = ("texts", "passages")  # under the seal of their document
_REST = (
    "id source_id size mtime_ns passages added changed generation seal metadata".split()
)  # the others
_OWN = {  # what SQLite itself keeps: the key and the value of each
    "sqlite_sequence": ("name", "seq"),
    "sqlite_master": ("name", "sql"),
    "pragma_user_version": ("'version'", "user_version"),
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that is not what was written; ``now`` and ``copy`` are its two versions (or None)."""

    table: str
    key: object
    now: str | None
    copy: str | None


def install(db: sqlite3.Connection) -> None:
    """Seal every row as it is, and from now on, inside the transaction that made the tables."""
    for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f'DROP TRIGGER "{row[0]}"')
    db.execute("DROP TABLE IF EXISTS seals")
    db.execute(_TABLE)
    for table in _tables(db):
        if table not in _WHOLE:
            for trigger in _triggers(db, table):
                db.execute(trigger)
            key, row = _expressions(db, table)
            db.execute(f"INSERT INTO seals SELECT '{table}', {key}, {row} FROM \"{table}\"")
        if _numbered(db, table):
            db.execute(_counter(table))
    for name, (key, row) in _OWN.items():
        db.execute(f"INSERT INTO seals SELECT '{name}', {key}, {row} FROM {name}")


def installed(db: sqlite3.Connection) -> bool:
    """Whether the rows are sealed; those of a home that an older Khazri made are not."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'seals'").fetchone())


def broken(db: sqlite3.Connection) -> Iterator[Broken]:
    """The rows that are not what was written, inside a read transaction."""
    for table in [name for name in _tables(db) if name not in _WHOLE]:
        yield from _compared(db, table, *_expressions(db, table))
    for name, (key, row) in _OWN.items():
        yield from _compared(db, name, key, row)
    known = [*_tables(db), *_OWN]
    marks = ",".join("?" * len(known))
    for row in db.execute(f"SELECT * FROM seals WHERE name NOT IN ({marks})", known):
        yield Broken(str(row[0]), row[1], None, str(row[2]))


def renew(db: sqlite3.Connection, broken: Broken) -> None:
    """Take the row as it stands for right, inside a write transaction."""
    db.execute("DELETE FROM seals WHERE name = ? AND key = ?", [broken.table, broken.key])
    if broken.now is not None:
        db.execute("INSERT INTO seals VALUES (?, ?, ?)", [broken.table, broken.key, broken.now])


def raise_number(db: sqlite3.Connection, table: str, least: int) -> None:
    """Have the next row of a table get a number above ``least``, inside a write transaction."""
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", [table]).fetchone()
    highest = max(least, row[0] if row else 0)
    db.execute("DELETE FROM sqlite_sequence WHERE name = ?", [table])
    db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", [table, highest])
    db.execute("DELETE FROM seals WHERE name = 'sqlite_sequence' AND key = ?", [table])
    db.execute("INSERT INTO seals VALUES ('sqlite_sequence', ?, ?)", [table, highest])


def drop(db: sqlite3.Connection, broken: Broken) -> None:
    """Remove the row and its copy, inside a write transaction."""
    key, _ = _expressions(db, broken.table)
    db.execute(f'DELETE FROM "{broken.table}" WHERE {key} = ?', [broken.key])
    db.execute("DELETE FROM seals WHERE name = ? AND key = ?", [broken.table, broken.key])


def _compared(db: sqlite3.Connection, table: str, key: str, row: str) -> Iterator[Broken]:
    found = db.execute(
        f'WITH found (k, r) AS (SELECT {key}, {row} FROM "{table}")'
        " SELECT k, r, row FROM found LEFT JOIN seals ON name = ? AND key = +k WHERE r IS NOT row"
        " UNION ALL SELECT key, NULL, row FROM seals WHERE name = ? AND row IS NOT NULL"
        " AND key NOT IN (SELECT k FROM found WHERE k IS NOT NULL)",
        [table, table],
    )
    for one in found.fetchall():
        yield Broken(table, *one)


def _tables(db: sqlite3.Connection) -> list[str]:
    rows = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
        " AND name <> 'seals' ORDER BY name"
    )
    return [row[0] for row in rows]


def _numbered(db: sqlite3.Connection, table: str) -> bool:
    sql = db.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
    return "AUTOINCREMENT" in sql


def _expressions(db: sqlite3.Connection, table: str, prefix: str = "") -> tuple[str, str]:
    """The key of a row, and the row, as SQL over columns that ``prefix`` stands before."""
    columns = db.execute(f'PRAGMA table_info("{table}")').fetchall()
    keys = [f'{prefix}"{c[1]}"' for c in sorted(columns, key=lambda c: c[5]) if c[5]]
    names = [c[1] for c in columns if table != "documents" or c[1] in _REST]
    return " || ' ' || ".join(keys), " || ',' || ".join(f'quote({prefix}"{n}")' for n in names)


def _triggers(db: sqlite3.Connection, table: str) -> Iterator[str]:
    new, row = _expressions(db, table, "NEW.")
    old, _ = _expressions(db, table, "OLD.")
    # Deleted and inserted, since the conflict clause of the outer statement would rule here too.
    # The plus takes the column's affinity away, with which the key's index would not be used.
    unseal = f"DELETE FROM seals WHERE name = '{table}' AND key = +{old};"
    clear = f"DELETE FROM seals WHERE name = '{table}' AND key = +{new};"
    seal = f"INSERT INTO seals VALUES ('{table}', {new}, {row});"
    for event, body in (
        ("INSERT", clear + seal),
        ("UPDATE", unseal + clear + seal),
        ("DELETE", unseal),
    ):
        name = f"seal_{event.lower()}_{table}"
        yield f'CREATE TRIGGER {name} AFTER {event} ON "{table}" BEGIN {body} END'


def _counter(table: str) -> str:
    """Keeps the highest id ever used a second time."""
    at = f"name = 'sqlite_sequence' AND key = '{table}'"
    return (
        f'CREATE TRIGGER seal_count_{table} AFTER INSERT ON "{table}"'
        f" WHEN NEW.id > coalesce((SELECT row FROM seals WHERE {at}), 0) BEGIN"
        f" DELETE FROM seals WHERE {at};"
        f" INSERT INTO seals VALUES ('sqlite_sequence', '{table}', NEW.id); END"
    )
