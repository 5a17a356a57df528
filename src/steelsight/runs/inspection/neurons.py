"""What drives single neurons, in both halves: atlas, second form, the two models' neurons."""

from __future__ import annotations

import numpy as np

from steelsight.inspection.neurons.atlas import NeuronSheets
from steelsight.runs.open import OpenRun

__all__ = [
    "show_sheets",
]


def show_sheets(run: OpenRun, part: str, *, limit: int, rng: np.random.Generator) -> NeuronSheets:
    """The sheets of one part of a run, at most `limit`, drawn at random."""
    rows = run.positions(part)
    if rows.size > limit:
        rows = np.sort(rng.permutation(rows)[:limit])
    groups = [run.groups[i] for i in rows.tolist()]
    labels = np.asarray(run.data.keys if run.card.task != "multilabel" else _first_types(run))[rows]
    names = run.card.class_names if run.card.task != "multilabel" else run.data.type_names
    return NeuronSheets(
        np.array(run.data.images[rows]),
        labels.astype(np.int64),
        tuple(names),
        tuple(run.data.ids[i] for i in rows.tolist()),
        groups if any(groups) else None,
    )


def _first_types(run: OpenRun) -> list[int]:
    """One type a sheet for tables by class; sheets of several types count in none."""
    return [-1 if len(item.types) > 1 else item.types[0] if item.types else 0 for item in run.data.items]
