"""The sheets of a run's data that shortcuts are searched and proven on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.counterfactuals.sheets import ProofSheets, gather_sheets
from steelsight.errors import BadInput
from steelsight.training.dataset import SheetData

__all__ = ["proof_sheets"]


def proof_sheets(data: SheetData, rows: Int[np.ndarray, " m"], *, root: Path | None = None) -> ProofSheets:
    """Select sheets of a folder, with their masks where they are known.

    rows    (m,) positions in `data`
    root    the DATA folder, where `truth.csv` may lie
    raises  BadInput for multilabel data, which have no single class
    """
    if data.task == "multilabel":
        raise BadInput(f"{data.name}: expected a binary or multiclass task, got multilabel")
    return gather_sheets(data.name, data.items, data.images, data.labelled, data.input, rows=rows, root=root)
