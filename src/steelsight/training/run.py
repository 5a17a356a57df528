"""Trains on a DATA folder by a recipe and writes a RUN folder.

A RUN folder is finished when its metrics.json exists; until then its state file resumes a training that was
killed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from pydantic import JsonValue, ValidationError

from steelsight.checksums import CHECKSUMS_FILE
from steelsight.errors import BadCheckpoint, BadRecipe
from steelsight.models.catalog import SheetClassifier, build_model
from steelsight.models.checkpoint import Card, load_checkpoint
from steelsight.models.starts import HeadFacts, start_on_steel
from steelsight.sheets.grouping.splits import Split, find_leaks, group_split, random_split
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.conclude import conclude
from steelsight.training.coverage import (
    note_contradictions,
    note_few_groups,
    note_missing,
    note_small_defects,
    note_stretch,
    refuse_empty_parts,
    refuse_single_class,
)
from steelsight.training.dataset import (
    InterventionPlan,
    SheetData,
    TrainingData,
    open_training_sheets,
    read_masks,
)
from steelsight.training.generated import add_generated
from steelsight.training.given_split import find_given_leaks, given_split, note_given
from steelsight.training.imbalance.balanced import balance_training_data
from steelsight.training.imbalance.shuffle import SHUFFLED_NOTE, shuffle_labels
from steelsight.training.loop.fit import fit
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.recipe import Recipe, SplitRecipe
from steelsight.training.recipe_files import load_recipe
from steelsight.training.records import METRICS_FILE, PARTS, read_metrics, split_names
from steelsight.training.start import StartedRecipe, note_learnt_before

__all__ = ["RunResult", "forget_training", "load_run", "make_split", "split_keys", "train_data", "train_run"]

STATE_FILE = "progress.safetensors"


@dataclass(frozen=True)
class RunResult:
    """A finished run."""

    folder: Path
    card: Card
    recipe: Recipe
    metrics: dict[str, Any]  # metrics.json
    fresh: bool  # False: it was finished before


def train_run(
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    recipe: Recipe | str | Path = "default",
    settings: Sequence[str] = (),
    out: Path,
    seed: int = 0,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
) -> RunResult:
    """Train on a DATA folder, evaluate on its test part, write a RUN folder.

    options    how DATA is opened
    recipe     a Recipe, also a StartedRecipe, or a shipped name or TOML file with `settings` as in
               recipe_files.load_recipe
    out        an unfinished training there is resumed; a finished one with the same inputs is returned as
               it is
    fresh      ignore what is in `out` and start over
    raises     BadInput of any kind, BadData where a multiclass DATA has one class alone; BadCheckpoint if
               `out` holds another training and `fresh` is not set
    """
    chosen = recipe if isinstance(recipe, Recipe) else load_recipe(recipe, settings)
    progress = progress or NoProgress()
    sheets = open_training_sheets(data, chosen, options)
    split = make_split(sheets, chosen.split, seed=seed)
    return train_data(sheets, split, chosen, out, seed=seed, fresh=fresh, progress=progress)


def make_split(data: SheetData, recipe: SplitRecipe, *, seed: int) -> Split:
    """Split the sheets as the recipe asks.

    raises  BadRecipe where a part with a share above 0 would be empty, BadData as
            `coverage.refuse_single_class`; for a given split as `given_split`
    """
    refuse_single_class(data)
    if recipe.method == "given":
        return given_split(data, recipe, seed=seed)
    split = split_keys(data.keys, data.groups, recipe, seed=seed)
    refuse_empty_parts(data, split, recipe)
    return split


def split_keys(
    keys: Int[np.ndarray, " n"], groups: Sequence[str], recipe: SplitRecipe, *, seed: int
) -> Split:
    """As `make_split`, for any keys.

    keys    (n,) by which the parts are stratified; -1 = in no part
    groups  of each sheet; "" = a group of its own
    """
    if recipe.method == "given":
        raise BadRecipe(
            "split.method: expected random, stratified or groups where sheets are drawn, got given; "
            "`train` and `label-curve` can use a given split"
        )
    fractions = (recipe.train, recipe.validation, recipe.test)
    rng = stream(seed, "split")
    if recipe.method == "groups":
        split = group_split(keys, groups, fractions, rng=rng)
    else:
        split = random_split(keys, fractions, rng=rng, stratify=recipe.method == "stratified")
    if not split.train.size:
        raise BadRecipe(
            f"split: {len(groups)} sheets in {len(set(groups))} groups leave none to train on; "
            "bring more sheets or change split.train"
        )
    return split


def train_data(
    data: SheetData,
    split: Split,
    recipe: Recipe,
    out: Path,
    *,
    seed: int,
    fresh: bool = False,
    progress: TrainingProgress | None = None,
    plan: InterventionPlan | None = None,
) -> RunResult:
    """As `train_run`, for data already opened and split.

    A class without training sheets is not refused: it is noted, also under "notes" in metrics.json.

    plan  intervention against a shortcut, beyond the recipe; None = none
    """
    progress = progress or NoProgress()
    refuse_single_class(data)
    fingerprint = _fingerprint(data, split, recipe, seed, plan)
    if fresh:
        forget_training(out)
    elif (out / METRICS_FILE).exists():
        return _finished(out, fingerprint, progress)
    given = recipe.split.method == "given"
    leaks = find_given_leaks(data) if given else find_leaks(split, data.groups)
    if leaks:
        what = "groups or near-duplicates" if given else "groups"
        progress.note(
            f"{len(leaks)} {what} lie in more than one part of the split, so its figures are optimistic"
        )
    if plan is not None and recipe.generated.sheets:
        raise BadRecipe(
            f"generated.sheets: expected 0 for a training with an intervention, got "
            f"{recipe.generated.sheets}; repair a run that was trained without --with-generated"
        )
    notes = [SHUFFLED_NOTE] * (recipe.labels.shuffle_seed > 0)
    notes += (note_given(data, split) if given else []) + note_missing(data, split)
    notes += note_contradictions(data) + note_few_groups(data, split) + note_stretch(data)
    notes += note_small_defects(data, recipe.model_spec(len(data.labelled.class_names)))
    notes += note_learnt_before(data, split, recipe)
    for note in notes:
        progress.note(note)
    model = _start_model(data, recipe, seed, plan)
    if recipe.generated.sheets:
        progress.note(f"drawing {recipe.generated.sheets} generated sheets")
    _refuse_untrained(recipe)
    training_data, facts = _prepare(data, split, recipe, seed, plan)
    progress.start(_title(data, split, recipe), recipe.stop.max_epochs)
    out.mkdir(parents=True, exist_ok=True)
    model.patches = 1  # the training images are patches already
    fitted = fit(
        model,
        training_data,
        recipe,
        seed=seed,
        state_path=out / STATE_FILE,
        fingerprint=fingerprint,
        progress=progress,
    )
    model.patches = recipe.patches.count
    extra = {
        "fingerprint": fingerprint,
        "leaks": leaks,
        "notes": notes,
        **facts,
        "started_from": list(_history(data, recipe)),
        **({} if plan is None else {"repair": dict(plan.description)}),
    }
    parts = split_names(split, len(data.items))
    card = _card(data, recipe, seed, plan)
    earlier = recipe.start.learnt if isinstance(recipe, StartedRecipe) else ()
    card, metrics = conclude(out, model, card, data, parts, fitted, extra=extra, earlier=earlier)
    (out / STATE_FILE).unlink(missing_ok=True)
    return RunResult(out, card, recipe, metrics, fresh=True)


def _start_model(
    data: SheetData, recipe: Recipe, seed: int, plan: InterventionPlan | None
) -> SheetClassifier:
    """The model with the weights that training starts from."""
    spec = recipe.model_spec(len(data.labelled.class_names))
    started = isinstance(recipe, StartedRecipe)
    drawn = spec.model_copy(update={"pretrained": "none"}) if started else spec
    model = build_model(drawn, generator=torch.Generator().manual_seed(seed))
    if isinstance(recipe, StartedRecipe):
        recipe.start.weights.fill(model, _head_facts(data, recipe))
    elif spec.pretrained == "steel":
        start_on_steel(model, _head_facts(data, recipe))
    if plan is not None and plan.start is not None:
        model.load_state_dict(plan.start)
    return model


def _head_facts(data: SheetData, recipe: Recipe) -> HeadFacts:
    """What the head of a model for these data answers, as its card will say."""
    model = recipe.model
    return HeadFacts(
        model.head, model.pooling, data.task, data.labelled.class_names, _defect_free_class(data)
    )


def _history(data: SheetData, recipe: Recipe) -> tuple[dict[str, JsonValue], ...]:
    """The history of the card; empty where the training starts from no run."""
    if not isinstance(recipe, StartedRecipe):
        return ()
    return recipe.start.history(_head_facts(data, recipe))


def _prepare(
    data: SheetData, split: Split, recipe: Recipe, seed: int, plan: InterventionPlan | None
) -> tuple[TrainingData, dict[str, Any]]:
    """The training data with all that is asked for: labels, copies, patches, intervention, generated sheets.

    returns  with them the entries of metrics.json that describe these changes
    """
    masks = read_masks(data.items, data.input) if recipe.needs_masks or plan is not None else None
    prepared = TrainingData(
        data.images,
        data.labelled.labels,
        split.train,
        split.validation,
        masks,
        data.group_indices,
        clean=data.labelled.clean,
    )
    shuffled = None
    if recipe.labels.shuffle_seed:
        prepared, shuffled = shuffle_labels(prepared, recipe.labels.shuffle_seed)
    balanced = balance_training_data(prepared, recipe, len(data.labelled.class_names), seed=seed)
    prepared = balanced.data if plan is None else plan.apply(balanced.data)
    generated = None
    if recipe.generated.sheets:
        joined = add_generated(prepared, data, recipe, seed=seed)
        prepared, generated = joined.data, joined.facts
    if not recipe.needs_masks:  # they were read for the plan alone
        prepared = replace(prepared, masks=None)
    facts = {
        "shuffled_labels": None if shuffled is None else shuffled.as_dict(),
        "balance": balanced.facts,
        "generated": generated,
    }
    return prepared, facts


def _refuse_untrained(recipe: Recipe) -> None:
    """Raise BadRecipe for a place head alone on a network that has learnt nothing."""
    untrained = not isinstance(recipe, StartedRecipe) and recipe.model.pretrained != "steel"
    if recipe.stop.max_epochs == 0 and not recipe.probe.enabled and untrained:
        raise BadRecipe(
            f"stop.max_epochs = 0 with a place head: expected the weights of a trained network, got "
            f"model.pretrained = {recipe.model.pretrained}; start --from RUN, or train for some epochs"
        )


def load_run(folder: Path) -> RunResult:
    """A finished RUN folder; raises BadCheckpoint where it is incomplete."""
    card = load_checkpoint(folder)[1]
    try:
        metrics = read_metrics(folder)
    except BadCheckpoint:
        raise
    except (OSError, ValueError) as error:
        raise BadCheckpoint(
            f"{folder / METRICS_FILE}: expected the metrics of a finished training, got {error}; "
            "run the same command again, it resumes the training"
        ) from error
    try:
        recipe = Recipe.model_validate(card.recipe)
    except ValidationError as error:
        raise BadCheckpoint(
            f"{folder}: its recipe is not one of this version ({error.error_count()} keys differ); "
            f"use steelsight {card.steelsight_version} or train again"
        ) from error
    return RunResult(folder, card, recipe, metrics, fresh=False)


def _finished(out: Path, fingerprint: str, progress: TrainingProgress) -> RunResult:
    result = load_run(out)
    if result.metrics.get("fingerprint") != fingerprint:
        raise BadCheckpoint(
            f"{out}: holds a finished training with another recipe, seed, split or other data; "
            "choose another --out, or overwrite it with --fresh"
        )
    progress.note(f"{out}: this training is finished already; --fresh repeats it")
    return result


def forget_training(out: Path) -> None:
    """Delete metrics and state, so that the training starts over; the old model stays until then."""
    for name in (METRICS_FILE, STATE_FILE, CHECKSUMS_FILE):
        (out / name).unlink(missing_ok=True)


def _fingerprint(
    data: SheetData, split: Split, recipe: Recipe, seed: int, plan: InterventionPlan | None
) -> str:
    """Hash of everything that fixes the training: two trainings with one hash give the same model."""
    facts = {
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "data": data.data_hash,
        "labels": np.asarray(data.labelled.labels).tolist(),
        "split": [part.tolist() for part in (split.train, split.validation, split.test)],
    }
    if data.input.bits is not None:
        facts["bits"] = data.input.bits  # the pixels differ, the files do not
    if history := _history(data, recipe):
        facts["started_from"] = list(history)
    if plan is not None:
        facts["repair"] = dict(plan.description)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _card(data: SheetData, recipe: Recipe, seed: int, plan: InterventionPlan | None) -> Card:
    return Card(
        task=data.task,
        class_names=data.labelled.class_names,
        model=recipe.model_spec(len(data.labelled.class_names)),
        input=data.input,
        recipe=recipe.model_dump(mode="json"),
        data_hash=data.data_hash,
        data_name=data.name,
        groups=data.group_rule,
        layout=data.read_as.layout,
        masks=data.read_as.masks,
        defect_free=data.read_as.defect_free,
        defect_free_class=_defect_free_class(data),
        seed=seed,
        mask_supervised=recipe.learns_masks or bool(plan and plan.description.get("masks")),
        repair={} if plan is None else dict(plan.description),
        shuffled_labels=recipe.labels.shuffle_seed > 0,
        history=_history(data, recipe),
    )


def _defect_free_class(data: SheetData) -> str | None:
    without = data.task != "multilabel" and data.labelled.clean is None
    return None if without else data.labelled.clean_name


def _title(data: SheetData, split: Split, recipe: Recipe) -> str:
    sizes = ", ".join(f"{getattr(split, part).size} {part}" for part in PARTS)
    return f"{recipe.model.name} on {data.name} ({data.task}; {sizes})"
