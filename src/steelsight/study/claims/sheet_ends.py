"""The study's false positives of type 2: are they sheet ends? Told in a chapter, judged as a claim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from steelsight.evaluation.intervals.bootstrap import group_index, wilson
from steelsight.shortcuts.find.association import somers_d
from steelsight.shortcuts.margins import class_margin
from steelsight.shortcuts.nuisances.sheet_ends import end_widths
from steelsight.study.multiclass_results import MulticlassResults
from steelsight.study.results import StudyResults
from steelsight.study.verdict import ClaimVerdict, decide
from steelsight.types import Interval

__all__ = [
    "TYPE_TWO",
    "TypeTwo",
    "judge_type_two",
    "measure_type_two",
]

TYPE_TWO, STRIP_CLASSES = 2, 5
NO_TYPES = "these data do not have the study's four types"

Rows = Int[np.ndarray, " m"]  # of the test sheets


@dataclass(frozen=True)
class TypeTwo:
    """Sheets wrongly called type 2 against the others."""

    wrong: Rows  # called type 2 and not of it, the surest first
    sound: Rows  # of them, defect-free
    ends: Bool[np.ndarray, " t"]  # which test sheets end within the picture
    share: Interval  # of `wrong`, with an end; Wilson's bounds
    elsewhere: Interval  # share with an end of the sheets not of type 2 and not called so
    of_type: Interval  # share with an end of type 2 itself
    effect: Interval  # Somers' D of the margin of type 2, ends against none, within true classes


def measure_type_two(found: StudyResults) -> TypeTwo | str:
    """What the false positives of type 2 have to do with ends, or why that cannot be told."""
    result = found.chosen
    if len(found.data.labelled.class_names) != STRIP_CLASSES:
        return NO_TYPES
    if result is None:
        return "no multi-class model was trained"
    labels, verdicts = found.labels, result.clean_logits.argmax(1)
    ends = end_widths(found.data.images[found.split.test]) > 0
    margin = class_margin(result.clean_logits, TYPE_TWO)
    others = labels != TYPE_TWO
    wrong = np.flatnonzero((verdicts == TYPE_TWO) & others)
    wrong = wrong[np.argsort(-margin[wrong], kind="stable")]
    groups = group_index(found.groups, labels.size)
    effect = somers_d(ends[:, None].astype(np.float64), margin[:, None], labels, groups)[0][0]
    return TypeTwo(
        wrong,
        wrong[labels[wrong] == 0],
        ends,
        _share(ends, wrong),
        _share(ends, np.flatnonzero(others & (verdicts != TYPE_TWO))),
        _share(ends, np.flatnonzero(~others)),
        effect,
    )


def judge_type_two(second: MulticlassResults) -> ClaimVerdict:
    """Whether all false positives of type 2 show an end, and that is more than others do."""
    looked = measure_type_two(second.found)
    if isinstance(looked, str):
        return ClaimVerdict("undecided here", f"{looked[0].upper()}{looked[1:]}.")
    if not looked.wrong.size:
        return ClaimVerdict("undecided here", "No test sheet was wrongly called type 2.")
    ended = int(looked.ends[looked.wrong].sum())
    because = (
        f"Share of the {looked.wrong.size} with a sheet end ({ended}); of other sheets not of type 2 it is "
        f"{looked.elsewhere.estimate:.0%}."
    )
    every = ended == looked.wrong.size
    more = looked.share.low > looked.elsewhere.high
    return ClaimVerdict(decide(every and more, not every), because, looked.share)


def _share(ends: Bool[np.ndarray, " t"], rows: Rows) -> Interval:
    return wilson(int(ends[rows].sum()), rows.size)
