"""Output shape, parameters and multiply-accumulates of each layer of a network; no image is run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torchvision.models.squeezenet import Fire

from steelsight.models.classifier import SheetClassifier

__all__ = ["LayerRow", "summarise"]


@dataclass(frozen=True)
class LayerRow:
    """One layer, or one Fire module, for one image."""

    name: str  # as in `model.named_modules()`
    kind: str
    output_shape: tuple[int, ...]  # without the batch
    parameters: int
    macs: int  # of convolutions and linear layers; adding the bias is not counted


def summarise(
    model: SheetClassifier, height: int, width: int, *, whole_fires: bool = False
) -> list[LayerRow]:
    """The layers in the order of execution, for one image of height x width.

    A copy of the model on torch's meta device is run, which has shapes but no values.

    whole_fires  one row for each Fire module instead of its six layers
    raises       BadInput for a size the network cannot take
    """
    copied = copy.deepcopy(model).to("meta").eval()
    rows: list[LayerRow] = []
    for name, layer in copied.named_modules():
        if next(layer.children(), None) is None:
            layer.register_forward_hook(partial(_add_layer, rows, name))
        elif isinstance(layer, Fire) and whole_fires:
            layer.register_forward_hook(partial(_merge_block, rows, name))
    with torch.no_grad():
        copied(torch.empty(1, 3, height, width, device="meta"))
    return rows


def _add_layer(rows: list[LayerRow], name: str, layer: nn.Module, _inputs: object, output: Tensor) -> None:
    parameters = sum(parameter.numel() for parameter in layer.parameters())
    rows.append(
        LayerRow(name, type(layer).__name__, tuple(output.shape[1:]), parameters, _macs(layer, output))
    )


def _merge_block(rows: list[LayerRow], name: str, block: nn.Module, _inputs: object, output: Tensor) -> None:
    """Replace the rows of the block's layers, added just before, by one row."""
    parts = [row for row in rows if row.name.startswith(f"{name}.")]
    del rows[len(rows) - len(parts) :]
    parameters, macs = sum(row.parameters for row in parts), sum(row.macs for row in parts)
    rows.append(LayerRow(name, type(block).__name__, tuple(output.shape[1:]), parameters, macs))


def _macs(layer: nn.Module, output: Tensor) -> int:
    """Multiply-accumulates: outputs times the weights of one filter, or of one row of the matrix."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        return output[0].numel() * layer.weight[0].numel()
    return 0
