"""What a card keeps of the certification sheets: thresholds of label sets, and order statistics.

Label sets are for familiar sheets, because no label of an unfamiliar one is valid. The limit of familiarity
comes from other sheets, so the familiar ones among these are still drawn as those of the line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.abstention.label_sets import COVERAGE, fit_set_thresholds
from steelsight.evaluation.intervals.bootstrap import Groups, group_index
from steelsight.runtime.bundle.card import CertificationSheets, LabelSets
from steelsight.runtime.certificate_check import in_single_precision
from steelsight.types import Labels, Probabilities

__all__ = ["certification_sheets", "fit_label_sets"]

_SHARES: Final = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)  # where the order statistics lie


def fit_label_sets(
    probabilities: Probabilities,
    labels: Labels,
    usable: Bool[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
) -> LabelSets:
    """The label sets of a bundle, from its certification sheets.

    probabilities  (n, c) as the bundle gives them
    labels         (n,) class index, for the usable sheets
    usable         (n,) familiar and of one known class
    groups         of the sheets; of one group and class, one sheet counts
    """
    rows = np.flatnonzero(usable)
    index = group_index(groups, labels.size)
    found = fit_set_thresholds(
        probabilities[rows], labels[rows], coverage=COVERAGE, rng=rng, groups=index[rows]
    )
    return LabelSets(coverage=found.coverage, least=found.least, sheets=found.sheets, needed=found.needed)


def certification_sheets(
    confidence: Float[np.ndarray, " n"],
    distance: Float[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
) -> CertificationSheets:
    """The order statistics by which `certificate_check` tests scanned sheets; of each group one sheet counts.

    confidence  (n,) calibrated, as the bundle gives it
    distance    (n,) from the training sheets; NaN where the bundle has no statistics of them
    """
    group: Int[np.ndarray, " n"] = group_index(groups, confidence.size)
    order = rng.permutation(group.size)
    rows = order[np.unique(group[order], return_index=True)[1]]
    ranks = sorted({min(rows.size, max(1, round(share * (rows.size + 1)))) for share in _SHARES})
    values = {
        name: tuple(np.sort(in_single_precision(found[rows]))[np.array(ranks) - 1].tolist())
        for name, found in (("confidence", np.clip(confidence, 0, 1)), ("distance", distance))
        if np.isfinite(found[rows]).all()
    }
    return CertificationSheets(sheets=rows.size, ranks=tuple(ranks), **values)
