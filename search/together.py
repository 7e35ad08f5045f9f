"""Questions that come at once are encoded at once.

While one batch is encoded, others wait; all of these make up the next. So a question alone waits
for nobody, and under load the encoder gets the batches that it is quickest with.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

from index.compute import begin
from index.embeddings import Encoder, Half


class Waiting(NamedTuple):
    """A question whose vector somebody waits for."""

    encoder: Encoder
    text: str
    vector: Future[Half]


class Together:
    """Encodes questions for any number of threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Waiting] = []

    def vector(self, encoder: Encoder, text: str) -> Future[Half]:
        """The vector of one question, which is being made."""
        mine = Waiting(encoder, text, Future())
        with self._lock:
            self._waiting.append(mine)
        begin(self._encode)  # there may be nothing left to do: who came before took it along
        return mine.vector

    def _encode(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for encoder in {id(one.encoder): one.encoder for one in waiting}.values():
            _encode(encoder, [one for one in waiting if one.encoder is encoder])


def _encode(encoder: Encoder, waiting: Sequence[Waiting]) -> None:
    try:
        vectors = encoder.encode([one.text for one in waiting])
    except Exception as error:
        for one in waiting:
            one.vector.set_exception(error)
        return
    for one, vector in zip(waiting, vectors, strict=True):
        one.vector.set_result(vector)
