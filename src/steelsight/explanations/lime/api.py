"""LIME on logits: which superpixels, hidden one way or another, move the verdict.

The estimand is that of the reference implementation: superpixels are shown or hidden by fair coins, samples
weigh exp(-d²/2w²) with d the cosine distance to the whole sheet, and a weighted linear regression is fitted.
Here most of the coins are tossed for an emulator of the network, which a few samples teach and correct: 128
of them come nearer the reference's limit than 1,000 of its own; see docs/results/explanations.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.chunks import MEMORY_MB
from steelsight.explanations.lime.masking import MaskedPredictor, masked_predictor, match_hidden
from steelsight.explanations.lime.sampling import ReferenceSamples, draw_masks
from steelsight.explanations.lime.segments import check_segments, segment_sheet
from steelsight.explanations.lime.surrogate import Surrogate, explained
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["LimeReport", "lime", "lime_report"]

SAMPLES = 128  # of a network with a class map, where they are enough
FORESEEN = 0.8  # they are, if of samples left out the emulator foresees so much; down to .75 more were needed
SAMPLES_A_PIECE = 8  # of a network without, and about the most of one with
ROUND = 64  # samples between two looks at whether the ranking has settled

Segments = Int[np.ndarray, "h w"]


class LimeReport(NamedTuple):
    """Maps, and how far a linear surrogate can be believed."""

    maps: Float[Tensor, "n h w"]
    coefficients: tuple[Float[np.ndarray, " s"], ...]  # logit added by showing a superpixel
    segments: tuple[Segments, ...]
    r2: Float[np.ndarray, " n"]  # share of the logit's variance that the surrogate explains; NaN if constant
    stability: Float[np.ndarray, " n"]  # Spearman of two halves of the samples; NaN if constant
    foreseen: Float[np.ndarray, " n"]  # share of it that the emulator foresees on samples left out, as well
    samples: Int[np.ndarray, " n"]


def lime(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    segments: str | Sequence[Segments] = "slic",
    samples: int | None = None,
    baselines: Tensor | None = None,
    settle: float | None = None,
    generator: torch.Generator | None = None,
    memory_mb: float = MEMORY_MB,
) -> Float[Tensor, "n h w"]:
    """What showing each superpixel adds to a class's logit; a pixel takes its superpixel's coefficient.

    images     (n, c, h, w) float32, in the model's own units
    target     class index, one for all or (n,)
    segments   a way to cut the sheet, or (h, w) numbers for each image
    samples    how often the model is asked an image, more than superpixels; None = eight a superpixel, and
               down to 128 where the network shows a class map that is quickly learned
    baselines  (1 or n, c, h, w) what shows where a superpixel is hidden; None = its own mean colour
    settle     stop early once two halves of the samples rank so much alike (Spearman)
    generator  draws the sets; None = one seeded with 0, so that the same image gets the same map
    raises     BadInput for what cannot be explained, fewer samples than superpixels, a single superpixel
    source     Ribeiro et al. 2016
    """
    return _explain_all(
        model, images, target, segments, samples, baselines, settle, generator, memory_mb, judged=False
    ).maps


def lime_report(
    model: nn.Module,
    images: Tensor,
    target: Target,
    *,
    segments: str | Sequence[Segments] = "slic",
    samples: int | None = None,
    baselines: Tensor | None = None,
    settle: float | None = None,
    generator: torch.Generator | None = None,
    memory_mb: float = MEMORY_MB,
) -> LimeReport:
    """As lime, with coefficients, superpixels, R² and stability."""
    return _explain_all(
        model, images, target, segments, samples, baselines, settle, generator, memory_mb, judged=True
    )


def _explain_all(
    model: nn.Module,
    images: Tensor,
    target: Target,
    segments: str | Sequence[Segments],
    samples: int | None,
    baselines: Tensor | None,
    settle: float | None,
    generator: torch.Generator | None,
    memory_mb: float,
    *,
    judged: bool,
) -> LimeReport:
    check_images(images, "LIME")
    generator = generator or torch.Generator().manual_seed(0)
    size = (images.shape[2], images.shape[3])
    if not len(images):
        none = np.zeros(0)
        return LimeReport(torch.zeros(0, *size), (), (), none, none, none, none.astype(np.int64))
    if not isinstance(segments, str) and len(segments) != len(images):
        raise BadInput(f"LIME segments: expected {len(images)}, one (h, w) an image, got {len(segments)}")
    hidden = match_hidden(baselines, images)
    found, cuts = [], []
    with torch.inference_mode(False), torch.no_grad(), at_rest(model):
        logits = model(images[:1])
        check_logits(logits, 1, "LIME")
        classes = resolve_targets(target, logits.expand(len(images), -1), "LIME").tolist()
        for index, image in enumerate(images):
            cut = check_segments(_cut(image, segments, index), size)
            behind = None if hidden is None else hidden[index]
            questions = masked_predictor(model, image, cut, classes[index], behind, memory_mb)
            rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
            found.append(_explain(questions, cut, samples, settle, rng, memory_mb, judged=judged))
            cuts.append(cut)
    maps = [torch.from_numpy(one.coefficients[cut]).float() for one, cut in zip(found, cuts, strict=True)]
    return LimeReport(
        torch.stack(maps),
        tuple(one.coefficients for one in found),
        tuple(cuts),
        np.array([one.r2 for one in found]),
        np.array([one.stability for one in found]),
        np.array([one.foreseen for one in found]),
        np.array([one.samples for one in found]),
    )


def _cut(image: Tensor, segments: str | Sequence[Segments], index: int) -> Segments:
    if isinstance(segments, str):
        return segment_sheet(image.mean(0).double().numpy(), segments)
    return np.asarray(segments[index])


class _SheetExplanation(NamedTuple):
    coefficients: Float[np.ndarray, " s"]
    r2: float
    stability: float
    foreseen: float
    samples: int


def _explain(
    questions: MaskedPredictor,
    cut: Segments,
    samples: int | None,
    settle: float | None,
    rng: np.random.Generator,
    memory_mb: float,
    *,
    judged: bool,
) -> _SheetExplanation:
    pieces = int(cut.max()) + 1
    if samples is not None and samples <= pieces:
        raise BadInput(
            f"LIME samples: expected more than the {pieces} superpixels, got {samples}; "
            "ask for more samples or fewer cells"
        )
    plan = _plan(samples, pieces, questions, rounds=settle is not None)
    surrogate = Surrogate(questions, cut, ReferenceSamples(pieces, rng), memory_mb)
    masks = torch.zeros(pieces, 0, dtype=torch.float64)
    values = torch.zeros(0, questions.grid[0] * questions.grid[1], dtype=torch.float64)
    stability = float("nan")
    for count in plan:
        drawn = torch.from_numpy(draw_masks(pieces, count - len(values), rng).T.copy())
        masks, values = torch.cat([masks, drawn], 1), torch.cat([values, questions.ask(drawn)])
        fit = surrogate.fit(masks, values)
        if settle is not None:
            stability = surrogate.stability(masks, values)
            if stability >= settle:
                break
        elif np.isnan(fit.foreseen) or fit.foreseen >= FORESEEN:
            break
    if judged and settle is None:
        stability = surrogate.stability(masks, values)
    r2 = explained(masks, questions.pool(values), fit.coefficients)
    return _SheetExplanation(fit.coefficients.numpy(), r2, stability, fit.foreseen, len(values))


def _plan(samples: int | None, pieces: int, questions: MaskedPredictor, *, rounds: bool) -> list[int]:
    """Numbers of samples after which to look whether they are enough; the last is enough."""
    most = samples or max(4 * SAMPLES, SAMPLES_A_PIECE * pieces)
    if rounds:
        return [*range(max(ROUND, pieces), most, max(ROUND, pieces)), most]
    if samples is not None:
        return [samples]
    if questions.grid == (1, 1):
        return [SAMPLES_A_PIECE * pieces]
    first = max(SAMPLES, 2 * pieces)
    return [*(each for each in (first, 2 * first) if each < most), most]
