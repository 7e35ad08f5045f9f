"""The indexer: works out what changed in the sources, and commits it in bounded batches.

Data flows one way: files are found, read and split in one thread ahead of the encoder; what was
never embedded is encoded; each batch is one commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from index.changes import Changes, Draft, Failed, Move
from index.documents import Given, draft, embedding_texts, given_draft, given_hash, read_jsonl
from index.embeddings import Encoder
from index.errors import KhazriError, Unreadable
from index.locks import locked
from index.readers import read, supported
from index.rows import digest
from index.snapshot import Source
from index.sources import File, covering, files, place, register
from index.store import Store

BATCH = 1024  # passages, about, that one commit adds
AHEAD = 64  # documents that are read ahead of the encoder
LARGEST = 256 << 20  # bytes of a file; a larger one is refused


@dataclass
class Progress:
    """How far an indexing run is. Changes while it runs; numbers count documents or passages."""

    total: int = 0
    done: int = 0
    passages: int = 0
    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    embedded: int = 0
    current: str = ""
    generation: int = 0
    failed: list[Failed] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


class Cancelled(KhazriError):
    """The run was asked to stop. What was committed stays."""


Watcher = Callable[[Progress], None]  # told of progress; raises Cancelled to stop the run


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog knows of a document, for comparing."""

    id: int
    content_hash: str
    size: int
    mtime_ns: int


