"""DeepLift's rescale rule on stored tapes; the same multipliers as the general way, see multipliers.

One image may stand for many references, or one reference for many images: tapes of batch size 1 are shared,
never repeated.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from steelsight.explanations.deeplift.multipliers import relu_multiplier
from steelsight.explanations.deeplift.rescale import ReferenceComparison, record
from steelsight.explanations.fast.layers import LayerState, Pool, ReluPool
from steelsight.explanations.fast.net import FastNet, StoredPass, to_gray_level
from steelsight.models.heads import ConvHead, DirectHead

__all__ = ["fast_rescale"]


def fast_rescale(
    net: FastNet,
    stored: StoredPass,
    classes: Int[Tensor, " n"],
    images: Float[Tensor, "n 3 h w"],
    reference: StoredPass,
    references: Float[Tensor, "r 3 h w"],
) -> Float[Tensor, "b h w"]:
    """DeepLift of images against references, b = max(n, r) pairs; n and r are equal, or one of them is 1."""
    with torch.no_grad():
        multipliers = _head_multipliers(net.head, stored.features, reference.features, classes)
        first = net.through_layers(multipliers, stored, _RULE, reference)
        slope = net.to_gray(first, (images.shape[2], images.shape[3]))
        return slope * (to_gray_level(images) - to_gray_level(references))


def _head_multipliers(
    head: nn.Module, image: Tensor, reference: Tensor, classes: Int[Tensor, " n"]
) -> Float[Tensor, "b k gh gw"]:
    """Multipliers of the features, written down for the heads of the study, else by the head's functions."""
    pairs, indices = max(len(image), len(reference)), image.shape[2] * image.shape[3]
    image, reference = image.float(), reference.float()
    if isinstance(head, DirectHead) and head.pooling.kind == "average":  # linear: no reference matters
        weights = head.conv.weight[classes, :, 0, 0] / indices
        return weights[:, :, None, None].expand(pairs, *image.shape[1:])
    if isinstance(head, ConvHead):
        weight, bias = head.conv.weight.flatten(1), head.conv.bias
        seen, other = (
            functional.linear(each.permute(0, 2, 3, 1), weight, bias) for each in (image, reference)
        )
        multipliers = relu_multiplier(seen, other).mul_(head.linear.weight[classes][:, None, None] / indices)
        return (multipliers @ weight).permute(0, 3, 1, 2)
    recording = record(head, reference)
    with torch.inference_mode(False), torch.enable_grad():
        leaf = image.expand(pairs, *image.shape[1:]).detach().clone().requires_grad_()
        with ReferenceComparison([recording]):
            logits = head(leaf)
        chosen = logits.gather(1, classes.expand(pairs)[:, None]).sum()
        return torch.autograd.grad(chosen, leaf, materialize_grads=True)[0]


class _Rescale:
    """The rule of layers: what passes a ReLU, and a max pool alone or after a ReLU."""

    def relu(self, grad: Tensor, saved: LayerState, reference: LayerState | None) -> Tensor:
        return relu_multiplier(saved.values, _other(reference).values).mul_(grad)

    def pool(self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: Pool) -> Tensor:
        return _shared(grad, saved, _other(reference), layer)

    def relu_pool(
        self, grad: Tensor, saved: LayerState, reference: LayerState | None, layer: ReluPool
    ) -> Tensor:
        """Both at once, from before the ReLU to after the pool: what lies between cancels."""
        return _shared(grad, saved, _other(reference), layer)


_RULE = _Rescale()


def _shared(grad: Tensor, image: LayerState, reference: LayerState, layer: Pool) -> Tensor:
    """Each window's difference to the place that made it, over that place's own.

    All windows that chose a place divide by the same difference, so they are summed first.
    """
    upper, lower, image_at, reference_at = image.pooled, reference.pooled, image.indices, reference.indices
    if upper is None or lower is None or image_at is None or reference_at is None:
        raise ValueError("a tape without pools")
    rose = upper >= lower
    indices = (
        (image_at - reference_at).mul_(rose).add_(reference_at)
    )  # `where` is slow on a mask without order
    share = torch.sub(upper, lower).mul_(grad)
    full = image.values if len(image.values) == len(share) else reference.values  # gives shape and layout
    back: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
        share, full, *layer.settings.values(), indices
    )
    step = torch.sub(image.values, reference.values)
    return back.div_(step.add_(torch.finfo(step.dtype).tiny))  # 0 where a place did not change


def _other(reference: LayerState | None) -> LayerState:
    if reference is None:
        raise ValueError("rescale without a reference")
    return reference
