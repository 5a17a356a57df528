"""What an ONNX file asks an engine to do, read without running any of it.

A graph is data, yet a hostile one can name custom operators, point at files elsewhere, or nest loops. Only
operators that an exported bundle needs are let through; everything else is refused by name. The wire format
is that of Protocol Buffers, field numbers are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadBundle

__all__ = ["MAX_GRAPH_BYTES", "OPERATORS", "GraphPort", "GraphSummary", "summarise_graph"]

MAX_GRAPH_BYTES: Final = 2**29  # VGG16-BN in float32 takes 64 MB
MAX_OPSET: Final = 21

OPERATORS: Final = frozenset(
    {
        "Add",
        "AveragePool",
        "BatchNormalization",
        "Cast",
        "Concat",
        "Constant",
        "Conv",
        "DequantizeLinear",
        "Div",
        "Exp",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "Greater",
        "Identity",
        "Log",
        "MatMul",
        "MaxPool",
        "Mul",
        "QuantizeLinear",
        "ReduceMax",
        "ReduceMean",
        "ReduceSum",
        "Relu",
        "Reshape",
        "Shape",
        "Slice",
        "Sqrt",
        "Squeeze",
        "Sub",
        "TopK",
        "Transpose",
        "Unsqueeze",
    }
)

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Field = tuple[int, int, int | memoryview]


@dataclass(frozen=True)
class GraphPort:
    """An input or output of the graph."""

    name: str
    dtype: int  # onnx.TensorProto.DataType: 1 = float32, 2 = uint8
    shape: tuple[int | None, ...]  # None: free


@dataclass(frozen=True)
class GraphSummary:
    """What the graph is made of."""

    opset: int
    operators: frozenset[str]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]


def summarise_graph(data: bytes, where: str) -> GraphSummary:
    """Read a graph's outline and refuse what an inspection graph has no use for.

    where   names the file in messages
    raises  BadBundle for a file that is no ONNX, operators beyond OPERATORS, custom domains, newer opsets,
            functions, subgraphs, sparse or external tensors
    """
    if len(data) > MAX_GRAPH_BYTES:
        raise BadBundle(f"{where}: {len(data)} bytes, more than the {MAX_GRAPH_BYTES} allowed; export again")
    try:
        return _model(memoryview(data), where)
    except _Torn as error:
        raise BadBundle(f"{where}: expected an ONNX graph, got {error}; copy or export it again") from error


class _Torn(ValueError):
    """The bytes are not a message."""


def _model(data: memoryview, where: str) -> GraphSummary:
    opset, graph = 0, None
    for number, _, value in _fields(data):
        if number == 7:
            graph = _message(value)
        elif number == 8:
            domain, version = "", 0
            for inner, _, content in _fields(_message(value)):
                if inner == 1:
                    domain = _text(content)
                elif inner == 2:
                    version = _number(content)
            if domain not in ("", "ai.onnx"):
                raise BadBundle(f"{where}: custom operators of {domain!r} are never run; export it again")
            opset = version
        elif number == 25:
            raise BadBundle(f"{where}: local functions are never run; export it again")
    if graph is None:
        raise _Torn("a message without a graph")
    if not 1 <= opset <= MAX_OPSET:
        raise BadBundle(f"{where}: expected an opset up to {MAX_OPSET}, got {opset}; update steelsight")
    return _graph(graph, opset, where)


def _graph(graph: memoryview, opset: int, where: str) -> GraphSummary:
    operators: set[str] = set()
    inputs: list[GraphPort] = []
    outputs: list[GraphPort] = []
    for number, _, value in _fields(graph):
        if number == 1:
            operators.add(_node(_message(value), where))
        elif number == 5:
            _refuse_external(_message(value), where)
        elif number in (11, 12):
            (inputs if number == 11 else outputs).append(_port(_message(value)))
        elif number == 15:
            raise BadBundle(f"{where}: sparse tensors are not used by any export; export it again")
    unknown = sorted(operators - OPERATORS)
    if unknown:
        raise BadBundle(f"{where}: operators {', '.join(unknown)} are not run; export it with steelsight")
    return GraphSummary(opset, frozenset(operators), tuple(inputs), tuple(outputs))


def _node(node: memoryview, where: str) -> str:
    operator = ""
    for number, _, value in _fields(node):
        if number == 4:
            operator = _text(value)
        elif number == 7 and _text(value) not in ("", "ai.onnx"):
            raise BadBundle(f"{where}: custom operators of {_text(value)!r} are never run; export it again")
        elif number == 5:
            for inner, _, content in _fields(_message(value)):
                if inner == 5:
                    _refuse_external(_message(content), where)
                elif inner in (6, 11):
                    raise BadBundle(f"{where}: subgraphs are never run; export it again")
    return operator


def _refuse_external(tensor: memoryview, where: str) -> None:
    for number, _, value in _fields(tensor):
        if number == 13 or (number == 14 and _number(value) != 0):
            raise BadBundle(f"{where}: weights in other files are never read; export it again")


def _port(port: memoryview) -> GraphPort:
    name, dtype, shape = "", 0, []
    for number, _, value in _fields(port):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for inner, _, tensor in _fields(_message(value)):
                if inner != 1:
                    continue
                for field, _, content in _fields(_message(tensor)):
                    if field == 1:
                        dtype = _number(content)
                    elif field == 2:
                        shape = [_dimension(_message(d)) for n, _, d in _fields(_message(content)) if n == 1]
    return GraphPort(name, dtype, tuple(shape))


def _dimension(dimension: memoryview) -> int | None:
    return next((_number(value) for number, _, value in _fields(dimension) if number == 1), None)


def _fields(data: memoryview) -> Iterator[_Field]:
    """Field number, wire type and value of a message's fields."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            length, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            length = 8 if wire == _FIXED64 else 4
        else:
            raise _Torn(f"wire type {wire}")
        if number == 0 or at + length > len(data):
            raise _Torn("a torn message")
        yield number, wire, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _Torn("a torn number")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _Torn("a number where a message belongs")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _Torn("bytes where a number belongs")
    return value - 2**64 if value >= 2**63 else value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_message(value)).decode()
    except UnicodeDecodeError as error:
        raise _Torn("a name that is no text") from error
