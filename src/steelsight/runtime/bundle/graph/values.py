"""What flows through a graph: element types, shapes and, of constants, the numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

__all__ = ["BOOL", "DTYPES", "FLOAT", "INT8", "INT32", "INT64", "UINT8", "GraphPort", "Value", "WrongNode"]

# Element types of ONNX (onnx.TensorProto.DataType) that exports use.
FLOAT, UINT8, INT8, INT32, INT64, BOOL = 1, 2, 3, 6, 7, 9
DTYPES: Final[dict[int, np.dtype[Any]]] = {  # as they lie in a file: little-endian
    FLOAT: np.dtype("<f4"),
    UINT8: np.dtype("u1"),
    INT8: np.dtype("i1"),
    INT32: np.dtype("<i4"),
    INT64: np.dtype("<i8"),
}


class WrongNode(ValueError):
    """A node whose inputs, attributes or sizes are not those of its operator."""


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the graph."""

    dtype: int
    shape: tuple[int, ...]
    data: np.ndarray | None = None  # of a constant

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GraphPort:
    """An input or output of the graph."""

    name: str
    dtype: int  # onnx.TensorProto.DataType: 1 = float32, 2 = uint8
    shape: tuple[int | None, ...]  # None: free, the number of sheets
