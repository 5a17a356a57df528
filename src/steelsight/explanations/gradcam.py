"""Grad-CAM: by hooks for any network and layer, in closed form for the catalog's, all classes at once.

Grad-CAM weights the K channels of a layer by the mean gradient of a class over its P places (Selvaraju et al.
2017, eq. 1-2): α_ck = 1/P Σ_p ∂y_c / ∂A_k(p), map_c(p) = Σ_k α_ck A_k(p). Maps stay signed: positive excites,
negative inhibits; the paper's ReLU is left to the reader of the map. At the output of `features` the mean
gradient needs no autograd, because it passes only linear layers, open or shut ReLUs and averages:

    direct    1x1 conv W, pooling        α = W / P   (a pooling's gradient sums to 1 over the places)
    average+max of features, linear      α = (W_average + W_max) / P   (for the same reason)
    conv      1x1 conv V, ReLU, mean, W  α_ck = 1/P Σ_m W_cm V_mk mean_p[z_m(p) > 0]
    linear    W1, ReLU, W2, ReLU, W3     α_k = 1/P W3 diag(r2) W2 diag(r1) Σ_q W1[:, k, q], q its places

An average pool before W1 drops out: its rows sum to 1, so its transpose keeps the sum over the places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import Capture, at_rest, capture
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import AverageMaxHead, ConvHead, DirectHead, LinearHead

__all__ = ["ClassMaps", "class_maps", "coarse_grad_cam", "grad_cam", "grad_cam_all", "upsample"]


class ClassMaps(NamedTuple):
    """Logits and the signed map of every class, on the grid of the features."""

    logits: Float[Tensor, "n c"]
    maps: Float[Tensor, "n c gh gw"]


def grad_cam(
    model: nn.Module, images: Tensor, target: Target, *, layer: str = "features"
) -> Float[Tensor, "n h w"]:
    """Weight one layer's channels by how strongly they drive a class.

    images  (n, c, h, w) float32, in the model's own input units
    target  class index, one for all or (n,)
    layer   one whose output has the shape (n, channels, height, width)
    returns float32, unscaled, signed; bilinear from the layer's grid
    raises  UnknownLayer, listing the names that exist; BadInput for another type, shape or target
    source  Selvaraju et al. 2017, eq. 1-2
    """
    return upsample(coarse_grad_cam(model, images, target, layer=layer), (images.shape[2], images.shape[3]))


def coarse_grad_cam(
    model: nn.Module, images: Tensor, target: Target, *, layer: str = "features"
) -> Float[Tensor, "n gh gw"]:
    """As grad_cam, on the layer's own grid."""
    check_images(images, "Grad-CAM")
    with torch.inference_mode(False), torch.enable_grad(), capture(model, [layer]) as captured:
        logits = model(images.detach())  # (n, c)
        check_logits(logits, len(images), "Grad-CAM")
        activations = _feature_map(captured, layer)
        chosen = logits.gather(1, resolve_targets(target, logits, "Grad-CAM")[:, None]).sum()
        if not chosen.requires_grad:  # the model ignores its input
            return torch.zeros_like(activations[:, 0])
        gradient = torch.autograd.grad(chosen, activations, materialize_grads=True)[0]  # 0 off the path
        weights = gradient.mean((2, 3), keepdim=True)  # (n, channels, 1, 1)
        return (weights * activations.detach()).sum(1)  # (n, gh, gw)


def grad_cam_all(model: SheetClassifier, images: Tensor) -> ClassMaps:
    """Logits and Grad-CAM of every class at the output of `features`, one forward pass and no autograd.

    images  (n, 3, h, w) float32, as `to_input` gives them
    returns maps float32, unscaled, signed, not yet upsampled
    raises  BadInput for another type or shape
    """
    check_images(images, "Grad-CAM")
    model.check(images)
    with torch.no_grad(), at_rest(model):
        return class_maps(model.head, model.features(images))


def class_maps(head: nn.Module, features: Float[Tensor, "n k gh gw"]) -> ClassMaps:
    """Logits and maps from a feature map by the head's closed form; traceable, so that an export can hold it.

    raises  BadInput for a head without a closed form
    """
    for kind, explain in CLOSED_FORMS.items():
        if isinstance(head, kind):
            logits, weights = explain(head, features)
            return ClassMaps(logits, torch.einsum("nck,nkhw->nchw", weights, features))
    raise BadInput(f"{type(head).__name__}: no closed form of Grad-CAM; use grad_cam, it takes any")


def upsample(
    maps: Float[Tensor, "*batch gh gw"], size: tuple[int, int]
) -> Float[Tensor, "*batch height width"]:
    """Bilinear from the layer's grid to an image of `size` (height, width), which the grid spans."""
    flat = maps.reshape(-1, 1, *maps.shape[-2:])
    large = functional.interpolate(flat, size=size, mode="bilinear", align_corners=False)
    return large.reshape(*maps.shape[:-2], *size)


def _direct(head: DirectHead, features: Tensor) -> tuple[Tensor, Tensor]:
    places = features.shape[2] * features.shape[3]
    weights = head.conv.weight.flatten(1) / places  # (c, k): the same for every image
    return head(features), weights.expand(len(features), -1, -1)


def _average_max(head: AverageMaxHead, features: Tensor) -> tuple[Tensor, Tensor]:
    places = features.shape[2] * features.shape[3]
    average, maximum = head.conv.weight.flatten(1).chunk(2, dim=1)  # (c, k) each
    return head(features), ((average + maximum) / places).expand(len(features), -1, -1)


def _conv(head: ConvHead, features: Tensor) -> tuple[Tensor, Tensor]:
    places = features.shape[2] * features.shape[3]
    before = head.conv(features)  # (n, m, gh, gw)
    logits = head.linear(before.relu().mean((2, 3)))
    open_share = (
        (before > 0).to(features.dtype).mean((2, 3))
    )  # (n, m): share of the places where the ReLU lets through
    through = head.linear.weight * open_share[:, None]  # (n, c, m)
    return logits, through @ head.conv.weight.flatten(1) / places  # (n, c, k)


def _linear(head: LinearHead, features: Tensor) -> tuple[Tensor, Tensor]:
    places, channels = features.shape[2] * features.shape[3], features.shape[1]
    hidden1 = head.linear1(head.flatten(head.pool(features)))  # (n, 256)
    hidden2 = head.linear2(hidden1.relu())  # (n, 32)
    logits = head.linear3(hidden2.relu())
    open1, open2 = ((hidden > 0).to(features.dtype) for hidden in (hidden1, hidden2))
    summed = head.linear1.weight.reshape(-1, channels, head.linear1.in_features // channels).sum(
        2
    )  # (256, k)
    back = (head.linear3.weight * open2[:, None]) @ head.linear2.weight  # (n, c, 256)
    return logits, (back * open1[:, None]) @ summed / places  # (n, c, k)


CLOSED_FORMS: dict[type[nn.Module], Callable[..., tuple[Tensor, Tensor]]] = {
    DirectHead: _direct,
    AverageMaxHead: _average_max,
    ConvHead: _conv,
    LinearHead: _linear,
}


def _feature_map(captured: Capture, layer: str) -> Float[Tensor, "n k gh gw"]:
    activations = captured.activations.get(layer)
    if activations is None or activations.ndim != 4:
        came = "it was not reached" if activations is None else f"got {tuple(activations.shape)}"
        raise BadInput(
            f"layer {layer!r}: Grad-CAM needs an output of shape (n, channels, height, width), {came}; "
            "choose a layer before the pooling"
        )
    return activations
