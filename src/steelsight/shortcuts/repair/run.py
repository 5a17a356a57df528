"""Repairs a shortcut of a RUN on its DATA folder; writes repaired runs, repair.html and repair.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.counterfactuals.nuisances.nuisance import Nuisance, open_nuisance
from steelsight.counterfactuals.pasting.stamps import MATERIALS
from steelsight.counterfactuals.proof import suspected_class_index
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData, BadInput
from steelsight.executor import Executor
from steelsight.files import add_files, keep_earlier, write_json
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.document import Document
from steelsight.runs.opening.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.opening.reading import FROM_RUN, read_as_run
from steelsight.runs.opening.validation import refuse_without_validation
from steelsight.runs.settings import result_settings
from steelsight.sheets.grouping.splits import Split
from steelsight.shortcuts.prove.examples import choose_examples
from steelsight.shortcuts.repair.interventions import RepairConfig
from steelsight.shortcuts.repair.methods import REPAIR_METHODS
from steelsight.shortcuts.repair.methods_run import RepairCase, RepairOutcome, repair
from steelsight.shortcuts.repair.options import STARTS, RepairOptions
from steelsight.shortcuts.repair.report import write_repair
from steelsight.shortcuts.sheets import proof_sheets
from steelsight.training.conclude import environment
from steelsight.training.dataset import open_training_sheets
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.records import PARTS
from steelsight.training.run import load_run
from steelsight.training.several import LOCAL

__all__ = ["NUMBERS", "PAGE", "RepairReport", "repair_run"]

PAGE, NUMBERS = "repair.html", "repair.json"
DEFAULT = RepairOptions()


@dataclass(frozen=True)
class RepairReport:
    """A repair that was written to a folder."""

    folder: Path
    repair: RepairOutcome
    numbers: dict[str, Any]  # of repair.json

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / PAGE


@dataclass(frozen=True)
class _EvaluationSheets:
    """Sheets that neither training nor choice uses."""

    sheets: ProofSheets
    nuisance: Nuisance
    notes: tuple[str, ...] = ()  # on how they were selected


def repair_run(
    run: Path,
    data: Path,
    nuisance: str,
    options: RepairOptions = DEFAULT,
    *,
    out: Path | None = None,
    watcher: TrainingProgress | None = None,
    say: Callable[[str], None] = lambda _text: None,
    executor: Executor = LOCAL,
) -> RepairReport:
    """Repair a run against one nuisance, and write the repaired runs, the page and its numbers.

    data      the folder the run was trained on
    nuisance  stain, end, or a list's path, as in `prove_run`
    out       folder to write, with the RUN folder of each method; None = RUN/shortcuts/repair-NAME
    watcher   receives the progress of each training
    say       called with a description of each step
    executor  does the trainings
    raises    BadInput for options or a run that cannot be used; BadData where the folder is not the run's
    """
    _refuse_options(options)
    from_run = options.start == "run"
    recipe = _recipe(run, options.epochs, from_run=from_run)
    trained = _open_trained(run, data, recipe, options)
    model, card, opened = trained.model, trained.card, trained.data
    split = _split_of(trained, data)
    sheets = proof_sheets(opened, np.arange(len(opened.items)), root=data)
    present = open_nuisance(sheets, nuisance, source=options.groups_from, allow_bad=options.allow_bad)
    target = suspected_class_index(sheets, present, options.suspected_class)
    if options.evaluation_data is None:
        evaluation = _own_test_sheets(run, sheets, present, split)
    else:
        evaluation = _unseen_sheets(run, options.evaluation_data, nuisance, options, sheets.ids)
    config = RepairConfig(
        sheets=sheets,
        nuisance=present,
        suspected_class=sheets.class_names[target],
        weights={name: tensor.clone() for name, tensor in model.state_dict().items()},
        weights_sha256=card.weights_sha256,
        from_run=from_run,
        material=options.material,
        seed=options.seed,
    )
    case = RepairCase(
        model=model,
        recipe=recipe,
        data=opened,
        split=split,
        config=config,
        evaluation_sheets=evaluation.sheets,
        evaluation_nuisance=evaluation.nuisance,
        limit=options.limit,
        seed=options.seed,
    )
    folder = out or run / "shortcuts" / f"repair-{present.name}"
    methods = tuple(REPAIR_METHODS) if options.methods is None else options.methods
    outcome = repair(case, methods, folder, fresh=options.fresh, watcher=watcher, say=say, executor=executor)
    numbers = _numbers(run, case, outcome, options.start, evaluation.notes)
    settings = result_settings(
        "shortcuts repair",
        replace(options, fresh=False),
        cards=[card],
        data_hash=opened.data_hash,
        nuisance=nuisance,
    )
    numbers |= keep_earlier(folder, NUMBERS, settings, [PAGE])
    add_files(numbers, _write_page(folder, run, case, outcome, evaluation.notes))
    write_json(folder / NUMBERS, numbers)
    return RepairReport(folder, outcome, numbers)


def _refuse_options(options: RepairOptions) -> None:
    if options.start not in STARTS or options.material not in MATERIALS:
        raise BadInput(
            f"--start: expected run or recipe, got {options.start!r}; --material: expected one of "
            f"{', '.join(MATERIALS)}, got {options.material!r}"
        )


def _open_trained(run: Path, data: Path, recipe: Recipe, options: RepairOptions) -> OpenRun:
    """The run with the folder it was trained on, read and grouped as in its training."""
    card = load_run(run).card
    opening = replace(read_as_run(card, options.alone()), bits=card.input.bits)
    sheets = open_training_sheets(data, recipe, opening)
    if not options.groups:
        sheets = replace(sheets, group_source=FROM_RUN)
    if not any(options.reading()):
        sheets = replace(sheets, read_source=FROM_RUN)
    return open_run(run, data, opening, sheets=sheets)


def _recipe(run: Path, epochs: int | None, *, from_run: bool) -> Recipe:
    """The run's own recipe, without steps that must not be repeated when training continues from the run.

    epochs  largest number; None = as the recipe
    """
    finished = load_run(run)
    card, recipe = finished.card, finished.recipe
    refuse_multilabel(run, card)
    refuse_without_validation(run, card, "to choose a method on")
    if card.shuffled_labels or recipe.patches.count > 1:
        raise BadInput(
            f"{run}: expected a run trained on whole sheets with their own labels; a control with shuffled "
            "labels and a model of patches cannot be repaired"
        )
    changes: dict[str, Any] = {}
    if epochs is not None:
        changes["stop"] = recipe.stop.model_copy(update={"max_epochs": epochs})
    if from_run and recipe.probe.enabled and recipe.stop.max_epochs:
        changes["probe"] = recipe.probe.model_copy(update={"enabled": False})
    return recipe.model_copy(update=changes)


def _split_of(run: OpenRun, data: Path) -> Split:
    """The run's split of its own folder; sheets are recognised by name and pixels."""
    parts = np.array(run.parts)
    split = Split(*(np.flatnonzero((parts == part) & (run.data.keys >= 0)) for part in PARTS))
    trained = sum(row.split == "train" for row in run.splits)
    if int((parts == "train").sum()) < trained:
        raise BadData(
            f"{data}: expected the {trained} sheets of {run.card.data_name} that trained {run.folder.name}, "
            f"got {int((parts == 'train').sum())} of them; give that folder, and others with --judges"
        )
    return split


