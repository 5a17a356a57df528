"""Array files: what is no plain array is refused before memory is taken for it."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest

from steelsight.errors import BadBundle
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.arrays import read_arrays


def _npz(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return packed.getvalue()


def _npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    packed = io.BytesIO()
    np.lib.format.write_array(packed, array, allow_pickle=pickled)
    return packed.getvalue()


def test_plain_arrays_are_read_as_numpy_reads_them() -> None:
    arrays = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4),
        "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "zero": np.array(5.0),
        "none": np.zeros((0, 3)),
    }
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    for content in (pack_arrays(arrays), packed.getvalue()):
        found = read_arrays(content, "x.npz")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array.reshape(found[name].shape))
            assert found[name].dtype == array.dtype


LYING = _npy(np.zeros(4)).replace(b"(4,)", b"(9,)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_npz(a=b"no magic here at all"), "magic string is not correct"),
        (_npz(a=b""), "EOF|magic|read"),
        (_npz(a=LYING), r"whose shape \(9,\) is not that of its bytes"),
        (_npz(a=_npy(np.array([{}], dtype=object), pickled=True)), "of object with 1 axes"),
        (_npz(a=_npy(np.zeros((1,) * 8))), "with 8 axes"),
        (_npz(a=_npy(np.array(["text"]))), "of <U4 with 1 axes"),
        (_npz(**{f"a{number}": _npy(np.zeros(1)) for number in range(40)}), "40 arrays of"),
        (b"PK", "not a zip file"),
    ],
)
def test_other_members_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(BadBundle, match=message):
        read_arrays(content, "x.npz")


def test_lack_of_memory_is_not_blamed_on_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise MemoryError

    monkeypatch.setattr(np, "frombuffer", full)
    with pytest.raises(MemoryError):
        read_arrays(pack_arrays({"a": np.zeros(3)}), "x.npz")
