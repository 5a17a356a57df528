"""Measures of neurons and their images: linearity of a neuron, similarity and fineness of images.

A picture alone is easily overinterpreted; these figures show what the network supports.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.stats import spearmanr
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
    """Pearson's correlation of every image of one set with every one of another; 0 for a constant image."""
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
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def fine_share(images: Float32[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
    """Share of each image's variance in waves shorter than 8 pixels; NaN for a constant image."""
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
    """Similarity of the linear filters that a neuron applies to different sheets: 1 = always the same filter.

    The network is piecewise linear, so the gradient of a neuron at its strongest place is the filter it
    applies there. This is the mean cosine between these filters, relative to that place, over the `sheets`
    with the highest responses.

    images   those surveyed
    returns  -1..1; NaN where fewer than two sheets have a response above 0
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
                    _in_field(gradient[row], found, int(place)) for row, place in enumerate(places.tolist())
                ]
            agreements.append(_mean_cosine(torch.stack(filters)))
    return np.array(agreements)


def _in_field(gradient: Float[Tensor, "h w"], found: LayerSurvey, place: int) -> Tensor:
    """The gradient in the frame of the receptive field; 0 where padding was."""
    field = found.receptive_field
    if field.whole:
        return gradient
    row, column = divmod(place, found.grid[1])
    top, left = field.start[0] + row * field.step[0], field.start[1] + column * field.step[1]
    frame = torch.zeros(field.size)
    box = field.box((row, column), (gradient.shape[0], gradient.shape[1]))
    frame[box[0] - top : box[2] - top, box[1] - left : box[3] - left] = gradient[
        box[0] : box[2], box[1] : box[3]
    ]
    return frame


def _mean_cosine(filters: Float[Tensor, "s h w"]) -> float:
    flat = torch.nn.functional.normalize(filters.flatten(1).double(), dim=1)
    count = len(flat)
    cosines = flat @ flat.T
    return float((cosines.sum() - cosines.diagonal().sum()) / (count * (count - 1)))
