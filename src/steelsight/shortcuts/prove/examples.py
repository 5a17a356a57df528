"""Example sheets of a proof: unchanged, pasted and control, with Grad-CAM of every class (slides' figure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.pasting.counterfactual import PasteLogits
from steelsight.counterfactuals.proof import ShortcutProof
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.explanations.gradcam import grad_cam_all, upsample
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.reports.figures.shortcut.proof import VersionPanel
from steelsight.training.report.scores import probabilities_of
from steelsight.types import GrayBatch, Logits, Mask

__all__ = ["Example", "choose_examples"]


@dataclass(frozen=True)
class Example:
    """One sheet unchanged, with the nuisance, and with the control."""

    title: str
    mask: Mask
    versions: tuple[VersionPanel, ...]
    class_names: tuple[str, ...]
    pixel_aspect: float = 1.0  # width : height of a pixel on the original image


def choose_examples(
    model: SheetClassifier, sheets: ProofSheets, proof: ShortcutProof, *, count: int = 3
) -> list[Example]:
    """Choose the sheets with the largest shift of the margin by a paste.

    Sheets whose verdict flips, and whose control's verdict does not, come first. One sheet of every class
    comes before second ones.
    sheets   the sheets of the proof
    count    largest number of examples
    returns  an empty list where nothing was pasted
    """
    outputs = proof.outputs
    if outputs is None:
        return []
    target = sheets.class_names.index(proof.suspected_class)
    flipped = (outputs.after.argmax(1) == target) & (outputs.control.argmax(1) != target)
    shift = class_margin(outputs.after, target) - class_margin(outputs.control, target)
    order = np.lexsort((-shift, ~flipped))
    labels = sheets.labels[outputs.rows]
    first = [next(i for i in order if labels[i] == label) for label in dict.fromkeys(labels[order].tolist())]
    chosen = list(dict.fromkeys([*sorted(first, key=order.tolist().index), *order.tolist()]))[:count]
    return [_example(model, sheets, proof, outputs, int(i)) for i in chosen]


def _example(
    model: SheetClassifier, sheets: ProofSheets, proof: ShortcutProof, outputs: PasteLogits, number: int
) -> Example:
    row = int(outputs.rows[number])
    pictures = np.stack([np.asarray(sheets.images[row]), outputs.pasted[number], outputs.controls[number]])
    logits = np.stack([outputs.before[number], outputs.after[number], outputs.control[number]])
    names = ("unchanged", f"with {proof.nuisance}", "control")
    maps = _maps(model, pictures)
    versions = tuple(
        VersionPanel(gray, heat, f"{name}: {_verdict(logit[None], sheets.class_names)}")
        for gray, heat, name, logit in zip(pictures, maps, names, logits, strict=True)
    )
    title = f"{sheets.ids[row]}, labelled {sheets.class_names[int(sheets.labels[row])]}"
    return Example(title, sheets.defect(row), versions, sheets.class_names, sheets.pixel_aspect(row))


def _maps(model: SheetClassifier, pictures: GrayBatch) -> Float32[np.ndarray, "n c h w"]:
    device = next(model.parameters()).device
    explained = grad_cam_all(model, to_input(torch.from_numpy(pictures).to(device)))
    large = upsample(explained.maps, (pictures.shape[1], pictures.shape[2]))
    return large.float().cpu().numpy()


def _verdict(logits: Logits, names: Sequence[str]) -> str:
    shares = probabilities_of(logits, "multiclass")[0]
    best = int(shares.argmax())
    return f"{names[best]} {shares[best]:.3f}"
