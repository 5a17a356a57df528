"""DeepLift's rescale rule, and DeepSHAP: its mean over references.

Attributions explain the difference of a logit between an image and a reference, and add up to it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import black_sheet, match_baselines
from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.fast.net import FastNet, fast_net
from steelsight.explanations.fast.ways import fast_deep_shap, fast_rescale
from steelsight.explanations.gradient import class_axis, slope
from steelsight.explanations.rules import RescaleRule
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["deep_lift", "deep_shap"]


def deep_lift(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """What each pixel adds to a class's logit, counted from a reference; summed over channels.

    images     (n, c, h, w) float32, in the model's own units
    target     class index, one for all or (n,)
    baselines  (1 or n, c, h, w) references; None = a black sheet
    returns    float32; the sum over a map is logit(image) - logit(reference)
    raises     BadInput for images, targets or baselines that cannot be used, or a model that rescale does not
               cover (see rules)
    source     Shrikumar et al. 2017, rescale rule
    """
    check_images(images, "DeepLift")
    references = match_baselines(baselines, images, "DeepLift")
    return _pairs(model, images, target, references, memory_mb)


def deep_shap(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """The mean of deep_lift over references, the same ones for every image.

    baselines  (r, c, h, w) references, such as samples of clean sheets; None = a black sheet
    returns    float32; the sum over a map is logit(image) - the mean logit of the references
    raises     BadInput as deep_lift
    source     Lundberg and Lee 2017, section 4.2
    """
    check_images(images, "DeepSHAP")
    references = black_sheet(images) if baselines is None else baselines
    if references.shape[1:] != images.shape[1:] or not len(references):
        raise BadInput(
            f"DeepSHAP baselines: expected shape (references, {', '.join(map(str, images.shape[1:]))}), "
            f"got {tuple(references.shape)}"
        )
    check_images(references, "DeepSHAP baselines")
    net = fast_net(model, images, references) if len(images) else None
    if net is not None:
        return _shared(net, model, images, target, references, memory_mb)
    total = torch.zeros(len(images), *images.shape[2:])
    for reference in references:
        total += _pairs(model, images, target, reference.expand_as(images), memory_mb)
    return total / len(references)


def _shared(
    net: FastNet, model: nn.Module, images: Tensor, target: Target, references: Tensor, memory_mb: float
) -> Float[Tensor, "n h w"]:
    """DeepSHAP with one tape of the references for all images, and one of each image for all references."""
    total = torch.zeros(len(images), *images.shape[2:])
    with torch.inference_mode(False), at_rest(model):
        classes = resolve_targets(target, class_axis(net, model, images), "DeepSHAP")
        rows = max(1, rows_within(model, images[0], memory_mb) // 2)
        for at in range(0, len(references), rows):
            starts = references[at : at + rows]
            reference = net.forward(starts)
            for index in range(len(images)):
                image = images[index : index + 1]
                total[index] += fast_deep_shap(
                    net, net.forward(image), classes[index], image, reference, starts
                )
    return total / len(references)


def _pairs(
    model: nn.Module, images: Tensor, target: Target, references: Tensor, memory_mb: float
) -> Float[Tensor, "n h w"]:
    if not len(images):
        return torch.zeros(0, *images.shape[2:])
    net = fast_net(model, images, references)
    if net is not None:
        return _quick_pairs(net, model, images, target, references, memory_mb)
    parts = []
    classes: Tensor | None = None
    with torch.inference_mode(False), torch.enable_grad(), at_rest(model):
        rows = max(1, rows_within(model, images[0], memory_mb) // 2)
        for start in range(0, len(images), rows):
            image, reference = images[start : start + rows], references[start : start + rows]
            leaf = torch.cat([image, reference]).detach().requires_grad_()
            with RescaleRule(len(image)):
                logits = model(leaf)
            check_logits(logits, 2 * len(image), "DeepLift")
            if classes is None:
                classes = resolve_targets(target, logits[:1].detach().expand(len(images), -1), "DeepLift")
            chosen = logits[: len(image)].gather(1, classes[start : start + rows, None]).sum()
            multipliers = slope(chosen, leaf)[: len(image)]
            parts.append((multipliers * (image - reference)).sum(1))
    return torch.cat(parts)


def _quick_pairs(
    net: FastNet, model: nn.Module, images: Tensor, target: Target, references: Tensor, memory_mb: float
) -> Float[Tensor, "n h w"]:
    """The same on stored tapes; one reference for all is run once."""
    parts = []
    with torch.inference_mode(False), at_rest(model):
        classes = resolve_targets(target, class_axis(net, model, images), "DeepLift")
        rows = max(1, rows_within(model, images[0], memory_mb) // 2)
        shared = net.forward(references[:1]) if references.stride(0) == 0 else None
        for at in range(0, len(images), rows):
            image, starts = images[at : at + rows], references[at : at + rows]
            reference = shared.repeat(len(image)) if shared else net.forward(starts)
            tape = net.forward(image)
            parts.append(fast_rescale(net, tape, classes[at : at + rows], image, reference, starts))
    return torch.cat(parts)