@dataclass
class Plan:
    """What one source needs."""

    source: Source
    read: list[File | Given] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    cleared: list[tuple[int, str]] = field(default_factory=list)
    failures: list[Failed] = field(default_factory=list)
    unchanged: int = 0
    known: dict[str, Known] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was handed over: its name and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one document that was handed over."""

    uri: str
    stored: bool
    document_id: int | None
    generation: int
    reason: str = ""


class Indexer:
    """Brings documents into a store."""

    def __init__(self, store: Store, encoder: Encoder) -> None:
        self.store = store
        self.encoder = encoder

    # Sources

    def index(self, paths: Sequence[Path], watch: Watcher, *, jsonl: bool = False) -> Progress:
        """Make the paths known as sources and bring them up to date.

        A path that was asked for by name comes back even if it was removed by hand. Raises
        ``KhazriError`` before anything is read when a path can't be.
        """
        places = [place(path) for path in paths]
        if jsonl:
            places = [("jsonl", location) for _, location in places]
        with self.store.snapshot() as snapshot:
            known = snapshot.sources()
        asked: set[str] = set()
        ids = []
        for kind, location in places:
            inside = covering(known, location) if kind in ("file", "folder") else None
            if kind == "file":
                asked.add(location)
            with self.store.catalog.write() as db:
                ids.append(inside.id if inside else register(db, kind, location))
        return self.sync(watch, only=set(ids), asked=asked)

    def sync(
        self, watch: Watcher, only: set[int] | None = None, asked: Iterable[str] = ()
    ) -> Progress:
        """Bring the sources (all, or those with the ids ``only``) up to date."""
        progress = Progress()
        with locked(self.store.home / "index.lock", "khazri index"):
            with self.store.snapshot() as snapshot:
                sources = [s for s in snapshot.sources() if only is None or s.id in only]
                progress.generation = snapshot.generation
            plans = [
                self._plan(source, set(asked))
                for source in sources
                if source.kind in ("folder", "file", "jsonl")
            ]
            progress.total = sum(len(plan.read) for plan in plans)
            progress.unchanged = sum(plan.unchanged for plan in plans)
            for plan in plans:
                self._carry_out(plan, progress, watch)
            while self.store.merge():
                watch(progress)
        return progress

    def _plan(self, source: Source, asked: set[str]) -> Plan:
        plan = Plan(source, known=self._known(source.id))
        removed = self._rows("SELECT uri, content_hash FROM removals WHERE source_id = ?", source)
        failed = {
            row[0]: (row[1], row[2])
            for row in self._rows(
                "SELECT uri, size, mtime_ns FROM failures WHERE source_id = ?", source
            )
        }
        away = dict(removed)
        seen: set[str] = set()

        def refuse(uri: str, reason: str) -> None:
            seen.add(uri)
            plan.failures.append(Failed(source.id, uri, reason))

        found: Iterable[File | Given]
        if source.kind == "jsonl":
            found = read_jsonl(Path(source.location), refuse)
        else:
            found = files(source, supported, refuse)
        for one in found:
            seen.add(one.uri)
            self._compare(one, plan, failed, {} if one.uri in asked else away)
        self._missing(plan, seen)
        stale = [uri for uri in failed if uri not in seen]
        plan.cleared += [(source.id, uri) for uri in stale]
        return plan

    def _compare(
        self,
        one: File | Given,
        plan: Plan,
        failed: Mapping[str, tuple[int, int]],
        away: Mapping[str, str],
    ) -> None:
        """Put one found document where it belongs in the plan."""
        known = plan.known.get(one.uri)
        if isinstance(one, Given):
            same = known is not None and known.content_hash == given_hash(one)
            if one.uri in away and away[one.uri] == given_hash(one):
                return
        else:
            stamp = (one.size, one.mtime_ns)
            same = known is not None and (known.size, known.mtime_ns) == stamp
            if one.uri in failed and failed[one.uri] == stamp and known is None:
                plan.failures.append(self._failure(plan.source, one.uri))
                return
            if one.uri in away and away[one.uri] == _file_hash(one):
                return
            if known and not same and known.content_hash == _file_hash(one):
                plan.moves.append(Move(known.id, one.uri, *stamp))
                same = True
        if same:
            plan.unchanged += 1
        else:
            plan.read.append(one)

    def _missing(self, plan: Plan, seen: set[str]) -> None:
        """Documents whose files are gone: renamed if a new file has the content, else removed.

        Nothing under a folder that could not be read counts as gone.
        """
        blind = tuple(f"{failed.uri}/" for failed in plan.failures)
        gone = {
            uri: known
            for uri, known in plan.known.items()
            if uri not in seen and not uri.startswith(blind)
        }
        by_hash = {known.content_hash: known for known in gone.values()}
        by_size = {known.size for known in gone.values()}
        kept: set[int] = set()
        for one in list(plan.read):
            if isinstance(one, File) and one.uri not in plan.known and one.size in by_size:
                known = by_hash.pop(_file_hash(one), None)
                if known:
                    plan.moves.append(Move(known.id, one.uri, one.size, one.mtime_ns))
                    plan.read.remove(one)
                    kept.add(known.id)
        plan.gone = [known.id for known in gone.values() if known.id not in kept]

    def _known(self, source_id: int) -> dict[str, Known]:
        with self.store.catalog.read() as db:
            rows = db.execute(
                "SELECT uri, id, content_hash, size, mtime_ns FROM documents WHERE source_id = ?",
                [source_id],
            )
            return {row[0]: Known(*row[1:]) for row in rows.fetchall()}

    def _rows(self, query: str, source: Source) -> list[Any]:
        with self.store.catalog.read() as db:
            return db.execute(query, [source.id]).fetchall()

    def _failure(self, source: Source, uri: str) -> Failed:
        with self.store.catalog.read() as db:
            row = db.execute(
                "SELECT reason, size, mtime_ns FROM failures WHERE source_id = ? AND uri = ?",
                [source.id, uri],
            ).fetchone()
        return Failed(source.id, uri, *row)

    # Committing

    def _carry_out(self, plan: Plan, progress: Progress, watch: Watcher) -> None:
        progress.failed += plan.failures
        changes = Changes(
            removals=plan.gone, moves=plan.moves, failures=plan.failures, cleared=plan.cleared
        )
        if changes:
            progress.generation = self.store.apply(changes, self.encoder.identity)
        progress.removed += len(plan.gone)
        progress.moved += sum(move.uri not in plan.known for move in plan.moves)
        watch(progress)
        made = _ahead(lambda one: self._make(plan.source, one), plan.read)
        for batch in _batches(made, progress, watch):
            self.commit(batch, progress, watch)
            for one in batch:
                if isinstance(one, Failed):
                    progress.failed.append(one)
                elif one.uri in plan.known:
                    progress.changed += 1
                else:
                    progress.added += 1
            watch(progress)

    def _make(self, source: Source, one: File | Given) -> Draft | Failed | None:
        """Read and split one document: a draft, or why there is none (None: it is gone)."""
        try:
            if isinstance(one, Given):
                made = given_draft(source.id, one, self.encoder)
                return replace(made, tags=made.tags + source.tags)
            if one.size > LARGEST:
                raise Unreadable(f"too large: it has over {LARGEST >> 20} MB; split it")
            data = one.path.read_bytes()
            made = draft(source.id, one.uri, read(data, one.path.name), digest(data), self.encoder)
            return replace(made, size=one.size, mtime_ns=one.mtime_ns, tags=source.tags)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = f"can't be read: {error.strerror}"
        except Unreadable as error:
            reason = str(error)
        stamp = (one.size, one.mtime_ns) if isinstance(one, File) else (0, 0)
        return Failed(source.id, one.uri, reason, *stamp)

    def commit(self, batch: Sequence[Draft | Failed], progress: Progress, watch: Watcher) -> int:
        """Embed what is new in a batch, and commit the whole of it."""
        drafts = [one for one in batch if isinstance(one, Draft)]
        failures = [one for one in batch if isinstance(one, Failed)]
        progress.embedded += self._embed(drafts, progress, watch)
        # A document that can no longer be read is shown as a failure, not as it used to be.
        lost = [id for one in failures for id in self._ids(one)]
        changes = Changes(drafts=drafts, failures=failures, removals=lost)
        progress.generation = self.store.apply(changes, self.encoder.identity)
        return progress.generation

    def _ids(self, failed: Failed) -> list[int]:
        with self.store.catalog.read() as db:
            rows = db.execute(
                "SELECT id FROM documents WHERE source_id = ? AND uri = ?",
                [failed.source_id, failed.uri],
            )
            return [row[0] for row in rows]

    def _embed(self, drafts: Sequence[Draft], progress: Progress, watch: Watcher) -> int:
        texts = embedding_texts(drafts)
        model = self.encoder.identity
        have = self.store.embeddings.get(model, list(texts))
        missing = sorted((key for key in texts if key not in have), key=lambda k: len(texts[k]))
        for start in range(0, len(missing), 256):
            keys = missing[start : start + 256]
            rows = self.encoder.encode([texts[key] for key in keys])
            self.store.embeddings.put(model, keys, rows)
            progress.passages += len(keys)
            watch(progress)
        progress.passages += sum(len(d.spans) for d in drafts) - len(missing)
        return len(missing)

    # Handing over and removing

    def add(self, items: Sequence[Upload | Given]) -> list[Outcome]:
        """Store documents that are handed over: files under their names, JSON under their ids.

        One with a name that is there already takes its place. One that can't be read is told
        in its outcome and changes nothing.
        """
        with self.store.catalog.write() as db:
            uploads = register(db, "uploads", "uploads", "uploads")
            given = register(db, "api", "api", "api")
        made: list[Draft | Failed] = []
        for item in items:
            try:
                if isinstance(item, Given):
                    made.append(given_draft(given, item, self.encoder))
                else:
                    content = read(item.data, item.name)
                    hash = digest(item.data)
                    one = draft(uploads, item.name, content, hash, self.encoder)
                    self._keep(item.data, hash)
                    made.append(replace(one, size=len(item.data)))
            except Unreadable as error:
                name = item.uri if isinstance(item, Given) else item.name
                made.append(Failed(uploads, name, str(error)))
        drafts = [one for one in made if isinstance(one, Draft)]
        generation = 0
        if drafts:
            generation = self.commit(drafts, Progress(), lambda progress: None)
        with self.store.snapshot() as snapshot:
            generation = generation or snapshot.generation
        return [self._outcome(one, generation) for one in made]

    def _outcome(self, one: Draft | Failed, generation: int) -> Outcome:
        if isinstance(one, Failed):
            return Outcome(one.uri, False, None, generation, one.reason)
        with self.store.catalog.read() as db:
            row = db.execute(
                "SELECT id FROM documents WHERE source_id = ? AND uri = ?",
                [one.source_id, one.uri],
            ).fetchone()
        return Outcome(one.uri, True, row[0] if row else None, generation)

    def _keep(self, data: bytes, hash: str) -> None:
        """Keep the original of an upload under a name of our own."""
        folder = self.store.home / "uploads"
        folder.mkdir(exist_ok=True)
        part = folder / f"{hash}.part"
        part.write_bytes(data)
        part.replace(folder / hash)

    def find(self, name: str) -> int:
        """The id of the document that a person names by its id, its name or its path.

        Raises ``KhazriError`` when there is none, or more than one.
        """
        with self.store.catalog.read() as db:
            rows = db.execute(
                "SELECT id FROM documents WHERE uri IN (?, ?) OR id = ?",
                [name, str(Path(name).absolute()), int(name) if name.isdecimal() else -1],
            ).fetchall()
        if len(rows) == 1:
            return int(rows[0][0])
        if rows:
            ids = ", ".join(str(row[0]) for row in rows)
            raise KhazriError(f"{name} is the name of several documents; give an id: {ids}.")
        raise KhazriError(f"There is no document {name}. 'khazri documents' lists them all.")

    def remove(self, document_id: int) -> int:
        """Remove a document by hand; return the generation from which it is gone.

        It stays away when its source is read again, until its file changes. Raises
        ``KhazriError`` for an unknown id.
        """
        with self.store.snapshot() as snapshot:
            if snapshot.document(document_id) is None:
                raise KhazriError(f"There is no document {document_id}. It may be removed already.")
        changes = Changes(removals=[document_id], by_hand=True)
        return self.store.apply(changes, self.encoder.identity)


def _file_hash(file: File) -> str:
    try:
        return digest(file.path.read_bytes())
    except OSError:
        return ""


def _ahead(
    make: Callable[[File | Given], Draft | Failed | None], items: Sequence[File | Given]
) -> Iterator[Draft | Failed | None]:
    """Make drafts in a thread of their own, at most ``AHEAD`` before they are wanted."""
    with ThreadPoolExecutor(1) as pool:
        rest = iter(items)
        waiting = [pool.submit(make, item) for item in islice(rest, AHEAD)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(make, item) for item in islice(rest, 1)]
        finally:
            for future in waiting:
                future.cancel()


def _batches(
    made: Iterable[Draft | Failed | None], progress: Progress, watch: Watcher
) -> Iterator[list[Draft | Failed]]:
    """Group drafts to about ``BATCH`` passages."""
    batch: list[Draft | Failed] = []
    size = 0
    for one in made:
        progress.done += 1
        if one is None:
            continue
        progress.current = one.uri
        watch(progress)
        batch.append(one)
        size += len(one.spans) if isinstance(one, Draft) else 1
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
