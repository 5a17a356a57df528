"""From samples of one sheet to LIME's coefficients: an emulator as a control variate.

coefficients = k · coefficients of the emulator + coefficients of its residual. The residual is measured on
samples the emulator was not fitted to, and shrunk by its noise: with more samples less weight is left to the
emulator, and in the limit the coefficients are the reference's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import spearmanr
from torch import Tensor

from steelsight.explanations.lime.emulator import fit_emulator
from steelsight.explanations.lime.masking import MaskedPredictor
from steelsight.explanations.lime.sampling import ReferenceSamples, shown_distribution

__all__ = ["Surrogate", "SurrogateFit", "explained_variance", "ridge_coefficients"]

Segments = Int[np.ndarray, "h w"]


class SurrogateFit(NamedTuple):
    """Coefficients of s superpixels, and how well the emulator describes the network."""

    coefficients: Float[Tensor, " s"]  # 0 where the logits are constant
    emulator_r2: float  # share of the logits' variance it predicts on left-out samples; NaN if constant


class Surrogate:
    """Fits coefficients of one sheet to samples of it.

    predictor  the network on masked versions of the sheet
    segments   superpixel of every pixel
    reference  samples on which the emulator is evaluated
    memory_mb  cap on additional memory
    """

    def __init__(
        self, predictor: MaskedPredictor, segments: Segments, reference: ReferenceSamples, memory_mb: float
    ) -> None:
        self.predictor, self.segments = predictor, segments
        self.reference, self.memory_mb = reference, memory_mb
        count = int(segments.max()) + 1
        self.shown = float(shown_distribution(count) @ np.arange(count + 1)) / count

    def fit(self, masks: Float[Tensor, "s m"], values: Float[Tensor, "m p"]) -> SurrogateFit:
        """Coefficients from the class maps of m samples, one a column of masks."""
        pool = self.predictor.pool
        logits = pool(values)
        if _is_constant(logits):
            return SurrogateFit(torch.zeros(len(masks), dtype=torch.float64), float("nan"))
        emulator, left_out = fit_emulator(
            masks, values, self.segments, self.predictor.grid, self.shown, self.memory_mb
        )
        if self.predictor.linear:
            emulator, pool = emulator.averaged(), _single_place
        rows = max(1, int(self.memory_mb * 2**20 / (4 * 4 * sum(emulator.weight.shape))))
        parts = torch.split(self.reference.masks, rows, 1)
        emulated = torch.cat([pool(emulator.predict(part)) for part in parts])
        left_out_logits = self.predictor.pool(left_out)
        slope = _slope(left_out_logits, logits)
        residual = logits - slope * left_out_logits
        coefficients = slope * self.reference.regress(emulated) + ridge_coefficients(masks, residual)
        return SurrogateFit(coefficients, 1 - float(residual.var() / logits.var()))

    def stability(self, masks: Tensor, values: Tensor) -> float:
        """Spearman correlation of the coefficients of two halves of the samples; NaN if constant.

        Samples come in complementary pairs, which stay together.
        """
        half = len(values) // 4 * 2
        if half < 4:
            return float("nan")
        first = self.fit(masks[:, :half], values[:half]).coefficients.numpy()
        second = self.fit(masks[:, half:], values[half:]).coefficients.numpy()
        if np.ptp(first) == 0 or np.ptp(second) == 0:
            return float("nan")
        return float(spearmanr(first, second).statistic)


def _slope(emulated: Float[Tensor, " m"], logits: Float[Tensor, " m"]) -> float:
    """Slope of the least-squares line of the logits on the emulated logits; 0 where these are constant."""
    centred = emulated - emulated.mean()
    spread = float(centred.square().sum())
    return float(centred @ (logits - logits.mean())) / spread if spread > 0 else 0.0


def ridge_coefficients(masks: Float[Tensor, "s m"], residual: Float[Tensor, " m"]) -> Float[Tensor, " s"]:
    """Ridge regression with the penalty of greatest evidence (MacKay 1992); 0 where only noise is left."""
    centred = masks - masks.mean(1, keepdim=True)
    target = residual - residual.mean()
    squares, axes = torch.linalg.eigh(centred @ centred.T)
    squares, axes = squares[squares > 1e-9 * squares[-1]], axes[:, squares > 1e-9 * squares[-1]]
    projections = axes.T @ (centred @ target)  # √λ · u
    power = projections.square() / squares
    # Prior variance over noise variance, one a row.
    ratios = torch.cat([torch.zeros(1), torch.logspace(-5, 2, 29)]).double()[:, None]
    widths = 1 + ratios * squares
    noise = (target.square().sum() - power.sum() + (power / widths).sum(1)).clamp(min=1e-300)
    evidence = -(len(target) - 1) * noise.log() - widths.log().sum(1)
    ratio = ratios[evidence.argmax()]
    coefficients: Tensor = axes @ (ratio * projections / (1 + ratio * squares))
    return coefficients


def explained_variance(masks: Tensor, logits: Tensor, coefficients: Tensor) -> float:
    """Share of the logits' variance that the coefficients explain, R²; NaN if constant.

    Samples are drawn in proportion to their weights, so they count alike here.
    """
    if _is_constant(logits):
        return float("nan")
    left = logits - coefficients @ masks
    return 1 - float(left.var() / logits.var())


def _is_constant(logits: Tensor) -> bool:
    return float((logits - logits.mean()).square().sum()) <= 1e-18 * max(1.0, float(logits.square().sum()))


def _single_place(values: Tensor) -> Tensor:
    return values[:, 0]
