"""DeepLift and DeepSHAP over a batch on stored tapes, within a memory cap."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.chunks import rows_within
from steelsight.explanations.deeplift.fast_references import run_references
from steelsight.explanations.deeplift.fast_rescale import fast_rescale
from steelsight.explanations.fast.net import FastNet
from steelsight.explanations.gradient import class_axis
from steelsight.explanations.targets import Target, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["fast_contributions"]


def fast_contributions(
    net: FastNet,
    model: nn.Module,
    images: Float[Tensor, "n 3 h w"],
    target: Target,
    references: Float[Tensor, "r 3 h w"],
    method: str,
    *,
    paired: bool,
    memory_mb: float,
) -> Float[Tensor, "n h w"]:
    """As `contributions`: the mean over references, or each image with its own."""
    with torch.inference_mode(False), at_rest(net.head):  # the features' modules never run
        classes = resolve_targets(target, class_axis(net, model, images), method)
        rows = rows_within(model, images[0], memory_mb / 2)
        if paired:
            return torch.cat(
                [_pairs(net, images[p], classes[p], references[p]) for p in _parts(len(images), rows)]
            )
        total = images.new_zeros(len(images), *images.shape[2:])
        for group in _parts(len(references), rows):
            chunks = run_references(net, references[group], memory_mb / 2)
            single = len(references) == 1  # one reference meets many images; many meet them one by one
            for part in _parts(len(images), rows if single else 1):
                stored = net.forward(images[part])
                for chunk in chunks:
                    attributions = fast_rescale(
                        net, stored, classes[part], images[part], chunk.stored, chunk.images
                    )
                    total[part] += attributions if single else attributions.sum(0)
        return total / len(references)


def _pairs(net: FastNet, images: Tensor, classes: Tensor, references: Tensor) -> Float[Tensor, "n h w"]:
    return fast_rescale(net, net.forward(images), classes, images, net.forward(references), references)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(chunk, min(chunk + size, count)) for chunk in range(0, count, size)]
