"""Contribution of each pixel to a logit's difference between an image and references, for any model.

The sums are checked: an incomplete sum is refused, with the names of functions without a rule.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.chunks import rows_within
from steelsight.explanations.deeplift.rescale import Recording, ReferenceComparison, record
from steelsight.explanations.targets import Target, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["contributions"]

INCOMPLETE = 1e-3  # of the contributions' total size; float32 errs by 1e-5, a function without a rule by 1e-2
ROUNDING = 1e-5  # of the logits themselves


def contributions(
    model: nn.Module,
    images: Float[Tensor, "n k h w"],
    target: Target,
    references: Float[Tensor, "r k h w"],
    method: str,
    *,
    paired: bool,
    memory_mb: float,
) -> Float[Tensor, "n h w"]:
    """The mean over references of rescale multipliers times differences, summed over channels.

    paired   True: reference i is for image i only; False: every reference is for every image, and runs once
             if all of them fit into half of the memory
    returns  float32; the sum over a map is logit(image) - mean logit(references)
    raises   BadInput for a target or a model that cannot be explained
    """
    if not len(images):
        return images.new_zeros(0, *images.shape[2:])
    with torch.inference_mode(False), torch.enable_grad(), at_rest(model):
        rows = rows_within(model, images[0], memory_mb / 2)
        first = record(model, references[:1])
        check_logits(first.output, 1, method)
        classes = resolve_targets(target, first.output.expand(len(images), -1), method)
        total = images.new_zeros(len(images), *images.shape[2:])
        if paired:
            for part in _parts(len(images), rows):
                shared = [(references[part], record(model, references[part]))]
                total[part] = _compare(model, images[part], classes[part], shared)
            return total
        for group in _parts(len(references), 2 * rows):  # a recording is about half of what a graph holds
            shared = [(each[None], record(model, each[None])) for each in references[group]]
            for part in _parts(len(images), rows):
                total[part] += _compare(model, images[part], classes[part], shared)
        return total / len(references)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _compare(
    model: nn.Module,
    images: Float[Tensor, "n k h w"],
    classes: Int[Tensor, " n"],
    references: list[tuple[Tensor, Recording]],
) -> Float[Tensor, "n h w"]:
    """The sum over references: one forward pass of the images, one backward pass a reference."""
    leaf = images.detach().clone().requires_grad_()
    with ReferenceComparison([recording for _, recording in references]) as comparison:
        logits = model(leaf.clone())  # the model may work in place
    comparison.finish()
    check_logits(logits, len(images), "DeepLift")
    chosen = logits.gather(1, classes[:, None])[:, 0]
    total = images.new_zeros(len(images), *images.shape[2:])
    for at, (reference, recording) in enumerate(references):
        comparison.current = recording
        multipliers = _multipliers(chosen, leaf, keep=at + 1 < len(references))
        shares = (multipliers * (images - reference)).sum(1)
        start = recording.output.expand_as(logits).gather(1, classes[:, None])[:, 0]
        _check_sum(shares, chosen.detach(), start, list(comparison.unruled))
        total += shares
    return total


def _multipliers(chosen: Float[Tensor, " n"], leaf: Tensor, *, keep: bool) -> Tensor:
    """Multipliers of the input; zero where the logits do not depend on it."""
    if not chosen.requires_grad:
        return torch.zeros_like(leaf)
    return torch.autograd.grad(chosen.sum(), leaf, retain_graph=keep, materialize_grads=True)[0]


def _check_sum(shares: Tensor, logits: Tensor, start: Tensor, unruled: list[str]) -> None:
    sums, differences = shares.double().sum((1, 2)), (logits - start).double()
    size = torch.maximum(shares.double().abs().sum((1, 2)), differences.abs())
    allowed = INCOMPLETE * size + ROUNDING * torch.maximum(logits.abs(), start.abs())
    wrong = (~((sums - differences).abs() <= allowed)).nonzero().flatten().tolist()  # NaN is wrong as well
    if not wrong:
        return
    why = (
        f"the model calls {', '.join(unruled)}, some of which have no rescale rule"
        if unruled
        else "part of it cannot be observed (scripted, compiled, detached, or its own autograd function)"
    )
    raise BadInput(
        f"DeepLift: contributions add up to {sums[wrong[0]]:.4g} of a logit difference of "
        f"{differences[wrong[0]]:.4g}; {why}: use integrated_gradients, it takes any model"
    )
