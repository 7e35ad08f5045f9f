"""What becomes of a file or of a given document: drafts to store, and why others give none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from index.batches import Made
from index.changes import Failed
from index.documents import Given, draft, given_draft
from index.embeddings import Encoder
from index.errors import KhazriError, Unreadable
from index.originals import Removal, given_again, kept_file
from index.plan import Away, Part, stamp
from index.readers.process import parts
from index.rows import digest
from index.sources import File
from index.store import Store
from index.values import file_of, within

LARGEST = 256 << 20  # bytes of a file; a larger one is refused


def of_source(part: Part, one: File | Given, encoder: Encoder) -> Made | None:
    """What is made of one file or given document of a source (None: it is gone)."""
    source = part.source
    if isinstance(one, Given):
        return of_given(source.id, one, encoder, source.tags)
    size, mtime_ns = stamp(one)
    try:
        data = _all_of(one)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = f"can't be read: {error.strerror}"
    except Unreadable as error:
        reason = str(error)
    else:
        made = of_file(source.id, one.uri, one.path.name, data, encoder, part.away)
        drafts = [replace(d, mtime_ns=mtime_ns, tags=source.tags) for d in made.drafts]
        failures = [replace(one, mtime_ns=mtime_ns) for one in made.failures]
        return replace(made, drafts=tuple(drafts), failures=tuple(failures))
    return Made(source.id, one.uri, (), (Failed(source.id, one.uri, reason, size, mtime_ns),))


def of_file(
    source_id: int,
    uri: str,
    name: str,
    data: bytes,
    encoder: Encoder,
    away: Mapping[str, Away] | None = None,
) -> Made:
    """The documents of a file and of what is within it, without those that stay ``away``."""
    hash = digest(data)
    drafts, failures, passed = [], [], 0
    for part in parts(data, name):
        inner = within(uri, part.path)
        if part.content is None:
            failures.append(Failed(source_id, inner, part.reason, len(data)))
        elif part.path and away and inner in away and away[inner].content_hash == hash:
            passed += 1
        else:
            made = draft(source_id, inner, part.content, hash, encoder)
            drafts.append(replace(made, size=len(data)))
    if not drafts and not passed and all(one.uri != uri for one in failures):
        reason = "no text: none of the files within it can be read"
        failures.insert(0, Failed(source_id, uri, reason, len(data)))
    return Made(source_id, uri, tuple(drafts), tuple(failures))


def of_given(source_id: int, one: Given, encoder: Encoder, tags: Sequence[str] = ()) -> Made:
    """What is made of a document that was handed over as JSON."""
    try:
        made = given_draft(source_id, one, encoder)
    except Unreadable as error:
        return Made(source_id, "", (), (Failed(source_id, one.uri, str(error)),))
    made = replace(made, tags=tuple(dict.fromkeys((*made.tags, *tags))))
    return Made(source_id, "", (made,), ())


def of_removal(store: Store, removed: Removal, encoder: Encoder) -> Made:
    """What is made of the file of a removed document now. Raises ``KhazriError`` if it is gone."""
    source = removed.source
    file = kept_file(store, removed)
    if source.kind == "jsonl" and (given := given_again(removed)):
        return of_given(source.id, given, encoder, source.tags)
    made = None
    if file is not None and file.path.is_file():
        if source.kind == "uploads":
            return of_file(source.id, file.name, file.name, file.path.read_bytes(), encoder)
        found, uri = file.path.stat(), file_of(removed.uri)
        one = File(file.path, file.folder, uri, found.st_size, found.st_mtime_ns)
        made = of_source(Part(source), one, encoder)
    if made is None:
        raise KhazriError(f"{removed.uri} can't be brought back: its file is gone.")
    return made


def _all_of(file: File) -> bytes:
    """The bytes of a file, which may have grown since. Raises ``OSError`` and ``Unreadable``."""
    if file.size <= LARGEST:
        with file.open() as opened:
            data = opened.read(LARGEST + 1)
        if len(data) <= LARGEST:
            return data
    raise Unreadable(f"too large: it has over {LARGEST >> 20} MB; split it")
