"""Arrays in one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import arrays

KINDS = [np.int64, np.uint64, np.uint32, np.uint16, np.uint8, np.float16, np.float32]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5,), (3, 4), (0,), (0, 4)])
def test_arrays_come_back_as_they_were(tmp_path: Path, kind: type, shape: tuple) -> None:
    array = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    arrays.save(tmp_path / "file", {"one": array, "other": np.array([1, 2], np.uint8)})
    back = arrays.load(tmp_path / "file")
    assert set(back) == {"one", "other"}
    assert back["one"].dtype == kind
    assert back["one"].shape == shape
    assert (back["one"] == array).all()


def test_an_array_in_another_order_of_memory_is_saved_as_it_reads(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.int64).reshape(3, 4).T
    arrays.save(tmp_path / "file", {"turned": array, "every second": array[::2]})
    back = arrays.load(tmp_path / "file")
    assert (back["turned"] == array).all()
    assert (back["every second"] == array[::2]).all()


def test_loaded_arrays_cannot_be_written(tmp_path: Path) -> None:
    arrays.save(tmp_path / "file", {"one": np.arange(3)})
    with pytest.raises(ValueError, match="read-only"):
        arrays.load(tmp_path / "file")["one"][0] = 1


@given(st.data())
def test_a_file_that_is_not_whole_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "file"
    arrays.save(path, {"one": np.arange(20), "two": np.ones((2, 3), np.float16)})
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError, match=r"."):
        arrays.load(path)


@given(st.binary(min_size=1, max_size=200))
def test_a_file_of_another_kind_is_refused(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes
) -> None:
    path = tmp_path_factory.mktemp("junk") / "file"
    path.write_bytes(junk)
    with pytest.raises(ValueError, match=r"."):
        arrays.load(path)
