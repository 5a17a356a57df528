"""Pixel counts of every mask rule on every map, a few sheets at a time, so that no map has to be kept.

For each sheet and rule three counts are kept, from which recall, precision, IoU and Dice follow. Choosing a
rule and reporting its scores thus need each map only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from steelsight.evaluation.heatmaps.localization import MAP_SCORES, overlap_counts, overlap_scores, score_maps
from steelsight.explanations.masks import MaskRule, Sign, blur_maps, rule_thresholds, thresholds
from steelsight.models.inputs import to_input
from steelsight.sheets.images.pixels import Placement
from steelsight.types import GrayBatch, Heatmaps, Labels

__all__ = [
    "Explain",
    "MaskedSheets",
    "MethodScores",
    "Original",
    "enlarge",
    "explain_batches",
    "score_method",
]

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]  # (model, images, target) -> (n, h, w) maps
Truths = Bool[np.ndarray, "n h w"]
Original = tuple[
    Bool[np.ndarray, "H W"], Placement
]  # the true mask at the image's own size, and where the model saw it


@dataclass(frozen=True)
class MaskedSheets:
    """Defective sheets with masks, and the model that is explained on them; n sheets."""

    model: nn.Module
    images: GrayBatch  # at model size
    truths: Truths  # at model size, none empty
    targets: Labels  # the true class of each sheet, as an output of the model
    answers: Labels  # the class the model predicted
    types: tuple[str, ...]  # the name of each sheet's defect type
    groups: tuple[str, ...]  # "" = a group of its own
    ids: tuple[str, ...]
    original: Callable[[int], Original] | None = None  # reads one sheet's mask at its own size

    def take(self, rows: Int[np.ndarray, " m"]) -> MaskedSheets:
        """Some of the sheets, in the order of `rows`."""
        chosen: list[int] = rows.tolist()
        original = self.original
        return replace(
            self,
            images=np.asarray(self.images[rows]),
            truths=self.truths[rows],
            targets=self.targets[rows],
            answers=self.answers[rows],
            types=tuple(self.types[row] for row in chosen),
            groups=tuple(self.groups[row] for row in chosen),
            ids=tuple(self.ids[row] for row in chosen),
            original=None if original is None else lambda row: original(chosen[row]),
        )


@dataclass(frozen=True)
class MethodScores:
    """Scores of one method on n sheets."""

    rules: tuple[MaskRule, ...]
    counts: Int[np.ndarray, "n r 3"]  # pixels in both masks, predicted, true; by sheet and rule
    map_scores: dict[str, Float[np.ndarray, " n"]]
    at_original: Int[np.ndarray, "m q 3"]  # the same at the images' own sizes, of `original_rules`
    original_rules: tuple[MaskRule, ...]

    def scores(self, rules: MaskRule | Sequence[MaskRule]) -> dict[str, Float[np.ndarray, " n"]]:
        """Recall, precision, IoU and Dice of each sheet, by one rule or each sheet by its own."""
        return _scores_by(self.counts, self.rules, rules)

    def original_scores(self, rules: MaskRule | Sequence[MaskRule]) -> dict[str, Float[np.ndarray, " n"]]:
        """The same at the images' own sizes."""
        return _scores_by(self.at_original, self.original_rules, rules)

    def dice(self) -> Float[np.ndarray, "n r"]:
        """Of every sheet by every rule."""
        return overlap_scores(self.counts)["dice"]


def score_method(
    sheets: MaskedSheets,
    explain: Explain,
    rules: Sequence[MaskRule],
    *,
    targets: Labels | None = None,
    original_rules: Sequence[MaskRule] = (),
    blur: tuple[float, Sign] = (2.0, "positive"),
    batch: int = 16,
) -> MethodScores:
    """Explain every sheet and count pixels by every rule.

    targets         class to explain, one a sheet; None = the true class
    original_rules  scored at the images' own sizes as well; the map is enlarged, its threshold kept
    blur            sigma in px and sign of the maps that are scored without a threshold, so that single noisy
                    pixels do not decide the pointing game
    batch           sheets explained at a time
    """
    counts: list[Int[np.ndarray, "m r 3"]] = []
    scored: dict[str, list[Float[np.ndarray, " m"]]] = {name: [] for name in MAP_SCORES}
    large: list[Int[np.ndarray, "q 3"]] = []
    for start, maps in explain_batches(sheets, explain, targets, batch=batch):
        truths = sheets.truths[start : start + len(maps)]
        counts.append(count_rules(maps, truths, rules))
        for name, values in score_maps(blur_maps(maps, *blur), truths).items():
            scored[name].append(values)
        if original_rules and sheets.original is not None:
            large += [
                _count_original(each, sheets.original(start + row), original_rules)
                for row, each in enumerate(maps)
            ]
    return MethodScores(
        tuple(rules),
        np.concatenate(counts) if counts else np.zeros((0, len(rules), 3), dtype=np.int64),
        {name: np.concatenate(values) if values else np.zeros(0) for name, values in scored.items()},
        np.stack(large) if large else np.zeros((0, 0, 3), dtype=np.int64),
        tuple(original_rules) if large else (),
    )