def _own_test_sheets(run: Path, sheets: ProofSheets, nuisance: Nuisance, split: Split) -> _EvaluationSheets:
    if not split.test.size:
        raise BadData(f"{run}: expected test sheets to evaluate on, found none; name a folder with --judges")
    return _EvaluationSheets(sheets.take(split.test), nuisance.take(split.test))


def _unseen_sheets(
    run: Path,
    data: Path,
    nuisance: str,
    options: RepairOptions,
    training_ids: tuple[str, ...],
) -> _EvaluationSheets:
    """The sheets of another folder that the run has not seen.

    training_ids  further names that a list may hold
    """
    opened = open_run(run, data, options)
    sheets = proof_sheets(opened.data, opened.choose("unseen"), root=data)
    known = (*opened.data.ids, *training_ids)
    present = open_nuisance(
        sheets, nuisance, source=options.groups_from, known=known, allow_bad=options.allow_bad
    )
    return _EvaluationSheets(sheets, present, tuple(opened.notes("unseen")))


def _numbers(
    run: Path, case: RepairCase, outcome: RepairOutcome, start: str, notes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "run": run.name,
        "run_weights_sha256": case.config.weights_sha256,
        "data": case.data.name,
        "data_hash": case.data.data_hash,
        "reading": case.data.reading,
        "judges": case.evaluation_sheets.name,
        "judging_sheets": len(case.evaluation_sheets),
        "nuisance": case.config.nuisance.name,
        "suspect": case.config.suspected_class,
        "start": start,
        "seed": case.seed,
        "training_sheets": outcome.groups,
        "chosen": outcome.chosen,
        "chosen_run": None if outcome.best.run is None else outcome.best.run.name,
        "before": outcome.before.as_dict(),
        "after": [each.as_dict() for each in outcome.after],
        "impossible": outcome.impossible,
        "notes": list(notes),
        "environment": environment(),
    }


def _write_page(
    folder: Path, run: Path, case: RepairCase, outcome: RepairOutcome, notes: tuple[str, ...]
) -> list[str]:
    """Write the page; the names of its figures' files."""
    config, sheets = case.config, case.evaluation_sheets
    page = Document(
        f"Repair of {config.nuisance.name} → {config.suspected_class}",
        subtitle=f"{run.name}, evaluated on {len(sheets):,} sheets of {sheets.name}",
    )
    single = sheets.take(np.flatnonzero(sheets.labels >= 0))
    before = choose_examples(case.model, single, outcome.before.evaluation.proof, count=2)
    after = []
    if outcome.best.run is not None:
        repaired = load_checkpoint(outcome.best.run)[0]
        after = choose_examples(repaired, single, outcome.best.evaluation.proof, count=2)
    write_repair(page, outcome, config.nuisance.name, config.suspected_class, before, after)
    for note in notes:
        page.notice(note)
    page.footer(
        {
            "data": case.data.name,
            "data hash": case.data.data_hash,
            "read as": case.data.reading,
            "seed": case.seed,
            **environment(),
        }
    )
    page.save_page(folder / PAGE)
    return list(page.figure_files())
