"""The study's white-stain effect, once a half: two groups of 50 compared, a stain pasted, what comes of it.

The sheets are test sheets, which the study did not ask for; its 50 a group are the most that are taken. Where
no test sheet has a stain there is no test, and what is pasted is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, UInt8

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.plain import plain
from steelsight.runs.open import OpenRun
from steelsight.shortcuts.nuisances.nuisance import Nuisance, open_nuisance
from steelsight.shortcuts.pasting.doses import FULL
from steelsight.shortcuts.prove.decision import LEAST_DELTA, LEAST_EXCESS, detects_nuisance
from steelsight.shortcuts.prove.examples import Example, choose_examples
from steelsight.shortcuts.prove.options import ProofSettings
from steelsight.shortcuts.prove.prove import ShortcutProof, prove
from steelsight.shortcuts.sheets import ProofSheets, proof_sheets
from steelsight.streams import stream
from steelsight.study.options import StudyOptions
from steelsight.study.verdict import ClaimVerdict, decide
from steelsight.types import Interval

__all__ = [
    "EACH",
    "NO_MODEL",
    "NO_STAINS",
    "StainEffect",
    "judge_flips",
    "judge_learnt",
    "judge_test",
    "measure_stains",
]

TEST_PREFIX = "test/"  # as `material` names sheets of --test
EACH, RECEIVERS, SHOWN = 50, 400, 4  # sheets a group, as in the slides; pasted on; shown a group
NO_MODEL = "no model was trained"
NO_STAINS = "no defect-free test sheet has a white stain"

Rows = Int[np.ndarray, " r"]
Some = UInt8[np.ndarray, "k h w"]


@dataclass(frozen=True)
class StainEffect:
    """What stains do to one model."""

    proof: ShortcutProof
    examples: tuple[
        Example, ...
    ]  # the sheet the paste moved most, in pictures; empty where none was pasted on
    without: UInt8[np.ndarray, "x h w"]  # some defect-free test sheets
    with_it: UInt8[np.ndarray, "y h w"]
    among_none: Interval  # share with a stain of the defect-free test sheets
    among_defects: Interval

    def as_dict(self) -> dict[str, Any]:
        """Every number as JSON, without pictures."""
        shares = {"among_none": self.among_none, "among_defects": self.among_defects}
        found: dict[str, Any] = plain(shares)
        return {**found, "proof": self.proof.as_dict()}


def measure_stains(run: OpenRun, options: StudyOptions, *, root: Path | None = None) -> StainEffect | str:
    """Compare, paste and take off; or why nothing can be.

    root  the DATA folder, whose truth.csv says which sheets are stained; without one a detector says it
    """
    rng, rows = stream(options.seed, "study-stains"), run.positions("test")
    if not rows.size:
        return "there are no test sheets"
    try:
        sheets = _at_home(proof_sheets(run.data, rows, root=root), options.test)
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


def judge_learnt(looked: StainEffect | str) -> ClaimVerdict:
    """Whether stains go with the absence of defects, and the model takes them for it."""
    if isinstance(looked, str):
        return _unknown(looked)
    proof, none, defects = looked.proof, looked.among_none, looked.among_defects
    because = (
        f"{none.estimate:.1%} of defect-free and {defects.estimate:.1%} of defective test sheets have one; "
        f"learnt: {proof.verdict}."
    )
    if proof.pasted is None:
        return ClaimVerdict("undecided here", f"{because} {_sentence(proof.because)}")
    holds = proof.verdict == "proven" and none.low > defects.high
    fails = proof.verdict == "not found at this power" or none.high < defects.low
    told = f"{because} Interval of verdicts that a pasted stain flips beyond its control."
    return ClaimVerdict(decide(holds, fails), told, proof.pasted.excess)


def judge_test(looked: StainEffect | str) -> ClaimVerdict:
    """Whether stained defect-free sheets score higher, by both tests and an effect worth the name."""
    if isinstance(looked, str):
        return _unknown(looked)
    margins, shares = looked.proof.on_margins, looked.proof.on_probabilities
    if margins is None or shares is None:
        return _unknown(NO_STAINS)
    because = (
        f"Cliff's delta of {margins.with_it} sheets with over {margins.without} without; p "
        f"{shares.p_value:.1e} on probabilities, {margins.p_value:.1e} on margins; groups of these sizes can "
        f"give {margins.smallest_p:.1e} at the least."
    )
    return ClaimVerdict(
        decide(detects_nuisance(margins), margins.delta.high < LEAST_DELTA), because, margins.delta
    )


def judge_flips(looked: StainEffect | str) -> ClaimVerdict:
    """Whether a pasted stain turns right verdicts into none, beyond what pasting itself does."""
    if isinstance(looked, str):
        return _unknown(looked)
    pasted = looked.proof.pasted
    if pasted is None:
        return ClaimVerdict("undecided here", _sentence(looked.proof.notes[-1]))
    because = (
        f"Share of {pasted.receivers} sheets that flip beyond their control, held against "
        f"{LEAST_EXCESS:.0%}; {pasted.flips.estimate:.1%} flip with a stain, "
        f"{pasted.control_flips.estimate:.1%} with its control."
    )
    return ClaimVerdict(
        decide(pasted.excess.low > LEAST_EXCESS, pasted.excess.high <= LEAST_EXCESS), because, pasted.excess
    )


def _at_home(sheets: ProofSheets, test: Path | None) -> ProofSheets:
    """Sheets of another folder than DATA under the names they have there, for its truth.csv."""
    if test is None:
        return sheets
    return replace(sheets, root=test, ids=tuple(id_.removeprefix(TEST_PREFIX) for id_ in sheets.ids))


def _choose(sheets: ProofSheets, nuisance: Nuisance, rng: np.random.Generator) -> Rows:
    """Defect-free sheets for both groups and the controls, and defective ones to paste on."""
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


def _unknown(why: str) -> ClaimVerdict:
    return ClaimVerdict("undecided here", _sentence(why))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
