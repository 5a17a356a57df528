"""Read an ONNX file, check all of it, and write what was checked anew for the engines.

Engines have parsers of their own, which differ from this one and from each other. So no engine reads the
bytes of a file: `CheckedGraph.encode` writes a graph from nothing but what was checked, in one form. It
names no other file, holds no loop and no branch, and its sizes and its work are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steelsight.errors import BadBundle
from steelsight.runtime.bundle.graph.limits import GraphLimits
from steelsight.runtime.bundle.graph.nodes import DOMAINS, Node, read_nodes, write_node
from steelsight.runtime.bundle.graph.schema import MODEL
from steelsight.runtime.bundle.graph.tensors import check_name, read_tensor, write_tensor
from steelsight.runtime.bundle.graph.values import UINT8, GraphPort, Value, WrongNode
from steelsight.runtime.bundle.graph.walk import Walk
from steelsight.runtime.bundle.graph.wire import MalformedMessage, Message, RefusedField, decode, encode

__all__ = ["MAX_GRAPH_BYTES", "CheckedGraph", "check_graph"]

MAX_GRAPH_BYTES: Final = 2**29  # VGG16-BN in float32 takes 64 MB
OPSETS: Final = (13, 17)  # exports write 17; from 18 on, operators read their axes from other places
IR_VERSIONS: Final = (7, 64)  # of the file's form alone, which is not passed on
IR_VERSION: Final = 8  # that is written: the oldest that holds opset 17
MOST_OUTPUTS: Final = 8
_BATCHES: Final = (1, 512)  # the graph is followed for both; sizes must grow in proportion


@dataclass(frozen=True, eq=False)
class CheckedGraph:
    """A graph that was checked whole."""

    opset: int
    nodes: tuple[Node, ...]
    constants: Mapping[str, Value]
    inputs: tuple[GraphPort, ...]
    outputs: tuple[GraphPort, ...]  # as computed from the input's shape, not as the file states them

    def encode(self) -> bytes:
        """The graph as ONNX, of nothing but what was checked; equal graphs give equal bytes."""
        graph = {
            "node": [write_node(node) for node in self.nodes],
            "name": "graph",
            "initializer": [write_tensor(*named) for named in self.constants.items()],
            "input": [_port_message(port) for port in self.inputs],
            "output": [_port_message(port) for port in self.outputs],
        }
        opset = {"domain": "", "version": self.opset}
        return encode({"ir_version": IR_VERSION, "graph": graph, "opset_import": [opset]}, MODEL)


def check_graph(data: bytes, where: str, limits: GraphLimits | None = None) -> CheckedGraph:
    """Read and check a graph.

    where   name of the file in messages
    raises  BadBundle for a file that is not ONNX or can be read in two ways, operators and attributes that no
            export writes, custom domains, other opsets, functions, subgraphs, sparse or external tensors,
            shapes that do not fit together, and sizes or work beyond the limits
    """
    if len(data) > MAX_GRAPH_BYTES:
        raise BadBundle(f"{where}: {len(data)} bytes, more than the {MAX_GRAPH_BYTES} allowed; export again")
    try:
        return _checked(decode(memoryview(data), MODEL), limits or GraphLimits())
    except MalformedMessage as error:
        raise BadBundle(f"{where}: expected an ONNX graph, got {error}; copy or export it again") from error
    except (RefusedField, WrongNode) as error:
        raise BadBundle(f"{where}: {error}; export it with steelsight") from error


def _checked(model: Message, limits: GraphLimits) -> CheckedGraph:
    opset = _opset(model["opset_import"])
    graph = model.get("graph")
    if graph is None:
        raise MalformedMessage("a message without a graph")
    _within(model.get("ir_version", 0), IR_VERSIONS, "an IR version")
    _within(opset, OPSETS, "an opset")
    nodes = read_nodes(graph["node"], limits.nodes)
    constants = _constants(graph["initializer"])
    port = _input(graph["input"], limits)
    names = [check_name(each.get("name")) for each in graph["output"]]
    if not 1 <= len(names) <= MOST_OUTPUTS or len(set(names)) != len(names):
        raise WrongNode(f"expected 1 to {MOST_OUTPUTS} different outputs, got {names!s:.80}")
    walks = [Walk(limits, port, constants, batch) for batch in _BATCHES]
    for walk in walks:
        walk.follow(nodes)
    one, several = walks
    for name, value in several.values.items():  # each: one that stays small must not make up for another
        if value.size > one.values[name].size * _BATCHES[1]:
            raise WrongNode(
                f"expected sizes that grow in proportion to the number of sheets, got {name!a:.60} of "
                f"{one.values[name].size} elements for one sheet and {value.size} for {_BATCHES[1]}"
            )
    outputs = tuple(_output(name, walks) for name in names)
    return CheckedGraph(opset, nodes, constants, (port,), outputs)


def _opset(imports: list[Message]) -> int:
    """The version of ONNX's own operators; refuses those of another domain."""
    for each in imports:
        if each.get("domain", "") not in DOMAINS:
            raise WrongNode(f"custom operators of {each['domain']!a:.60} are never run")
    if len(imports) > 1:
        raise MalformedMessage("several opsets")
    return int(imports[0].get("version", 0)) if imports else 0


def _constants(messages: list[Message]) -> dict[str, Value]:
    constants: dict[str, Value] = {}
    for each in messages:
        name = check_name(each.get("name"))
        if name in constants:
            raise WrongNode(f"expected different names, got {name!a:.60} twice")
        constants[name] = read_tensor(each)
    return constants


def _input(messages: list[Message], limits: GraphLimits) -> GraphPort:
    """The one input: sheets (n, h, w) uint8."""
    if len(messages) != 1:
        raise WrongNode(f"expected one input, got {len(messages)}")
    kind = messages[0].get("type", {}).get("tensor_type", {})
    shape = [_dimension(each) for each in kind.get("shape", {"dim": []})["dim"]]
    if kind.get("elem_type") != UINT8 or len(shape) != 3 or None in shape[1:]:
        raise WrongNode(f"expected sheets (n, h, w) of uint8 as input, got {shape!s:.80}")
    height, width = shape[1] or 0, shape[2] or 0
    if min(height, width) < 1 or height * width > limits.pixels:
        raise WrongNode(f"expected sheets of 1 to {limits.pixels} pixels as input, got {height} x {width}")
    return GraphPort(check_name(messages[0].get("name")), UINT8, (None, height, width))


def _dimension(message: Message) -> int | None:
    if "dim_value" in message and "dim_param" in message:
        raise MalformedMessage("a dimension that is a number and a name")
    value: int | None = message.get("dim_value")
    return value


def _output(name: str, walks: list[Walk]) -> GraphPort:
    found = []
    for walk in walks:
        if name not in walk.computed:
            raise WrongNode(f"expected outputs that are computed, got {name!a:.60}")
        found.append(walk.values[name])
    one, several = found
    if one.shape[:1] != (1,) or several.shape != (_BATCHES[1], *one.shape[1:]):
        raise WrongNode(f"output {name!a:.60}: expected one row a sheet, got {list(several.shape)}")
    return GraphPort(name, one.dtype, (None, *one.shape[1:]))


def _within(value: int, bounds: tuple[int, int], what: str) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise WrongNode(f"expected {what} of {bounds[0]} to {bounds[1]}, got {value}")


def _port_message(port: GraphPort) -> Message:
    lengths = [{"dim_param": "n"} if each is None else {"dim_value": each} for each in port.shape]
    kind = {"elem_type": port.dtype, "shape": {"dim": lengths}}
    return {"name": port.name, "type": {"tensor_type": kind}}
