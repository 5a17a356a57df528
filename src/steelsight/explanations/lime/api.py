"""LIME on logits: how much showing each superpixel adds to a class's logit.

The estimand is that of the reference implementation: each superpixel is shown or replaced with probability
1/2, a sample weighs exp(-d²/2w²) with d the cosine distance to the whole sheet, and a weighted ridge
regression is fitted. Most of the samples are evaluated by an emulator of the network, which is fitted to a
few samples and corrected by its error on left-out ones; for its quality and time see
docs/results/explanations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.chunks import MEMORY_MB
from steelsight.explanations.lime.masking import MaskedPredictor, masked_predictor, match_backgrounds
from steelsight.explanations.lime.sampling import ReferenceSamples, draw_masks
from steelsight.explanations.lime.segments import check_segments, segment_sheet
from steelsight.explanations.lime.surrogate import Surrogate, explained_variance
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["LimeReport", "lime", "lime_report"]

SAMPLES = 128  # first number of samples for a network with a class map
ENOUGH_R2 = 0.8  # the emulator's R² on left-out samples from which on no more are drawn; at .75 more helped
SAMPLES_PER_SEGMENT = 8  # for a network without a class map, and about the most for one with

Segments = Int[np.ndarray, "h w"]


class LimeReport(NamedTuple):
    """Maps of n images, and how well a linear surrogate describes the model."""

    maps: Float[Tensor, "n h w"]
    coefficients: tuple[Float[np.ndarray, " s"], ...]  # logit added by showing a superpixel
    segments: tuple[Segments, ...]
    r2: Float[np.ndarray, " n"]  # share of the logit's variance that the surrogate explains; NaN if constant
    stability: Float[np.ndarray, " n"]  # Spearman of two halves of the samples; NaN if constant
    emulator_r2: Float[np.ndarray, " n"]  # the same share for the emulator, on samples left out of its fit
    samples: Int[np.ndarray, " n"]


def lime(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    segments: str | Sequence[Segments] = "slic",
    samples: int | None = None,
    baselines: Tensor | None = None,
    generator: torch.Generator | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """Coefficient of each superpixel in a linear model of a class's logit, written on its pixels.

    images     (n, c, h, w) float32, in the model's own units
    target     class index, one for all or (n,)
    segments   a key of SEGMENTERS, or one array (h, w) of superpixel numbers for each image
    samples    forward passes an image, more than superpixels; None = eight a superpixel, or down to 128 where
               the network has a class map and the emulator fits it well
    baselines  (1 or n, c, h, w) content of masked superpixels; None = each superpixel's mean colour
    generator  draws the samples; None = one seeded with 0, so that the same image gets the same map
    memory_mb  cap on additional memory
    returns    (n, h, w) float32, logit added by showing a superpixel, signed
    raises     BadInput for images, targets or baselines that cannot be used, fewer samples than superpixels,
               or a single superpixel
    source     Ribeiro et al. 2016
    """
    options = _Options(samples, memory_mb, with_stability=False)
    return _explain_batch(model, images, target, segments, baselines, generator, options).maps


def lime_report(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    segments: str | Sequence[Segments] = "slic",
    samples: int | None = None,
    baselines: Tensor | None = None,
    generator: torch.Generator | None = None,
    memory_mb: float = MEMORY_MB,
) -> LimeReport:
    """As `lime`, with coefficients, superpixels, R² and stability."""
    options = _Options(samples, memory_mb, with_stability=True)
    return _explain_batch(model, images, target, segments, baselines, generator, options)


@dataclass(frozen=True)
class _Options:
    samples: int | None
    memory_mb: float
    with_stability: bool  # whether stability is measured, which takes two more fits


def _explain_batch(
    model: nn.Module,
    images: Tensor,
    target: Target,
    segments: str | Sequence[Segments],
    baselines: Tensor | None,
    generator: torch.Generator | None,
    options: _Options,
) -> LimeReport:
    check_images(images, "LIME")
    generator = generator or torch.Generator().manual_seed(0)
    size = (images.shape[2], images.shape[3])
    if not len(images):
        none = np.zeros(0)
        return LimeReport(torch.zeros(0, *size), (), (), none, none, none, none.astype(np.int64))
    if not isinstance(segments, str) and len(segments) != len(images):
        raise BadInput(f"LIME segments: expected {len(images)}, one (h, w) an image, got {len(segments)}")
    backgrounds = match_backgrounds(baselines, images)
    explanations, segmentations = [], []
    with torch.inference_mode(False), torch.no_grad(), at_rest(model):
        logits = model(images[:1])
        check_logits(logits, 1, "LIME")
        classes = resolve_targets(target, logits.expand(len(images), -1), "LIME").tolist()
        for index, image in enumerate(images):
            labels = check_segments(_segment(image, segments, index), size)
            background = None if backgrounds is None else backgrounds[index]
            predictor = masked_predictor(model, image, labels, classes[index], background, options.memory_mb)
            rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
            explanations.append(_explain(predictor, labels, rng, options))
            segmentations.append(labels)
    maps = [
        torch.from_numpy(one.coefficients[labels]).float()
        for one, labels in zip(explanations, segmentations, strict=True)
    ]
    return LimeReport(
        torch.stack(maps),
        tuple(one.coefficients for one in explanations),
        tuple(segmentations),
        np.array([one.r2 for one in explanations]),
        np.array([one.stability for one in explanations]),
        np.array([one.emulator_r2 for one in explanations]),
        np.array([one.samples for one in explanations]),
    )


def _segment(image: Tensor, segments: str | Sequence[Segments], index: int) -> Segments:
    if isinstance(segments, str):
        return segment_sheet(image.mean(0).double().numpy(), segments)
    return np.asarray(segments[index])


class _SheetExplanation(NamedTuple):
    coefficients: Float[np.ndarray, " s"]
    r2: float
    stability: float
    emulator_r2: float
    samples: int


def _explain(
    predictor: MaskedPredictor, labels: Segments, rng: np.random.Generator, options: _Options
) -> _SheetExplanation:
    """One sheet: draw samples until the emulator describes the network well enough, then fit."""
    count = int(labels.max()) + 1
    if options.samples is not None and options.samples <= count:
        raise BadInput(
            f"LIME samples: expected more than the {count} superpixels, got {options.samples}; "
            "ask for more samples or fewer cells"
        )
    surrogate = Surrogate(predictor, labels, ReferenceSamples(count, rng), options.memory_mb)
    masks = torch.zeros(count, 0, dtype=torch.float64)
    values = torch.zeros(0, predictor.grid[0] * predictor.grid[1], dtype=torch.float64)
    for total in _sample_schedule(options.samples, count, predictor):
        drawn = torch.from_numpy(draw_masks(count, total - len(values), rng).T.copy())
        masks, values = torch.cat([masks, drawn], 1), torch.cat([values, predictor.predict(drawn)])
        fit = surrogate.fit(masks, values)
        if np.isnan(fit.emulator_r2) or fit.emulator_r2 >= ENOUGH_R2:
            break
    stability = surrogate.stability(masks, values) if options.with_stability else float("nan")
    r2 = explained_variance(masks, predictor.pool(values), fit.coefficients)
    return _SheetExplanation(fit.coefficients.numpy(), r2, stability, fit.emulator_r2, len(values))


def _sample_schedule(samples: int | None, count: int, predictor: MaskedPredictor) -> list[int]:
    """Numbers of samples after which the emulator's fit is checked; sampling ends at the last.

    samples  as given by the caller; None = chosen here
    count    superpixels
    """
    if samples is not None:
        return [samples]
    if predictor.grid == (1, 1):
        return [SAMPLES_PER_SEGMENT * count]
    most = max(4 * SAMPLES, SAMPLES_PER_SEGMENT * count)
    first = max(SAMPLES, 2 * count)
    return [*(total for total in (first, 2 * first) if total < most), most]
