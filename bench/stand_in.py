"""Stands in for the model where a benchmark is not about the model: vectors that cost nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from index.embeddings import Encoder, Half


class StandIn:
    """Draws a unit vector for each text, always the same for the same text.

    It goes by the name of the real model, so that every program opens a home made with it.
    """

    window = 254
    dimensions = 384

    def __init__(self) -> None:
        self.identity = Encoder().identity

    def speaks(self, language: str) -> bool:
        """It knows all languages equally well."""
        return True

    def measure(self, texts: Sequence[str]) -> list[int]:
        """Words for tokens."""
        return [len(text.split()) for text in texts]

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        """Vectors as the model gives them: unit length, half precision, ``(texts, 384)``."""
        rows = np.stack([_draw(text, self.dimensions) for text in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float16)


def _draw(text: str, dimensions: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(dimensions, np.float32)
