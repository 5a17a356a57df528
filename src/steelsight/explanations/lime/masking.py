"""A network's predictions for a sheet with masked superpixels.

The features of the catalog's networks are computed in bfloat16 where the processor has it. A head whose logit
is pooled from a class map gives that map; any other model gives its logit as a map of one place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.explanations.chunks import rows_within
from steelsight.explanations.targets import check_images
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import ConvHead, DirectHead

__all__ = ["MaskedPredictor", "masked_predictor", "match_backgrounds", "mean_colours"]

Segments = Int[np.ndarray, "h w"]

AT_ONCE = 10  # sheets; larger batches leave the processor's cache


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
    base = mean_colours(image, where) if background is None else background
    change = image - base
    head = model.head if isinstance(model, SheetClassifier) and model.patches == 1 else None
    read_map = None if head is None else _map_reader(head, target)
    predict_mixed = _mixed_predictor(model, head, read_map, target)
    rows = rows_within(model, image, memory_mb, most=AT_ONCE)

    @torch.no_grad()
    def predict(masks: Float[Tensor, "s m"]) -> Float[Tensor, "m p"]:
        outputs = []
        for part in torch.split(masks.T.float(), rows):
            shown = part.index_select(1, where).reshape(-1, 1, *segments.shape)
            mixed = torch.addcmul(base, shown, change).contiguous(memory_format=torch.channels_last)
            outputs.append(predict_mixed(mixed).double().reshape(len(part), -1))
        return torch.cat(outputs)

    if head is None or read_map is None:
        return MaskedPredictor(predict, lambda values: values[:, 0], (1, 1), linear=True)
    with torch.no_grad():
        whole = predict_mixed(image[None])  # (1, gh, gw)
    pooling = _pooling(head)
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
    model: nn.Module, head: nn.Module | None, read_map: Callable[[Tensor], Tensor] | None, target: int
) -> Callable[[Tensor], Tensor]:
    """A function from mixed sheets to class maps (n, gh, gw), or logits (n,)."""
    if head is None or not isinstance(model, SheetClassifier):
        return lambda mixed: model(mixed)[:, target]
    dtype = _fast_dtype(next(model.parameters()).device)
    features = model.features if dtype == torch.float32 else copy.deepcopy(model.features).to(dtype)
    if read_map is None:
        return lambda mixed: head(features(mixed.to(dtype)).float())[:, target]
    return lambda mixed: read_map(features(mixed.to(dtype)).float())


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


def _fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor computes in it: rankings of superpixels need no more precision."""
    fast = device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
