"""The sheets of a league: for each run those on which methods are chosen, and those they are evaluated on.

Only sheets with masks count, since explanations are compared with masks. Nothing is explained here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int

from steelsight.errors import BadData
from steelsight.evaluation.heatmaps.localization import reduce_mask
from steelsight.explanations.benchmark.results import EvaluationCase
from steelsight.explanations.benchmark.scoring import MaskedSheets, Original
from steelsight.names import shown_name
from steelsight.runs.opening.open import OpenRun, open_runs
from steelsight.sheets.catalog import mask_fractions, read_mask
from steelsight.sheets.grouping.splits import group_split
from steelsight.sheets.images.pixels import place, read_size
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import indexed_stream
from steelsight.training.predict import predict_logits
from steelsight.training.records import pixel_hashes
from steelsight.types import SheetItem

__all__ = ["BenchmarkData", "make_case", "open_benchmark"]

Positions = Int[np.ndarray, "_"]  # parts differ in length
CLEAN = 16  # defect-free training sheets kept as references


@dataclass(frozen=True)
class BenchmarkData:
    """The runs of a league with their sheets."""

    cases: tuple[EvaluationCase, ...]  # one a run
    runs: tuple[OpenRun, ...]
    notes: tuple[str, ...]  # what a reader of the figures must know
    choosing: tuple[OpenRun, ...] = ()  # the runs with the folder to choose on, where it is another


def open_benchmark(
    run: Path,
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    part: str = "test",
    choose_on: Path | None = None,
    share: float = 0.5,
    limit: int | None = None,
    seed: int = 0,
) -> BenchmarkData:
    """Models and sheets for a league.

    part    to evaluate on: test, validation, train, or `unseen` for all but train and validation
    choose_on  another DATA folder, on whose unseen sheets methods and rules are chosen; None = on validation
            sheets of the run
    share   of the training groups to choose on where a run has no validation part
    limit   maximum number of sheets to choose on, and to evaluate on, for each run; drawn at random
    raises  BadRecipe for an unknown part; BadData where the folder to choose on shares images with DATA, or
            has no sheet that a run has not learnt from; BadCheckpoint, BadData
    """
    runs = open_runs(run, data, options)
    others = [] if choose_on is None else open_runs(run, choose_on, options)
    if others:
        _refuse_shared(runs[0], others[0])
    notes: dict[str, None] = {}
    cases = [
        make_case(
            opened,
            part,
            choosing=others[i] if others else None,
            share=share,
            limit=limit,
            rng=indexed_stream(seed, i),
            notes=notes,
        )
        for i, opened in enumerate(runs)
    ]
    if any(opened.card.mask_supervised for opened in runs):
        notes[
            "this model was trained with masks: its figures are not comparable with those of models trained "
            "on classes alone"
        ] = None
    return BenchmarkData(tuple(cases), tuple(runs), tuple(notes), tuple(others))


def make_case(
    run: OpenRun,
    part: str,
    *,
    choosing: OpenRun | None = None,
    share: float = 0.5,
    limit: int | None = None,
    rng: np.random.Generator,
    notes: dict[str, None],
) -> EvaluationCase:
    """The sheets of one run to choose on and to evaluate on, arguments as for `open_benchmark`.

    choosing  the same run with another folder, to choose on; None = on its own sheets
    notes     changed in place: what a reader of the figures must know
    """
    evaluated = run.positions(part) if choosing is None else run.choose(part)
    source = run if choosing is None else choosing
    chosen = source.positions("validation") if choosing is None else source.choose("unseen")
    if choosing is not None:
        _note_choosing(run, choosing, notes)
    elif part == "validation" or not chosen.size:
        chosen = _held_out(run, share, rng)
        why = (
            "the validation sheets are evaluated on"
            if part == "validation"
            else "the run has no validation sheets"
        )
        notes[
            f"{why}: methods and rules were chosen on {share:.0%} of the training groups, "
            "whose classes the model was trained on"
        ] = None
    clean = [i for i in run.positions("train").tolist() if not run.data.items[i].types]
    if not clean:
        notes["DeepSHAP compares with a black sheet: no defect-free sheet was trained on"] = None
    drawn = rng.permutation(np.array(clean, dtype=np.int64))[:CLEAN]
    choose, judge = (
        _masked_sheets(each, _sample(rows, each, limit, rng), notes)
        for each, rows in ((source, chosen), (run, evaluated))
    )
    return EvaluationCase(run.folder.name, choose, judge, np.asarray(run.data.images[np.sort(drawn)]))


def _refuse_shared(run: OpenRun, choosing: OpenRun) -> None:
    """Raise BadData where two folders share images, by a checksum of their pixels at the model's size."""
    judged = dict(zip(pixel_hashes(run.data.images), run.data.ids, strict=True))
    pairs = zip(pixel_hashes(choosing.data.images), choosing.data.ids, strict=True)
    shared = [(name, judged[pixels]) for pixels, name in pairs if pixels in judged]
    if shared:
        name, other = (shown_name(each) for each in shared[0])
        raise BadData(
            f"--choose-on {choosing.data.name}: expected other images than those of {run.data.name}, got "
            f"{len(shared)} with the same pixels, such as {name} and {other}; what is chosen on a sheet "
            "cannot be judged on it: take them out of one of the folders"
        )


