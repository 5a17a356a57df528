"""A network's predictions for a sheet with masked superpixels, in the fastest way the network allows.

A gray sheet of the catalog's networks is mixed and predicted as gray, in bfloat16 where the processor has it.
A head whose logit is pooled from a class map gives that map; any other model gives its logit as a map of one
place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.explanations.chunks import rows_within
from steelsight.explanations.fast.net import FastNet, fast_net, to_gray_level
from steelsight.explanations.targets import check_images
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import ConvHead, DirectHead

__all__ = ["MaskedPredictor", "masked_predictor", "match_backgrounds", "mean_colours"]

Segments = Int[np.ndarray, "h w"]

AT_ONCE, AT_ONCE_GRAY = 32, 10  # sheets; larger batches leave the processor's cache


class MaskedPredictor(NamedTuple):
    """Class maps of one class for masked versions of one sheet."""

    predict: Callable[[Float[Tensor, "s m"]], Float[Tensor, "m p"]]  # samples → class maps
    pool: Callable[[Float[Tensor, "m p"]], Float[Tensor, " m"]]  # class maps → logits
    grid: tuple[int, int]
    linear: bool  # whether the logit is the map's mean


def masked_predictor(
    model: nn.Module,
    image: Tensor,
    segments: Segments,
    target: int,
    background: Tensor | None,
    memory_mb: float,
) -> MaskedPredictor:
    """Build a predictor for masked sheets.

    image       (c, h, w) in the model's own units
    segments    superpixel of every pixel
    target      class whose logit is predicted
    background  (c, h, w) content of masked superpixels; None = each superpixel's mean colour
    memory_mb   cap on additional memory
    """
    where = torch.from_numpy(segments).flatten()
    behind = mean_colours(image, where) if background is None else background
    ends = torch.stack([image, behind])
    net = fast_net(model, ends, dtype=_fast_dtype())
    read_map = None if net is None else _map_reader(net.head, target)
    gray = net is not None and not net.padded
    rows = rows_within(model, image, memory_mb, most=AT_ONCE_GRAY if gray else AT_ONCE)
    base, change = (to_gray_level(ends)[:, None] if gray else ends)[[1, 0]]
    change = change - base
    predict_mixed = _mixed_predictor(model, net, read_map, target)

    @torch.no_grad()
    def predict(masks: Float[Tensor, "s m"]) -> Float[Tensor, "m p"]:
        outputs = []
        for part in torch.split(masks.T.float(), rows):  # bfloat16 gathers five times as slowly
            shown = part.index_select(1, where).reshape(-1, 1, *segments.shape)
            outputs.append(predict_mixed(torch.addcmul(base, shown, change)).double().reshape(len(part), -1))
        return torch.cat(outputs)

    if read_map is None:
        return MaskedPredictor(predict, lambda values: values[:, 0], (1, 1), linear=True)
    with torch.no_grad():
        whole = predict_mixed((base + change)[None])  # (1, gh, gw)
    pooling = _pooling(net.head) if net is not None else None
    pool = _mean if pooling is None else lambda values: pooling(values[:, None, :, None])[:, 0]
    return MaskedPredictor(predict, pool, (whole.shape[1], whole.shape[2]), linear=pooling is None)


def match_backgrounds(baselines: Tensor | None, images: Tensor) -> Tensor | None:
    """One background an image, or None; raises BadInput for another shape or values."""
    if baselines is None:
        return None
    if baselines.shape[1:] != images.shape[1:] or len(baselines) not in (1, len(images)):
        raise BadInput(
            f"LIME baselines: expected shape (1 or {len(images)}, {', '.join(map(str, images.shape[1:]))}), "
            f"got {tuple(baselines.shape)}"
        )
    check_images(baselines, "LIME baselines")
    return baselines.expand_as(images)


def mean_colours(image: Float[Tensor, "c h w"], where: Int[Tensor, " hw"]) -> Float[Tensor, "c h w"]:
    """Each superpixel's mean colour, as an image."""
    counts = torch.bincount(where).to(image.dtype)
    sums = torch.zeros(len(image), len(counts), dtype=image.dtype)
    sums.index_add_(1, where, image.flatten(1))
    return (sums / counts)[:, where].reshape(image.shape)


def _mixed_predictor(
    model: nn.Module, net: FastNet | None, read_map: Callable[[Tensor], Tensor] | None, target: int
) -> Callable[[Tensor], Tensor]:
    """A function from mixed sheets to class maps (n, gh, gw), or logits (n,)."""
    if net is not None and not net.padded:
        if read_map is not None:
            return lambda mixed: read_map(net.features(mixed[:, 0]))
        return lambda mixed: net.predict(mixed[:, 0])[:, target]
    if isinstance(model, SheetClassifier) and read_map is not None:
        return lambda mixed: read_map(model.features(mixed))
    return lambda mixed: model(mixed)[:, target]


def _map_reader(head: nn.Module, target: int) -> Callable[[Tensor], Tensor] | None:
    """A function from features (n, k, gh, gw) to the class map (n, gh, gw); None for a head without one."""
    match head:
        case DirectHead():
            weight = head.conv.weight[target : target + 1]
            bias = None if head.conv.bias is None else head.conv.bias[target : target + 1]
            return lambda features: functional.conv2d(features, weight, bias)[:, 0]
        case ConvHead():
            row, shift = head.linear.weight[target], head.linear.bias[target]
            return lambda features: torch.einsum("nkhw,k->nhw", head.conv(features).relu_(), row) + shift
        case _:
            return None


def _pooling(head: nn.Module) -> nn.Module | None:
    """The module that pools the class map; None = the mean."""
    return head.pooling if isinstance(head, DirectHead) and head.pooling.kind != "average" else None


def _mean(values: Float[Tensor, "m p"]) -> Float[Tensor, " m"]:
    return values.mean(1)


def _fast_dtype() -> torch.dtype:
    """bfloat16 where the processor computes in it: rankings of superpixels need no more precision."""
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
