"""Sheet ends among the false positives of type 2."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from steelsight.counterfactuals.margins import class_margin
from steelsight.counterfactuals.nuisances.sheet_ends import end_widths
from steelsight.evaluation.intervals.bootstrap import group_index, wilson
from steelsight.shortcuts.find.association import somers_d
from steelsight.study.results import StudyResults
from steelsight.types import Interval

__all__ = ["TYPE_TWO", "SheetEndEffect", "measure_sheet_ends"]

TYPE_TWO, STRIP_CLASSES = 2, 5  # index of the class; none and four types
NO_TYPES = "these data do not have the study's four types"

Rows = Int[np.ndarray, " m"]  # of the test sheets


@dataclass(frozen=True)
class SheetEndEffect:
    """Sheet ends among the false positives of type 2, and among other sheets."""

    wrong: Rows  # classified as type 2 without being of it, by falling margin
    sound: Rows  # the defect-free ones among them
    ends: Bool[np.ndarray, " t"]  # which test sheets show a sheet end
    share: Interval  # share of `wrong` with an end; Wilson's bounds
    elsewhere: Interval  # the same share among sheets neither of type 2 nor classified as it
    of_type: Interval  # the same share among sheets of type 2
    effect: Interval  # Somers' D of the margin of type 2, with an end against without, within true classes


def measure_sheet_ends(study: StudyResults) -> SheetEndEffect | str:
    """Measure how often false positives of type 2 show a sheet end; or say why that is impossible."""
    result = study.chosen
    if len(study.data.labelled.class_names) != STRIP_CLASSES:
        return NO_TYPES
    if result is None:
        return "no multi-class model was trained"
    labels, verdicts = study.labels, result.clean_logits.argmax(1)
    ends = end_widths(study.data.images[study.split.test]) > 0
    margin = class_margin(result.clean_logits, TYPE_TWO)
    others = labels != TYPE_TWO
    wrong = np.flatnonzero((verdicts == TYPE_TWO) & others)
    wrong = wrong[np.argsort(-margin[wrong], kind="stable")]
    groups = group_index(study.groups, labels.size)
    effect = somers_d(ends[:, None].astype(np.float64), margin[:, None], labels, groups)[0][0]
    return SheetEndEffect(
        wrong,
        wrong[labels[wrong] == 0],
        ends,
        _share(ends, wrong),
        _share(ends, np.flatnonzero(others & (verdicts != TYPE_TWO))),
        _share(ends, np.flatnonzero(~others)),
        effect,
    )


def _share(ends: Bool[np.ndarray, " t"], rows: Rows) -> Interval:
    return wilson(int(ends[rows].sum()), rows.size)
