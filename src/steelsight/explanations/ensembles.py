"""Maps combined from several maps: over scales, flips and layers, or of two methods that agree.

Each function takes (model, images, target), as explanation methods do, and returns (n, h, w) float32. Apart
from flips and scales, maps are not negative: only evidence for the class is combined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from steelsight.errors import BadInput
from steelsight.explanations.gradcam import grad_cam, upsample
from steelsight.models.capture import at_rest, capture
from steelsight.models.classifier import SheetClassifier
from steelsight.models.heads import DirectHead

__all__ = [
    "agree",
    "blur",
    "class_map_contrast",
    "class_map_views",
    "contrast",
    "grad_cam_contrast",
    "grad_cam_layers",
    "grad_cam_scales",
    "grad_cam_views",
    "grad_cam_views_contrast",
    "over_views",
    "positive_unit",
    "stages",
]

Maps = Float[Tensor, "n h w"]
Method = Callable[[nn.Module, Tensor, Tensor], Tensor]

SCALES = (1.0, 1.5, 2.0)  # of the input; the grid grows with it


def positive_unit(maps: Maps) -> Maps:
    """The positive part of each map, scaled to a maximum of 1; a map without a positive value becomes 0."""
    positive = maps.clamp(min=0)
    high = positive.flatten(1).amax(1)[:, None, None]
    return positive / torch.where(high > 0, high, torch.ones_like(high))


def agree(maps: Sequence[Maps], *, sigma: float = 2.0) -> Maps:
    """The geometric mean of the positive parts, each blurred: high only where all maps are.

    sigma   px of the blur; single pixels of two maps would rarely coincide
    """
    logs = torch.stack([positive_unit(blur(each.clamp(min=0), sigma)) for each in maps]).clamp(min=1e-12)
    return logs.log().mean(0).exp()


def over_views(method: Method, model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    """The mean of a method's maps over the four flips of each image, each map flipped back."""
    flips: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))
    flipped = [method(model, images.flip(axes), target).flip([axis - 1 for axis in axes]) for axes in flips]
    return torch.stack(flipped).mean(0)


def grad_cam_scales(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    *,
    layer: str = "features",
    scales: Sequence[float] = SCALES,
) -> Maps:
    """Grad-CAM of the image at several sizes, each map scaled to a maximum of 1, averaged.

    layer   as for `grad_cam`
    scales  factors of the image's height and width

    raises  BadInput where the model takes images of one size only
    """
    if isinstance(model, SheetClassifier) and model.needs_its_size:
        raise BadInput(
            f"model {model.name}: takes images of {model.size[0]}x{model.size[1]} only, so several scales "
            "cannot be shown to it; choose another method"
        )
    return _over_scales(partial(grad_cam, layer=layer), model, images, target, scales)


