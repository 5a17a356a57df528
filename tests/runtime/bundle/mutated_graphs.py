"""Hostile ONNX files: a small seed graph, and a mutator that knows the form of the file.

Random bytes mostly break the outermost lengths. This mutator takes a message apart, changes fields at any
depth (given twice, moved, renumbered, of another type, unknown, grafted from another message, numbers at
their limits, text and operators exchanged) and writes all lengths anew, so that it reaches the checks inside.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 16, 24
_NUMBERS = (0, 1, 2, 7, 63, 127, 128, 255, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 10**10)
_TEXTS = (
    *(b"Loop", b"If", b"Scan", b"Constant", b"Conv", b"Relu", b"Concat", b"Identity", b"ConstantOfShape"),
    *(b"images", b"logits", b"maps", b"embedding", b"", b"ai.onnx", b"com.microsoft", b"\xff\xfe", b"\0"),
    *(b"location", b"secret", b"../secret", b"value", b"sparse_value", b"axis", b"pads", b"n", b"a" * 600),
)


@dataclass
class Part:
    """One field: its number, its wire type, and a number, bytes, or the fields inside."""

    number: int
    wire: int
    value: int | bytes | list[Part]


def seed_graph() -> bytes:
    """A graph of 19 operators with the outputs of a bundle, in a few kilobytes."""
    rng = np.random.default_rng(0)

    def constant(name: str, values: np.ndarray) -> onnx.TensorProto:
        return numpy_helper.from_array(values, name)

    weights = [
        constant("axis", np.array([1])),
        constant("w1", rng.normal(size=(4, 1, 3, 3)).astype(np.float32)),
        constant("b1", rng.normal(size=4).astype(np.float32)),
        constant("w2", rng.normal(size=(3, 4, 1, 1)).astype(np.float32)),
        constant("flat_shape", np.array([0, 3, -1])),
        constant("embedding_shape", np.array([0, 4])),
        constant("last", np.array([2])),
        constant("half", np.array([0.5], dtype=np.float32)),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [0.05]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [3]),
    ]
    node = helper.make_node
    nodes = [
        node("Unsqueeze", ["images", "axis"], ["gray"]),
        node("Cast", ["gray"], ["float"], to=TensorProto.FLOAT),
        node("Conv", ["float", "w1", "b1"], ["c1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("QuantizeLinear", ["r1", "scale", "zero"], ["q1"]),
        node("DequantizeLinear", ["q1", "scale", "zero"], ["d1"]),
        node("MaxPool", ["d1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("GlobalAveragePool", ["p1"], ["g1"]),
        node("Reshape", ["g1", "embedding_shape"], ["embedding"]),
        node("Conv", ["p1", "w2"], ["evidence"], kernel_shape=[1, 1]),
        node("Mul", ["evidence", "half"], ["maps"]),
        node("Reshape", ["evidence", "flat_shape"], ["flat"]),
        node("ReduceMax", ["flat"], ["peak"], axes=[2], keepdims=1),
        node("Sub", ["flat", "peak"], ["lowered"]),
        node("Exp", ["lowered"], ["risen"]),
        node("ReduceMean", ["risen"], ["mean"], axes=[2], keepdims=1),
        node("Log", ["mean"], ["log"]),
        node("Add", ["peak", "log"], ["soft"]),
        node("Squeeze", ["soft", "last"], ["logits"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "seed",
        [info("images", TensorProto.UINT8, ["n", HEIGHT, WIDTH])],
        [
            info("logits", TensorProto.FLOAT, ["n", 3]),
            info("maps", TensorProto.FLOAT, ["n", 3, 4, 6]),
            info("embedding", TensorProto.FLOAT, ["n", 4]),
        ],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


def mutate(content: bytes, rng: random.Random) -> bytes:
    """One to four changes to the fields of a message, at any depth."""
    parts = _take_apart(content, depth=0)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        _change(parts, rng)
    return _put_together(parts)


def _change(parts: list[Part], rng: random.Random) -> None:
    inside = _some_message(parts, rng)
    if not inside:
        inside.append(Part(rng.randint(1, 30), 0, rng.choice(_NUMBERS)))
        return
    at = rng.randrange(len(inside))
    part = inside[at]
    match rng.randrange(11):
        case 0:  # given twice
            inside.insert(rng.randrange(len(inside) + 1), _copy(part))
        case 1:  # given twice, and different
            double = _copy(part)
            _vary(double, rng)
            inside.insert(rng.randrange(len(inside) + 1), double)
        case 2:
            rng.shuffle(inside)
        case 3:
            inside.pop(at)
        case 4:
            part.number = rng.choice((rng.randint(1, 30), rng.randint(1, 2**29 - 1), 1000))
        case 5:  # a field that does not exist, or that is refused
            value = rng.choice(_NUMBERS) if rng.random() < 0.5 else rng.choice(_TEXTS)
            wire = 0 if isinstance(value, int) else 2
            inside.insert(at, Part(rng.randint(1, 40), wire, value))
        case 6:  # grafted from elsewhere
            other = _some_message(parts, rng)
            if other:
                inside.insert(at, _copy(rng.choice(other)))
        case 7:
            part.value, part.wire = (rng.choice(_NUMBERS), 0) if rng.random() < 0.5 else (b"\0" * 4, 5)
        case _:
            _vary(part, rng)


def _vary(part: Part, rng: random.Random) -> None:
    if isinstance(part.value, int):
        part.value = rng.choice((*_NUMBERS, part.value + 1, max(0, part.value - 1)))
    elif isinstance(part.value, bytes):
        changed = bytearray(part.value)
        if rng.random() < 0.5 or not changed:
            changed = bytearray(rng.choice(_TEXTS))
        else:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        part.value = bytes(changed)
    elif part.value:
        _vary(rng.choice(part.value), rng)


def _some_message(parts: list[Part], rng: random.Random) -> list[Part]:
    """The fields of one message: any of them, or on a path where each depth is as likely as the next."""
    if rng.random() < 0.5:
        return rng.choice(_messages(parts))
    while True:
        deeper = [part.value for part in parts if isinstance(part.value, list)]
        if not deeper or rng.random() < 0.25:
            return parts
        parts = rng.choice(deeper)


def _messages(parts: list[Part]) -> list[list[Part]]:
    inside = [message for part in parts if isinstance(part.value, list) for message in _messages(part.value)]
    return [parts, *inside]


def _copy(part: Part) -> Part:
    value = [_copy(each) for each in part.value] if isinstance(part.value, list) else part.value
    return Part(part.number, part.wire, value)


def _take_apart(content: bytes, depth: int) -> list[Part]:
    """The fields of a message; bytes that read as a message are taken for one. Raises ValueError."""
    parts, at = [], 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            parts.append(Part(number, wire, value))
            continue
        length, at = _varint(content, at) if wire == 2 else ({1: 8, 5: 4}.get(wire, -1), at)
        if length < 0 or number == 0 or at + length > len(content):
            raise ValueError("not a message")
        parts.append(Part(number, wire, _inside(content[at : at + length], wire, depth)))
        at += length
    return parts


def _inside(content: bytes, wire: int, depth: int) -> bytes | list[Part]:
    if wire != 2 or depth > 6 or len(content) < 2 or content.isalnum():
        return content
    try:
        return _take_apart(content, depth + 1)
    except (ValueError, IndexError):
        return content


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("not a number")


def _put_together(parts: list[Part]) -> bytes:
    written = bytearray()
    for part in parts:
        written += _pack(part.number << 3 | part.wire)
        if isinstance(part.value, int):
            written += _pack(part.value)
            continue
        content = _put_together(part.value) if isinstance(part.value, list) else part.value
        written += (_pack(len(content)) if part.wire == 2 else b"") + content
    return bytes(written)


def _pack(value: int) -> bytes:
    packed = bytearray()
    while value >= 0x80:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)
