"""Numbers behind the pictures: how simple a neuron is, and whether two pictures are one.

A picture invites stories; these figures say which of them the network itself bears out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.stats import rankdata
from torch import Tensor

from steelsight.inspection.neurons.survey import LayerSurvey
from steelsight.inspection.neurons.truncated import run_to
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

__all__ = ["filter_agreement", "fine_share", "image_correlation", "rank_correlation"]

FINE = 8.0  # pixels: shorter waves are fine


def image_correlation(
    first: Float32[np.ndarray, "n c h w"], second: Float32[np.ndarray, "m c h w"]
) -> Float[np.ndarray, "n m"]:
    """Pearson's correlation of every image of one set with every one of another; 0 for a flat image."""
    rows = []
    for images in (first, second):
        flat = images.reshape(len(images), -1).astype(np.float64)
        flat -= flat.mean(1, keepdims=True)
        norm = np.linalg.norm(flat, axis=1, keepdims=True)
        rows.append(np.divide(flat, norm, out=np.zeros_like(flat), where=norm > 0))
    correlations: Float[np.ndarray, "n m"] = rows[0] @ rows[1].T
    return correlations


def rank_correlation(first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"]) -> float:
    """Spearman's correlation; NaN where either is constant.

    >>> rank_correlation(np.array([0.0, 1.0, 2.0]), np.array([9.0, 4.0, 1.0]))
    -1.0
    """
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (first, second)]
    scale = float(np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / scale if scale > 0 else float("nan")


def fine_share(images: Float32[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
    """The share of each image's variance in waves shorter than 8 pixels; NaN for a flat image."""
    height, width = images.shape[2:]
    power = np.abs(np.fft.fft2(images.astype(np.float64))) ** 2
    power[..., 0, 0] = 0
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    fine = power[..., frequency > 1 / FINE].sum((1, 2))
    total = power.sum((1, 2, 3))
    shares: Float[np.ndarray, " n"] = np.full(len(images), np.nan)
    np.divide(fine, total, out=shares, where=total > 0)
    return shares


def filter_agreement(
    model: SheetClassifier,
    found: LayerSurvey,
    channels: Sequence[int],
    images: GrayBatch,
    *,
    sheets: int = 9,
    batch: int = 16,
) -> Float[np.ndarray, " k"]:
    """How far each neuron is one linear filter: 1 = it weighs its surroundings alike on every sheet.

    The network is linear piece by piece, so the gradient of a neuron at its strongest place is the filter it
    applies there. This is the mean cosine between these filters over the `sheets` that excite it most, each
    seen from that place.

    images   those surveyed
    returns  -1..1; NaN where fewer than two sheets excite the neuron
    """
    agreements = []
    with run_to(model, found.layer) as run, torch.inference_mode(False), torch.enable_grad():
        for channel in channels:
            order = np.argsort(-found.maxima[:, channel], kind="stable")[:sheets]
            rows = order[found.maxima[order, channel] > 0]
            if rows.size < 2:
                agreements.append(float("nan"))
                continue
            filters = []
            for begin in range(0, rows.size, batch):
                some = rows[begin : begin + batch]
                leaf = to_input(torch.from_numpy(np.array(images[some]))).requires_grad_()
                output = run(leaf)
                flat = output.flatten(2) if output.ndim == 4 else output.unsqueeze(2)
                places = torch.from_numpy(found.places[some, channel].astype(np.int64))
                value = flat[torch.arange(len(some)), channel, places].sum()
                gradient = torch.autograd.grad(value, leaf)[0].sum(1)  # gray moves all three channels
                filters += [
                    _seen_from(gradient[row], found, int(place)) for row, place in enumerate(places.tolist())
                ]
            agreements.append(_mean_cosine(torch.stack(filters)))
    return np.array(agreements)


def _seen_from(gradient: Float[Tensor, "h w"], found: LayerSurvey, place: int) -> Tensor:
    """The gradient in the frame of its box; where padding stood, 0."""
    reach = found.reach
    if reach.whole:
        return gradient
    row, column = divmod(place, found.grid[1])
    top, left = reach.start[0] + row * reach.step[0], reach.start[1] + column * reach.step[1]
    frame = torch.zeros(reach.size)
    box = reach.box((row, column), (gradient.shape[0], gradient.shape[1]))
    frame[box[0] - top : box[2] - top, box[1] - left : box[3] - left] = gradient[
        box[0] : box[2], box[1] : box[3]
    ]
    return frame


def _mean_cosine(filters: Float[Tensor, "s h w"]) -> float:
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    count = len(flat)
    cosines = flat @ flat.T
    return float((cosines.sum() - cosines.diagonal().sum()) / (count * (count - 1)))
