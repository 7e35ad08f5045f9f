"""A segment: the passages that one commit added, searchable in both legs, written once.

``segments/<id>/`` holds ``keyword/`` (Whoosh's files), ``postings.safetensors`` and
``vectors.safetensors``. A folder counts only when the catalog names it, which happens after its
last byte is on the disk; the catalog also keeps the size and the SHA-256 of each file.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index import arrays, keyword
from index.disk import file_hash, flush, of_disk
from index.errors import KhazriError
from index.keyword import Entry
from index.postings import Postings
from index.vectors import Half, Vectors, arrays_of
from index.vocabulary import Vocabulary

log = logging.getLogger("khazri.segments")

Ids = npt.NDArray[np.int64]
Files = Mapping[str, tuple[int, str]]


class Damaged(KhazriError):
    """A derived file is missing, short, or not what was written; it can be rebuilt."""


@dataclass(frozen=True)
class Segment:
    """An opened segment: document number ``i`` is passage ``ids[i]`` of ``documents[i]``."""

    id: int
    folder: Path
    documents: npt.NDArray[np.int64]
    postings: Postings
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.postings)

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """Passage ids, ascending."""
        return self.postings.ids

    def numbers(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The document number of each passage id, -1 where it is not in this segment."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self.ids)] = 0
        return np.where(self.ids[at] == ids, at, -1) if len(self.ids) else np.full(len(ids), -1)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its terms in their order, read when they are first asked for."""
        return Vocabulary.of(self.postings)


def build(folder: Path, entries: Sequence[Entry], documents: Sequence[int], rows: Half) -> Files:
    """Write a segment into its empty folder and flush it to the disk; return its files.

    ``entries``, ``documents`` and ``rows`` are parallel, by ascending passage id. Raises
    ``KhazriError``, and then the folder is gone.
    """
    try:
        return _build(folder, entries, documents, rows)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise of_disk(error, folder) from error
        raise


def _build(folder: Path, entries: Sequence[Entry], documents: Sequence[int], rows: Half) -> Files:
    (folder / "keyword").mkdir()
    postings = keyword.write(folder / "keyword", entries)
    postings["documents"] = np.asarray(documents, np.int64)
    arrays.save(folder / "postings.safetensors", postings)
    arrays.save(folder / "vectors.safetensors", arrays_of(postings["ids"], rows))
    files = {str(p.relative_to(folder)): _summed(p) for p in _files(folder)}
    for path in [folder / "keyword", folder, folder.parent]:
        flush(path)
    return files


def derive(folder: Path, files: Files, new: Path, ids: Ids, rows: Half) -> Files:
    """Make a segment in the empty folder ``new`` that differs from another in its vectors alone.

    The other files never change, so both segments can own them. Raises ``KhazriError``.
    """
    try:
        (new / "keyword").mkdir()
        for name in files:
            if name != "vectors.safetensors":
                os.link(folder / name, new / name)
        arrays.save(new / "vectors.safetensors", arrays_of(np.asarray(ids), rows))
        made = {**files, "vectors.safetensors": _summed(new / "vectors.safetensors")}
        for path in [new / "keyword", new, new.parent]:
            flush(path)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        raise of_disk(error, new) from error
    return made


def load_files(dumped: str) -> Files:
    """The files of a segment as the catalog keeps them. Raises ``Damaged``."""
    try:
        files = json.loads(dumped).items()
        return {str(name): (int(size), str(digest)) for name, (size, digest) in files}
    except (ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"the list of a segment's files can't be read: {error}") from error


def open_segment(id: int, folder: Path, files: Files) -> Segment:
    """Open a segment whose files have the recorded sizes. Raises ``Damaged``."""
    for name, (size, _) in files.items():
        try:
            found = (folder / name).stat().st_size
        except FileNotFoundError:
            raise Damaged(f"{folder / name} is missing") from None
        if found != size:
            raise Damaged(f"{folder / name} has {found} bytes instead of {size}")
    try:
        postings = arrays.load(folder / "postings.safetensors")
        vectors = arrays.load(folder / "vectors.safetensors")
        documents = postings.pop("documents")
        return Segment(id, folder, documents, Postings(**postings), Vectors.of(vectors))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise Damaged(f"{folder} can't be opened: {error}") from error


def verify(folder: Path, files: Files) -> list[str]:
    """Compare every file with its recorded hash; return what is wrong, in words."""
    wrong = []
    for name, (_, digest) in files.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{path} is missing")
        elif file_hash(path) != digest:
            wrong.append(f"{path} is not what was written")
    return wrong


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _summed(path: Path) -> tuple[int, str]:
    flush(path)
    return path.stat().st_size, file_hash(path)
