"""Shuffled labels: permuted by group, validation and test untouched, stamped wherever a reader looks."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelsight.deploy.export import export_run
from steelsight.errors import BadInput, BadRecipe
from steelsight.models.checkpoint import load_checkpoint
from steelsight.runs.evaluate import evaluate_run
from steelsight.training.dataset import TrainingData
from steelsight.training.imbalance.shuffle import SHUFFLED_NOTE, shuffle_labels, swap_labels
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe
from steelsight.training.run import load_run, train_run


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=40), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_sheets_of_their_own_are_permuted(labels: list[int], seed: int) -> None:
    targets = np.array(labels)
    swapped = swap_labels(targets, np.arange(targets.size), np.random.default_rng(seed))
    assert sorted(swapped.tolist()) == sorted(labels)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(max_examples=50)
def test_a_group_of_one_class_stays_of_one_class(sizes: list[int], seed: int) -> None:
    group = np.repeat(np.arange(len(sizes)), sizes)
    classes = np.arange(len(sizes)) % 3
    order = np.random.default_rng(seed).permutation(group.size)  # members need not stand together
    swapped = swap_labels(classes[group][order], group[order], np.random.default_rng(seed))
    given_to = [set(swapped[group[order] == name].tolist()) for name in range(len(sizes))]
    assert all(len(each) == 1 for each in given_to)
    assert sorted(each.pop() for each in given_to) == sorted(classes.tolist())


def test_multilabel_rows_move_together() -> None:
    targets = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], dtype=np.float32)
    swapped = swap_labels(targets, np.arange(4), np.random.default_rng(0))
    assert sorted(map(tuple, swapped.tolist())) == sorted(map(tuple, targets.tolist()))


def test_only_training_labels_are_shuffled_and_validation_is_empty(data: TrainingData) -> None:
    before = data.targets.copy()
    shuffled, facts = shuffle_labels(data, 5)
    assert (data.targets == before).all()
    assert (shuffled.targets[12:] == before[12:]).all()
    assert shuffled.validation.size == 0
    assert facts.kept == (shuffled.targets[:12] == before[:12]).mean()
    assert 0 < facts.kept < 1
    again, other = shuffle_labels(data, 5)[0], shuffle_labels(data, 6)[0]
    assert (again.targets == shuffled.targets).all()
    assert (other.targets != shuffled.targets).any()
    grouped = shuffle_labels(replace(data, groups=np.arange(18) // 2), 5)[0]
    assert sorted(grouped.targets[:12].tolist()) == sorted(before[:12].tolist())


def test_a_shuffled_run_is_marked_everywhere(
    folder: Callable[..., Path], small: Callable[..., Recipe], tmp_path: Path
) -> None:
    data, out = folder(), tmp_path / "run"
    recipe = small("task=multiclass", "labels.shuffle_seed=3", "patience=1")
    done = train_run(data, recipe=recipe, out=out)
    assert load_checkpoint(out)[1].shuffled_labels
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["shuffled_labels"]["seed"] == 3
    assert 0 <= metrics["shuffled_labels"]["kept"] < 1
    assert metrics["notes"][0] == SHUFFLED_NOTE
    assert metrics["training"]["best_epoch"] == metrics["training"]["epochs"] == 2
    assert metrics["validation"]["sheets"] > 0, "validation sheets keep their part and their labels"
    assert "A control trained on shuffled labels" in (out / "README.md").read_text()
    assert "Its training labels were shuffled" in (out / "report.html").read_text()
    assert "a control" in evaluate_run(out, data, part="test").metrics["notes"][0]
    assert load_run(out).recipe == done.recipe == recipe
    with pytest.raises(BadInput, match="got a control with shuffled labels"):
        export_run(out, data, tmp_path / "bundle")


def test_without_shuffling_the_recipe_has_no_such_key(small: Callable[..., Recipe]) -> None:
    written = small().model_dump(mode="json")
    assert "shuffle_seed" not in written["labels"], "older runs' fingerprints hold"
    assert Recipe.model_validate(written).labels.shuffle_seed == 0
    assert small("shuffle_seed=3").model_dump()["labels"]["shuffle_seed"] == 3


@pytest.mark.parametrize("setting", ["loss.masks=1", "patches.count=2", "paste.to_share=.1"])
def test_shuffled_labels_are_refused_with_masks(setting: str) -> None:
    with pytest.raises(BadRecipe, match=r"labels\.shuffle_seed: masks would reveal the true labels"):
        load_recipe("default", ["task=multiclass", "shuffle_seed=1", setting])


def test_a_seed_is_not_negative() -> None:
    with pytest.raises(BadRecipe, match=r"labels\.shuffle_seed: .*greater than or equal to 0, got -1"):
        load_recipe("default", ["shuffle_seed=-1"])
