"""From a RUN folder and a DATA folder to what explanations are judged on: models, sheets, masks, parts.

A sheet belongs to the part its run gave it, recognised by its name and bytes. Nothing is explained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadCheckpoint, BadData, BadRecipe
from steelsight.evaluation.heatmaps.localization import reduce_mask
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.scoring import MaskedSheets, Original
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import WEIGHTS_FILE, load_checkpoint
from steelsight.sheets.catalog import mask_fractions, open_data, read_mask
from steelsight.sheets.grouping.splits import group_split
from steelsight.sheets.images.pixels import place, read_size
from steelsight.streams import indexed_stream
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.training.predict import predict_logits
from steelsight.training.records import PARTS, pixel_hashes, read_splits
from steelsight.types import SheetItem

__all__ = ["BenchmarkData", "OpenRun", "find_runs", "make_case", "open_benchmark", "open_run", "open_runs"]

Positions = Int[np.ndarray, "_"]  # parts differ in length
FOLDS = "fold-*-*"
CLEAN = 16  # defect-free training sheets kept as references


@dataclass(frozen=True)
class OpenRun:
    """One run with the sheets of DATA and the part of the run each is in."""

    folder: Path
    model: SheetClassifier
    card: Card
    data: SheetData
    type_names: tuple[str, ...]
    parts: tuple[str, ...]  # train, validation, test, apart, or "" for a sheet the run does not know
    groups: tuple[str, ...]  # as the run grouped them

    def positions(self, part: str) -> Positions:
        """The sheets of one part; `unseen` is all but train and validation; raises BadRecipe for another."""
        if part not in (*PARTS, "unseen"):
            raise BadRecipe(f"split: expected one of {', '.join(PARTS)} or unseen, got {part!r}")
        names = {part} if part != "unseen" else {"", "test", "apart"}
        return np.array([i for i, name in enumerate(self.parts) if name in names], dtype=np.int64)


@dataclass(frozen=True)
class BenchmarkData:
    """What a league is run on."""

    cases: tuple[EvaluationCase, ...]
    runs: tuple[OpenRun, ...]
    notes: tuple[str, ...]  # what a reader of the figures must know


def find_runs(run: Path) -> list[Path]:
    """The RUN folders behind a folder: itself, or the folds of a cross-validation in order."""
    if (run / WEIGHTS_FILE).exists():
        return [run]
    folds = sorted(folder for folder in run.glob(FOLDS) if (folder / WEIGHTS_FILE).exists())
    if not folds:
        raise BadCheckpoint(
            f"{run}: expected a RUN folder with {WEIGHTS_FILE}, or {FOLDS} folders of a cross-validation, "
            "found neither; train first"
        )
    return folds


def open_run(folder: Path, data: Path, *, allow_bad: int = 0, sheets: SheetData | None = None) -> OpenRun:
    """A run and a DATA folder together; raises BadData where their classes differ.

    sheets  DATA as another run of the same recipe opened it
    """
    model, card = load_checkpoint(folder)
    model.refuse_patches(str(folder))
    if sheets is None or (sheets.task, sheets.input) != (card.task, card.input):
        sheets = open_sheets(data, card.task, card.input, allow_bad=allow_bad)
    if sheets.labelled.class_names != card.class_names:
        raise BadData(
            f"{data}: expected the run's classes {', '.join(card.class_names)}, "
            f"got {', '.join(sheets.labelled.class_names)}; rename the folders, or train on this data"
        )
    rows = {(row.id, row.pixels): row for row in read_splits(folder)}
    keys = zip(sheets.ids, pixel_hashes(sheets.images), strict=True)
    found = [rows.get(key) for key in keys]
    return OpenRun(
        folder,
        model,
        card,
        sheets,
        open_data(data).type_names,
        tuple(row.split if row else "" for row in found),
        tuple(row.group if row else item.group for row, item in zip(found, sheets.items, strict=True)),
    )


def open_runs(run: Path, data: Path, *, allow_bad: int = 0) -> list[OpenRun]:
    """Every run behind a folder; DATA is opened once for runs of one recipe."""
    runs: list[OpenRun] = []
    for folder in find_runs(run):
        runs.append(open_run(folder, data, allow_bad=allow_bad, sheets=runs[0].data if runs else None))
    return runs


def open_benchmark(
    run: Path,
    data: Path,
    *,
    part: str = "test",
    share: float = 0.5,
    limit: int | None = None,
    allow_bad: int = 0,
    seed: int = 0,
) -> BenchmarkData:
    """Models and sheets for a league.

    part    that judges: test, validation, train, or `unseen` for all a run neither learnt nor stopped by
    share   of the training groups that choose where a run has no validation part
    limit   at most so many sheets choose, and so many judge, each model; drawn at random
    raises  BadRecipe for an unknown part; BadCheckpoint, BadData
    """
    runs = open_runs(run, data, allow_bad=allow_bad)
    notes: dict[str, None] = {}
    cases = [
        make_case(each, part, share=share, limit=limit, rng=indexed_stream(seed, i), notes=notes)
        for i, each in enumerate(runs)
    ]
    if any(each.card.mask_supervised for each in runs):
        notes[
            "masks taught this model where to look: its figures are not those of a model taught by classes"
        ] = None
    return BenchmarkData(tuple(cases), tuple(runs), tuple(notes))


def make_case(
    run: OpenRun,
    part: str,
    *,
    share: float = 0.5,
    limit: int | None = None,
    rng: np.random.Generator,
    notes: dict[str, None],
) -> EvaluationCase:
    """One run's sheets that choose and that judge, arguments as for `open_benchmark`.

    notes   added to: what a reader of the figures must know
    """
    judges = run.positions(part)
    chooses = run.positions("validation")
    if part == "validation" or not chooses.size:
        chooses = _held_out(run, share, rng)
        why = "the validation sheets judge" if part == "validation" else "the run kept no validation sheets"
        notes[
            f"{why}: methods and rules were chosen on {share:.0%} of the training groups, "
            "sheets the model learnt from by their classes"
        ] = None
    clean = [i for i in run.positions("train").tolist() if not run.data.items[i].types]
    drawn = rng.permutation(np.array(clean, dtype=np.int64))[:CLEAN]
    choose, judge = (_field(run, _sample(rows, run, limit, rng), notes) for rows in (chooses, judges))
    return EvaluationCase(run.folder.name, choose, judge, np.asarray(run.data.images[np.sort(drawn)]))


def _held_out(run: OpenRun, share: float, rng: np.random.Generator) -> Positions:
    train = run.positions("train")
    keys, groups = run.data.keys[train], [run.groups[i] for i in train.tolist()]
    held: Positions = train[group_split(keys, groups, (1 - share, share, 0.0), rng=rng).validation]
    return held


def _sample(rows: Positions, run: OpenRun, limit: int | None, rng: np.random.Generator) -> Positions:
    """Sheets with a defect, a known class and a mask; at most `limit`."""
    known = [i for i in rows.tolist() if _has_place(run.data.items[i]) and run.data.keys[i] >= 0]
    some: Positions = np.array(known, dtype=np.int64)
    if limit is not None and some.size > limit:
        some = np.sort(rng.permutation(some)[:limit])
    return some


def _has_place(item: SheetItem) -> bool:
    return bool(item.types) and item.evidence == "mask" and bool(item.masks)


def _field(run: OpenRun, rows: Positions, notes: dict[str, None]) -> MaskedSheets:
    """Sheets whose mask is not empty at model size, several types on one sheet as one mask."""
    several = [i for i in rows.tolist() if run.card.task == "multilabel" and len(run.data.items[i].types) > 1]
    if several:
        notes["sheets of several types are left out: one map cannot be judged against several masks"] = None
    items = [(i, run.data.items[i]) for i in rows.tolist() if i not in several]
    masks = {i: reduce_mask(mask_fractions(item, run.card.input)) for i, item in items}
    kept = np.array([i for i, mask in masks.items() if mask.any()], dtype=np.int64)
    if len(kept) < len(masks):
        notes["sheets whose mask lies outside what the model sees are left out"] = None
    size = (run.card.input.height, run.card.input.width)
    images = np.asarray(run.data.images[kept])
    answers = predict_logits(run.model, images).argmax(1).astype(np.int64)
    chosen: Sequence[int] = kept.tolist()
    return MaskedSheets(
        run.model,
        images,
        np.stack([masks[i] for i in chosen]) if chosen else np.zeros((0, *size), dtype=bool),
        np.array([_target(run, i) for i in chosen], dtype=np.int64),
        answers,
        tuple("+".join(run.type_names[t] for t in run.data.items[i].types) for i in chosen),
        tuple(run.groups[i] for i in chosen),
        tuple(run.data.ids[i] for i in chosen),
        partial(_original, run, chosen),
    )


def _target(run: OpenRun, position: int) -> int:
    """The output that stands for a sheet's class."""
    if run.card.task == "multilabel":
        return run.data.items[position].types[0] - 1
    return int(run.data.keys[position])


def _original(run: OpenRun, rows: Sequence[int], row: int) -> Original:
    item = run.data.items[rows[row]]
    size = read_size(item.path)
    union = np.zeros(size, dtype=bool)
    for mask in read_mask(item, size).values():
        union |= mask
    return union, place(size, run.card.input)
