"""Builds the intervention of a repair method: what training changes, computed from the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from pydantic import JsonValue
from torch import Tensor

from steelsight.counterfactuals.nuisances.nuisance import DETECTORS, Nuisance
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.pasting.versions import draw_versions
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.shortcuts.repair.methods import REPAIR_METHODS, RepairContext
from steelsight.streams import stream
from steelsight.training.dataset import InterventionPlan, TrainingData
from steelsight.types import Mask

__all__ = ["RepairConfig", "plan_intervention", "refuse_unknown"]

MOST_STAMPS = 512  # with 32 a network learns these stamps, and still uses others


@dataclass(frozen=True)
class RepairConfig:
    """The shortcut to repair, the run, and how its trainings start."""

    sheets: ProofSheets  # all sheets of the run's DATA, in its order
    nuisance: Nuisance  # of them
    suspected_class: str
    weights: Mapping[str, Tensor]  # the run's own
    weights_sha256: str
    from_run: bool  # True: every training starts from the run's weights; False: as the recipe starts
    material: str  # see stamps.gather_stamps
    seed: int


def refuse_unknown(name: str) -> None:
    """Raise BadInput for the name of a method that does not exist."""
    if name not in REPAIR_METHODS:
        raise BadInput(f"--cures: expected some of {', '.join(REPAIR_METHODS)}, got {name!r}")


def plan_intervention(name: str, config: RepairConfig) -> InterventionPlan:
    """Plan the training of one repair method.

    raises  BadInput for an unknown method; applying the plan raises it where the training sheets do not allow
            the method
    """
    refuse_unknown(name)
    method = REPAIR_METHODS[name]
    from_run = config.from_run or method.from_run

    def apply(data: TrainingData) -> TrainingData:
        context = _context(data, config, stream(config.seed, "intervention"))
        data = replace(data, intervention=method.make(context))
        return data if context.book is None else _with_toggled_validation(data, context)

    description: dict[str, JsonValue] = {
        "cure": name,
        "nuisance": config.nuisance.name,
        "suspect": config.suspected_class,
        "groups_from": config.nuisance.source,
        "material": config.material,
        "start": "run" if from_run else "recipe",
        "run_weights_sha256": config.weights_sha256,
        "masks": method.masks,
    }
    return InterventionPlan(description, apply, config.weights if from_run else None)


def _context(data: TrainingData, config: RepairConfig, rng: np.random.Generator) -> RepairContext:
    sheets = _training_sheets(data, config.sheets)
    present = _present(data, config.nuisance)
    nuisance = replace(config.nuisance, present=present, listed=np.ones(len(sheets), dtype=bool))
    book = None
    if nuisance.kind is not None:
        train = data.train
        book = gather_stamps(
            sheets.take(train), nuisance.take(train), rng, material=config.material, most=MOST_STAMPS
        )
    return RepairContext(sheets, nuisance, book, data.train, rng)


def _training_sheets(data: TrainingData, source: ProofSheets) -> ProofSheets:
    """The sheets of a training: those of DATA, then copies that the recipe added.

    source  all sheets of DATA
    """
    count = len(data.images)
    masks = data.masks
    located = np.zeros(count, dtype=bool) if masks is None else masks.known
    groups = data.groups

    def defect(row: int) -> Mask:
        if masks is None:
            return np.zeros(data.images.shape[1:], dtype=bool)
        covered: Mask = masks.shares[row] > 0
        return covered

    return replace(
        source,
        ids=tuple(source.ids[row] if row < len(source) else f"copy {row}" for row in range(count)),
        images=data.images,
        labels=data.targets.astype(np.int64),
        located=located,
        defect=defect,
        groups=("",) * count if groups is None else tuple(str(number) for number in groups.tolist()),
    )


def _present(data: TrainingData, nuisance: Nuisance) -> Bool[np.ndarray, " n"]:
    """Which sheets have the nuisance: as given for DATA's sheets, by the detector for copies."""
    known, count = nuisance.present.size, len(data.images)
    if count == known:
        return nuisance.present
    if nuisance.kind not in DETECTORS:
        raise BadInput(
            f"{nuisance.name}: the recipe adds copies of sheets, and no detector can find this nuisance on "
            "them; train with balance.method = none and paste.to_share = 0"
        )
    detected = DETECTORS[nuisance.kind](np.asarray(data.images[known:])) > 0
    return np.concatenate([nuisance.present, detected])


def _with_toggled_validation(data: TrainingData, context: RepairContext) -> TrainingData:
    """Add toggled versions of the validation sheets, so that the best epoch does not use the nuisance."""
    rows = data.validation
    if not rows.size or context.book is None:
        return data
    drawn = draw_versions(context.sheets.take(rows), context.nuisance.take(rows), context.book, context.rng)
    kept: Int[np.ndarray, " v"] = rows[drawn.toggled]
    count = len(data.images)
    return replace(
        data,
        images=np.concatenate([np.asarray(data.images), drawn.images[drawn.toggled, 0]]),
        targets=np.concatenate([data.targets, data.targets[kept]]),
        validation=np.concatenate([rows, np.arange(count, count + kept.size)]),
        groups=None if data.groups is None else np.concatenate([data.groups, data.groups[kept]]),
    )
