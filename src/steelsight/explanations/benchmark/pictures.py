"""Which sheets stand for a league, and their pictures: an average one, its mask, all methods on it."""

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
    """The sheet whose recall, precision, IoU and Dice lie nearest their means, each by its own deviation."""
    values = np.stack([scores[name] for name in OVERLAPS], axis=1)
    spread = values.std(axis=0)
    distance = ((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)) ** 2
    return int(distance.sum(axis=1).argmin())


def picture_mask(
    league: League, bouts: Sequence[EvaluationCase], method: str, label: str
) -> tuple[Figure, str]:
    """The average sheet of a method with its true and its predicted mask, and words for it.

    label   "study", "other" or "chosen": by which rule
    """
    standing = league.standings[method]
    row = nearest_to_average(standing.by[label])
    rule = {"study": league.rule, "other": league.other}.get(label, standing.rules[int(league.bouts[row])])
    bout, place = _locate(league, bouts, row)
    heat = _explain(league, bout, place, method)
    predicted = make_masks(heat[None], rule)[0]
    found = {name: float(standing.by[label][name][row]) for name in OVERLAPS}
    figures = ", ".join(f"{TITLES[name]} {value:.2f}" for name, value in found.items())
    field = bout.judge
    pair = MaskPair(
        np.asarray(field.images[place]),
        field.truths[place],
        predicted,
        f"{figures[0].upper()}{figures[1:]}",
    )
    means = ", ".join(f"{TITLES[name]} {float(standing.by[label][name].mean()):.2f}" for name in OVERLAPS)
    words = (
        f"{standing.entrant.title}, {rule}, on {league.ids[row]} ({league.types[row]}): the sheet nearest "
        f"the method's average ({means})."
    )
    return draw_mask_pairs([pair]), words


def picture_methods(
    league: League, bouts: Sequence[EvaluationCase], row: int, *, most: int = 14
) -> tuple[Figure, str]:
    """All methods on one judged sheet, and words for it."""
    bout, place = _locate(league, bouts, row)
    maps = {
        league.standings[name].entrant.title: _explain(league, bout, place, name)
        for name in list(league.standings)[:most]
    }
    figure = draw_methods(np.asarray(bout.judge.images[place]), maps, mask=bout.judge.truths[place])
    verdict = "rightly" if league.right[row] else "wrongly"
    return figure, (
        f"{len(maps)} methods on {league.ids[row]} ({league.types[row]}), which the model judged {verdict}; "
        "each explains the true class."
    )


def _locate(league: League, bouts: Sequence[EvaluationCase], row: int) -> tuple[EvaluationCase, int]:
    """The bout that judged a sheet, and the sheet's place in it."""
    judged = [bout for bout in bouts if len(bout.judge.images)]
    number = int(league.bouts[row])
    return judged[number], row - int(np.flatnonzero(league.bouts == number)[0])


def _explain(league: League, bout: EvaluationCase, place: int, method: str) -> Float32[np.ndarray, "h w"]:
    explain = league.standings[method].entrant.prepare(bout.clean, league.seed)
    images = to_input(torch.from_numpy(np.array(bout.judge.images[place : place + 1])))
    target = torch.from_numpy(np.asarray(bout.judge.targets[place : place + 1], dtype=np.int64))
    heat: Float32[np.ndarray, "h w"] = (
        explain(bout.judge.model, images, target)[0].detach().float().cpu().numpy()
    )
    return heat
