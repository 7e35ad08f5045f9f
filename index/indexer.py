"""The indexer: brings what a plan names into the store, in bounded batches.

Data flows one way: documents are made of files in one thread ahead of the encoder; what was never
embedded is encoded; each batch is one commit, in a thread behind the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from index.batches import Made, ahead, batches, behind
from index.changes import Changes, Draft, Failed
from index.comparison import compare
from index.documents import Given, embedding_texts
from index.embeddings import Encoder
from index.errors import KhazriError
from index.locks import locked
from index.making import of_file, of_given, of_removal, of_source
from index.originals import Removal, keep
from index.plan import Options, Plan, Settled
from index.progress import Cancelled as Cancelled
from index.progress import Progress as Progress
from index.progress import Watcher as Watcher
from index.rows import digest
from index.sources import amending, covering, listed, place, register, retag
from index.store import NotEmbedded, Store
from index.stored import Source
from index.values import file_of

BATCH = 4096  # passages, about, that one commit adds: fewer segments are merged less often
PIECE = 1024  # passages, about, that are encoded while more are read
ENCODED = 256  # that are encoded at a time, and kept
QUICK = 256  # passages, at most, that are merged while somebody waits
NOTHING = Changes()


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

    def __init__(self, store: Store, encoder: Encoder, share: float = 0.5) -> None:
        """``share``: the part of a source's documents that may go at once, from 0 to 1."""
        self.store = store
        self.encoder = encoder
        self.share = share

    # Sources

    def index(
        self,
        paths: Sequence[Path],
        watch: Watcher,
        *,
        jsonl: bool = False,
        allow_deletions: bool = False,
    ) -> Progress:
        """Make the paths known as sources and bring them up to date.

        A file that was asked for by name comes back even if it was removed by hand. Raises
        ``KhazriError`` before anything is read when a path can't be.
        """
        places = [place(path, "jsonl" if jsonl else "") for path in paths]
        ids: set[int] = set()
        for kind, location in places:
            with self.store.catalog.write() as db:
                inside = covering(listed(db), location) if kind != "jsonl" else None
                ids.add(inside.id if inside else register(db, kind, location))
        asked = [location for kind, location in places if kind == "file"]
        return self.sync(watch, ids, asked, allow_deletions=allow_deletions)

    def sync(
        self,
        watch: Watcher,
        only: set[int] | None = None,
        asked: Iterable[str] = (),
        *,
        allow_deletions: bool = False,
    ) -> Progress:
        """Bring the sources (all, or those with the ids ``only``) up to date."""
        with self.planned(only, asked, allow_deletions=allow_deletions) as plan:
            return self.carry_out(plan, watch)

    def preview(
        self, paths: Sequence[Path] = (), *, jsonl: bool = False, allow_deletions: bool = False
    ) -> Plan:
        """What ``index`` or, without paths, ``sync`` would do. Nothing is changed."""
        places = [place(path, "jsonl" if jsonl else "") for path in paths]
        with self.store.catalog.read() as db:
            known = listed(db)
        chosen: dict[str, Source] = {}
        for number, (kind, location) in enumerate(places, 1):
            same = [s for s in known if (s.kind, s.location) == (kind, location)]
            inside = covering(known, location) if kind != "jsonl" else None
            fresh = Source(-number, Path(location).name, kind, location, (), (), (), 0)
            source = inside or (same[0] if same else fresh)
            chosen[source.location] = source
        sources = list(chosen.values()) if paths else known
        asked = frozenset(location for kind, location in places if kind == "file")
        return compare(self.store.catalog, sources, known, self._options(asked, allow_deletions))

    @contextmanager
    def planned(
        self,
        only: set[int] | None = None,
        asked: Iterable[str] = (),
        *,
        allow_deletions: bool = False,
        settled: Settled | None = None,
        wait: float = -1,
    ) -> Iterator[Plan]:
        """What the sources need, while no other run changes it. Raises ``Busy`` after ``wait``."""
        options = self._options(frozenset(asked), allow_deletions)
        if settled:
            options = replace(options, settled=settled)
        with locked(self.store.home / "index.lock", "khazri index", wait):
            with self.store.catalog.read() as db:
                every = listed(db)
            sources = [s for s in every if only is None or s.id in only]
            yield compare(self.store.catalog, sources, every, options)

    def _options(self, asked: frozenset[str], allow_deletions: bool) -> Options:
        return Options(asked, allow_deletions, self.share)

    # Committing

    def carry_out(self, plan: Plan, watch: Watcher) -> Progress:
        """Do what was planned, inside ``planned``, in bounded commits."""
        self._follow()
        progress = Progress(generation=self._generation())
        progress.total = sum(len(part.new) + len(part.changed) for part in plan.parts)
        progress.unchanged = sum(part.unchanged for part in plan.parts)
        progress.withheld = sum(part.withheld for part in plan.parts)
        progress.failed += [one for part in plan.parts for one in part.failures]
        self._keep_notes(plan)
        first = plan.changes
        if plan.crossing:
            self._cross(plan, progress)
            first = NOTHING
        work = [(part, one) for part in plan.parts for one in (*part.new, *part.changed)]
        made = ahead(lambda item: of_source(*item, self.encoder), work)
        pieces = batches(made, min(PIECE, BATCH), progress, watch)
        embedded = self._embedded(pieces, first, plan, progress, watch)
        with closing(behind(lambda item: self._apply(*item), embedded)) as committed:
            for (batch, first), generation in committed:
                progress.generation = generation
                _count(first, batch, plan, progress)
                watch(progress)
        watch(progress)
        while self.store.merge():
            watch(progress)
        return progress

    def _embedded(
        self,
        pieces: Iterable[list[Made]],
        first: Changes,
        plan: Plan,
        progress: Progress,
        watch: Watcher,
    ) -> Iterator[tuple[list[Made], Changes]]:
        """The batches to commit, once their vectors are there; with the changes that go first."""
        told = {one for p in plan.parts for one in p.recorded.values()}
        batch: list[Made] = []
        for piece in pieces:
            progress.failed += [one for made in piece for one in made.failures]
            piece = [made for made in piece if made.drafts or not told.issuperset(made.failures)]
            progress.embedded += self._embed(_drafts(piece), progress, watch)
            batch += piece
            if sum(max(made.passages, 1) for made in batch) >= BATCH:
                yield batch, first
                batch, first = [], NOTHING
        if batch or first:
            yield batch, first

    def _cross(self, plan: Plan, progress: Progress) -> None:
        """Commit the renames and what goes with them, where some lead to another source."""
        old = {part.source.id: part.source for part in plan.parts}
        with self.store.catalog.read() as db:
            old |= {source.id: source for source in listed(db)}
        with amending(self.store) as (db, rows):
            rows.remove(plan.changes.removals, by_hand=False)
            crossing = [(rename, id) for rename in plan.crossing for id in rename.known.ids]
            for rename, id in crossing:
                db.execute(
                    "UPDATE documents SET source_id = ? WHERE id = ?",
                    [rename.source.id, id],
                )
            rows.apply(replace(plan.changes, removals=()))
            for rename, id in crossing:
                if (before := old[rename.known.source_id]).tags != rename.source.tags:
                    retag(db, id, before, rename.source)
        progress.generation = self._generation()
        _count(plan.changes, (), plan, progress)

    def _keep_notes(self, plan: Plan) -> None:
        """Keep what no reader sees, in one small transaction and without a new generation."""
        touched = [move for part in plan.parts for move in part.touched]
        follow = [(new, part.source.id, old) for part in plan.parts for old, new in part.follow]
        if not touched and not follow:
            return
        with self.store.catalog.write() as db:
            db.executemany(
                "UPDATE documents SET size = ?, mtime_ns = ? WHERE id = ?",
                [(move.size, move.mtime_ns, move.document_id) for move in touched],
            )
            db.executemany(
                "UPDATE OR REPLACE removals SET uri = ? WHERE source_id = ? AND uri = ?", follow
            )

    def _follow(self) -> None:
        """Use the model that the index is of now; another process may have changed it."""
        model = self.store.model
        if model not in ("", self.encoder.identity):
            self.encoder = Encoder.of(model)

    def _generation(self) -> int:
        with self.store.catalog.read() as db:
            return int(db.execute("SELECT generation FROM state").fetchone()[0])

    def commit(
        self,
        batch: Sequence[Made],
        progress: Progress,
        watch: Watcher,
        first: Changes = NOTHING,
    ) -> int:
        """Embed what is new in a batch, and commit the whole of it, with the changes ``first``."""
        progress.embedded += self._embed(_drafts(batch), progress, watch)
        progress.generation = self._apply(batch, first)
        return progress.generation

    def _apply(self, batch: Sequence[Made], first: Changes) -> int:
        """Commit a batch whose vectors are there, with the changes ``first``."""
        failures = [failed for made in batch for failed in made.failures]
        # A document that can no longer be read is shown as a failure, not as it used to be.
        lost = [
            id for made in batch if not made.file for one in made.failures for id in self._ids(one)
        ]
        changes = replace(
            first,
            drafts=_drafts(batch),
            failures=[*first.failures, *failures],
            removals=[*first.removals, *lost],
            read=[(made.source_id, made.file) for made in batch if made.file],
        )
        try:
            return self.store.apply(changes, self.encoder.identity)
        except NotEmbedded:  # compacting dropped what no commit had named yet
            self._embed(changes.drafts, Progress(), lambda progress: None)
            return self.store.apply(changes, self.encoder.identity)

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
        each = [missing[start : start + ENCODED] for start in range(0, len(missing), ENCODED)]
        pool = ThreadPoolExecutor(2)  # or processors would have to wait at the end of each
        try:
            made = pool.map(lambda keys: self.encoder.encode([texts[key] for key in keys]), each)
            for keys, rows in zip(each, made, strict=True):
                self.store.embeddings.put(model, keys, rows)
                progress.passages += len(keys)
                watch(progress)
        finally:
            pool.shutdown(cancel_futures=True)
        progress.passages += sum(len(d.spans) for d in drafts) - len(missing)
        return len(missing)

    # Handing over and removing

    def add(self, items: Sequence[Upload | Given]) -> list[Outcome]:
        """Store documents that are handed over: files under their names, JSON under their ids.

        One with a name that is there already takes its place. One that can't be read is told
        in its outcome and changes nothing.
        """
        self._follow()
        with self.store.catalog.write() as db:
            uploads = register(db, "uploads", "uploads", "uploads")
            given = register(db, "api", "api", "api")
        made: list[Made] = []
        originals: dict[str, bytes] = {}
        for item in items:
            if isinstance(item, Given):
                made.append(of_given(given, item, self.encoder))
                continue
            made = [one for one in made if one.file != item.name]  # of two the last counts
            made.append(of_file(uploads, item.name, item.name, item.data, self.encoder))
            if made[-1].drafts:
                originals[digest(item.data)] = item.data
        for hash, data in originals.items():
            keep(self.store.home, data, hash)
        stored = [one for one in made if one.drafts]
        generation = self.commit(stored, Progress(), lambda progress: None) if stored else 0
        for hash, data in originals.items():
            if not (self.store.home / "uploads" / hash).exists():  # compacted before the commit
                keep(self.store.home, data, hash)
            while self.store.merge(QUICK):  # a larger one is left to the next run
                pass
        with self.store.snapshot() as snapshot:
            generation = generation or snapshot.generation
        told: list[Draft | Failed] = []
        for one in made:
            told += [*one.drafts, *one.failures]
        return [self._outcome(one, generation) for one in told]

    def _outcome(self, one: Draft | Failed, generation: int) -> Outcome:
        if isinstance(one, Failed):
            return Outcome(one.uri, False, None, generation, one.reason)
        with self.store.catalog.read() as db:
            row = db.execute(
                "SELECT id FROM documents WHERE source_id = ? AND uri = ?",
                [one.source_id, one.uri],
            ).fetchone()
        return Outcome(one.uri, True, row[0] if row else None, generation)

    def find(self, name: str) -> int:
        """The id of the document that a person names by its id, its name or its path.

        Raises ``KhazriError`` when there is none, or more than one.
        """
        with self.store.catalog.read() as db:
            rows = db.execute(
                "SELECT id FROM documents WHERE uri IN (?, ?) OR id = ?",
                [name, _absolute(name), int(name) if name.isdecimal() else -1],
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

    def restore(self, removed: Removal) -> Outcome:
        """Bring back a document that was removed by hand, as its file is now.

        What else lies in the same archive or mail stays as it is. Raises ``KhazriError`` where
        there is nothing to bring it back from.
        """
        self._follow()
        made = of_removal(self.store, removed, self.encoder)
        drafts = tuple(draft for draft in made.drafts if draft.uri == removed.uri)
        if not drafts:
            why = made.failures[0].reason if made.failures else "it is not in its file any more"
            raise KhazriError(f"{removed.uri} can't be brought back: {why}.")
        # Of a file that changed meanwhile all is brought up to date, or the rest would seem so.
        changed = made.file and drafts[0].content_hash != removed.content_hash
        only = made if changed else Made(made.source_id, "", drafts, ())
        generation = self.commit([only], Progress(), lambda progress: None)
        while self.store.merge(QUICK):
            pass
        return self._outcome(drafts[0], generation)


def _absolute(name: str) -> str:
    """A path from the root on; what is within a file keeps its place there."""
    file = file_of(name)
    return str(Path(file).absolute()) + name.removeprefix(file)


def _drafts(batch: Sequence[Made]) -> list[Draft]:
    return [draft for made in batch for draft in made.drafts]


def _count(first: Changes, batch: Sequence[Made], plan: Plan, progress: Progress) -> None:
    """Add what a commit of the plan's changes, if it had them, and of a batch did."""
    if first:
        progress.removed += len(first.removals)
        progress.moved += len(plan.renames)
    known = {(p.source.id, one.uri) for p in plan.parts for one in p.changed}
    for made in batch:
        if (made.source_id, made.name) in known:
            progress.changed += len(made.drafts)
        else:
            progress.added += len(made.drafts)
        progress.read.update(draft.type for draft in made.drafts)
