"""Shares of a heatmap that lie on the defect and on each kind of nuisance, and the shares by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy import ndimage

from steelsight.counterfactuals.nuisances.properties import find_dots
from steelsight.counterfactuals.nuisances.sheet_ends import find_end
from steelsight.counterfactuals.nuisances.stains import find_stain
from steelsight.explanations.gradcam import upsample
from steelsight.types import GrayImage, Mask

__all__ = ["REGIONS", "find_regions", "reason_shares"]

RIM_PX = 8  # of steel beside the black, on sheets 64 pixels high: the maps' resolution
HALO_PX = 3

REGIONS: Final[Mapping[str, str]] = {
    "defect": "the annotated defect",
    "end": "a sheet end and the steel beside it",
    "stain": "white stains",
    "dots": "small dark places",
}


def find_regions(gray: GrayImage, defect: Mask) -> dict[str, Mask]:
    """Locate each of REGIONS on a sheet; pixels of the defect belong to no other region.

    defect   (h, w)
    returns  one (h, w) mask per key of REGIONS
    """
    unit = gray.shape[0] / 64
    end = find_end(gray)
    black = end.mask(gray.shape[0])
    rim = black.copy()
    reach = max(1, round(RIM_PX * unit))
    if end.left_px:
        rim[:, end.left_px : end.left_px + reach] = True
    if end.right_px:
        rim[:, max(0, end.steel[1] - reach) : end.steel[1]] = True
    free = ~defect
    halo = max(1, round(HALO_PX * unit))
    small = {"stain": find_stain(gray, keep_off=defect), "dots": find_dots(gray, free & ~black)}
    grown = {
        name: ndimage.binary_dilation(mask, iterations=halo) if mask.any() else mask
        for name, mask in small.items()
    }
    return {"defect": defect, "end": rim & free, **{name: mask & free for name, mask in grown.items()}}


def reason_shares(
    coarse: Float32[np.ndarray, "gh gw"], regions: Mapping[str, Mask]
) -> dict[str, tuple[float, float]]:
    """Compute for each region its share of the map's positive part, and its share of the sheet's area.

    coarse   (gh, gw) signed heatmap on the grid of the features
    returns  shares 0..1; NaN for the first where the map is nowhere above 0
    """
    shape = next(iter(regions.values())).shape
    large = upsample(torch.from_numpy(np.ascontiguousarray(coarse)), (shape[0], shape[1])).numpy()
    positive: Float[np.ndarray, "h w"] = np.maximum(large, 0).astype(np.float64)
    total = float(positive.sum())
    return {
        name: (float(positive[mask].sum()) / total if total > 0 else float("nan"), float(mask.mean()))
        for name, mask in regions.items()
    }
