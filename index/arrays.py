"""Named arrays in one file, opened by memory map.

The format is safetensors: eight bytes with the length of a JSON header, the header, the arrays.
Its own library copies what it reads and writes; mapping the file costs nothing until a page is
touched, and a segment's arrays may be as large as the memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_DTYPES = {  # as safetensors spells them
    "I64": "<i8",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "F16": "<f2",
    "F32": "<f4",
}
_NAMES = {np.dtype(dtype).str: name for name, dtype in _DTYPES.items()}


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays to a new file, one by one: nothing is copied in memory."""
    entries, end = {}, 0
    # The widest numbers come first, so that all are aligned.
    ordered = sorted(arrays.items(), key=lambda named: -named[1].itemsize)
    for name, array in ordered:
        start, end = end, end + array.nbytes
        dtype = _NAMES[array.dtype.newbyteorder("<").str]
        entries[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": (start, end)}
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for _, array in ordered:
            file.write(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).data)


def load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Map the arrays of a file, read-only. Raises ``ValueError`` where the file is not whole."""
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    try:
        size = int.from_bytes(raw[:8].tobytes(), "little")
        header = json.loads(raw[8 : 8 + size].tobytes())
        header.pop("__metadata__", None)
        body = raw[8 + size :].view(np.ndarray)
        return {
            name: body[slice(*entry["data_offsets"])]
            .view(np.dtype(_DTYPES[entry["dtype"]]))
            .reshape(entry["shape"])
            for name, entry in header.items()
        }
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a whole array file: {error}") from error
