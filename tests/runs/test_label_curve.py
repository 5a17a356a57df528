"""Growing shares: nested, group by group but for the last, tested on the same sheets."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.runs.label_curve import draw_labels, gain_words, grow_labels
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import open_training_sheets
from steelsight.training.recipe import Recipe
from steelsight.training.records import read_splits
from steelsight.training.run import make_split
from steelsight.types import Interval

Small = Callable[..., Recipe]


def test_shares_are_nested_and_have_every_class(folder: Callable[..., Path], small: Small) -> None:
    recipe = small("task=multiclass", "split.method=groups")
    data = open_training_sheets(folder(per_class=24), recipe, DataOptions("frames"))
    split = make_split(data, recipe.split, seed=0)
    shares = (0.2, 0.35, 0.6, 1.0)
    parts = draw_labels(data, split, shares, np.random.default_rng(0))
    assert parts[-1].tolist() == split.train.tolist()
    for smaller, larger in pairwise(parts):
        assert set(smaller) < set(larger)
    for share, part in zip(shares, parts, strict=True):
        assert part.size == round(share * split.train.size)
        assert set(data.keys[part]) == {0, 1, 2}
    group = data.group_indices
    cut = [len(set(group[part]) & set(group[np.setdiff1d(split.train, part)])) for part in parts]
    assert max(cut) <= 1  # the last group alone may be taken in part


def test_the_curve_is_written(folder: Callable[..., Path], small: Small, tmp_path: Path) -> None:
    data, out = folder(per_class=12), tmp_path / "curve"
    recipe = small("task=multiclass", "max_epochs=1")
    found = grow_labels(data, recipe=recipe, out=out, shares=(0.4, 0.7, 1.0))
    assert json.loads((out / "curve.json").read_text())["rows"] == found.numbers["rows"]
    assert "Value of more labels" in (out / "curve.html").read_text()
    tests = []
    for row in found.numbers["rows"]:
        splits = read_splits(out / f"share-{round(1000 * row['share']):04d}")
        assert sum(each.split == "train" for each in splits) == row["sheets"]
        tests.append({each.id for each in splits if each.split == "test"})
    assert tests[0] == tests[1] == tests[2]
    assert found.numbers["four_times_as_many_add"] >= found.numbers["twice_as_many_add"] >= 0
    assert found.numbers["gains"]["twice"]["estimate"] == found.numbers["twice_as_many_add"]
    assert "the gain from twice as many labels" in found.numbers["in_words"][0]


NAN = float("nan")


@pytest.mark.parametrize(
    ("gain", "groups", "words", "claims"),
    [
        ((0.001, 0.0, 0.21), 40, "cannot be told from none: +0.001 [0.000, 0.210]", False),
        ((0.03, 0.0004, 0.21), 40, "cannot be told from none", False),
        ((0.03, 0.01, 0.06), 40, "is +0.030 [0.010, 0.060] of balanced accuracy", True),
        ((0.03, 0.01, 0.06), 10, "is +0.030", True),
        ((0.03, 0.01, 0.06), 9, "cannot be said: 9 groups of test sheets are too few, 10 are needed", False),
        ((0.001, NAN, NAN), 40, "cannot be said: a size has no interval", False),
    ],
)
def test_a_gain_is_claimed_only_with_bounds_above_0(gain, groups, words, claims) -> None:
    told = gain_words(Interval(*gain), "twice", groups)
    assert words in told
    assert ("if the curve goes on" in told) == claims
    assert "nan" not in told


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.5, 1.0), "at least three different shares above 0 and up to 1"),
        ((0.0, 0.5, 1.0), "at least three"),
        ((0.3, 0.6, 1.2), "at least three"),
        ((0.01, 0.5, 1.0), "0.01 of .* training sheets lacks a class; start with a larger share"),
    ],
)
def test_bad_shares(
    folder: Callable[..., Path], small: Small, tmp_path: Path, shares: tuple[float, ...], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        grow_labels(folder(), recipe=small("task=multiclass"), out=tmp_path / "o", shares=shares)
