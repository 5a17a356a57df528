"""`shortcuts repair` from a RUN and its DATA folder to repaired RUN folders, repair.html and repair.json."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.errors import BadData, BadInput
from steelsight.files import replace_file, write_json
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.document import Document
from steelsight.runs.open import OpenRun, open_run, refuse_multilabel
from steelsight.sheets.grouping.splits import Split
from steelsight.sheets.options import DataOptions
from steelsight.shortcuts.nuisances.nuisance import Nuisance, open_nuisance
from steelsight.shortcuts.pasting.stamps import MATERIALS
from steelsight.shortcuts.prove.examples import choose_examples
from steelsight.shortcuts.prove.prove import suspect_of
from steelsight.shortcuts.repair.interventions import RepairConfig
from steelsight.shortcuts.repair.methods import CURES
from steelsight.shortcuts.repair.methods_run import RepairCase, RepairOutcome, repair
from steelsight.shortcuts.repair.report import write_repair
from steelsight.shortcuts.sheets import ProofSheets, proof_sheets
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.records import PARTS
from steelsight.training.run import load_run

__all__ = ["NUMBERS", "PAGE", "RepairReport", "repair_run"]

PAGE, NUMBERS = "repair.html", "repair.json"
STARTS = ("run", "recipe")


@dataclass(frozen=True)
class RepairReport:
    """What was found, and where it is written."""

    folder: Path
    repair: RepairOutcome
    numbers: dict[str, Any]


def repair_run(
    run: Path,
    data: Path,
    asked: str,
    *,
    cures: Sequence[str] = tuple(CURES),
    judges: Path | None = None,
    source: str = "auto",
    suspect: str | None = None,
    start: str = "run",
    epochs: int | None = None,
    limit: int = 500,
    material: str = "auto",
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    fresh: bool = False,
    out: Path | None = None,
    watcher: TrainingProgress | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> RepairReport:
    """Cure a run of one nuisance and write what came of it.

    data    the folder the run was trained on
    asked   stain, end, or a list's path, as in `prove_run`
    cures   names of cures.CURES
    judges  another folder, whose sheets judge; None = the run's own test sheets
    start   run: trainings go on from the run's weights; recipe: they start as its recipe does
    epochs  at most so many; None = as the recipe
    out     default RUN/shortcuts/repair-NAME; the RUN folder of each cure is written there
    raises  BadInput of any kind
    """
    if start not in STARTS or material not in MATERIALS:
        raise BadInput(
            f"--start: expected run or recipe, got {start!r}; --material: expected one of "
            f"{', '.join(MATERIALS)}, got {material!r}"
        )
    recipe = _recipe(run, epochs, from_run=start == "run")
    sheets = open_training_sheets(data, recipe, DataOptions(groups, allow_bad))
    trained = open_run(run, data, sheets=sheets)
    model, card, opened = trained.model, trained.card, trained.data
    split = _split_of(trained, data)
    everyone = proof_sheets(opened, np.arange(len(opened.items)), root=data)
    nuisance = open_nuisance(everyone, asked, source=source)
    index = suspect_of(everyone, nuisance, suspect)
    judging, judging_nuisance, notes = _judges(
        run, everyone, nuisance, split, judges, asked, source, groups, allow_bad
    )
    case = RepairCase(
        model=model,
        recipe=recipe,
        data=opened,
        split=split,
        prescription=RepairConfig(
            sheets=everyone,
            nuisance=nuisance,
            suspect=everyone.class_names[index],
            weights={name: tensor.clone() for name, tensor in model.state_dict().items()},
            weights_sha256=card.weights_sha256,
            from_run=start == "run",
            material=material,
            seed=seed,
        ),
        judges=judging,
        judges_nuisance=judging_nuisance,
        limit=limit,
        seed=seed,
    )
    folder = out or run / "shortcuts" / f"repair-{nuisance.name}"
    found = repair(case, cures, folder, fresh=fresh, watcher=watcher, say=say)
    numbers = _numbers(run, opened, judging, found, case, start, notes)
    _write_page(folder, run, case, found, notes)
    write_json(folder / NUMBERS, numbers)
    return RepairReport(folder, found, numbers)


def _recipe(run: Path, epochs: int | None, *, from_run: bool) -> Recipe:
    """The run's own, without what a training that goes on from it must not repeat."""
    finished = load_run(run)
    card, recipe = finished.card, finished.recipe
    refuse_multilabel(run, card)
    if card.shuffled_labels or recipe.patches.count > 1:
        raise BadInput(
            f"{run}: expected a run that learnt whole sheets by their own labels; a control of drawn labels "
            "and a model of patches cannot be repaired"
        )
    changes: dict[str, Any] = {}
    if epochs is not None:
        changes["stop"] = recipe.stop.model_copy(update={"max_epochs": epochs})
    if from_run and recipe.probe.enabled and recipe.stop.max_epochs:
        changes["probe"] = recipe.probe.model_copy(update={"enabled": False})
    return recipe.model_copy(update=changes)


