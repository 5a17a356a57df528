"""DeepLift and DeepSHAP over a batch on stored tapes, within a memory cap."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.explanations.chunks import rows_within
from steelsight.explanations.fast.net import FastNet
from steelsight.explanations.fast.rescale import fast_rescale
from steelsight.explanations.gradient import class_axis
from steelsight.explanations.targets import Target, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["fast_contributions"]

GROUP = 4  # references compared at once: more outgrow the processor's cache


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
    with torch.inference_mode(False), at_rest(model):
        classes = resolve_targets(target, class_axis(net, model, images), method)
        rows = rows_within(model, images[0], memory_mb / 2)
        if paired or len(references) == 1:
            shared = None if paired else net.forward(references)
            parts = []
            for part in _parts(len(images), rows):
                starts = references[part] if paired else references
                tape = net.forward(images[part])
                start = net.forward(starts) if shared is None else shared
                parts.append(fast_rescale(net, tape, classes[part], images[part], start, starts))
            return torch.cat(parts)
        total = images.new_zeros(len(images), *images.shape[2:])
        for group in _parts(len(references), rows):
            starts = torch.split(references[group], GROUP)
            tapes = [net.forward(each) for each in starts]
            for at, image in enumerate(torch.split(images, 1)):
                tape = net.forward(image)
                for start, each in zip(tapes, starts, strict=True):
                    total[at] += fast_rescale(net, tape, classes[at : at + 1], image, start, each).sum(0)
        return total / len(references)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
