"""The sheets that probes are fitted and judged on: shares, groups, permuted labels, bad input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadData, BadInput
from steelsight.inspection.probes.selection import (
    ProbeParts,
    choose_sheets,
    make_folds,
    permutation_by_groups,
)

NAMES = ("none", "crack", "patch")


def choose(labels: np.ndarray, **changes: object):
    count = labels.size
    images = np.arange(count, dtype=np.uint8)[:, None, None] + np.zeros((1, 2, 3), dtype=np.uint8)
    options = {
        "fit": np.arange(count // 2),
        "judge": np.arange(count // 2, count),
        "limit": 1000,
        "rng": np.random.default_rng(0),
    } | changes
    groups = options.pop("groups", [""] * count)
    parts = ProbeParts(options.pop("fit"), options.pop("judge"), options.pop("weights", None))
    return choose_sheets(images, labels, groups, options.pop("class_names", NAMES), parts, **options)


@pytest.fixture
def labels() -> np.ndarray:
    return np.array(([0] * 12 + [1] * 6 + [2] * 2) * 2)


def test_all_sheets_in_order_where_they_fit(labels: np.ndarray) -> None:
    found = choose(labels)
    assert found.images[:, 0, 0].tolist() == list(range(40))
    assert found.fitted == 20
    assert found.judge_labels.tolist() == labels[20:].tolist()
    assert found.judge_groups is None
    assert found.notes == ()


def test_many_sheets_are_subsampled_by_class(labels: np.ndarray) -> None:
    weights = np.arange(20.0)
    found = choose(labels, limit=20, weights=weights)
    for part in (found.fit_labels, found.judge_labels):
        assert np.bincount(part).tolist() == [6, 3, 1]
    assert (labels[found.images[:, 0, 0]] == found.labels).all()
    assert found.weights.tolist() == (found.images[found.fitted :, 0, 0] - 20.0).tolist()


def test_sheets_without_a_class_are_left_out(labels: np.ndarray) -> None:
    labels[[0, 25]] = -1
    found = choose(labels)
    assert {0, 25} & set(found.images[:, 0, 0].tolist()) == set()


def test_leaking_groups_and_missing_classes_are_noted(labels: np.ndarray) -> None:
    groups = [f"g{i % 20}" for i in range(40)]
    labels[:20] = np.minimum(labels[:20], 1)
    notes = " ".join(choose(labels, groups=groups).notes)
    assert "20 groups have sheets in both parts" in notes
    assert "no fitting sheet is of patch: probes never predict it" in notes


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"fit": np.arange(30)}, BadData, "two parts without a common sheet"),
        ({"limit": 5}, BadInput, "expected at least two a class, 6, got 5"),
        ({"fit": np.arange(2)}, BadData, "expected at least one fitting sheet a class, 3, got 2"),
        ({"fit": np.arange(10)}, BadData, "all of one class, none, so there is nothing to separate"),
        ({"judge": np.arange(0)}, BadData, "expected sheets to judge on, got none"),
    ],
)
def test_bad_parts_are_refused(
    labels: np.ndarray, changes: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        choose(labels, **changes)


def test_folds_keep_groups_together_and_need_two() -> None:
    groups = [f"g{i // 4}" for i in range(24)]
    labels = np.arange(24) % 2
    folds = make_folds(labels, groups, rng=np.random.default_rng(0))
    assert len(folds) == 3
    for fitted, held in folds:
        assert not {groups[i] for i in fitted} & {groups[i] for i in held}
    assert sorted(np.concatenate([held for _, held in folds]).tolist()) == list(range(24))
    assert len(make_folds(labels[:8], groups[:8], rng=np.random.default_rng(0))) == 2
    with pytest.raises(BadData, match="all of one group"):
        make_folds(labels, ["one"] * 24, rng=np.random.default_rng(0))


@given(sizes=st.lists(st.integers(1, 6), min_size=2, max_size=12), seed=st.integers(0, 1000))
def test_permuted_labels_keep_their_counts(sizes: list[int], seed: int) -> None:
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    order = permutation_by_groups(groups, rng=np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(groups)))


def test_groups_of_one_size_are_permuted_whole() -> None:
    groups = [f"g{i // 5}" for i in range(50)]
    labels = np.repeat(np.arange(10), 5)
    permuted = labels[permutation_by_groups(groups, rng=np.random.default_rng(0))].reshape(10, 5)
    assert (permuted == permuted[:, :1]).all()
    assert (permuted[:, 0] != np.arange(10)).any()


def test_sheets_without_groups_are_permuted() -> None:
    """Each of 4! orders comes about equally often."""
    rng = np.random.default_rng(0)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(2400):
        order = tuple(permutation_by_groups([""] * 4, rng=rng).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 24
    assert max(abs(count - 100) for count in counts.values()) < 50  # five deviations
