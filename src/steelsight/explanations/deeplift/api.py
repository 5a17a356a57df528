"""DeepLift's rescale rule, and DeepSHAP: its mean over references.

Attributions explain the difference of a logit between an image and a reference, and add up to it.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.baselines import black_sheet, match_baselines
from steelsight.explanations.chunks import MEMORY_MB
from steelsight.explanations.deeplift.contributions import contributions
from steelsight.explanations.targets import Target, check_images

__all__ = ["deep_lift", "deep_shap"]


def deep_lift(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """Contribution of each pixel to the logit's difference from a reference, summed over channels.

    images     (n, c, h, w) float32, in the model's own units
    target     class index, one for all or (n,)
    baselines  (1 or n, c, h, w) references; None = a black sheet
    returns    float32; the sum over a map is logit(image) - logit(reference)
    raises     BadInput for images, targets or baselines that cannot be used, or a model whose functions
               have no complete rule (see multipliers, function_rules), naming them
    source     Shrikumar et al. 2017, rescale rule
    """
    check_images(images, "DeepLift")
    references = match_baselines(baselines, images, "DeepLift")
    paired = baselines is not None and len(baselines) > 1
    references = references if paired else references[:1]
    return contributions(model, images, target, references, "DeepLift", paired=paired, memory_mb=memory_mb)


def deep_shap(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    baselines: Tensor | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """The mean of deep_lift over references, the same ones for every image; each reference runs once.

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
    return contributions(model, images, target, references, "DeepSHAP", paired=False, memory_mb=memory_mb)
