"""Several methods on the same sheets: what they have in common is computed once.

One stored forward pass serves the gradient, Grad-CAM, guided backpropagation, their product and DeepLift;
DeepSHAP's references are run once for all images. The answers are those of the methods alone, to rounding.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from steelsight.explanations.baselines import match_baselines
from steelsight.explanations.catalog import METHODS, find_method
from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.deeplift.fast_rescale import fast_rescale
from steelsight.explanations.fast.net import FastNet, fast_net
from steelsight.explanations.fast.ways import fast_gradient, fast_guided
from steelsight.explanations.gradcam import class_maps, upsample
from steelsight.explanations.gradient import class_axis
from steelsight.explanations.targets import Target, check_images, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["SEVEN", "explain_all"]

SEVEN = (
    "deeplift",
    "deepshap",
    "gradcam",
    "guided_gradcam",
    "guided_backprop",
    "integrated_gradients",
    "lime",
)  # the study's, in its order

_SHARED = frozenset(("gradient", "gradcam", "guided_gradcam", "guided_backprop", "deeplift"))


def explain_all(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    methods: Iterable[str] = SEVEN,
    baselines: Tensor | None = None,
    generator: torch.Generator | None = None,
    memory_mb: float = MEMORY_MB,
) -> dict[str, Tensor]:
    """The maps of several methods, each (n, h, w), by name.

    images     (n, c, h, w) float32, in the model's own units
    target     class index, one for all or (n,)
    methods    keys of the catalog
    baselines  (r, c, h, w) references of DeepSHAP; the others count from a black sheet
    raises     BadRecipe for a method that does not exist; BadInput as the methods do
    """
    wanted = list(dict.fromkeys(methods))
    for name in wanted:
        find_method(name)
    check_images(images, "explain_all")
    net = fast_net(model, images) if len(images) and _SHARED & set(wanted) else None
    maps = {} if net is None else _share(net, model, images, target, _SHARED & set(wanted), memory_mb)
    for name in wanted:
        if name in maps:
            continue
        settings: dict[str, object] = {}
        if name == "deepshap":
            settings["baselines"] = baselines
        if METHODS[name].sampled:
            settings["generator"] = generator
        maps[name] = METHODS[name].explain(model, images, target, **settings)
    return {name: maps[name] for name in wanted}


def _share(
    net: FastNet, model: nn.Module, images: Tensor, target: Target, wanted: frozenset[str], memory_mb: float
) -> dict[str, Tensor]:
    """The methods that one stored forward pass serves."""
    size = (images.shape[2], images.shape[3])
    parts: dict[str, list[Tensor]] = {name: [] for name in wanted}
    with torch.inference_mode(False), at_rest(net.head):
        classes = resolve_targets(target, class_axis(net, model, images), "explain_all")
        start = match_baselines(None, images[:1], "explain_all")
        reference = net.forward(start) if "deeplift" in wanted else None
        rows = rows_within(model, images[0], memory_mb / 2)
        for at in range(0, len(images), rows):
            batch, chosen = images[at : at + rows], classes[at : at + rows]
            tape = net.forward(batch)
            found: dict[str, Tensor] = {}
            if wanted & {"gradcam", "guided_gradcam"}:
                with torch.no_grad():
                    coarse = class_maps(net.head, tape.features).maps[torch.arange(len(chosen)), chosen]
            if "gradcam" in wanted:
                found["gradcam"] = upsample(coarse, size)
            if wanted & {"guided_backprop", "guided_gradcam"}:
                guided = fast_guided(net, tape, chosen, size)
                found["guided_backprop"] = guided
            if "guided_gradcam" in wanted:
                found["guided_gradcam"] = guided * upsample(coarse.clamp(min=0), size)
            if "gradient" in wanted:
                found["gradient"] = fast_gradient(net, tape, chosen, size)
            if reference is not None:
                found["deeplift"] = fast_rescale(net, tape, chosen, batch, reference, start)
            for name in wanted:
                parts[name].append(found[name])
    return {name: torch.cat(each) for name, each in parts.items()}
