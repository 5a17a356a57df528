"""Rules for convolutions and what folds into them: BatchNorm, zero padding, the input's normalisation."""

from __future__ import annotations

import numpy as np
from torch import fx

from steelsight.deploy.graph_writer import pair
from steelsight.deploy.traced.writer import TracedWriter, arguments, result_of
from steelsight.errors import BadInput

__all__ = ["CONVOLUTION_RULES"]


def _convolution(writer: TracedWriter, node: fx.Node) -> None:
    facts = arguments(node)
    weight = writer.array(facts["weight"])  # (o, i, kh, kw)
    bias = np.zeros(len(weight)) if facts["bias"] is None else writer.array(facts["bias"])
    if isinstance(facts["padding"], str):
        raise BadInput(f"export: expected a convolution with padding in numbers, got {facts['padding']!r}")
    source, before = writer.pads.get(facts["input"], (facts["input"], [0, 0, 0, 0]))
    vertical, horizontal = pair(facts["padding"])
    pads = [pad + own for pad, own in zip(before, [vertical, horizontal] * 2, strict=True)]
    if (norm := _norm_behind(node)) is not None:
        factor, shift = _statistics(writer, norm)
        weight, bias = weight * factor[:, None, None, None], bias * factor + shift
    if source is writer.images and facts["groups"] == 1:
        current, weight, bias = _gray(writer, weight, bias, padded=any(pads))
    else:
        current = writer.name(source)
    writer.add(
        node,
        "Conv",
        current,
        writer.constant(weight),
        writer.constant(bias),
        kernel_shape=list(weight.shape[2:]),
        strides=pair(facts["stride"]),
        dilations=pair(facts["dilation"]),
        pads=pads,
        group=int(facts["groups"]),
    )
    if norm is not None:
        writer.names[norm] = writer.names[node]


def _gray(
    writer: TracedWriter, weight: np.ndarray, bias: np.ndarray, *, padded: bool
) -> tuple[str, np.ndarray, np.ndarray]:
    """The first convolution on gray levels; see the head of `deploy.graph`."""
    mean, std = writer.levels
    gray = (weight / (255 * std)[None, :, None, None]).sum(1, keepdims=True)
    constant = -(weight * (mean / std)[None, :, None, None]).sum(1, keepdims=True)
    if not padded:
        return writer.gray, gray, bias + constant.sum((1, 2, 3))
    if np.ptp(mean) == np.ptp(std) == 0:
        scaled = writer.graph.add("Mul", writer.gray, writer.constant(1 / (255 * std[:1])))
        level = writer.graph.add("Add", scaled, writer.constant(-mean[:1] / std[:1]))
        return level, weight.sum(1, keepdims=True), bias
    zero = writer.graph.add("Mul", writer.gray, writer.constant(np.array([0.0])))
    one = writer.graph.add("Add", zero, writer.constant(np.array([1.0])))
    both = writer.graph.add("Concat", writer.gray, one, axis=1)
    return both, np.concatenate([gray, constant], axis=1), bias


def _norm_behind(node: fx.Node) -> fx.Node | None:
    """The BatchNorm that alone takes a convolution's result."""
    users = list(node.users)
    if len(users) == 1 and "batch_norm" in str(users[0].target) and users[0].args[0] is node:
        return users[0]
    return None


def _batch_norm(writer: TracedWriter, node: fx.Node) -> None:
    """Scale and shift of each channel, unless a convolution has taken them over."""
    if node in writer.names:
        return
    axes = (1,) * (result_of(node).ndim - 2)
    factor, shift = (values.reshape(-1, *axes) for values in _statistics(writer, node))
    scaled = writer.graph.add("Mul", writer.name(node.args[0]), writer.constant(factor))
    writer.add(node, "Add", scaled, writer.constant(shift))


def _statistics(writer: TracedWriter, node: fx.Node) -> tuple[np.ndarray, np.ndarray]:
    """Factor and shift of each channel of a BatchNorm in evaluation mode."""
    facts = arguments(node)
    if facts["training"] or facts["running_mean"] is None or facts["running_var"] is None:
        raise BadInput("export: BatchNorm without running statistics cannot be folded; train it with them")
    mean, variance = writer.array(facts["running_mean"]), writer.array(facts["running_var"])
    factor = 1 / np.sqrt(variance + facts["eps"])
    if facts["weight"] is not None:
        factor = factor * writer.array(facts["weight"])
    shift = -mean * factor
    return factor, shift if facts["bias"] is None else shift + writer.array(facts["bias"])


def _pad(writer: TracedWriter, node: fx.Node) -> None:
    """Padding along the last axes; zeros before convolutions go into them."""
    facts = arguments(node)
    amounts, mode = facts["pad"], facts.get("mode", "constant")
    value = facts.get("value") or 0.0
    plain = mode == "constant" and value == 0 and len(amounts) == 4 and min(amounts) >= 0
    if plain and all(_is_convolution(user) for user in node.users):
        left, right, top, bottom = (int(amount) for amount in amounts)
        writer.pads[node] = (facts["self"], [top, left, bottom, right])
        return
    raise BadInput(
        f"export: expected padding with zeros before convolutions, got mode {mode}, value {value}, {amounts}"
    )


def _is_convolution(node: fx.Node) -> bool:
    return "conv2d" in str(node.target) and not isinstance(arguments(node)["padding"], str)


CONVOLUTION_RULES = {
    "batch_norm": _batch_norm,
    "constant_pad_nd": _pad,
    "conv2d": _convolution,
    "pad": _pad,
}
