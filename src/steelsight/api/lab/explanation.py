"""`ss.explain`: signed maps of what a verdict is based on, for any torch module, a RUN or a BUNDLE."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float, Int

from steelsight.api.lab.run import Run
from steelsight.argument_types import annotated_type, checked, describe_type, fits, got
from steelsight.errors import BadImage, BadInput, BadRecipe, SteelsightError, is_out_of_memory
from steelsight.types import GrayBatch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from steelsight.api.results.explanations import ExplanationResult
    from steelsight.runtime.engine.inspector import Inspector
    from steelsight.types import InputSpec

__all__ = ["explain"]

GRADCAM: Final = "gradcam"
Images = Any  # see `explain`
Target = Any  # see `explain`


@checked
def explain(
    model: nn.Module | Run | Inspector | Path | str,
    images: Images,
    *,
    method: str = GRADCAM,
    target: Target = None,
    class_names: Sequence[str] | None = None,
    **settings: Any,
) -> ExplanationResult:
    """Explain the logit of one class on each image.

    model        a torch module whose output is (n, classes); a Run, or the path of a RUN; an Inspector as
                 `load` gives it, or the path or name of a BUNDLE
    images       for a torch module float32 (n, channels, h, w) in its own units, a tensor or an array; else
                 paths, bytes of image files, or gray uint8 arrays (h, w) of any size; one, or a sequence
    method       a key of explanations.catalog.METHODS; of a bundle gradcam, which its graph holds
    target       class index or, but for a torch module without `class_names`, name: one for all images, or
                 one for each; None = the class of the verdict
    class_names  of a torch module; None = its class indices
    settings     of the method, such as layer="layer4" of Grad-CAM, which a torch module without a part named
                 `features` needs, or samples=200 of LIME
    returns      maps (n, h, w) float32, unscaled: positive speaks for the class, negative against it
    raises       BadInput for another type, shape or target; BadImage where an image cannot be read; BadRecipe
                 for an unknown method; UnknownLayer, listing the layers that exist
    """
    opened = _opened(model)
    if isinstance(opened, Run):
        return _explain_run(opened, _sequence(images), method, target, settings)
    if _is_inspector(opened):
        return _explain_bundle(opened, _sequence(images), method, target, settings)
    return _explain_module(opened, images, method, target, class_names, settings)


def _opened(model: Any) -> Any:
    """A Run or an Inspector of a path; anything else as it is."""
    if not isinstance(model, str | Path):
        return model
    folder = Path(model)
    if (folder / "model.safetensors").is_file():
        return Run(folder)
    from steelsight.runtime.engine.inspector import load

    return load(folder)


def _is_inspector(model: Any) -> bool:
    from steelsight.runtime.engine.inspector import Inspector

    return isinstance(model, Inspector)


def _explain_module(
    model: Any,
    images: Images,
    method: str,
    target: Target,
    class_names: Sequence[str] | None,
    settings: dict[str, Any],
) -> ExplanationResult:
    from torch import nn

    from steelsight.explanations.targets import check_images

    if not isinstance(model, nn.Module):
        raise BadInput(
            f"explain: expected a torch module, a Run, an Inspector or a path, got {type(model).__name__}"
        )
    batch = _batch(images)
    check_images(batch, "explain")
    if any(each.is_inference() for each in model.parameters()):
        raise BadInput(
            "explain: expected a module with gradients, got one made inside torch.inference_mode(); "
            "make or load it outside of it"
        )
    maps, targets, logits = _maps(model, batch, method, target, class_names, settings)
    from steelsight.api.results.explanations import ExplanationResult

    return ExplanationResult(
        images=_shown(batch),
        maps=maps,
        targets=targets,
        logits=logits,
        probabilities=None,
        class_names=tuple(map(str, range(logits.shape[1])) if class_names is None else class_names),
        method=method,
        names=tuple(f"image {row}" for row in range(len(batch))),
    )


def _explain_run(
    run: Run, images: Sequence[Any], method: str, target: Target, settings: dict[str, Any]
) -> ExplanationResult:
    import torch

    from steelsight.api.results.explanations import ExplanationResult
    from steelsight.models.checkpoint import load_checkpoint
    from steelsight.models.inputs import to_input

    model, card = load_checkpoint(run.folder)
    model.refuse_patches(str(run.folder))
    gray, names = _read(images, card.input)
    batch = to_input(torch.from_numpy(gray))
    maps, targets, logits = _maps(model, batch, method, target, card.class_names, settings)
    return ExplanationResult(
        images=gray,
        maps=maps,
        targets=targets,
        logits=logits,
        probabilities=_probabilities(logits, card.task, card.temperature),
        class_names=card.class_names,
        method=method,
        names=names,
    )


def _explain_bundle(
    inspector: Inspector, images: Sequence[Any], method: str, target: Target, settings: dict[str, Any]
) -> ExplanationResult:
    from steelsight.api.results.explanations import ExplanationResult
    from steelsight.runtime.engine.regions import upsample

    if method != GRADCAM or settings:
        given = method if method != GRADCAM else f"the settings {', '.join(settings)}"
        raise BadRecipe(
            f"explain: expected {GRADCAM} without settings for a bundle, whose graph holds it, got {given}; "
            "explain the RUN that it was exported from"
        )
    card = inspector.bundle.card
    gray, names = _read(images, card.input)
    outputs = inspector.engine(gray)
    targets = _targets(target, outputs.logits, card.class_names)
    size = (card.input.height, card.input.width)
    maps = [upsample(outputs.maps[row, kind], size) for row, kind in enumerate(targets.tolist())]
    return ExplanationResult(
        images=gray,
        maps=np.stack(maps).astype(np.float32),
        targets=targets,
        logits=outputs.logits,
        probabilities=_probabilities(outputs.logits, card.task, card.temperature),
        class_names=card.class_names,
        method=method,
        names=names,
    )


def _maps(
    model: nn.Module,
    batch: Tensor,
    method: str,
    target: Target,
    class_names: Sequence[str] | None,
    settings: dict[str, Any],
) -> tuple[Float[np.ndarray, "n h w"], Int[np.ndarray, " n"], Float[np.ndarray, "n c"]]:
    """Maps, targets and logits of images in the model's own units."""
    import torch

    from steelsight.explanations.catalog import find_method
    from steelsight.explanations.targets import check_logits
    from steelsight.models.capture import at_rest

    chosen: Callable[..., Tensor] = find_method(method).explain
    _check_settings(method, chosen, settings)
    with torch.no_grad(), at_rest(model):
        logits = _answer(model, batch)
    check_logits(logits, len(batch), "explain")
    scores = logits.cpu().float().numpy()
    if not np.isfinite(scores).all():
        row = int(np.flatnonzero(~np.isfinite(scores).all(axis=1))[0])
        raise BadInput(f"explain: expected finite logits, got NaN or infinity for image {row}")
    if class_names is not None and len(class_names) != scores.shape[1]:
        raise BadInput(
            f"class_names: expected {scores.shape[1]}, one a class of the model, got {len(class_names)}"
        )
    targets = _targets(target, scores, class_names)
    maps = chosen(model, batch, torch.from_numpy(targets).to(batch.device), **settings)
    return maps.detach().cpu().numpy().astype(np.float32), targets, scores


