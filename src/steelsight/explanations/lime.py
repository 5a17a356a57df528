"""LIME on logits: which superpixels, hidden one way or another, move the verdict.

The estimand is that of the reference implementation: superpixels are shown or hidden by fair coins, samples
weigh exp(-d²/2w²) with d the cosine distance to the whole sheet, and a weighted linear regression is fitted.
The weight depends only on how many superpixels are shown. So we draw that number from its weighted
distribution at once, where the reference draws coins and weighs them afterwards, and every drawn set comes
with a twin from the other end of the same order, which cancels what is symmetric. In the limit both agree;
per sample ours says more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import gammaln
from scipy.stats import spearmanr
from torch import Tensor, nn

from steelsight.errors import BadInput
from steelsight.explanations.chunks import MEMORY_MB, rows_within
from steelsight.explanations.fast.net import FastNet, fast_net, to_gray_level
from steelsight.explanations.segments import check_segments, segment_sheet
from steelsight.explanations.targets import Target, check_images, check_logits, resolve_targets
from steelsight.models.capture import at_rest

__all__ = ["LimeReport", "draw_masks", "fit_surrogate", "lime", "lime_report", "show_chances"]

# Fifty superpixels of 64x400: 400 samples, which rank as 1,000 of the reference's do; docs/results.md.
SAMPLES_A_PIECE = 8
KERNEL_WIDTH = 0.25  # the reference's
RIDGE = 1.0  # the reference's, at its 1,000 samples
ROUND = 64  # samples between two looks at whether the ranking has settled

Segments = Int[np.ndarray, "h w"]
Masks = Float[np.ndarray, "m s"]


class LimeReport(NamedTuple):
    """Maps, and how far a linear surrogate can be believed."""

    maps: Float[Tensor, "n h w"]
    coefficients: tuple[Float[np.ndarray, " s"], ...]  # logit added by showing a superpixel
    segments: tuple[Segments, ...]
    r2: Float[
        np.ndarray, " n"
    ]  # weighted share of the logit's variance that the surrogate explains; NaN if constant
    stability: Float[np.ndarray, " n"]  # Spearman of two halves of the samples; NaN if constant
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
    samples    how often the model is asked an image, more than superpixels; None = eight a superpixel
    baselines  (1 or n, c, h, w) what shows where a superpixel is hidden; None = its own mean colour
    settle     stop early once the ranking correlates so well (Spearman) with that of half the samples
    generator  draws the sets; None = one seeded with 0, so that the same image gets the same map
    raises     BadInput for what cannot be explained, fewer samples than superpixels, a single superpixel
    source     Ribeiro et al. 2016
    """
    return lime_report(
        model,
        images,
        target,
        segments=segments,
        samples=samples,
        baselines=baselines,
        settle=settle,
        generator=generator,
        memory_mb=memory_mb,
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
    check_images(images, "LIME")
    generator = generator or torch.Generator().manual_seed(0)
    size = (images.shape[2], images.shape[3])
    if not len(images):
        none = np.zeros(0)
        return LimeReport(torch.zeros(0, *size), (), (), none, none, none.astype(np.int64))
    if not isinstance(segments, str) and len(segments) != len(images):
        raise BadInput(f"LIME segments: expected {len(images)}, one (h, w) an image, got {len(segments)}")
    hidden = _hidden(baselines, images)
    found = []
    cuts = []
    with torch.inference_mode(False), torch.no_grad(), at_rest(model):
        logits = model(images[:1])
        check_logits(logits, 1, "LIME")
        classes = resolve_targets(target, logits.expand(len(images), -1), "LIME")
        for index, image in enumerate(images):
            cut = (
                segment_sheet(image.mean(0).double().numpy(), segments)
                if isinstance(segments, str)
                else np.asarray(segments[index])
            )
            cut = check_segments(cut, size)
            ask = _asker(model, image, cut, hidden[index] if hidden is not None else None, memory_mb)
            pieces = int(cut.max()) + 1
            asked = SAMPLES_A_PIECE * pieces if samples is None else samples
            found.append(_explain(ask, int(classes[index]), pieces, asked, settle, generator))
            cuts.append(cut)
    maps = torch.stack(
        [torch.from_numpy(one.coefficients[cut]).float() for one, cut in zip(found, cuts, strict=True)]
    )
    return LimeReport(
        maps,
        tuple(one.coefficients for one in found),
        tuple(cuts),
        np.array([one.r2 for one in found]),
        np.array([one.stability for one in found]),
        np.array([one.samples for one in found]),
    )


class _One(NamedTuple):
    coefficients: Float[np.ndarray, " s"]
    r2: float
    stability: float
    samples: int


def _explain(
    ask: Callable[[Masks, int], Float[np.ndarray, " m"]],
    chosen: int,
    pieces: int,
    samples: int,
    settle: float | None,
    generator: torch.Generator,
) -> _One:
    if samples <= pieces:
        raise BadInput(
            f"LIME samples: expected more than the {pieces} superpixels, got {samples}; "
            "ask for more samples or fewer cells"
        )
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    masks = draw_masks(pieces, samples, rng)
    answers = np.zeros(0)
    step = samples if settle is None else max(ROUND, 2 * pieces)
    while len(answers) < samples:
        answers = np.concatenate([answers, ask(masks[len(answers) : len(answers) + step], chosen)])
        agreed = _stability(masks[: len(answers)], answers)
        if settle is not None and agreed >= settle:
            break
    masks = masks[: len(answers)]
    coefficients, r2 = fit_surrogate(masks, answers)
    return _One(coefficients, r2, _stability(masks, answers), len(answers))


def show_chances(pieces: int, *, kernel_width: float = KERNEL_WIDTH) -> Float[np.ndarray, " s1"]:
    """How often 0, 1, ..., s superpixels are shown: fair coins times the kernel's weight, summing to 1."""
    shown = np.arange(pieces + 1)
    coins = gammaln(pieces + 1) - gammaln(shown + 1) - gammaln(pieces - shown + 1)
    distance = 1 - np.sqrt(shown / pieces)
    weight = coins - distance**2 / (2 * kernel_width**2)
    chances: Float[np.ndarray, " s1"] = np.exp(weight - weight.max())
    chances /= chances.sum()
    return chances


def draw_masks(pieces: int, samples: int, rng: np.random.Generator) -> Masks:
    """Sets of shown superpixels, (samples, s) of 0 and 1, in pairs.

    The numbers shown are spread evenly over their distribution (one draw in each of its quantiles), and a
    pair is cut from the two ends of one shuffled order, so that what one shows the other tends to hide.
    """
    pairs = (samples + 1) // 2
    steps = np.cumsum(show_chances(pieces))
    levels = (rng.permutation(2 * pairs) + rng.random(2 * pairs)) / (2 * pairs)
    counts = np.minimum(np.searchsorted(steps, levels), pieces)
    masks = np.zeros((2 * pairs, pieces))
    for pair in range(pairs):
        order = rng.permutation(pieces)
        masks[2 * pair, order[: counts[2 * pair]]] = 1
        masks[2 * pair + 1, order[pieces - counts[2 * pair + 1] :]] = 1
    return masks[:samples]


def fit_surrogate(masks: Masks, answers: Float[np.ndarray, " m"]) -> tuple[Float[np.ndarray, " s"], float]:
    """Ridge regression of the answers on the sets, and its R²; zeros and NaN for constant answers."""
    centred = masks - masks.mean(0)
    wanted = answers - answers.mean()
    spread = float((wanted**2).sum())
    if spread <= 1e-18 * max(1.0, float((answers**2).sum())):
        return np.zeros(masks.shape[1]), float("nan")
    ridge = RIDGE * len(masks) / 1000 * np.eye(masks.shape[1])
    coefficients: Float[np.ndarray, " s"] = np.linalg.solve(centred.T @ centred + ridge, centred.T @ wanted)
    left = wanted - centred @ coefficients
    return coefficients, 1 - float((left**2).sum()) / spread


def _stability(masks: Masks, answers: Float[np.ndarray, " m"]) -> float:
    """Spearman of the rankings of two halves; a half too small for its superpixels says nothing."""
    half = len(answers) // 4 * 2
    if half < masks.shape[1] // 2 or half < 4:
        return float("nan")
    first, _ = fit_surrogate(masks[:half], answers[:half])
    second, _ = fit_surrogate(masks[half:], answers[half:])
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)


