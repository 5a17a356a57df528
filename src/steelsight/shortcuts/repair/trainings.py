"""The trainings of a repair, one a method: independent tasks, which may be done on other computers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.errors import BadInput
from steelsight.sheets.grouping.splits import Split
from steelsight.shortcuts.repair.interventions import RepairConfig, plan_intervention
from steelsight.shortcuts.repair.methods import REPAIR_METHODS
from steelsight.shortcuts.sheets import proof_sheets
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.run import RunResult, train_data

__all__ = ["MethodTrainings", "train_method"]


@dataclass(frozen=True)
class MethodTrainings:
    """What the trainings of all methods share.

    It can be pickled without its ProofSheets, whose functions cannot: they are made again of the data.
    """

    data: SheetData
    split: Split
    recipe: Recipe
    config: RepairConfig  # its sheets are all those of `data`
    out: Path
    seed: int
    fresh: bool

    def __getstate__(self) -> dict[str, Any]:
        config = {each.name: getattr(self.config, each.name) for each in fields(self.config)}
        root = config.pop("sheets").root
        return {**self.__dict__, "config": config, "root": root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        data: SheetData = state["data"]
        sheets = proof_sheets(data, np.arange(len(data.items)), root=state.pop("root"))
        self.__dict__.update(state, config=RepairConfig(sheets=sheets, **state["config"]))


def train_method(shared: MethodTrainings, name: str, progress: TrainingProgress) -> RunResult | str:
    """Train by one method into the RUN folder out/NAME.

    returns  the run, or why the training sheets do not allow the method
    raises   BadInput where the folder holds something else
    """
    folder = shared.out / name
    progress.note(REPAIR_METHODS[name].title)
    try:
        return train_data(
            shared.data,
            shared.split,
            shared.recipe,
            folder,
            seed=shared.seed,
            fresh=shared.fresh,
            progress=progress,
            plan=plan_intervention(name, shared.config),
        )
    except BadInput as error:
        if folder.exists() and any(folder.iterdir()):
            raise
        return str(error)
