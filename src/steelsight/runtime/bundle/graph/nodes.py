"""Operators of a graph: read, checked against the list of those that are run, and written again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from steelsight.runtime.bundle.graph.operators import OPERATORS, Attribute, Operator
from steelsight.runtime.bundle.graph.tensors import check_name
from steelsight.runtime.bundle.graph.values import WrongNode
from steelsight.runtime.bundle.graph.wire import MalformedMessage, Message

__all__ = ["DOMAINS", "Node", "read_nodes", "write_node"]

DOMAINS: Final = ("", "ai.onnx")  # of ONNX's own operators
_KINDS: Final = {"i": 2, "f": 1, "ints": 7}  # onnx.AttributeProto.AttributeType
_MOST_NUMBERS: Final = 8  # of one attribute


@dataclass(frozen=True)
class Node:
    """One operator with the names of its inputs and outputs."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


def read_nodes(messages: list[Message], most: int) -> tuple[Node, ...]:
    """At most `most` operators; raises WrongNode for those that are not run."""
    if len(messages) > most:
        raise WrongNode(f"expected at most {most} operators, got {len(messages)}")
    for each in messages:
        if each.get("domain", "") not in DOMAINS:
            raise WrongNode(f"custom operators of {each['domain']!a:.60} are never run")
    unknown = sorted({each.get("op_type", "") for each in messages} - OPERATORS.keys())
    if unknown:
        raise WrongNode(f"operators {', '.join(unknown)!a:.120} are not run".replace("'", ""))
    return tuple(_node(each) for each in messages)


def _node(message: Message) -> Node:
    name = message["op_type"]
    operator = OPERATORS[name]
    inputs, outputs = ([check_name(each) for each in message[key]] for key in ("input", "output"))
    if not operator.inputs[0] <= len(inputs) <= operator.inputs[1] or len(outputs) != operator.outputs:
        raise WrongNode(
            f"{name}: expected {operator.inputs[0]} to {operator.inputs[1]} inputs and "
            f"{operator.outputs} outputs, got {len(inputs)} and {len(outputs)}"
        )
    attributes: dict[str, Any] = {}
    for each in message["attribute"]:
        key = each.get("name", "")
        if key in attributes:
            raise MalformedMessage(f"attribute {key!a:.60} twice")
        attributes[key] = _attribute(name, operator, each)
    return Node(name, tuple(inputs), tuple(outputs), attributes)


def _attribute(operator: str, known: Operator, message: Message) -> Any:
    name = message.get("name", "")
    wanted = known.attributes.get(name)
    if wanted is None:
        raise WrongNode(f"{operator}: attribute {name!a:.60} is not used by any export")
    given: list[str] = [key for key in ("f", "i", "s", "t") if key in message]
    given += [key for key in ("floats", "ints") if message[key]]
    if given != [wanted.kind] or message.get("type") != _KINDS[wanted.kind]:
        raise WrongNode(f"{operator}: attribute {name}: expected {wanted.kind}, got {given}")
    value = message[wanted.kind]
    _check_bounds(f"{operator}: attribute {name}", wanted, value)
    return value


def _check_bounds(what: str, wanted: Attribute, value: Any) -> None:
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) > _MOST_NUMBERS or not all(wanted.low <= number <= wanted.high for number in numbers):
        raise WrongNode(f"{what}: expected {wanted.low} to {wanted.high}, got {value!s:.60}")


def write_node(node: Node) -> Message:
    """The message of an operator."""
    kinds = OPERATORS[node.operator].attributes
    return {
        "input": node.inputs,
        "output": node.outputs,
        "op_type": node.operator,
        "attribute": [
            {"name": name, kinds[name].kind: value, "type": _KINDS[kinds[name].kind]}
            for name, value in node.attributes.items()
        ],
    }