def _note_choosing(run: OpenRun, choosing: OpenRun, notes: dict[str, None]) -> None:
    """Note where methods and rules are chosen, and what the two folders have in common."""
    name = choosing.data.name
    notes[f"methods and rules were chosen on sheets of {name} that the run has not learnt from"] = None
    notes.update({f"{name}: {note}": None for note in choosing.notes("unseen")})
    rule = run.data.group_rule
    if rule is None or rule != choosing.data.group_rule or rule.partition(":")[0] not in ("column", "file"):
        return
    if common := (set(run.data.groups) & set(choosing.data.groups)) - {""}:
        notes[
            f"{len(common)} groups have sheets in {name} and in {run.data.name}, so what was chosen may fit "
            "the sheets judged better than others"
        ] = None


def _held_out(run: OpenRun, share: float, rng: np.random.Generator) -> Positions:
    train = run.positions("train")
    keys, groups = run.data.keys[train], [run.groups[i] for i in train.tolist()]
    held: Positions = train[group_split(keys, groups, (1 - share, share, 0.0), rng=rng).validation]
    return held


def _sample(rows: Positions, run: OpenRun, limit: int | None, rng: np.random.Generator) -> Positions:
    """Sheets with a defect, a known class and a mask; at most `limit`."""
    known = [i for i in rows.tolist() if _has_mask(run.data.items[i]) and run.data.keys[i] >= 0]
    some: Positions = np.array(known, dtype=np.int64)
    if limit is not None and some.size > limit:
        some = np.sort(rng.permutation(some)[:limit])
    return some


def _has_mask(item: SheetItem) -> bool:
    return bool(item.types) and item.evidence == "mask" and bool(item.masks)


def _masked_sheets(run: OpenRun, rows: Positions, notes: dict[str, None]) -> MaskedSheets:
    """Sheets whose mask is not empty at model size, several types on one sheet as one mask."""
    several = [i for i in rows.tolist() if run.card.task == "multilabel" and len(run.data.items[i].types) > 1]
    if several:
        notes["sheets of several types are left out: one map cannot be compared with several masks"] = None
    items = [(i, run.data.items[i]) for i in rows.tolist() if i not in several]
    masks = {i: reduce_mask(mask_fractions(item, run.card.input)) for i, item in items}
    kept = np.array([i for i, mask in masks.items() if mask.any()], dtype=np.int64)
    if len(kept) < len(masks):
        notes["sheets whose mask lies outside the model's input are left out"] = None
    size = (run.card.input.height, run.card.input.width)
    images = np.asarray(run.data.images[kept])
    predicted = predict_logits(run.model, images).argmax(1).astype(np.int64)
    positions: Sequence[int] = kept.tolist()
    return MaskedSheets(
        run.model,
        images,
        np.stack([masks[i] for i in positions]) if positions else np.zeros((0, *size), dtype=bool),
        np.array([_target(run, i) for i in positions], dtype=np.int64),
        predicted,
        tuple("+".join(run.data.type_names[t] for t in run.data.items[i].types) for i in positions),
        tuple(run.groups[i] for i in positions),
        tuple(run.data.ids[i] for i in positions),
        partial(_original, run, positions),
    )


def _target(run: OpenRun, position: int) -> int:
    """The output index of a sheet's class."""
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
