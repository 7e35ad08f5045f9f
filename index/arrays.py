"""Named arrays in one file, opened by memory map.

The format is safetensors: eight bytes with the length of a JSON header, the header, the arrays.
Its own reader copies what it reads; mapping the file costs nothing until a page is touched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as dump

_DTYPES = {  # as safetensors spells them
    "I64": "<i8",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "F16": "<f2",
    "F32": "<f4",
}


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write the arrays to a new file."""
    path.write_bytes(dump({name: np.ascontiguousarray(a) for name, a in arrays.items()}))


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