def explain_batches(
    sheets: MaskedSheets, explain: Explain, targets: Labels | None = None, *, batch: int = 16
) -> Iterator[tuple[int, Heatmaps]]:
    """Yield (first row, maps) of a few sheets at a time."""
    classes = sheets.targets if targets is None else targets
    for start in range(0, len(sheets.images), batch):
        images = to_input(torch.from_numpy(np.array(sheets.images[start : start + batch])))
        target = torch.from_numpy(np.asarray(classes[start : start + batch], dtype=np.int64))
        maps = explain(sheets.model, images, target)
        yield start, maps.detach().to(torch.float32).cpu().numpy()


def count_rules(maps: Heatmaps, truths: Truths, rules: Sequence[MaskRule]) -> Int[np.ndarray, "n r 3"]:
    """Pixels in both masks, in the predicted and in the true mask, by every rule."""
    counts = np.zeros((len(maps), len(rules), 3), dtype=np.int64)
    order = sorted(range(len(rules)), key=lambda place: _blur_of(rules[place]))
    for (sigma, sign), places in groupby(order, key=lambda place: _blur_of(rules[place])):
        blurred = blur_maps(maps, sigma, sign)
        alike = list(places)
        cuts = rule_thresholds(blurred, [rules[place] for place in alike])
        for column, place in enumerate(alike):
            counts[:, place] = overlap_counts(blurred > cuts[:, column, None, None], truths)
    return counts


def enlarge(
    heat: Float32[np.ndarray, "h w"], placement: Placement, size: tuple[int, int]
) -> Float32[np.ndarray, "H W"]:
    """Enlarge a map at model size to the original image, bilinear; pixels the model did not see are -inf.

    size    (height, width) of the original
    """
    left, top, right, bottom = placement.original_box
    x0, y0, x1, y1 = placement.model_box
    rows, rows_seen = _along(size[0], (top, bottom), (y0, y1))
    columns, columns_seen = _along(size[1], (left, right), (x0, x1))
    lines = _between(heat, rows, axis=0)
    large: Float32[np.ndarray, "H W"] = _between(lines, columns, axis=1).astype(np.float32)
    large[~rows_seen] = -np.inf
    large[:, ~columns_seen] = -np.inf
    return large


def _blur_of(rule: MaskRule) -> tuple[float, Sign]:
    return rule.sigma, rule.sign


def _count_original(
    heat: Float32[np.ndarray, "h w"], original: Original, rules: Sequence[MaskRule]
) -> Int[np.ndarray, "q 3"]:
    truth, placement = original
    large: dict[tuple[float, Sign], tuple[Heatmaps, Float32[np.ndarray, "_ _"]]] = {}
    counts = []
    for rule in rules:
        if _blur_of(rule) not in large:
            blurred = blur_maps(heat[None], rule.sigma, rule.sign)
            size = (truth.shape[0], truth.shape[1])
            large[_blur_of(rule)] = blurred, enlarge(blurred[0], placement, size)
        small, enlarged = large[_blur_of(rule)]
        cut = thresholds(small, rule)[0]
        counts.append(overlap_counts((enlarged > cut)[None], truth[None])[0])
    return np.stack(counts)


def _scores_by(
    counts: Int[np.ndarray, "n r 3"], counted: Sequence[MaskRule], rules: MaskRule | Sequence[MaskRule]
) -> dict[str, Float[np.ndarray, " n"]]:
    if isinstance(rules, MaskRule):
        return overlap_scores(counts[:, counted.index(rules)])
    places = np.array([counted.index(rule) for rule in rules], dtype=np.int64)
    return overlap_scores(counts[np.arange(len(counts)), places])


def _along(
    length: int, original: tuple[float, float], model: tuple[int, int]
) -> tuple[Float[np.ndarray, " s"], Bool[np.ndarray, " s"]]:
    """Positions of an axis's original pixel centres in model pixels, and which of them the model saw."""
    centres = np.arange(length) + 0.5
    scale = (model[1] - model[0]) / (original[1] - original[0])
    places = model[0] + (centres - original[0]) * scale - 0.5
    seen = (centres >= original[0]) & (centres <= original[1])
    return np.clip(places, model[0], model[1] - 1), seen


def _between(
    heat: Float[np.ndarray, "h w"], places: Float[np.ndarray, " s"], *, axis: int
) -> Float[np.ndarray, "_ _"]:
    """Linear interpolation along one axis at fractional places inside it."""
    first = np.minimum(places.astype(np.int64), heat.shape[axis] - 1)
    second = np.minimum(first + 1, heat.shape[axis] - 1)
    share = (places - first).astype(np.float32)
    share = share[:, None] if axis == 0 else share[None]
    lines: Float[np.ndarray, "_ _"] = heat.take(first, axis) * (1 - share) + heat.take(second, axis) * share
    return lines
