"""The vectors of one segment: half-precision rows, compared exactly with a question's vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numkong
import numpy as np
import numpy.typing as npt

Half = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The opened vectors of one segment: ``rows[i]`` is the unit vector of passage ``ids[i]``.

    ``rows`` has shape ``(passages, dimensions)``; ``ids`` ascend.
    """

    ids: npt.NDArray[np.int64]
    rows: Half

    def __len__(self) -> int:
        return len(self.ids)

    def scores(self, vector: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The cosine of each row with a unit ``vector``: one pass over two bytes a dimension."""
        return cosines(vector, self.rows)


def cosines(vector: npt.NDArray[Any], rows: Half) -> npt.NDArray[np.float64]:
    """Dot products of a unit vector with unit rows, accumulated in single precision."""
    if not len(rows):
        return np.empty(0)
    one = np.ascontiguousarray(vector, np.float16)[None]
    return np.asarray(numkong.cdist(one, rows, "dot"), np.float64).reshape(-1)
