"""Splits: sizes of the study, strata, groups that never part, and leaks that are found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from steelsight.errors import BadRecipe
from steelsight.sheets.grouping.splits import Split, find_leaks, group_folds, group_split, random_split

LABELS = arrays.arrays(np.int64, st.integers(4, 60), elements=st.integers(-1, 3))


def parts_of(split: Split) -> list[np.ndarray]:
    return [split.train, split.validation, split.test]


def test_the_study_split_has_the_study_sizes(rng: np.random.Generator) -> None:
    split = random_split(np.zeros(12_141, dtype=np.int64), rng=rng)
    assert [part.size for part in parts_of(split)] == [7285, 2428, 2428]


@given(LABELS, st.booleans(), st.integers(0, 9))
def test_every_labelled_sheet_is_in_one_part(labels: np.ndarray, stratify: bool, seed: int) -> None:
    split = random_split(labels, rng=np.random.default_rng(seed), stratify=stratify)
    everything = np.sort(np.concatenate(parts_of(split)))
    np.testing.assert_array_equal(everything, np.flatnonzero(labels >= 0))


@given(LABELS, st.integers(0, 9))
def test_strata_are_kept_to_within_one_sheet(labels: np.ndarray, seed: int) -> None:
    split = random_split(labels, rng=np.random.default_rng(seed), stratify=True)
    for fraction, part in zip((0.6, 0.2, 0.2), parts_of(split), strict=True):
        assert abs(part.size - fraction * (labels >= 0).sum()) < 1
        for class_ in range(4):
            # Each end of a class's stretch is dealt to within one sheet.
            assert abs((labels[part] == class_).sum() - fraction * (labels == class_).sum()) < 2


def test_the_same_seed_gives_the_same_split() -> None:
    labels = np.arange(50) % 3
    for stratify in (False, True):
        one, two = (random_split(labels, rng=np.random.default_rng(4), stratify=stratify) for _ in range(2))
        np.testing.assert_array_equal(one.test, two.test)
    other = random_split(labels, rng=np.random.default_rng(5))
    assert not np.array_equal(other.test, random_split(labels, rng=np.random.default_rng(4)).test)


@st.composite
def grouped(draw: st.DrawFn) -> tuple[np.ndarray, list[str]]:
    labels = draw(arrays.arrays(np.int64, st.integers(6, 50), elements=st.integers(-1, 3)))
    groups = draw(st.lists(st.sampled_from(["", *"abcdefgh"]), min_size=labels.size, max_size=labels.size))
    return labels, groups


@given(grouped(), st.integers(0, 9))
def test_groups_never_part(data: tuple[np.ndarray, list[str]], seed: int) -> None:
    labels, groups = data
    split = group_split(labels, groups, rng=np.random.default_rng(seed))
    assert find_leaks(split, groups) == []
    np.testing.assert_array_equal(np.sort(np.concatenate(parts_of(split))), np.flatnonzero(labels >= 0))


@given(grouped(), st.integers(2, 4), st.integers(0, 9))
def test_folds_test_every_sheet_once(data: tuple[np.ndarray, list[str]], folds: int, seed: int) -> None:
    labels, groups = data
    usable = [g or f"\0{i}" for i, g in enumerate(groups) if labels[i] >= 0]
    if len(set(usable)) < folds:
        with pytest.raises(BadRecipe, match=r"expected 2 to \d+ folds for as many groups"):
            group_folds(labels, groups, folds, rng=np.random.default_rng(seed))
        return
    parts = group_folds(labels, groups, folds, rng=np.random.default_rng(seed))
    tested = np.sort(np.concatenate([test for _, test in parts]))
    np.testing.assert_array_equal(tested, np.flatnonzero(labels >= 0))
    for train, test in parts:
        assert not {groups[i] for i in train} & {groups[i] for i in test} - {""}


def test_folds_are_as_even_as_sklearns(rng: np.random.Generator) -> None:
    """The share of the rarest class strays no further from its due than with scikit-learn's greedy split."""
    sklearn = pytest.importorskip("sklearn.model_selection")
    groups = np.repeat(np.arange(120), rng.integers(1, 9, 120))
    labels = np.repeat(rng.choice(4, 120, p=[0.7, 0.15, 0.1, 0.05]), np.bincount(groups))
    due = np.bincount(labels) / 5

    def strays(tests: list[np.ndarray]) -> float:
        return float(np.mean([np.abs(np.bincount(labels[test], minlength=4) / due - 1) for test in tests]))

    ours = group_folds(labels, [str(g) for g in groups], 5, rng=rng)
    theirs = sklearn.StratifiedGroupKFold(5, shuffle=True, random_state=0).split(labels, labels, groups)
    assert strays([test for _, test in ours]) <= strays([test for _, test in theirs]) + 0.02


def test_leaks_are_named() -> None:
    split = Split(np.array([0, 1, 2]), np.array([3]), np.array([4, 2]))
    assert find_leaks(split, ["a", "a", "", "a", "b"]) == [
        "position 2: listed 2 times",
        "group a: 2 in train, 1 in validation",
    ]


def test_shares_must_sum_to_one(rng: np.random.Generator) -> None:
    with pytest.raises(BadRecipe, match=r"sum to 1, got \(0.6, 0.2, 0.1\)"):
        random_split(np.zeros(5, dtype=np.int64), (0.6, 0.2, 0.1), rng=rng)
    with pytest.raises(BadRecipe, match=r"sum to 1"):
        group_split(np.zeros(5, dtype=np.int64), [""] * 5, (1.2, -0.4, 0.2), rng=rng)


def test_a_part_without_share_stays_empty(rng: np.random.Generator) -> None:
    split = group_split(np.arange(30) % 3, [""] * 30, (0.8, 0.2, 0.0), rng=rng)
    assert [part.size for part in parts_of(split)] == [24, 6, 0]
