"""Pastes masked defects of rare classes on defect-free sheets, at their original position.

The gray levels of a defect are shifted by the difference of the two surfaces around it, and the seam is
blurred, so that an edge in brightness does not become a feature of the class.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int, UInt8
from scipy.ndimage import binary_dilation, gaussian_filter

from steelsight.errors import BadRecipe
from steelsight.training.dataset import TrainingData
from steelsight.training.imbalance.copies import CopiedData, append_sheets, class_counts
from steelsight.types import GrayBatch, GrayImage

__all__ = ["lay", "paste_defects"]

MARGIN_PX, SEAM_PX = 3, 1.0
RING_PX = 6  # width of the ring around the mask where the two surfaces are compared


def paste_defects(data: TrainingData, to_share: float, rng: np.random.Generator) -> CopiedData:
    """Raise every defect class to a share of the training sheets by pasting.

    data    with masks, and targets of one class a sheet
    to_share  of the training sheets as they were, above 0
    returns   classes without a known mask stay as they are
    raises    BadRecipe without masks, without clean training sheets, or for multilabel targets
    """
    if data.targets.ndim != 1:
        raise BadRecipe("paste.to_share: expected one class a sheet; set it to 0 for task = multilabel")
    counts = class_counts(data)
    of_clean = (
        np.zeros(data.train.size, bool) if data.clean is None else data.targets[data.train] == data.clean
    )
    clean = data.train[of_clean]
    if data.masks is None or data.clean is None or not clean.size:
        raise BadRecipe(
            "paste.to_share: expected masks and defect-free training sheets to paste on, "
            f"got {'no masks' if data.masks is None else 'no defect-free sheet'}; set it to 0"
        )
    due = np.maximum(0, round(to_share * data.train.size) - counts)
    due[data.clean] = 0
    sources: list[Int[np.ndarray, " m"]] = []
    for kind in np.flatnonzero(due):
        known = np.array(
            [i for i in data.train.tolist() if data.targets[i] == kind and data.masks.known[i]],
            dtype=np.int64,
        )
        due[kind] = due[kind] if known.size else 0
        if known.size:
            sources.append(rng.choice(known, due[kind]))
    like = np.concatenate([np.empty(0, dtype=np.int64), *sources])
    onto = rng.choice(clean, like.size)
    flips = rng.integers(0, 2, (2, like.size)).astype(bool)
    images, shares = _lay_all(data.images, data.masks.shares, like, onto, flips)
    return CopiedData(append_sheets(data, images, like, shares), due, 0.0)


def lay(sheet: GrayImage, defect: GrayImage, share: GrayImage) -> GrayImage:
    """Paste the masked part of one sheet on another.

    share  (h, w) covered share of each pixel times 255
    """
    mask = share > 0
    weight = gaussian_filter(binary_dilation(mask, iterations=MARGIN_PX).astype(np.float64), SEAM_PX)
    ring = binary_dilation(mask, iterations=MARGIN_PX + RING_PX) & ~binary_dilation(
        mask, iterations=MARGIN_PX
    )
    shift = sheet[ring].mean() - defect[ring].mean() if ring.any() else 0.0
    mixed = sheet * (1 - weight) + (defect + shift) * weight
    laid: GrayImage = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return laid


def _lay_all(
    images: GrayBatch,
    shares: GrayBatch,
    like: Int[np.ndarray, " m"],
    onto: Int[np.ndarray, " m"],
    flips: Bool[np.ndarray, "2 m"],
) -> tuple[UInt8[np.ndarray, "m h w"], UInt8[np.ndarray, "m h w"]]:
    height, width = images.shape[1:]
    laid = np.empty((like.size, height, width), dtype=np.uint8)
    masks = np.empty_like(laid)
    for row, (source, sheet) in enumerate(zip(like.tolist(), onto.tolist(), strict=True)):
        steps = tuple(-1 if flipped else 1 for flipped in flips[:, row])
        view = (slice(None, None, steps[0]), slice(None, None, steps[1]))
        masks[row] = shares[source][view]
        laid[row] = lay(images[sheet], images[source][view], masks[row])
    return laid, masks
