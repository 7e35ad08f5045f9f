"""A home: the one folder in which everything of a collection lives."""

from __future__ import annotations

import os
from pathlib import Path

from index.embeddings import DEFAULT_MODEL, Encoder
from index.errors import KhazriError
from index.indexer import Indexer
from index.jobs import Jobs
from index.store import Store


class Home:
    """An opened home folder: its store, its encoder, its indexer and its jobs."""

    def __init__(self, path: Path, model: str = DEFAULT_MODEL) -> None:
        """Open a home, or make an empty one. Raises ``KhazriError``."""
        self.path = path.expanduser().absolute()
        _make(self.path)
        self.store = Store(self.path)
        self.encoder = Encoder(model)
        self.indexer = Indexer(self.store, self.encoder)
        self.jobs = Jobs(self.store.catalog)
        self._check_model()

    def _check_model(self) -> None:
        recorded = self.store.model
        if recorded and recorded != self.encoder.identity:
            self.close()
            raise KhazriError(
                f"{self.path} was made with the embedding model {recorded}, and this is"
                f" {self.encoder.identity}. Name that model, or another home with --home."
            )

    def close(self) -> None:
        """Close the files."""
        self.store.close()


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise KhazriError(f"{path} is a file, not a folder. Name another home.") from None
    except OSError as error:
        raise KhazriError(
            f"{path} can't be made: {error.strerror}. Name another home with --home."
        ) from error
    if not os.access(path, os.R_OK | os.X_OK):
        raise KhazriError(f"{path} may not be read. Check its permissions.")
