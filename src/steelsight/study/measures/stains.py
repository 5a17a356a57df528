"""White-stain effect of one model: two groups of 50 sheets compared, stains pasted on defective sheets.

Test sheets are used, which the study did not require; at most its 50 per group are taken. Where no test sheet
has a stain there is no comparison, and the pasted stain is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int, UInt8

from steelsight.counterfactuals.nuisances.nuisance import Nuisance, open_nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.doses import FULL
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.runs.opening.open import OpenRun
from steelsight.shortcuts.prove.examples import choose_examples
from steelsight.shortcuts.prove.prove import prove
from steelsight.shortcuts.sheets import proof_sheets
from steelsight.streams import stream
from steelsight.study.data import TEST_PREFIX
from steelsight.study.options import StudyOptions
from steelsight.study.results import StainEffect
from steelsight.types import Interval

__all__ = ["EACH", "NO_STAINS", "measure_stains"]

EACH = 50  # sheets per group at most, as in the slides
RECEIVERS = 400  # defective sheets that a stain is pasted on, at most
SHOWN = 4  # sheets of each group in the figure
NO_STAINS = "no defect-free test sheet has a white stain"

Rows = Int[np.ndarray, " r"]
Some = UInt8[np.ndarray, "k h w"]


def measure_stains(run: OpenRun, options: StudyOptions, *, root: Path | None = None) -> StainEffect | str:
    """Compare stained with unstained sheets and paste stains on defective ones; or say why it is impossible.

    root  the DATA folder, whose truth.csv lists the stained sheets; without it a detector is used
    """
    rng, rows = stream(options.seed, "study-stains"), run.positions("test")
    if not rows.size:
        return "there are no test sheets"
    try:
        sheets = _own_names(proof_sheets(run.data, rows, root=root), options.test)
        nuisance = open_nuisance(sheets, "stain")
        rows = _choose(sheets, nuisance, rng)
        few = sheets.take(rows)
        settings = ProofSettings(per_group=EACH, limit=RECEIVERS, doses=(FULL,))
        proof = prove(run.model, few, nuisance.take(rows), settings, rng=rng)
    except BadInput as error:
        return str(error)
    clean = sheets.labels == 0
    return StainEffect(
        proof,
        tuple(choose_examples(run.model, few, proof, count=1)),
        _some(sheets, clean & ~nuisance.present, rng),
        _some(sheets, clean & nuisance.present, rng),
        _share(nuisance.present, clean),
        _share(nuisance.present, ~clean),
    )


def _own_names(sheets: ProofSheets, test: Path | None) -> ProofSheets:
    """Restore the names that sheets of --test have in their own folder, to match its truth.csv."""
    if test is None:
        return sheets
    return replace(sheets, root=test, ids=tuple(id_.removeprefix(TEST_PREFIX) for id_ in sheets.ids))


def _choose(sheets: ProofSheets, nuisance: Nuisance, rng: np.random.Generator) -> Rows:
    """Draw defect-free sheets for both groups and the controls, and defective ones to paste on."""
    clean = sheets.labels == 0
    parts = (
        (clean & ~nuisance.present, EACH),
        (clean & nuisance.present, EACH),
        (~clean & ~nuisance.present, RECEIVERS),
    )
    chosen = [rng.permutation(np.flatnonzero(mask))[:most] for mask, most in parts]
    return np.sort(np.concatenate(chosen))


def _some(sheets: ProofSheets, mask: Bool[np.ndarray, " n"], rng: np.random.Generator) -> Some:
    rows = np.sort(rng.permutation(np.flatnonzero(mask))[:SHOWN])
    return np.asarray(sheets.images[rows])


def _share(present: Bool[np.ndarray, " n"], among: Bool[np.ndarray, " n"]) -> Interval:
    return wilson(int(present[among].sum()), int(among.sum()))
