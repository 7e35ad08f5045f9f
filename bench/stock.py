"""The library's own way to encode, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer

THREADS = torch.get_num_threads()


class Stock:
    """Stock ``SentenceTransformer.encode`` in float32, with all the threads that torch takes."""

    def __init__(self, path: str) -> None:
        self._model = SentenceTransformer(path)

    def encode(self, texts: Sequence[str]) -> None:
        """Encode, and forget the vectors."""
        torch.set_num_threads(THREADS)  # the product's encoder, in this process, sets it to one
        self._model.encode(list(texts), show_progress_bar=False)
