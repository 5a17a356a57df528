"""From a cure's name to a treatment that training can give: the lesson's sheets, seen as a patient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from pydantic import JsonValue
from torch import Tensor

from steelsight.errors import BadInput
from steelsight.shortcuts.nuisances.nuisance import DETECTORS, Nuisance
from steelsight.shortcuts.pasting.stamps import gather_stamps
from steelsight.shortcuts.pasting.versions import draw_versions
from steelsight.shortcuts.repair.methods import CURES, RepairContext
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.streams import stream
from steelsight.training.dataset import InterventionPlan, TrainingData
from steelsight.types import Mask

__all__ = ["RepairConfig", "intervention_for"]

MOST_STAMPS = 512  # with 32 a network learns these, and still trusts others


@dataclass(frozen=True)
class RepairConfig:
    """What is to be cured, and on what."""

    sheets: ProofSheets  # all sheets of the run's DATA, in its order
    nuisance: Nuisance  # of them
    suspect: str
    weights: Mapping[str, Tensor]  # the run's own
    weights_sha256: str
    from_run: bool  # every training starts from the run's weights; False: as the recipe starts
    material: str
    seed: int


def intervention_for(name: str, case: RepairConfig) -> InterventionPlan:
    """One cure as a treatment.

    raises  BadInput for a cure that does not exist; the treatment itself raises it where the sheets at hand
            do not allow the cure
    """
    if name not in CURES:
        raise BadInput(f"--cures: expected some of {', '.join(CURES)}, got {name!r}")
    cure = CURES[name]
    from_run = case.from_run or cure.from_run

    def treat(lesson: TrainingData) -> TrainingData:
        rng = stream(case.seed, "intervention")
        patient = _patient(lesson, case, rng)
        lesson = replace(lesson, intervention=cure.make(patient))
        return lesson if patient.book is None else _with_toggled_validation(lesson, patient)

    told: dict[str, JsonValue] = {
        "cure": name,
        "nuisance": case.nuisance.name,
        "suspect": case.suspect,
        "groups_from": case.nuisance.source,
        "material": case.material,
        "start": "run" if from_run else "recipe",
        "run_weights_sha256": case.weights_sha256,
        "masks": cure.masks,
    }
    return InterventionPlan(told, treat, case.weights if from_run else None)


def _patient(lesson: TrainingData, case: RepairConfig, rng: np.random.Generator) -> RepairContext:
    sheets = _lesson_sheets(lesson, case.sheets)
    present = _present(lesson, case.nuisance)
    nuisance = replace(case.nuisance, present=present, listed=np.ones(len(sheets), dtype=bool))
    book = None
    if nuisance.kind is not None:
        train = lesson.train
        book = gather_stamps(
            sheets.take(train), nuisance.take(train), rng, material=case.material, most=MOST_STAMPS
        )
    return RepairContext(sheets, nuisance, book, lesson.train, rng)


def _lesson_sheets(lesson: TrainingData, data: ProofSheets) -> ProofSheets:
    """The lesson's sheets: the data's, then copies the recipe added, whose masks the lesson holds."""
    count = len(lesson.images)
    masks = lesson.masks
    located = np.zeros(count, dtype=bool) if masks is None else masks.known
    groups = lesson.groups

    def defect(row: int) -> Mask:
        if masks is None:
            return np.zeros(lesson.images.shape[1:], dtype=bool)
        covered: Mask = masks.shares[row] > 0
        return covered

    return replace(
        data,
        ids=tuple(data.ids[row] if row < len(data) else f"copy {row}" for row in range(count)),
        images=lesson.images,
        labels=lesson.targets.astype(np.int64),
        located=located,
        defect=defect,
        groups=("",) * count if groups is None else tuple(str(number) for number in groups.tolist()),
    )


def _present(lesson: TrainingData, nuisance: Nuisance) -> Bool[np.ndarray, " n"]:
    """As told for the data's sheets; on copies, whatever the detector sees."""
    known, count = nuisance.present.size, len(lesson.images)
    if count == known:
        return nuisance.present
    if nuisance.kind is None:
        raise BadInput(
            f"{nuisance.name}: the recipe adds copies of sheets, and no detector says which of them have it; "
            "train with balance.method = none and paste.to_share = 0"
        )
    found = DETECTORS[nuisance.kind](np.asarray(lesson.images[known:])) > 0
    return np.concatenate([nuisance.present, found])


def _with_toggled_validation(lesson: TrainingData, patient: RepairContext) -> TrainingData:
    """Validation sheets once more, toggled: else the epoch kept is the one that trusts the nuisance most."""
    rows = lesson.validation
    if not rows.size or patient.book is None:
        return lesson
    drawn = draw_versions(patient.sheets.take(rows), patient.nuisance.take(rows), patient.book, patient.rng)
    kept: Int[np.ndarray, " v"] = rows[drawn.toggled]
    count = len(lesson.images)
    return replace(
        lesson,
        images=np.concatenate([np.asarray(lesson.images), drawn.images[drawn.toggled, 0]]),
        targets=np.concatenate([lesson.targets, lesson.targets[kept]]),
        validation=np.concatenate([rows, np.arange(count, count + kept.size)]),
        groups=None if lesson.groups is None else np.concatenate([lesson.groups, lesson.groups[kept]]),
    )
