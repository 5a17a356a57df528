"""Generated sheets that join the training part, beside the real ones (recipe section [generated]).

They are drawn anew for each training, never validated or tested on, and kept nowhere. Each epoch draws real
and generated sheets with odds by which the generated ones have a stated share of the loss.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from steelsight.errors import BadRecipe
from steelsight.sheets.catalog import load_pixels, open_data
from steelsight.sheets.formats.severstal import TYPE_NAMES
from steelsight.sheets.synthetic import SynthSpec, synth_spec, write_sheets
from steelsight.training.dataset import Masks, SheetData, Targets, TrainingData, read_masks
from steelsight.training.loop.batches import sheet_weights
from steelsight.training.loop.losses import loss_weights
from steelsight.training.recipe import Recipe
from steelsight.types import SheetItem

__all__ = ["GeneratedData", "add_generated", "generated_spec"]

VERSION: Final = 2  # of the generator
WORKERS: Final = 2
FEW: Final = 16  # sheets that one process draws sooner than two start
_STREAM: Final = 0x67656E  # keeps the sheets apart from those of `synth --seed` with the run's seed
TYPES: Final = TYPE_NAMES[1:]


@dataclass(frozen=True)
class GeneratedData:
    """Training data with generated sheets, and what was added."""

    data: TrainingData
    facts: dict[str, Any]  # for metrics.json


def add_generated(data: TrainingData, sheets: SheetData, recipe: Recipe, *, seed: int) -> GeneratedData:
    """Append generated sheets to the training part, and set the odds by which sheets are drawn.

    Within the real and within the generated sheets, the odds are those of the recipe's `balance`.

    data    of `sheets`, with masks where the recipe needs them
    seed    of the run
    raises  BadRecipe where a class is none of the generator's
    """
    spec = generated_spec(sheets, recipe.generated.sheets, seed)
    with tempfile.TemporaryDirectory(prefix="steelsight-generated-") as scratch:
        folder = write_sheets(spec, Path(scratch) / "sheets", workers=1 if spec.count <= FEW else WORKERS)
        cache = load_pixels(open_data(folder), sheets.input, cache_dir=Path(scratch) / "pixels")
        items, images = cache.sheets.items, np.array(cache.images)
        drawn = None if data.masks is None else read_masks(items, sheets.input)
    targets = _targets(items, sheets)
    count, added = len(data.images), np.arange(len(data.images), len(data.images) + len(items))
    larger = replace(
        data,
        images=np.concatenate([np.asarray(data.images), images]),
        targets=np.concatenate([data.targets, targets]),
        train=np.concatenate([data.train, added]),
        masks=_join(data.masks, drawn),
        groups=None
        if data.groups is None
        else np.append(data.groups, data.groups.max(initial=-1) + 1 + added),
    )
    odds = _odds(larger, recipe, count, len(sheets.labelled.class_names))
    facts = {
        "sheets": spec.count,
        "share": recipe.generated.share,
        "version": VERSION,
        "seed": spec.seed,
        "class_shares": dict(zip(TYPE_NAMES, spec.class_shares, strict=True)),
    }
    return GeneratedData(replace(larger, intervention=replace(larger.intervention, odds=odds)), facts)


def generated_spec(sheets: SheetData, count: int, seed: int) -> SynthSpec:
    """What is drawn for a DATA folder: equally many sheets of each of its classes.

    For a binary task half of the sheets are defect-free, and the defective ones are of all types.

    raises  BadRecipe where a class is none of the generator's
    """
    labelled = sheets.labelled
    types: tuple[str, ...] = TYPES
    if sheets.task != "binary":
        own = labelled.class_names if labelled.clean is None else labelled.class_names[1:]
        if unknown := [name for name in own if name not in TYPES]:
            raise BadRecipe(
                f"generated.sheets: expected defect types of the generator, {', '.join(TYPES)}, got "
                f"{', '.join(map(repr, unknown[:5]))} in {sheets.name}; name those classes of DATA as the "
                "generator's types that look like them, or train without --with-generated"
            )
        types = own
    drawn_clean = sheets.task == "multilabel" or labelled.clean is not None
    clean = 0.0 if not drawn_clean else 0.5 if sheets.task == "binary" else 1 / (len(types) + 1)
    shares = [clean, *((1 - clean) / len(types) if name in types else 0.0 for name in TYPES)]
    own_seed = int(np.random.SeedSequence([seed, _STREAM]).generate_state(1)[0])
    return synth_spec(count=count, seed=own_seed, version=VERSION, class_shares=tuple(shares))


def _targets(items: Sequence[SheetItem], sheets: SheetData) -> Targets:
    """The targets of generated sheets in the classes of DATA."""
    names = sheets.labelled.class_names
    if sheets.task == "binary":
        return np.array([int(bool(item.types)) for item in items], dtype=np.int64)
    present = [[names.index(TYPE_NAMES[kind]) for kind in item.types] for item in items]
    if sheets.task == "multilabel":
        flags = np.zeros((len(items), len(names)), dtype=np.float32)
        for row, answers in enumerate(present):
            flags[row, answers] = 1
        return flags
    return np.array([answers[0] if answers else 0 for answers in present], dtype=np.int64)


def _join(own: Masks | None, drawn: Masks | None) -> Masks | None:
    if own is None or drawn is None:
        return None
    return Masks(np.concatenate([own.shares, drawn.shares]), np.concatenate([own.known, drawn.known]))


def _odds(data: TrainingData, recipe: Recipe, real: int, outputs: int) -> Float[np.ndarray, " n"]:
    """Odds of each sheet by which the generated ones have their share of the loss.

    real     sheets that are not generated: the first ones
    outputs  classes
    """
    odds = np.zeros(len(data.images))
    weights = loss_weights(data.targets[data.train], recipe, outputs)
    by_class = None if weights is None or data.targets.ndim == 2 else weights.numpy().astype(np.float64)
    share = recipe.generated.share
    for rows, part in ((data.train[data.train < real], 1 - share), (data.train[data.train >= real], share)):
        own = replace(data, train=rows)
        drawn = (
            sheet_weights(own, recipe.balance) if recipe.balance.method == "sampling" else np.ones(rows.size)
        )
        weighed = drawn if by_class is None else drawn * by_class[data.targets[rows]]
        odds[rows] = part * drawn / weighed.sum()
    return odds
