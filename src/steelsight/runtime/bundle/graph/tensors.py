"""Constants of a graph, checked, and written again as little-endian bytes."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from steelsight.runtime.bundle.graph.values import DTYPES, FLOAT, INT8, INT32, INT64, UINT8, Value, WrongNode
from steelsight.runtime.bundle.graph.wire import Message

__all__ = ["check_name", "read_tensor", "write_tensor"]

MOST_AXES: Final = 6
MOST_ELEMENTS: Final = 2**27  # of one constant: 512 MiB in float32
LONGEST_NAME: Final = 512
_LISTS: Final = {  # fields that hold the numbers one by one, and the element types they are for
    "float_data": (FLOAT,),
    "int32_data": (UINT8, INT8, INT32),
    "int64_data": (INT64,),
}


def check_name(name: Any) -> str:
    """The name of a tensor; raises WrongNode for none, a very long one, or one that is not printable."""
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise WrongNode(f"expected a name of 1 to {LONGEST_NAME} printable characters, got {name!a:.60}")
    return name


def read_tensor(message: Message) -> Value:
    """A constant whose numbers are of the stated type and as many as its shape needs, all of them finite.

    raises  WrongNode
    """
    dims, dtype = tuple(message["dims"]), message.get("data_type", 0)
    if dtype not in DTYPES:
        raise WrongNode(f"constants of type {dtype} are not used by any export")
    if message.get("data_location", 0) != 0:
        raise WrongNode("weights in other files are never read")
    if len(dims) > MOST_AXES or min(dims, default=1) < 1 or math.prod(dims) > MOST_ELEMENTS:
        raise WrongNode(f"expected a constant of at most {MOST_ELEMENTS} elements, got shape {dims!s:.80}")
    given = [name for name in _LISTS if message[name]] + ["raw_data"] * ("raw_data" in message)
    if len(given) != 1:
        raise WrongNode(f"expected the numbers of a constant once, got {given or 'none'}")
    data = _raw(message, dtype) if given == ["raw_data"] else _listed(message, given[0], dtype)
    if data.size != math.prod(dims):
        raise WrongNode(f"expected {math.prod(dims)} numbers for shape {list(dims)}, got {data.size}")
    if dtype == FLOAT and not np.isfinite(data).all():
        raise WrongNode("expected finite numbers in a constant")
    return Value(dtype, dims, data)


def write_tensor(name: str, value: Value) -> Message:
    """The message of a constant."""
    raw = np.ascontiguousarray(value.data).reshape(-1).view(np.uint8).data
    return {"name": name, "dims": list(value.shape), "data_type": value.dtype, "raw_data": raw}


def _raw(message: Message, dtype: int) -> np.ndarray:
    raw = message["raw_data"]
    if len(raw) % DTYPES[dtype].itemsize:
        raise WrongNode("a constant whose bytes are no whole numbers")
    return np.frombuffer(raw, dtype=DTYPES[dtype])


def _listed(message: Message, name: str, dtype: int) -> np.ndarray:
    if dtype not in _LISTS[name]:
        raise WrongNode(f"{name} in a constant of type {dtype}")
    values = message[name]
    if dtype != FLOAT:
        bounds = np.iinfo(DTYPES[dtype])
        if not bounds.min <= min(values) <= max(values) <= bounds.max:
            raise WrongNode(f"expected numbers of {bounds.min} to {bounds.max}")
    return np.array(values, dtype=DTYPES[dtype])
