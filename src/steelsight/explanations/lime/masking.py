"""Asking a network about a sheet of which superpixels are hidden, in the quickest way it allows.

A gray sheet of the catalog's networks is built and asked as gray, in bfloat16 where the processor has it. A
head whose logit is pooled from a class map gives that map; any other model gives its logit as a map of one
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

__all__ = ["MaskedPredictor", "masked_predictor", "match_hidden", "mean_colours"]

Segments = Int[np.ndarray, "h w"]

AT_ONCE, AT_ONCE_GRAY = 32, 10  # sheets; larger batches leave the processor's cache


class MaskedPredictor(NamedTuple):
    """One sheet and class, ready to be asked about."""

    ask: Callable[[Float[Tensor, "s m"]], Float[Tensor, "m p"]]  # sets of shown superpixels → class map
    pool: Callable[[Float[Tensor, "m p"]], Float[Tensor, " m"]]  # class map → logit
    grid: tuple[int, int]
    linear: bool  # the logit is the map's mean


def masked_predictor(
    model: nn.Module, image: Tensor, cut: Segments, chosen: int, hidden: Tensor | None, memory_mb: float
) -> MaskedPredictor:
    """Make a sheet askable.

    image   (c, h, w) in the model's own units
    chosen  class whose logit is asked for
    hidden  (c, h, w) what shows where a superpixel is hidden; None = its own mean colour
    """
    where = torch.from_numpy(cut).flatten()
    behind = mean_colours(image, where) if hidden is None else hidden
    both = torch.stack([image, behind])
    net = fast_net(model, both, dtype=_quick_type())
    read = None if net is None else _reader(net.head, chosen)
    gray = net is not None and not net.padded
    rows = rows_within(model, image, memory_mb, most=AT_ONCE_GRAY if gray else AT_ONCE)
    base, change = (to_gray_level(both)[:, None] if gray else both)[[1, 0]]
    change = change - base
    answer = _answerer(model, net, read, chosen)

    @torch.no_grad()
    def ask(masks: Float[Tensor, "s m"]) -> Float[Tensor, "m p"]:
        found = []
        for part in torch.split(masks.T.float(), rows):  # bfloat16 gathers five times as slowly
            shown = part.index_select(1, where).reshape(-1, 1, *cut.shape)
            found.append(answer(torch.addcmul(base, shown, change)).double().reshape(len(part), -1))
        return torch.cat(found)

    if read is None:
        return MaskedPredictor(ask, lambda values: values[:, 0], (1, 1), linear=True)
    with torch.no_grad():
        one = answer((base + change)[None])  # (1, gh, gw)
    pooling = _pooling(net.head) if net is not None else None
    pool = _mean if pooling is None else lambda values: pooling(values[:, None, :, None])[:, 0]
    return MaskedPredictor(ask, pool, (one.shape[1], one.shape[2]), linear=pooling is None)


def match_hidden(baselines: Tensor | None, images: Tensor) -> Tensor | None:
    """One image each to hide behind, or None; raises BadInput for another shape or values."""
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


def _answerer(
    model: nn.Module, net: FastNet | None, read: Callable[[Tensor], Tensor] | None, chosen: int
) -> Callable[[Tensor], Tensor]:
    """From mixed sheets to class maps (n, gh, gw), or logits (n,)."""
    if net is not None and not net.padded:
        if read is not None:
            return lambda mixed: read(net.features(mixed[:, 0]))
        return lambda mixed: net.ask(mixed[:, 0])[:, chosen]
    if isinstance(model, SheetClassifier) and read is not None:
        return lambda mixed: read(model.features(mixed))
    return lambda mixed: model(mixed)[:, chosen]


def _reader(head: nn.Module, chosen: int) -> Callable[[Tensor], Tensor] | None:
    """From features (n, k, gh, gw) to what each place says for a class, or None where no map pools to it."""
    match head:
        case DirectHead():
            weight = head.conv.weight[chosen : chosen + 1]
            bias = None if head.conv.bias is None else head.conv.bias[chosen : chosen + 1]
            return lambda features: functional.conv2d(features, weight, bias)[:, 0]
        case ConvHead():
            row, shift = head.linear.weight[chosen], head.linear.bias[chosen]
            return lambda features: torch.einsum("nkhw,k->nhw", head.conv(features).relu_(), row) + shift
        case _:
            return None


def _pooling(head: nn.Module) -> nn.Module | None:
    """What pools the class map; None = the mean."""
    return head.pooling if isinstance(head, DirectHead) and head.pooling.kind != "average" else None


def _mean(values: Float[Tensor, "m p"]) -> Float[Tensor, " m"]:
    return values.mean(1)


def _quick_type() -> torch.dtype:
    """bfloat16 where the processor computes in it: rankings do not need the last digits."""
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
