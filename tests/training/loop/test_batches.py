"""Batches: reproducible, complete, balanced when asked, prepared by a thread that goes away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from steelsight.training.dataset import TrainingData
from steelsight.training.loop.batches import (
    ahead,
    class_weights,
    draw_order,
    effective_weights,
    epoch_batches,
    sheet_weights,
)
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]


def test_an_epoch_has_every_training_sheet_once(data: TrainingData, small: Small) -> None:
    recipe = small(
        "balance.method=none", "hflip=0", "vflip=0", "gain=0", "gamma=0", "offset=0", "batch_size=5"
    )
    batches = list(epoch_batches(data, recipe, np.random.default_rng(0)))
    assert [len(batch.gray) for batch in batches] == [5, 5, 2]
    shown = sorted(image.numpy().tobytes() for batch in batches for image in batch.gray)
    assert shown == sorted(image.tobytes() for image in data.images[data.train])


def test_bytes_depend_on_the_generator_alone(data: TrainingData, small: Small) -> None:
    def bytes_of(seed: int) -> bytes:
        batches = epoch_batches(data, small(), np.random.default_rng(seed))
        return b"".join(batch.gray.numpy().tobytes() + batch.targets.numpy().tobytes() for batch in batches)

    assert bytes_of(1) == bytes_of(1)
    assert bytes_of(1) != bytes_of(2)


@pytest.mark.parametrize(("power", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_sampling_by_power(small: Small, power: float, share: float) -> None:
    labels = np.array([0] * 9000 + [1] * 1000)
    data = TrainingData(np.zeros((10_000, 1, 1), np.uint8), labels, np.arange(10_000), np.arange(0))
    balance = small("balance.method=sampling", f"power={power}").balance
    order = draw_order(data, balance, np.random.default_rng(0))
    assert labels[order].mean() == pytest.approx(share, abs=0.025)  # five standard deviations


def test_class_weights_average_to_one_and_ignore_absent_classes() -> None:
    weights = class_weights(np.array([0, 0, 0, 2]), 1.0, 4)
    assert weights.tolist() == [pytest.approx(2 / 3), 0, 2, 0]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("group_power", [0.0, 0.3, 1.0])
def test_sheet_weights_follow_their_formula(small: Small, power: float, group_power: float) -> None:
    labels = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0])
    groups = np.array([5, 5, 5, 2, 3, 3, 3, 9, 2])  # group 3 has sheets of both classes
    train = np.array([7, 0, 1, 2, 3, 4, 5, 6])  # not the last
    data = TrainingData(np.zeros((9, 1, 1), np.uint8), labels, train, np.arange(0), groups=groups)
    balance = small("balance.method=sampling", f"power={power}", f"group_power={group_power}").balance
    within = {i: sum(labels[j] == labels[i] and groups[j] == groups[i] for j in train) for i in train}
    shares = {i: within[i] ** -group_power for i in train}
    expected = np.array(
        [shares[i] * sum(shares[j] for j in train if labels[j] == labels[i]) ** -power for i in train]
    )
    found = sheet_weights(data, balance)
    assert found == pytest.approx(expected / expected.mean())


def test_full_balance_gives_classes_and_their_groups_equal_weight(small: Small) -> None:
    labels, groups = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 2, 2])
    data = TrainingData(np.zeros((6, 1, 1), np.uint8), labels, np.arange(6), np.arange(0), groups=groups)
    weights = sheet_weights(data, small("balance.method=sampling", "power=1", "group_power=1").balance)
    assert weights.tolist() == pytest.approx([0.5, 0.5, 0.5, 1.5, 1.5, 1.5])


def test_a_sheet_of_several_types_is_drawn_as_its_rarest(small: Small) -> None:
    targets = np.array([[1.0, 0.0]] * 6 + [[1.0, 1.0]] + [[0.0, 0.0]] * 13)
    data = TrainingData(np.zeros((20, 1, 1), np.uint8), targets, np.arange(20), np.arange(0))
    recipe = small("task=multilabel", "balance.method=sampling", "power=1")
    weights = sheet_weights(data, recipe.balance)
    assert weights[0] * 6 == pytest.approx(weights[6])
    assert weights[:6].sum() == pytest.approx(weights[7:].sum())


def test_ahead_keeps_the_order() -> None:
    assert list(ahead(lambda: iter(range(50)))) == list(range(50))


def test_ahead_raises_exceptions_in_the_caller() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("in the thread")

    items = ahead(broken)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        next(items)


def test_ahead_ends_its_thread_when_closed_early() -> None:
    items = ahead(lambda: iter(range(10**9)))
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "steelsight-batches"]


def test_effective_numbers_lie_between_alike_and_inverse_frequency() -> None:
    labels = np.array([0] * 900 + [1] * 90 + [2] * 10)
    assert effective_weights(labels, 0.0).tolist() == pytest.approx([1, 1, 1])
    nearly = effective_weights(labels, 1 - 1e-9)
    assert nearly.tolist() == pytest.approx(class_weights(labels, 1.0).tolist(), rel=1e-4)
    between = effective_weights(labels, 0.99)
    assert between @ np.bincount(labels) == pytest.approx(labels.size)
    assert 1 < between[2] / between[0] < 90
    expected = (1 - 0.99**900) / (1 - 0.99**10)
    assert between[2] / between[0] == pytest.approx(expected)
    assert effective_weights(labels, 0.9, 4)[3] == 0
