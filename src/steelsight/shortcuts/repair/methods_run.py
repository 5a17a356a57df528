"""Cure a shortcut: retrain with every cure asked for, choose on validation sheets, prove again on others.

The choice looks at validation sheets alone: the share of them told right whether they have the nuisance or
not. What is reported was judged on sheets that neither training nor choice has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from steelsight.errors import BadInput
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.classifier import SheetClassifier
from steelsight.plain import plain
from steelsight.sheets.grouping.splits import Split
from steelsight.shortcuts.nuisances.nuisance import Nuisance, group_sizes
from steelsight.shortcuts.pasting.stamps import gather_stamps
from steelsight.shortcuts.pasting.versions import draw_versions
from steelsight.shortcuts.repair.evaluate import RepairEvaluation, ScoreChange, evaluate_repair, robust_share
from steelsight.shortcuts.repair.interventions import RepairConfig, intervention_for
from steelsight.shortcuts.repair.methods import CURES
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.run import train_data
from steelsight.types import Interval

__all__ = ["NOTHING_DONE", "MethodOutcome", "RepairCase", "RepairOutcome", "repair"]

NOTHING_DONE = "before"  # the run as it is, beside the cures
Say = Callable[[str], None]


@dataclass(frozen=True)
class RepairCase:
    """A run, what it learnt from, and who judges."""

    model: SheetClassifier
    recipe: Recipe
    data: SheetData
    split: Split
    prescription: RepairConfig
    judges: ProofSheets
    judges_nuisance: Nuisance
    limit: int  # sheets pasted on
    seed: int


@dataclass(frozen=True)
class MethodOutcome:
    """The run as it is, or after one cure."""

    name: str  # of the cure, or NOTHING_DONE
    run: Path | None  # the RUN folder; None for the run as it is
    robust: float  # on validation sheets; see repair_judge.robust_share
    judgement: RepairEvaluation
    metrics: dict[str, Interval]
    change: ScoreChange | None  # against the run as it is
    seconds: float  # of training

    def as_dict(self) -> dict[str, Any]:
        """For repair.json."""
        told: dict[str, Any] = plain(
            {
                "cure": self.name,
                "run": None if self.run is None else self.run.name,
                "robust_share_on_validation": self.robust,
                "metrics": {name: asdict(value) for name, value in self.metrics.items()},
                "change": None if self.change is None else asdict(self.change),
                "training_seconds": self.seconds,
                "sheets": int(self.judgement.right.size),
                "defective_with": int(self.judgement.stained.sum()),
                "dice_sheets": int(self.judgement.dice.size),
            }
        )
        return {**told, "proof": self.judgement.proof.as_dict()}


@dataclass(frozen=True)
class RepairOutcome:
    """All of them."""

    before: MethodOutcome
    after: tuple[MethodOutcome, ...]
    chosen: str  # the cure that validation chose; NOTHING_DONE where none is better than the run as it is
    impossible: dict[str, str]  # cures that could not be done, and why
    groups: dict[str, int]  # training sheets a class with and without the nuisance

    @property
    def best(self) -> MethodOutcome:
        """The chosen one."""
        return next(each for each in (self.before, *self.after) if each.name == self.chosen)


def repair(
    case: RepairCase,
    cures: Sequence[str],
    out: Path,
    *,
    fresh: bool = False,
    watcher: TrainingProgress | None = None,
    say: Say = lambda _text: None,
) -> RepairOutcome:
    """Try cures and choose one.

    out     a RUN folder for every cure is written to out/NAME; finished ones are taken as they are
    raises  BadInput for an unknown cure, without validation sheets, or where no cure can be done
    """
    watcher = watcher or NoProgress()
    treatments = {name: intervention_for(name, case.prescription) for name in dict.fromkeys(cures)}
    checker = _Checker(case)
    say("judging the run as it is")
    before = checker.judge(NOTHING_DONE, None, case.model, 0.0, None)
    after, impossible = [], {}
    for name, treatment in treatments.items():
        say(f"{name}: {CURES[name].title}")
        try:
            done = train_data(
                case.data,
                case.split,
                case.recipe,
                out / name,
                seed=case.seed,
                fresh=fresh,
                progress=watcher,
                plan=treatment,
            )
        except BadInput as error:
            if (out / name).exists() and any((out / name).iterdir()):
                raise
            impossible[name] = str(error)
            continue
        spent = sum(row["seconds"] for row in done.metrics["training"]["history"])
        say(f"{name}: judging")
        after.append(checker.judge(name, done.folder, load_checkpoint(done.folder)[0], spent, before))
    if not after:
        raise BadInput("repair: none of the cures could be done: " + "; ".join(impossible.values()))
    best = max((before, *after), key=lambda each: each.robust)
    return RepairOutcome(before, tuple(after), best.name, impossible, checker.groups())


class _Checker:
    """Judges one model after the other on the same sheets."""

    def __init__(self, case: RepairCase) -> None:
        rows = case.split.validation
        rows = rows[case.prescription.sheets.labels[rows] >= 0]
        if not rows.size:
            raise BadInput(
                f"{case.data.name}: expected validation sheets to choose a cure on, found none; train with "
                "split.validation above 0"
            )
        self.case = case
        self.validation = case.prescription.sheets.take(rows)
        self.nuisance = case.prescription.nuisance.take(rows)
        self.toggled = self._toggle()

    def judge(
        self,
        name: str,
        run: Path | None,
        model: SheetClassifier,
        seconds: float,
        before: MethodOutcome | None,
    ) -> MethodOutcome:
        case = self.case
        found = evaluate_repair(
            model,
            case.judges,
            case.judges_nuisance,
            task=case.data.task,
            suspect=case.prescription.suspect,
            limit=case.limit,
            material=case.prescription.material,
            seed=case.seed,
        )
        change = None if before is None else ScoreChange.between(before.judgement, found, seed=case.seed)
        robust = robust_share(model, self.validation, self.toggled, self.nuisance)
        return MethodOutcome(name, run, robust, found, found.metrics(seed=case.seed), change, seconds)

    def groups(self) -> dict[str, int]:
        """Training sheets a class, with and without the nuisance."""
        case = self.case
        labels = case.prescription.sheets.labels[case.split.train]
        present = case.prescription.nuisance.present[case.split.train]
        sizes = group_sizes(labels, present, case.data.labelled.class_names)
        return {f"{name} {side}": count for (name, side), count in sizes.items()}

    def _toggle(self) -> UInt8[np.ndarray, "n h w"] | None:
        """The validation sheets with the nuisance put on or taken off."""
        if self.nuisance.kind is None:
            return None
        case, rng = self.case, stream(self.case.seed, "repair-method")
        book = gather_stamps(self.validation, self.nuisance, rng, material=case.prescription.material)
        toggled: UInt8[np.ndarray, "n h w"] = draw_versions(self.validation, self.nuisance, book, rng).images[
            :, 0
        ]
        return toggled