def _split_of(run: OpenRun, data: Path) -> Split:
    """The run's own parts of its own folder, sheets recognised by name and pixels."""
    parts = np.array(run.parts)
    split = Split(*(np.flatnonzero((parts == part) & (run.data.keys >= 0)) for part in PARTS))
    learnt = sum(row.split == "train" for row in run.splits)
    if int((parts == "train").sum()) < learnt:
        raise BadData(
            f"{data}: expected the {learnt} sheets of {run.card.data_name} that trained {run.folder.name}, "
            f"got {int((parts == 'train').sum())} of them; give that folder, and others with --judges"
        )
    return split


def _judges(
    run: Path,
    everyone: ProofSheets,
    nuisance: Nuisance,
    split: Split,
    judges: Path | None,
    asked: str,
    source: str,
    groups: str | None,
    allow_bad: int,
) -> tuple[ProofSheets, Nuisance, tuple[str, ...]]:
    """The sheets that judge: the run's test sheets, or those of another folder it has not seen."""
    if judges is None:
        if not split.test.size:
            raise BadData(f"{run}: expected test sheets to judge on, found none; name a folder with --judges")
        return everyone.take(split.test), nuisance.take(split.test), ()
    opened = open_run(run, judges, DataOptions(groups, allow_bad))
    sheets = proof_sheets(opened.data, opened.choose("unseen"), root=judges)
    found = open_nuisance(sheets, asked, source=source, known=(*opened.data.ids, *everyone.ids))
    return sheets, found, tuple(opened.seen.notes("unseen"))


def _numbers(
    run: Path,
    opened: SheetData,
    judging: ProofSheets,
    found: RepairOutcome,
    case: RepairCase,
    start: str,
    notes: Sequence[str],
) -> dict[str, Any]:
    return {
        "run": run.name,
        "run_weights_sha256": case.prescription.weights_sha256,
        "data": opened.name,
        "data_hash": opened.data_hash,
        "judges": judging.name,
        "judging_sheets": len(judging),
        "nuisance": case.prescription.nuisance.name,
        "suspect": case.prescription.suspect,
        "start": start,
        "seed": case.seed,
        "training_sheets": found.groups,
        "chosen": found.chosen,
        "chosen_run": None if found.best.run is None else found.best.run.name,
        "before": found.before.as_dict(),
        "after": [each.as_dict() for each in found.after],
        "impossible": found.impossible,
        "notes": list(notes),
        "environment": environment(),
    }


def _write_page(
    folder: Path, run: Path, case: RepairCase, found: RepairOutcome, notes: Sequence[str]
) -> None:
    prescription = case.prescription
    page = Document(
        f"Repair of {prescription.nuisance.name} → {prescription.suspect}",
        subtitle=f"{run.name}, judged on {len(case.judges):,} sheets of {case.judges.name}",
    )
    before = found.before.judgement.proof
    single = np.flatnonzero(case.judges.labels >= 0)
    judges = case.judges.take(single)
    shown = choose_examples(case.model, judges, before, count=2)
    repaired = []
    if found.best.run is not None:
        after = load_checkpoint(found.best.run)[0]
        repaired = choose_examples(after, judges, found.best.judgement.proof, count=2)
    write_repair(page, found, prescription.nuisance.name, prescription.suspect, shown, repaired)
    for note in notes:
        page.notice(note)
    page.footer(
        {"data": case.data.name, "data hash": case.data.data_hash, "seed": case.seed, **environment()}
    )
    replace_file(folder / PAGE, page.render().encode())
