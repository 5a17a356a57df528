"""Repairs a shortcut: trains with every requested method, chooses one, and proves the shortcut again.

The choice uses validation sheets only: the share of them with correct verdicts both with and without the
nuisance. Reported figures are from sheets used neither for training nor for the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from steelsight.counterfactuals.nuisances.nuisance import Nuisance, group_sizes
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.stamps import gather_stamps
from steelsight.counterfactuals.pasting.versions import draw_versions
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.executor import Executor
from steelsight.models.checkpoint import load_checkpoint
from steelsight.models.classifier import SheetClassifier
from steelsight.plain import plain
from steelsight.sheets.grouping.splits import Split
from steelsight.shortcuts.repair.evaluate import RepairEvaluation, ScoreChange, evaluate_repair, robust_share
from steelsight.shortcuts.repair.interventions import RepairConfig, refuse_unknown
from steelsight.shortcuts.repair.trainings import MethodTrainings, train_method
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.run import forget_training
from steelsight.training.several import LOCAL, TrainingTasks, run_trainings
from steelsight.types import Interval

__all__ = ["NOTHING_DONE", "MethodOutcome", "RepairCase", "RepairOutcome", "repair"]

NOTHING_DONE = "before"  # the name of the unchanged run beside those of methods
Say = Callable[[str], None]


@dataclass(frozen=True)
class RepairCase:
    """A run, its training data, and the sheets to evaluate on."""

    model: SheetClassifier
    recipe: Recipe
    data: SheetData
    split: Split
    config: RepairConfig
    evaluation_sheets: ProofSheets
    evaluation_nuisance: Nuisance
    limit: int  # largest number of sheets pasted on
    seed: int


@dataclass(frozen=True)
class MethodOutcome:
    """The unchanged run, or the run after one repair method."""

    name: str  # of the method, or NOTHING_DONE
    run: Path | None  # the RUN folder; None for the unchanged run
    robust: float  # on validation sheets; see evaluate.robust_share
    evaluation: RepairEvaluation
    metrics: dict[str, Interval]
    change: ScoreChange | None  # compared with the unchanged run
    seconds: float  # of training

    def as_dict(self) -> dict[str, Any]:
        """Collect the values for repair.json."""
        values: dict[str, Any] = plain(
            {
                "cure": self.name,
                "run": None if self.run is None else self.run.name,
                "robust_share_on_validation": self.robust,
                "metrics": {name: asdict(value) for name, value in self.metrics.items()},
                "change": None if self.change is None else asdict(self.change),
                "training_seconds": self.seconds,
                "sheets": int(self.evaluation.right.size),
                "defective_with": int(self.evaluation.defective_with.sum()),
                "dice_sheets": int(self.evaluation.dice.size),
            }
        )
        return {**values, "proof": self.evaluation.proof.as_dict()}


@dataclass(frozen=True)
class RepairOutcome:
    """The outcomes of all methods, and the choice."""

    before: MethodOutcome
    after: tuple[MethodOutcome, ...]
    chosen: str  # the best on validation sheets; NOTHING_DONE where no method is better than the run
    impossible: dict[str, str]  # methods that could not be done, with the reason
    groups: dict[str, int]  # training sheets of each class, with and without the nuisance

    @property
    def best(self) -> MethodOutcome:
        """The chosen outcome."""
        return next(each for each in (self.before, *self.after) if each.name == self.chosen)


def repair(
    case: RepairCase,
    methods: Sequence[str],
    out: Path,
    *,
    fresh: bool = False,
    watcher: TrainingProgress | None = None,
    say: Say = lambda _text: None,
    executor: Executor = LOCAL,
) -> RepairOutcome:
    """Train and evaluate repair methods, and choose one.

    methods   names of methods.REPAIR_METHODS
    out       the RUN folder of every method is written to out/NAME; finished ones are reused
    fresh     True: train finished methods again
    watcher   receives the progress of each training
    say       called with a description of each step
    executor  does the trainings
    raises    BadInput for an unknown method, without validation sheets, or where no method can be done
    """
    names = list(dict.fromkeys(methods))
    for name in names:
        refuse_unknown(name)
    evaluator = _Evaluator(case)
    say("evaluating the unchanged run")
    before = evaluator.evaluate(NOTHING_DONE, None, case.model, 0.0, None)
    after: dict[int, MethodOutcome] = {}
    impossible: dict[int, str] = {}
    if fresh and executor.concurrent:
        for name in names:  # here and once: a task that is begun again finds its own checkpoint
            forget_training(out / name)
        fresh = False
    trainings = MethodTrainings(case.data, case.split, case.recipe, case.config, out, case.seed, fresh)
    tasks = _tasks(trainings, names)
    with closing(run_trainings(tasks, progress=watcher or NoProgress(), executor=executor)) as ended:
        for index, done in ended:
            if isinstance(done, str):
                impossible[index] = done
                continue
            name = names[index]
            spent = sum(row["seconds"] for row in done.metrics["training"]["history"])
            say(f"{name}: evaluating")
            model = load_checkpoint(done.folder)[0]
            after[index] = evaluator.evaluate(name, done.folder, model, spent, before)
    reasons = {names[index]: impossible[index] for index in sorted(impossible)}
    if not after:
        raise BadInput("repair: none of the methods could be done: " + "; ".join(reasons.values()))
    outcomes = tuple(after[index] for index in sorted(after))
    best = max((before, *outcomes), key=lambda each: each.robust)
    return RepairOutcome(before, outcomes, best.name, reasons, evaluator.training_groups())


def _tasks(trainings: MethodTrainings, names: Sequence[str]) -> TrainingTasks:
    root = trainings.config.sheets.root
    return TrainingTasks(
        function=train_method,
        shared=trainings,
        tasks=names,
        names=names,
        recipes=[trainings.recipe],
        reads=[] if root is None else [root],
        writes=[trainings.out],
    )


class _Evaluator:
    """Evaluates models on the same sheets."""

    def __init__(self, case: RepairCase) -> None:
        rows = case.split.validation
        rows = rows[case.config.sheets.labels[rows] >= 0]
        if not rows.size:
            raise BadInput(
                f"{case.data.name}: expected validation sheets to choose a method on, found none; train with "
                "split.validation above 0"
            )
        self.case = case
        self.settings = ProofSettings(
            suspected_class=case.config.suspected_class,
            limit=case.limit,
            material=case.config.material,
            doses=(),
            remove=False,
        )
        self.validation = case.config.sheets.take(rows)
        self.nuisance = case.config.nuisance.take(rows)
        self.toggled = self._toggle()

    def evaluate(
        self,
        name: str,
        run: Path | None,
        model: SheetClassifier,
        seconds: float,
        before: MethodOutcome | None,
    ) -> MethodOutcome:
        case = self.case
        evaluation = evaluate_repair(
            model,
            case.evaluation_sheets,
            case.evaluation_nuisance,
            self.settings,
            task=case.data.task,
            seed=case.seed,
        )
        change = (
            None if before is None else ScoreChange.between(before.evaluation, evaluation, seed=case.seed)
        )
        robust = robust_share(model, self.validation, self.toggled, self.nuisance)
        return MethodOutcome(
            name, run, robust, evaluation, evaluation.metrics(seed=case.seed), change, seconds
        )

    def training_groups(self) -> dict[str, int]:
        """Count the training sheets of each class, with and without the nuisance."""
        case = self.case
        labels = case.config.sheets.labels[case.split.train]
        present = case.config.nuisance.present[case.split.train]
        sizes = group_sizes(labels, present, case.data.labelled.class_names)
        return {f"{name} {side}": count for (name, side), count in sizes.items()}

    def _toggle(self) -> UInt8[np.ndarray, "n h w"] | None:
        """The validation sheets with the nuisance pasted or removed; None for a nuisance of unknown kind."""
        if self.nuisance.kind is None:
            return None
        case, rng = self.case, stream(self.case.seed, "repair-method")
        book = gather_stamps(self.validation, self.nuisance, rng, material=case.config.material)
        versions = draw_versions(self.validation, self.nuisance, book, rng)
        toggled: UInt8[np.ndarray, "n h w"] = versions.images[:, 0]
        return toggled