def _answer(model: nn.Module, batch: Tensor) -> Any:
    """The output of a model; raises BadInput where the model does not take the images."""
    try:
        return model(batch)
    except SteelsightError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise BadInput(
            f"explain: expected a model that takes {batch.dtype} images of shape {tuple(batch.shape)}, got "
            f"{type(error).__name__}: {str(error).partition(chr(10))[0]:.200}; give it images as "
            "it takes them, or make it float32 with model.float()"
        ) from error


def _batch(images: Images) -> Tensor:
    """Images of a torch module as a tensor; raises BadInput for what is no array of numbers."""
    import torch

    if isinstance(images, torch.Tensor):
        return images
    try:
        return torch.from_numpy(np.asarray(images))
    except (TypeError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"explain: expected float32 images of shape (n, channels, h, w) for a torch module, "
            f"got {type(images).__name__}; give a tensor or an array"
        ) from error


def _check_settings(method: str, explain: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Refuse settings that a method does not have, or of another type; raises BadRecipe."""
    known = dict(list(inspect.signature(explain).parameters.items())[3:])  # after model, images, target
    for name, value in settings.items():
        if name not in known:
            have = f"one of {', '.join(known)}" if known else "no settings"
            raise BadRecipe(f"explain: expected {have} for {method}, got the setting {name}")
        kind = annotated_type(known[name], explain)
        if not fits(value, kind):
            raise BadRecipe(f"{name}: expected {describe_type(kind)}, got {got(value)}")


def _targets(
    target: Target, logits: Float[np.ndarray, "n c"], class_names: Sequence[str] | None
) -> Int[np.ndarray, " n"]:
    """One class index an image; raises BadInput for a class that does not exist, or another number."""
    count, classes = logits.shape
    if target is None:
        verdicts: Int[np.ndarray, " n"] = logits.argmax(axis=1).astype(np.int64)
        return verdicts
    plain = target.tolist() if hasattr(target, "tolist") else target  # arrays and tensors
    given = list(plain) if isinstance(plain, list | tuple) else [plain] * count
    if len(given) != count:
        raise BadInput(f"target: expected one class, or {count}, one an image, got {len(given)}")
    return np.array([_class_index(each, classes, class_names) for each in given], dtype=np.int64)


def _class_index(given: Any, classes: int, class_names: Sequence[str] | None) -> int:
    if isinstance(given, str) and class_names is not None and given in class_names:
        return list(class_names).index(given)
    if fits(given, int) and 0 <= given < classes:
        return int(given)
    known = f" or one of {', '.join(class_names)}" if class_names is not None else ""
    raise BadInput(f"target: expected a class index from 0 to {classes - 1}{known}, got {given!r:.60}")


def _sequence(images: Images) -> Sequence[Any]:
    """One image as a sequence of one."""
    single = isinstance(images, str | Path | bytes) or (isinstance(images, np.ndarray) and images.ndim == 2)
    return [images] if single else list(images)


def _read(images: Sequence[Any], spec: InputSpec) -> tuple[GrayBatch, tuple[str, ...]]:
    """Images at the model's size, with names; raises BadImage for the first that cannot be read."""
    from steelsight.runtime.engine.reading import read_image

    if len(images) == 0:
        raise BadInput("explain: expected at least one image, got none")
    read, names = [], []
    for row, image in enumerate(images):
        found = read_image(image, spec)
        name = Path(image).name if isinstance(image, str | Path) else f"image {row}"
        if found.gray is None:
            raise BadImage(found.detail)
        read.append(found.gray)
        names.append(name)
    return np.stack(read), tuple(names)


def _probabilities(
    logits: Float[np.ndarray, "n c"], task: str, temperature: float | None
) -> Float[np.ndarray, "n c"]:
    from steelsight.evaluation.probabilities import sigmoid, softmax

    scaled = logits.astype(np.float64) / (temperature or 1.0)
    return sigmoid(scaled) if task == "multilabel" else softmax(scaled)


def _shown(batch: Tensor) -> GrayBatch:
    """Images in a network's own units as gray bytes for figures: the mean of channels, each to full range."""
    gray = batch.detach().float().mean(dim=1).cpu().numpy()
    low = gray.min(axis=(1, 2), keepdims=True)
    spread = np.maximum(gray.max(axis=(1, 2), keepdims=True) - low, 1e-12)
    shown: GrayBatch = np.rint(255 * (gray - low) / spread).astype(np.uint8)
    return shown
