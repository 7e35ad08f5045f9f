"""A service that takes its time: each question is encoded for some seconds.

    python tests/slow.py HOME SECONDS [NAME=VALUE …]

Its model costs nothing, so that it starts at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from conftest import CheapEncoder

from index.embeddings import Half
from index.home import Home
from search.engine import Engine
from web import logs
from web.app import create_app
from web.serving import serve


class SlowEncoder(CheapEncoder):
    """Encodes what it is given, after a while."""

    seconds = 0.0

    def load(self) -> None:
        time.sleep(min(self.seconds, 1))

    def encode(self, texts: Sequence[str], batch: int = 32) -> Half:
        time.sleep(self.seconds)
        return super().encode(texts, batch)


def main(place: str, seconds: str, *given: str) -> None:
    home = Home(Path(place), given=given)
    encoder = home.encoder = home.indexer.encoder = SlowEncoder()
    encoder.seconds = float(seconds)
    logs.configure(home.settings.log_format)
    serve(create_app(home, Engine(home.store, encoder)), "127.0.0.1", home.settings.port)
    home.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
