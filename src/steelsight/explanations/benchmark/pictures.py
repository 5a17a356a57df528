"""Pictures of a representative sheet of a league: its masks, and the maps of all methods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from matplotlib.figure import Figure

from steelsight.evaluation.heatmaps.localization import OVERLAPS
from steelsight.explanations.benchmark.results import EvaluationCase, Scores
from steelsight.explanations.benchmark.run import League
from steelsight.explanations.masks import make_masks
from steelsight.models.inputs import to_input
from steelsight.reports.figures import MaskPair, draw_mask_pairs, draw_methods

__all__ = ["TITLES", "nearest_to_average", "picture_mask", "picture_methods"]

TITLES = {"recall": "recall", "precision": "precision", "iou": "IoU", "dice": "Dice"}


def nearest_to_average(scores: Scores) -> int:
    """Row of the sheet nearest the mean recall, precision, IoU and Dice, each in standard deviations."""
    values = np.stack([scores[name] for name in OVERLAPS], axis=1)
    spread = values.std(axis=0)
    distance = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)) ** 2
    return int(distance.sum(axis=1).argmin())


def picture_mask(
    league: League, cases: Sequence[EvaluationCase], method: str, label: str
) -> tuple[Figure, str]:
    """The representative sheet of a method with its true and predicted mask, and a caption.

    label   rule of the predicted mask: "study", "other" or "chosen"
    """
    result = league.results[method]
    row = nearest_to_average(result.scores[label])
    rule = {"study": league.rule, "other": league.other}.get(label, result.rules[int(league.cases[row])])
    case, place = _locate(league, cases, row)
    heat = _explain(league, case, place, method)
    predicted = make_masks(heat[None], rule)[0]
    scores = {name: float(result.scores[label][name][row]) for name in OVERLAPS}
    figures = ", ".join(f"{TITLES[name]} {value:.2f}" for name, value in scores.items())
    sheets = case.evaluation
    pair = MaskPair(
        np.asarray(sheets.images[place]),
        sheets.truths[place],
        predicted,
        f"{figures[0].upper()}{figures[1:]}",
    )
    means = ", ".join(f"{TITLES[name]} {float(result.scores[label][name].mean()):.2f}" for name in OVERLAPS)
    words = (
        f"{result.candidate.title}, {rule}, on {league.ids[row]} ({league.types[row]}): the sheet nearest "
        f"the method's average ({means})."
    )
    return draw_mask_pairs([pair]), words


def picture_methods(
    league: League, cases: Sequence[EvaluationCase], row: int, *, most: int = 14
) -> tuple[Figure, str]:
    """Maps of all methods on one evaluated sheet, and a caption."""
    case, place = _locate(league, cases, row)
    maps = {
        league.results[name].candidate.title: _explain(league, case, place, name)
        for name in list(league.results)[:most]
    }
    figure = draw_methods(np.asarray(case.evaluation.images[place]), maps, mask=case.evaluation.truths[place])
    verdict = "rightly" if league.right[row] else "wrongly"
    return figure, (
        f"{len(maps)} methods on {league.ids[row]} ({league.types[row]}), which the model judged {verdict}; "
        "each explains the true class."
    )


def _locate(league: League, cases: Sequence[EvaluationCase], row: int) -> tuple[EvaluationCase, int]:
    """The case that a sheet was evaluated in, and the sheet's row in it."""
    evaluated = [case for case in cases if len(case.evaluation.images)]
    number = int(league.cases[row])
    return evaluated[number], row - int(np.flatnonzero(league.cases == number)[0])


def _explain(league: League, case: EvaluationCase, place: int, method: str) -> Float32[np.ndarray, "h w"]:
    explain = league.results[method].candidate.prepare(case.clean, league.seed)
    images = to_input(torch.from_numpy(np.array(case.evaluation.images[place : place + 1])))
    target = torch.from_numpy(np.asarray(case.evaluation.targets[place : place + 1], dtype=np.int64))
    heat: Float32[np.ndarray, "h w"] = (
        explain(case.evaluation.model, images, target)[0].detach().float().cpu().numpy()
    )
    return heat