def _hidden(baselines: Tensor | None, images: Tensor) -> Tensor | None:
    if baselines is None:
        return None
    if baselines.shape[1:] != images.shape[1:] or len(baselines) not in (1, len(images)):
        raise BadInput(
            f"LIME baselines: expected shape (1 or {len(images)}, {', '.join(map(str, images.shape[1:]))}), "
            f"got {tuple(baselines.shape)}"
        )
    check_images(baselines, "LIME baselines")
    return baselines.expand_as(images)


def _asker(
    model: nn.Module, image: Tensor, cut: Segments, hidden: Tensor | None, memory_mb: float
) -> Callable[[Masks, int], Float[np.ndarray, " m"]]:
    """A function from sets to one class's logits, chunk by chunk; gray sheets are built and asked as gray."""
    where = torch.from_numpy(cut)
    behind = _mean_colours(image, where) if hidden is None else hidden
    net = fast_net(model, torch.stack([image, behind]), dtype=_quick_type())
    rows = rows_within(model, image, memory_mb, most=10 if net else 32)
    if net is not None and not net.padded:
        image, behind = to_gray_level(torch.stack([image, behind]))
        return lambda masks, chosen: _ask_gray(net, image, behind, where, masks, chosen, rows)

    def ask(masks: Masks, chosen: int) -> Float[np.ndarray, " m"]:
        answers = []
        for at in range(0, len(masks), rows):
            shown = torch.from_numpy(masks[at : at + rows]).float()[:, where.flatten()]
            mixed = behind + shown.reshape(-1, 1, *where.shape) * (image - behind)
            answers.append(model(mixed)[:, chosen].double().numpy())
        return np.concatenate(answers)

    return ask


def _ask_gray(
    net: FastNet, image: Tensor, behind: Tensor, where: Tensor, masks: Masks, chosen: int, rows: int
) -> Float[np.ndarray, " m"]:
    change = (image - behind).to(net.dtype)
    base = behind.to(net.dtype)
    flat = where.flatten()
    answers = []
    for at in range(0, len(masks), rows):
        shown = torch.from_numpy(masks[at : at + rows]).to(net.dtype).index_select(1, flat)
        mixed = shown.reshape(-1, *where.shape).mul_(change).add_(base)
        answers.append(net.ask(mixed)[:, chosen].double().numpy())
    return np.concatenate(answers)


def _mean_colours(image: Tensor, where: Tensor) -> Tensor:
    """Each superpixel's mean colour, as an image."""
    flat = where.flatten()
    counts = torch.bincount(flat).to(image.dtype)
    sums = torch.zeros(len(image), len(counts), dtype=image.dtype)
    sums.index_add_(1, flat, image.flatten(1))
    return (sums / counts)[:, flat].reshape(image.shape)


def _quick_type() -> torch.dtype:
    """bfloat16 where the processor computes in it: rankings do not need the last digits."""
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
