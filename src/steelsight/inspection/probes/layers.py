"""The layers of a network that are inspected, in the order of the forward pass.

By default every unit of the features and every part of the head, without those a linear probe cannot
distinguish from the layer before: in evaluation mode dropout and flattening change nothing, and a batch norm
is affine.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from steelsight.errors import BadInput
from steelsight.models.backbones.units import units_of
from steelsight.models.capture import find_layer
from steelsight.models.catalog import SheetClassifier

__all__ = ["INPUT", "choose_layers", "kind_of", "standard_layers"]

INPUT = "input"  # the sheet itself
WORDS = {
    "Conv2d": "conv",
    "MaxPool2d": "max-pool",
    "AdaptiveAvgPool2d": "average",
    "BatchNorm2d": "batch norm",
    "Linear": "linear",
    "Pooling": "pool",
    "AverageMax": "average and max",
}
SAME_AT_REST = (nn.Dropout, nn.Identity, nn.Flatten, nn.BatchNorm2d)


def standard_layers(model: SheetClassifier) -> tuple[str, ...]:
    """The layers inspected by default, from the first to the logits."""
    parts = (("features", units_of(model.features)), ("head", model.head.named_children()))
    return tuple(
        f"{part}.{name}"
        for part, modules in parts
        for name, module in modules
        if type(module) not in SAME_AT_REST  # a subclass may do more, as timm's batch norm with activation
    )


def choose_layers(model: SheetClassifier, names: Sequence[str] | None = None) -> tuple[str, ...]:
    """The named layers in the network's order, or the standard ones.

    raises  UnknownLayer, listing the names that exist; BadInput where none is named
    """
    if names is None:
        return standard_layers(model)
    if not names:
        raise BadInput(
            "layers: expected names joined by commas, got none; leave it out for the standard ones"
        )
    for name in names:
        find_layer(model, name)
    order = [name for name, _ in model.named_modules()]

    def finished(name: str) -> tuple[int, int]:
        """Sort key: a module ends with the last of its parts, the innermost first."""
        inside = [i for i, other in enumerate(order) if f"{other}.".startswith(f"{name}.")]
        return inside[-1], -name.count(".")

    return tuple(sorted(set(names), key=finished))


def kind_of(model: SheetClassifier, layer: str) -> str:
    """Kind of a layer in a word: conv, Fire, linear; `sheet` for the input."""
    if layer == INPUT:
        return "sheet"
    name = type(find_layer(model, layer)).__name__
    return WORDS.get(name, name)
