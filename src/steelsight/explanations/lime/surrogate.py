"""From samples of one sheet to LIME's coefficients: an emulator's, corrected by what it missed.

The emulator stands in as a control variate: coefficients = k · the emulator's + those of what it misses. What
it misses is measured on samples it was not fitted to, and counts as far as it stands out of the noise, so the
more samples, the less is left to the emulator, and in the limit the reference's coefficients remain.
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
from steelsight.explanations.lime.sampling import ReferenceSamples, show_chances

__all__ = ["Surrogate", "SurrogateFit", "explained"]

Segments = Int[np.ndarray, "h w"]


class SurrogateFit(NamedTuple):
    """Coefficients, and what the emulator was worth."""

    coefficients: Float[Tensor, " s"]  # 0 where the answers are constant
    foreseen: float  # share of the answers' variance that it foresees where left out; NaN if constant


class Surrogate:
    """From samples of one sheet to coefficients."""

    def __init__(
        self, questions: MaskedPredictor, cut: Segments, coins: ReferenceSamples, memory_mb: float
    ) -> None:
        self.questions, self.cut, self.coins, self.memory_mb = questions, cut, coins, memory_mb
        pieces = int(cut.max()) + 1
        self.shown = float(show_chances(pieces) @ np.arange(pieces + 1)) / pieces

    def fit(self, masks: Float[Tensor, "s m"], values: Float[Tensor, "m p"]) -> SurrogateFit:
        """Coefficients from the answers to sets of shown superpixels."""
        pool = self.questions.pool
        answers = pool(values)
        if _is_constant(answers):
            return SurrogateFit(torch.zeros(len(masks), dtype=torch.float64), float("nan"))
        emulator, left_out = fit_emulator(
            masks, values, self.cut, self.questions.grid, self.shown, self.memory_mb
        )
        if self.questions.linear:
            emulator, pool = emulator.averaged(), _only
        rows = max(1, int(self.memory_mb * 2**20 / (4 * 4 * sum(emulator.weight.shape))))
        told = torch.cat([pool(emulator.predict(part)) for part in torch.split(self.coins.masks, rows, 1)])
        believed = self.questions.pool(left_out)
        slope = _slope(believed, answers)
        missed = answers - slope * believed
        coefficients = slope * self.coins.regress(told) + _shrunken(masks, missed)
        return SurrogateFit(coefficients, 1 - float(missed.var() / answers.var()))

    def stability(self, masks: Tensor, values: Tensor) -> float:
        """Spearman of the rankings of two halves; whole pairs stay together."""
        half = len(values) // 4 * 2
        if half < 4:
            return float("nan")
        first = self.fit(masks[:, :half], values[:half]).coefficients.numpy()
        second = self.fit(masks[:, half:], values[half:]).coefficients.numpy()
        if np.ptp(first) == 0 or np.ptp(second) == 0:
            return float("nan")
        return float(spearmanr(first, second).statistic)


def _slope(told: Float[Tensor, " m"], answers: Float[Tensor, " m"]) -> float:
    """How far the answers follow what was told of them."""
    about = told - told.mean()
    spread = float(about.square().sum())
    return float(about @ (answers - answers.mean())) / spread if spread > 0 else 0.0


def _shrunken(masks: Float[Tensor, "s m"], missed: Float[Tensor, " m"]) -> Float[Tensor, " s"]:
    """Ridge regression with the likeliest penalty (MacKay 1992); all 0 where only noise was missed."""
    about = masks - masks.mean(1, keepdim=True)
    wanted = missed - missed.mean()
    squares, axes = torch.linalg.eigh(about @ about.T)
    squares, axes = squares[squares > 1e-9 * squares[-1]], axes[:, squares > 1e-9 * squares[-1]]
    along = axes.T @ (about @ wanted)  # √λ · u
    power = along.square() / squares
    trusts = torch.cat([torch.zeros(1), torch.logspace(-5, 2, 29)]).double()[
        :, None
    ]  # prior over noise variance
    widths = 1 + trusts * squares
    noise = (wanted.square().sum() - power.sum() + (power / widths).sum(1)).clamp(min=1e-300)
    likely = -(len(wanted) - 1) * noise.log() - widths.log().sum(1)
    trust = trusts[likely.argmax()]
    found: Tensor = axes @ (trust * along / (1 + trust * squares))
    return found


def explained(masks: Tensor, answers: Tensor, coefficients: Tensor) -> float:
    """Share of variance explained; the samples are distributed as the weights have it."""
    if _is_constant(answers):
        return float("nan")
    left = answers - coefficients @ masks
    return 1 - float(left.var() / answers.var())


def _is_constant(answers: Tensor) -> bool:
    return float((answers - answers.mean()).square().sum()) <= 1e-18 * max(1.0, float(answers.square().sum()))


def _only(values: Tensor) -> Tensor:
    return values[:, 0]
