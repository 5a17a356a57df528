"""Cross-validation: whole groups, validation from training folds alone, every sheet judged once a repeat."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from steelsight.errors import BadData, BadRecipe
from steelsight.sheets.grouping.splits import group_split
from steelsight.sheets.labels import label_sheets
from steelsight.sheets.options import DataOptions
from steelsight.training.dataset import SheetData, open_training_sheets
from steelsight.training.folds import cross_validate, draw_folds
from steelsight.training.loop.progress import NoProgress
from steelsight.training.options import FoldOptions
from steelsight.training.recipe import Recipe
from steelsight.types import InputSpec, SheetItem

Small = Callable[..., Recipe]
Folder = Callable[..., Path]


def test_folds_share_no_group_with_their_training(folder: Folder, small: Small) -> None:
    recipe = small("task=multiclass", "split.train=.6", "split.validation=.2")
    data = open_training_sheets(folder(per_class=16), recipe, DataOptions("frames:10"))
    groups = np.array(data.groups)
    plan = draw_folds(data, recipe.split, FoldOptions(4, 2), seed=0)
    assert [(fold.repeat, fold.number) for fold in plan] == [(r, k) for r in range(2) for k in range(4)]
    tested = Counter(i for fold in plan for i in fold.split.test.tolist())
    assert tested == dict.fromkeys(range(48), 2)
    for fold in plan:
        train, validation, test = (
            set(groups[part]) for part in (fold.split.train, fold.split.validation, fold.split.test)
        )
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert validation
        assert len(fold.split.train) + len(fold.split.validation) + len(fold.split.test) == 48
    first, second = plan[0].split.test, plan[4].split.test
    assert not np.array_equal(first, second)


def test_a_validation_share_of_zero_leaves_all_to_training(folder: Folder, small: Small) -> None:
    recipe = small("split.train=.8", "split.validation=0", "split.test=.2")
    data = open_training_sheets(folder(), recipe)
    assert all(
        fold.split.validation.size == 0 for fold in draw_folds(data, recipe.split, FoldOptions(2, 1), seed=0)
    )


class _StopInFold(NoProgress):
    def __init__(self, fold: int) -> None:
        self.left = fold

    def start(self, title: str, epochs: int) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt("stopped by the test")


def test_an_interrupted_cross_validation_is_resumed(folder: Folder, small: Small, tmp_path: Path) -> None:
    data, recipe = folder(), small("task=multiclass", "max_epochs=1")
    straight = cross_validate(
        data, recipe=recipe, out=tmp_path / "a", folds=FoldOptions(2, 2), options=DataOptions("frames:10")
    )
    with pytest.raises(KeyboardInterrupt, match="stopped by the test"):
        cross_validate(
            data,
            recipe=recipe,
            out=tmp_path / "b",
            folds=FoldOptions(2, 2),
            options=DataOptions("frames:10"),
            progress=_StopInFold(3),
        )
    finished = (tmp_path / "b" / "fold-0-1" / "metrics.json").stat().st_mtime_ns
    resumed = cross_validate(
        data, recipe=recipe, out=tmp_path / "b", folds=FoldOptions(2, 2), options=DataOptions("frames:10")
    )
    assert (tmp_path / "b" / "fold-0-1" / "metrics.json").stat().st_mtime_ns == finished
    assert resumed.metrics == straight.metrics
    pooled = resumed.metrics["pooled"]
    assert (pooled["sheets"], pooled["groups"]) == (48, 12)  # two answers a sheet, but no more groups
    each = [report["accuracy"]["estimate"] for report in resumed.metrics["each_repeat"]]
    assert pooled["accuracy"]["estimate"] == pytest.approx(np.mean(each))
    assert 0 <= pooled["defect_auc"]["estimate"] <= 1
    answers = pq.read_table(tmp_path / "b" / "predictions.parquet").to_pydict()
    assert Counter(answers["id"]).most_common()[-1][1] == 2
    assert set(zip(answers["repeat"], answers["fold"], strict=True)) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    right = np.mean([a == b for a, b in zip(answers["predicted"], answers["label"], strict=True)])
    assert pooled["accuracy"]["estimate"] == pytest.approx(right)
    assert json.loads((tmp_path / "b" / "metrics.json").read_text())["folds"] == 2
    assert (tmp_path / "b" / "report.html").is_file()


def test_a_class_of_one_group_is_told_what_helps(small: Small) -> None:
    pairs = [(f"none {number}", 0) for number in range(4)] + [(f"bar {number}", 1) for number in range(4)]
    data = _sheets(("none", "bar", "block"), [*pairs, ("both", 2)])
    several = replace(data.items[0], id="several", types=(1, 2), group="several")
    items = (*data.items, several)
    labelled = label_sheets(items, "multiclass", data.type_names, keep_multi_type=False)
    images = np.zeros((len(items), 1, 1), dtype=np.uint8)
    data = replace(data, items=items, images=images, labelled=labelled)
    words = r"class block has 1 for 2 folds \(not counting 1 of several types\); add sheets of it"
    with pytest.raises(BadRecipe, match=words):
        draw_folds(data, small("task=multiclass").split, FoldOptions(2, 1), seed=0)


@pytest.mark.parametrize(
    ("folds", "repeats", "message"),
    [
        (1, 1, r"folds: expected at least 2, got 1"),
        (5, 1, r"class none has 4 for 5 folds"),
        (2, 0, r"repeats: expected at least 1, got 0"),
    ],
)
def test_impossible_folds(
    folder: Folder, small: Small, tmp_path: Path, folds: int, repeats: int, message: str
) -> None:
    recipe = small("task=multiclass")
    with pytest.raises(BadRecipe, match=message):
        cross_validate(
            folder(),
            recipe=recipe,
            out=tmp_path / "cv",
            folds=FoldOptions(folds, repeats),
            options=DataOptions("frames:10"),
        )


def _sheets(names: tuple[str, ...], pairs: Sequence[tuple[str, int]]) -> SheetData:
    """A group and a class a sheet, without pixels; class 0 is "none"."""
    items = tuple(
        SheetItem(str(number), Path(), (kind,) if kind else (), "class", group=group)
        for number, (group, kind) in enumerate(pairs)
    )
    labelled = label_sheets(items, "multiclass", names, keep_multi_type=False)
    images = np.zeros((len(items), 1, 1), dtype=np.uint8)
    return SheetData("tiles", items, images, labelled, "multiclass", InputSpec(), "0", (), names)


def _mixed(rng: np.random.Generator) -> SheetData:
    """Eleven groups of none and bar; three of them have one, two and five sheets of a rare class besides."""
    pairs = [(str(group), int(rng.integers(2))) for group in range(11) for _ in range(rng.integers(2, 12))]
    rare = zip(rng.choice(11, 3, replace=False).tolist(), (1, 2, 5), strict=True)
    return _sheets(("none", "bar", "rare"), pairs + [(str(group), 2) for group, n in rare for _ in range(n)])


TILE_GROUPS = (114, 13, 12, 10, 7, 13)  # a class, as in photographs of magnetic tiles


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_folds_are_scikit_learns_with_validation_cut_from_training(small: Small, seed: int) -> None:
    pairs = [
        (f"{kind}-{group}", kind)
        for kind, groups in enumerate(TILE_GROUPS)
        for group in range(groups)
        for _ in range(1 + group % 6)
    ]
    data = _sheets(("none", "b", "c", "d", "e", "f"), pairs)
    recipe = small("task=multiclass", "split.train=.8", "split.validation=.1", "split.test=.1").split
    plan = draw_folds(data, recipe, FoldOptions(5, 2), seed=seed)
    for repeat in range(2):
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed + repeat)
        slow = list(splitter.split(data.keys, data.keys, data.groups))
        for fold, (learn, test) in zip(plan[5 * repeat : 5 * repeat + 5], slow, strict=True):
            assert fold.split.test.tolist() == test.tolist()
            inner = group_split(
                data.keys[learn],
                [data.groups[i] for i in learn.tolist()],
                (8 / 9, 1 / 9, 0.0),
                rng=np.random.default_rng([seed, repeat, fold.number]),
            )
            assert fold.split.train.tolist() == learn[inner.train].tolist()
            assert fold.split.validation.tolist() == learn[inner.validation].tolist()


def test_a_fold_that_lacks_a_class_is_refused_and_no_other(small: Small) -> None:
    """Two of three uneven groups of a class may fall into one of three folds."""
    recipe = small("split.train=.8", "split.validation=0", "split.test=.2").split
    refused = 0
    for seed in range(40):
        data = _mixed(np.random.default_rng(seed))
        folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
        lacking = [
            (number, part)
            for number, parts in enumerate(folds.split(data.keys, data.keys, data.groups))
            for part, rows in zip(("train", "test"), parts, strict=True)
            if set(data.keys[rows]) != {0, 1, 2}
        ]
        if not lacking:
            assert len(draw_folds(data, recipe, FoldOptions(3, 1), seed=seed)) == 3
            continue
        refused += 1
        number, part = lacking[0]
        message = (
            rf"fold {number + 1} of repeat 1: its {part} part has no sheet of rare, whose 3 groups are not "
            r"in all 3 folds; use fewer folds, another --seed or group rule"
        )
        with pytest.raises(BadRecipe, match=message):
            draw_folds(data, recipe, FoldOptions(3, 1), seed=seed)
    assert 0 < refused < 40  # both answers were asked for


def test_one_class_alone_is_refused(folder: Folder, small: Small, tmp_path: Path) -> None:
    recipe = small("task=multiclass")
    with pytest.raises(BadData, match="got only 'none'"):
        cross_validate(folder(classes=1), recipe=recipe, out=tmp_path / "cv", folds=FoldOptions(2))
