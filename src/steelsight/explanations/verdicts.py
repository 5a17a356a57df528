"""Verdict, probabilities and explanation maps of sheets, as numbers; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from steelsight.errors import BadRecipe
from steelsight.evaluation.abstention.thresholds import answered, present_confidence, present_types
from steelsight.explanations.catalog import find_method
from steelsight.explanations.gradcam import grad_cam_all, upsample
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, GrayImage

__all__ = ["Explanation", "explain_images", "find_classes"]


@dataclass(frozen=True)
class Explanation:
    """Verdict and signed maps of the target classes of one sheet."""

    verdict: str  # class names joined by " + ", or that of no defect; "unsure: " first below the threshold
    confidence: float  # probability that the verdict is right; multilabel: of its least certain part
    probabilities: Float[np.ndarray, " c"]
    targets: tuple[int, ...]
    maps: Float32[np.ndarray, "k h w"]  # of the targets, at model size
    temperature: float  # divided the logits before the probabilities; 1 = the run is not calibrated


def explain_images(
    model: SheetClassifier,
    card: Card,
    images: Sequence[GrayImage] | GrayBatch,
    *,
    targets: Sequence[int] | None = None,
    method: str = "gradcam",
    batch: int = 16,
) -> list[Explanation]:
    """Verdict and maps of gray sheets.

    images  gray sheets of the card's input size
    targets class indices to map; None = all
    method  a key of explanations.catalog.METHODS; raises BadRecipe for another
    """
    chosen = tuple(range(len(card.class_names))) if targets is None else tuple(targets)
    explained = []
    for start in range(0, len(images), batch):
        gray = torch.from_numpy(np.stack(list(images[start : start + batch])))
        logits, maps = _logits_and_maps(model, to_input(gray), chosen, method)
        for row, sheet_maps in zip(_probabilities(logits, card), maps, strict=True):
            verdict, confidence = _verdict(row, card)
            explained.append(
                Explanation(verdict, confidence, row, chosen, sheet_maps.numpy(), card.temperature or 1.0)
            )
    return explained


def _logits_and_maps(
    model: SheetClassifier, images: Tensor, targets: tuple[int, ...], method: str
) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n k h w"]]:
    """Logits, and each target's maps at the images' size; Grad-CAM of all classes takes one forward pass."""
    logits, grids = grad_cam_all(model, images)
    if method == "gradcam":
        return logits, upsample(grids[:, list(targets)], (images.shape[2], images.shape[3]))
    explain = find_method(method).explain
    return logits, torch.stack([explain(model, images, target) for target in targets], 1)


def find_classes(names: Sequence[str], card: Card) -> list[int]:
    """Class indices from names, or from numbers where no class is called so; raises BadRecipe."""
    found = []
    for name in names:
        if name in card.class_names:
            found.append(card.class_names.index(name))
        elif name.isdecimal() and int(name) < len(card.class_names):
            found.append(int(name))
        else:
            known = ", ".join(card.class_names)
            raise BadRecipe(f"target: expected one of {known}, or its number from 0, got {name!r}")
    return found


def _probabilities(logits: Tensor, card: Card) -> Float[np.ndarray, "n c"]:
    scaled = logits.double() / (card.temperature or 1.0)
    squashed = scaled.sigmoid() if card.task == "multilabel" else scaled.softmax(1)
    probabilities: Float[np.ndarray, "n c"] = squashed.numpy()
    return probabilities


def _verdict(probabilities: Float[np.ndarray, " c"], card: Card) -> tuple[str, float]:
    """Verdict and confidence."""
    if card.task == "multilabel":
        present = present_types(probabilities[None], card.threshold)
        named = " + ".join(card.class_names[index] for index in np.flatnonzero(present[0]))
        return named or card.no_defect, float(present_confidence(probabilities[None], present)[0])
    best = int(probabilities.argmax())
    confidence = probabilities[best : best + 1]
    unsure = "" if answered(confidence, card.threshold)[0] else "unsure: "
    return unsure + card.class_names[best], float(confidence[0])
