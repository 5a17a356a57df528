"""Read the outline of an ONNX file without running it, and refuse what an exported bundle does not need.

A hostile graph can name custom operators, point at other files, or nest loops. Operators that exports use are
allowed; everything else is refused by name. The wire format is that of Protocol Buffers.
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

_DOMAINS: Final = ("", "ai.onnx")
# Field numbers of onnx.proto that are read or refused.
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_FUNCTIONS = 7, 8, 25
_GRAPH_NODES, _GRAPH_TENSORS, _GRAPH_INPUTS, _GRAPH_OUTPUTS, _GRAPH_SPARSE_TENSORS = 1, 5, 11, 12, 15
_NODE_OPERATOR, _NODE_ATTRIBUTES, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPHS = 5, (6, 11)
_TENSOR_FILE, _TENSOR_LOCATION = 13, 14
# Wire types of Protocol Buffers.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Field = tuple[int, int, int | memoryview]
_Shape = tuple[int | None, ...]
_PortType = tuple[int, _Shape]


@dataclass(frozen=True)
class GraphPort:
    """An input or output of the graph."""

    name: str
    dtype: int  # onnx.TensorProto.DataType: 1 = float32, 2 = uint8
    shape: tuple[int | None, ...]  # None: free


@dataclass(frozen=True)
class GraphSummary:
    """The outline of a graph."""

    opset: int
    operators: frozenset[str]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]


def summarise_graph(data: bytes, where: str) -> GraphSummary:
    """Read a graph's outline and refuse what exports do not use.

    where   name of the file in messages
    raises  BadBundle for a file that is not ONNX, operators beyond OPERATORS, custom domains, newer opsets,
            functions, subgraphs, sparse or external tensors
    """
    if len(data) > MAX_GRAPH_BYTES:
        raise BadBundle(f"{where}: {len(data)} bytes, more than the {MAX_GRAPH_BYTES} allowed; export again")
    try:
        return _model(memoryview(data), where)
    except _MalformedGraph as error:
        raise BadBundle(f"{where}: expected an ONNX graph, got {error}; copy or export it again") from error


class _MalformedGraph(ValueError):
    """The bytes are not a message of Protocol Buffers."""


def _model(data: memoryview, where: str) -> GraphSummary:
    opset, graph = 0, None
    for number, _, value in _fields(data):
        if number == _MODEL_GRAPH:
            graph = _message(value)
        elif number == _MODEL_OPSETS:
            opset = _opset(_message(value), where)
        elif number == _MODEL_FUNCTIONS:
            raise BadBundle(f"{where}: local functions are never run; export it again")
    if graph is None:
        raise _MalformedGraph("a message without a graph")
    if not 1 <= opset <= MAX_OPSET:
        raise BadBundle(f"{where}: expected an opset up to {MAX_OPSET}, got {opset}; update steelsight")
    return _graph(graph, opset, where)


def _opset(data: memoryview, where: str) -> int:
    """The version; refuses another domain than ONNX's own."""
    domain, version = "", 0
    for number, _, value in _fields(data):
        if number == 1:
            domain = _text(value)
        elif number == 2:
            version = _number(value)
    if domain not in _DOMAINS:
        raise BadBundle(f"{where}: custom operators of {domain!r} are never run; export it again")
    return version


def _graph(graph: memoryview, opset: int, where: str) -> GraphSummary:
    operators: set[str] = set()
    ports: dict[int, list[GraphPort]] = {_GRAPH_INPUTS: [], _GRAPH_OUTPUTS: []}
    for number, _, value in _fields(graph):
        if number == _GRAPH_NODES:
            operators.add(_node(_message(value), where))
        elif number == _GRAPH_TENSORS:
            _refuse_external(_message(value), where)
        elif number in ports:
            ports[number].append(_port(_message(value)))
        elif number == _GRAPH_SPARSE_TENSORS:
            raise BadBundle(f"{where}: sparse tensors are not used by any export; export it again")
    unknown = sorted(operators - OPERATORS)
    if unknown:
        raise BadBundle(f"{where}: operators {', '.join(unknown)} are not run; export it with steelsight")
    inputs, outputs = ports.values()
    return GraphSummary(opset, frozenset(operators), tuple(inputs), tuple(outputs))


def _node(node: memoryview, where: str) -> str:
    """The operator; refuses custom domains, and attributes that hold graphs or external tensors."""
    operator = ""
    for number, _, value in _fields(node):
        if number == _NODE_OPERATOR:
            operator = _text(value)
        elif number == _NODE_DOMAIN and _text(value) not in _DOMAINS:
            raise BadBundle(f"{where}: custom operators of {_text(value)!r} are never run; export it again")
        elif number == _NODE_ATTRIBUTES:
            _check_attribute(_message(value), where)
    return operator


def _check_attribute(attribute: memoryview, where: str) -> None:
    for number, _, value in _fields(attribute):
        if number == _ATTRIBUTE_TENSOR:
            _refuse_external(_message(value), where)
        elif number in _ATTRIBUTE_GRAPHS:
            raise BadBundle(f"{where}: subgraphs are never run; export it again")


def _refuse_external(tensor: memoryview, where: str) -> None:
    for number, _, value in _fields(tensor):
        if number == _TENSOR_FILE or (number == _TENSOR_LOCATION and _number(value) != 0):
            raise BadBundle(f"{where}: weights in other files are never read; export it again")


def _port(port: memoryview) -> GraphPort:
    """ValueInfoProto: name = 1, type = 2."""
    name = ""
    kind: _PortType = (0, ())
    for number, _, value in _fields(port):
        if number == 1:
            name = _text(value)
        elif number == 2:
            kind = _port_type(_message(value), kind)
    return GraphPort(name, *kind)


def _port_type(kind: memoryview, known: _PortType) -> _PortType:
    """TypeProto: tensor_type = 1, with elem_type = 1 and shape = 2; other types leave what is known."""
    dtype, shape = known
    for tensor in (value for number, _, value in _fields(kind) if number == 1):
        for number, _, value in _fields(_message(tensor)):
            if number == 1:
                dtype = _number(value)
            elif number == 2:
                shape = _shape(_message(value))
    return dtype, shape


def _shape(shape: memoryview) -> _Shape:
    return tuple(_dimension(_message(value)) for number, _, value in _fields(shape) if number == 1)


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
            raise _MalformedGraph(f"wire type {wire}")
        if number == 0 or at + length > len(data):
            raise _MalformedGraph("a message that is cut off")
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
    raise _MalformedGraph("a number that is cut off")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise _MalformedGraph("a number where a message belongs")
    return value


def _number(value: int | memoryview) -> int:
    if not isinstance(value, int):
        raise _MalformedGraph("bytes where a number belongs")
    return value - 2**64 if value >= 2**63 else value


def _text(value: int | memoryview) -> str:
    try:
        return bytes(_message(value)).decode()
    except UnicodeDecodeError as error:
        raise _MalformedGraph("a name that is not text") from error
