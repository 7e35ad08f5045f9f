"""Short codes of a large segment's vectors, by which the few rows worth comparing are found.

Product quantization: each vector is cut into pieces of four numbers, and of each piece only which
of 16 centroids is nearest is kept. The codes take a sixteenth of the half-precision rows, and all
of them are compared with a question by faiss's fast scan, whose tables fit into registers.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST = 4096  # rows from which on codes are faster: the size of a tier of merged segments
PIECE = 4  # numbers of a piece
BITS = 4  # of a piece's code
SAMPLE = 4096  # rows from which the centroids are found
ROUNDS = 6  # of k-means; more change next to nothing
CHUNK = 16_384  # rows that are encoded at a time

Half = npt.NDArray[np.float16]
Single = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def encode(rows: Half) -> dict[str, npt.NDArray[Any]]:
    """The arrays of the codes of ``rows``; none where they are few or can't be cut."""
    count, width = rows.shape
    faiss = _faiss()
    if faiss is None or count < LEAST or width % PIECE:
        return {}
    faiss.omp_set_num_threads(1)  # for this thread: while indexing, the encoder has the processors
    quantizer = faiss.ProductQuantizer(width, width // PIECE, BITS)
    quantizer.cp.niter = ROUNDS
    quantizer.cp.min_points_per_centroid = 1  # or it warns of few
    chosen = np.random.default_rng(0).choice(count, min(count, SAMPLE), replace=False)
    sample = rows[np.sort(chosen)].astype(np.float32)
    quantizer.train(sample)
    parts = [rows[start : start + CHUNK] for start in range(0, count, CHUNK)]
    codes = np.concatenate([quantizer.compute_codes(part.astype(np.float32)) for part in parts])
    # What is decoded is shorter than what was encoded. Made as long, so that the estimates of
    # segments which differ in that can be compared.
    shrunk = float((sample * quantizer.decode(quantizer.compute_codes(sample))).sum())
    gain = float((sample * sample).sum()) / shrunk if shrunk > 0 else 1.0
    centroids = faiss.vector_to_array(quantizer.centroids) * np.float32(gain)
    return {"codes": codes, "centroids": centroids.reshape(-1, 1 << BITS, PIECE)}


class Codes:
    """The opened codes of one segment. Any number of threads search them at once."""

    def __init__(self, codes: Bytes, centroids: Single) -> None:
        self._codes = codes
        self._centroids = centroids
        self._index: Any = None
        self._guard = Lock()  # or each of many first questions would make its own copy

    def nearest(
        self, vector: npt.NDArray[Any], most: int, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], Single]:
        """The rows that seem nearest to ``vector``, at most ``most``, and estimates of cosines.

        ``mask`` says which rows count (None: all).
        """
        with self._guard:
            index = self._index = self._index or _laid_out(self._codes, self._centroids)
        faiss, chosen = _faiss(), None
        if mask is not None:
            bits = np.packbits(mask, bitorder="little")
            chosen = faiss.SearchParametersIVF(sel=faiss.IDSelectorBitmap(bits), nprobe=1)
        question = np.asarray(vector, np.float32)[None]
        estimates, numbers = index.search(question, min(most, index.ntotal), params=chosen)
        found = numbers[0] >= 0  # -1 where the mask leaves fewer
        return numbers[0][found], estimates[0][found]


def _laid_out(codes: Bytes, centroids: Single) -> Any:
    """The codes as they are scanned: a copy in memory, of their size and eight bytes a row."""
    faiss = _faiss()
    count, pieces = len(codes), len(centroids)
    whole = faiss.IndexFlatIP(pieces * PIECE)  # one list, so that all is scanned
    whole.add(np.zeros((1, pieces * PIECE), np.float32))
    plain = faiss.IndexIVFPQ(whole, whole.d, 1, pieces, BITS, faiss.METRIC_INNER_PRODUCT)
    plain.by_residual = False
    plain.is_trained = True
    faiss.copy_array_to_vector(centroids.ravel(), plain.pq.centroids)
    numbers, given = np.arange(count), np.ascontiguousarray(codes)
    plain.invlists.add_entries(0, count, faiss.swig_ptr(numbers), faiss.swig_ptr(given))
    plain.ntotal = count
    index = faiss.IndexIVFPQFastScan(plain)
    index.referenced_objects = [whole]  # it would keep the plain one as well, and twice the codes
    return index


def available() -> bool:
    """Whether codes can be used here."""
    return _faiss() is not None


@cache
def _faiss() -> Any:
    """The library, loaded when a segment needs it; None on systems for which it is not installed.

    There (see pyproject.toml) every row is compared.
    """
    try:
        import faiss
    except ImportError:
        return None
    return faiss
