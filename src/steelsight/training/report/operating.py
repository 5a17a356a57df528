"""The operating point of a run: escapes and overkill at a threshold chosen on its validation sheets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.curves.operating import ESCAPE, operating_point, threshold_for_escape
from steelsight.plain import plain
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.report.scores import probabilities_of
from steelsight.types import Logits

__all__ = ["choose_threshold", "report_operating"]


Positions = Int[np.ndarray, "_"]


def choose_threshold(data: SheetData, logits: Logits, positions: Positions) -> float | None:
    """The threshold on the probability of a defect at which 5 % of these defective sheets escape.

    returns  None for multilabel work, and without both defect-free and defective sheets
    """
    known = _sides(data, logits, positions)
    return None if known is None else threshold_for_escape(*known, ESCAPE)


def report_operating(
    data: SheetData,
    logits: Logits,
    positions: Positions,
    threshold: float | None,
    *,
    seed: int,
    prevalence: float | None = None,
    resamples: int = 1000,
) -> dict[str, Any] | None:
    """Escape and overkill of some sheets at a threshold chosen on others.

    prevalence  share of defective sheets on the line; None = that of these sheets
    returns     evaluation.operating.OperatingPoint as JSON; None where there is no threshold or one side
                has no sheet
    raises      BadInput for a prevalence outside (0, 1)
    """
    known = _sides(data, logits, positions)
    if threshold is None or known is None:
        return None
    names = [data.groups[i] for i in positions.tolist()]
    point = operating_point(
        *known,
        threshold,
        rng=stream(seed, "operating-intervals"),
        prevalence=prevalence,
        groups=names if any(names) else None,
        resamples=resamples,
    )
    numbers: dict[str, Any] = plain(asdict(point))
    return numbers


def _sides(
    data: SheetData, logits: Logits, positions: Positions
) -> tuple[Bool[np.ndarray, " p"], Float[np.ndarray, " p"]] | None:
    """Whether each sheet is defective, and its probability; None unless there are good and defective ones."""
    clean = data.labelled.clean
    if clean is None or not positions.size:
        return None
    defective = np.array(data.labelled.defective, dtype=bool)[positions]
    if defective.all() or not defective.any():
        return None
    return defective, 1 - probabilities_of(logits[positions], data.task)[:, clean]