def class_map_views(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    """The direct head's class map after softmax, 0..1, averaged over sizes and flips.

    raises  BadInput for another head
    """
    return over_views(_class_map_scales, model, images, target)


def class_map_contrast(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    """`class_map_views` times the local contrast."""
    return positive_unit(class_map_views(model, images, target)) * contrast(images)


def _class_map_scales(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    return _over_scales(_class_map, model, images, target, SCALES)


def _class_map(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    if not (isinstance(model, SheetClassifier) and isinstance(model.head, DirectHead)):
        raise BadInput(
            f"class map: expected one of the catalog's models with the direct head, "
            f"got {type(model).__name__}; use Grad-CAM, it takes any"
        )
    with torch.no_grad(), at_rest(model):
        places = model.class_map(images).softmax(1)  # (n, c, gh, gw)
    wanted = places[torch.arange(len(images)), target]
    return upsample(wanted, (images.shape[2], images.shape[3]))


def _over_scales(
    method: Method, model: nn.Module, images: Tensor, target: Tensor, scales: Sequence[float]
) -> Maps:
    height, width = images.shape[2], images.shape[3]
    maps_of_scales = []
    for scale in scales:
        size = (round(height * scale), round(width * scale))
        larger = images if scale == 1 else functional.interpolate(images, size=size, mode="bilinear")
        maps = method(model, larger, target)[:, None]
        small = functional.interpolate(maps, size=(height, width), mode="bilinear", antialias=scale > 1)
        maps_of_scales.append(positive_unit(small[:, 0]))
    return torch.stack(maps_of_scales).mean(0)


def grad_cam_views(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    """`grad_cam_scales` averaged over the four flips: twelve maps of each image."""
    return over_views(grad_cam_scales, model, images, target)


def grad_cam_views_contrast(model: nn.Module, images: Tensor, target: Tensor) -> Maps:
    """`grad_cam_views` times the local contrast, which follows the image's edges."""
    return positive_unit(grad_cam_views(model, images, target)) * contrast(images)


def stages(model: nn.Module, images: Tensor, *, last: int = 3) -> list[str]:
    """Names of the last layers inside `features` that end a stage, each with another grid.

    A row of layers with max poolings among them has a stage before each pooling and after the last one. In
    other networks the coarsest grids count, each at the layer that computes it last.

    images  (n, c, h, w), one of which is run through a network of the second kind
    last    number of layers
    returns names, the deepest last; fewer where there are fewer grids
    raises  BadInput for a model without `features` that compute feature maps
    """
    features = getattr(model, "features", None)
    if isinstance(features, nn.Sequential):
        pools = [place for place, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)]
        if len(pools) >= last - 1:
            ends = sorted({place - 1 for place in pools} | {len(features) - 1})
            return [f"features.{place}" for place in ends if place >= 0][-last:]
    found = _last_of_each_grid(model, features, images[:1]) if isinstance(features, nn.Module) else {}
    if not found:
        raise BadInput(f"{type(model).__name__}: expected `features` that compute feature maps; name layers")
    areas = {grid[0] * grid[1]: name for grid, name in found.items()}
    least = next((area for area, name in areas.items() if name == "features"), 1)  # branches may be coarser
    coarsest = sorted((area for area in areas if area >= least), reverse=True)[-last:]
    return [areas[area] for area in coarsest]


def _last_of_each_grid(model: nn.Module, features: nn.Module, images: Tensor) -> dict[tuple[int, int], str]:
    """For each grid, the name of the module of `features` whose output is computed last on it."""
    found: dict[tuple[int, int], str] = {}

    def see(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4:
            found[(int(output.shape[2]), int(output.shape[3]))] = name

    hooks = [
        module.register_forward_hook(
            lambda _module, _inputs, output, name=f"features.{name}" if name else "features": see(
                name, output
            )
        )
        for name, module in features.named_modules()
    ]
    try:
        with at_rest(model), torch.no_grad():
            model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def grad_cam_layers(
    model: nn.Module, images: Tensor, target: Tensor, *, layers: Sequence[str] | None = None
) -> Maps:
    """LayerCAM of several layers, each map scaled to a maximum of 1, averaged.

    A place counts Σ_k relu(∂y/∂A_k) A_k, since in early layers the mean gradient that Grad-CAM uses does not
    localise.

    layers  None = the ends of the last three stages
    source  Jiang et al. 2021, LayerCAM
    """
    names = list(layers) if layers is not None else stages(model, images)
    size = (images.shape[2], images.shape[3])
    with torch.inference_mode(False), torch.enable_grad(), capture(model, names) as captured:
        logits = model(images.detach())
        chosen = logits.gather(1, target[:, None]).sum()
        taken = [captured.activations[name] for name in names]
        gradients = torch.autograd.grad(chosen, taken, materialize_grads=True)
    maps_of_layers = [
        positive_unit(upsample((gradient.clamp(min=0) * activation.detach()).sum(1), size))
        for gradient, activation in zip(gradients, taken, strict=True)
    ]
    return torch.stack(maps_of_layers).mean(0)


def contrast(images: Tensor, *, sigma: float = 8.0) -> Maps:
    """Absolute difference of each pixel's brightness from its surroundings; depends on no model or class.

    sigma   of the surroundings, px
    """
    gray = images.mean(1)
    return blur((gray - blur(gray, sigma)).abs(), 1.0)


def grad_cam_contrast(
    model: nn.Module, images: Tensor, target: Tensor, *, layer: str = "features", sigma: float = 8.0
) -> Maps:
    """The positive Grad-CAM map times the local contrast: Grad-CAM locates, the contrast adds detail.

    The contrast follows edges finer than the grid; where Grad-CAM is 0 the product is 0.
    """
    return positive_unit(grad_cam(model, images, target, layer=layer)) * contrast(images, sigma=sigma)


def blur(maps: Maps, sigma: float) -> Maps:
    """Gaussian blur with repeated edges; sigma in px, 0 = none."""
    if sigma == 0:
        return maps
    radius = max(1, round(4 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=maps.dtype, device=maps.device)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    weights = weights / weights.sum()
    padded = functional.pad(maps[:, None], (radius, radius, radius, radius), mode="replicate")
    rows = functional.conv2d(padded, weights[None, None, :, None])
    return functional.conv2d(rows, weights[None, None, None])[:, 0]
