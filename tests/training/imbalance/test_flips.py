"""Flips: the study's optimum by enumeration and by tosses, draws, repeats, and the data with copies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadRecipe
from steelsight.training.dataset import Masks, TrainingData
from steelsight.training.imbalance.copies import add_flips, class_counts, copies_by_class
from steelsight.training.imbalance.flips import (
    BEST_CHANCE,
    draw_flips,
    duplicate_share,
    enumerate_flips,
    flip,
    two_copies_differ,
)
from steelsight.training.recipe import Recipe

Small = Callable[..., Recipe]


@pytest.mark.parametrize("chance", [0.0, 0.2, 0.5, BEST_CHANCE, 0.9, 1.0])
def test_the_formula_agrees_with_enumeration(chance: float) -> None:
    total = 0.0
    for tosses in product([False, True], repeat=4):
        weight = np.prod([chance if toss else 1 - chance for toss in tosses])
        first, second = tosses[:2], tosses[2:]
        total += weight * (len({(False, False), first, second}) == 3)
    assert two_copies_differ(chance) == pytest.approx(total, abs=1e-12)


def test_the_formula_agrees_with_simulation() -> None:
    codes = draw_flips(200_000, 2, BEST_CHANCE, np.random.default_rng(0))
    differ = (codes[:, 0] != codes[:, 1]) & (codes != 0).all(axis=1)
    deviation = np.sqrt(0.25 / 200_000)
    assert abs(differ.mean() - two_copies_differ(BEST_CHANCE)) < 4 * deviation


def test_the_optimum_is_one_over_the_root_of_two() -> None:
    grid = np.linspace(0, 1, 100_001)
    values = [two_copies_differ(float(p)) for p in grid]
    assert grid[int(np.argmax(values))] == pytest.approx(BEST_CHANCE, abs=1e-5)
    assert two_copies_differ(BEST_CHANCE) == pytest.approx(0.5, abs=1e-15)
    assert max(values) <= 0.5 + 1e-15  # rounding


@given(st.integers(0, 9), st.integers(0, 7), st.integers(0, 2**32))
def test_enumeration_has_no_early_repeats(sheets: int, copies: int, seed: int) -> None:
    codes = enumerate_flips(sheets, copies, np.random.default_rng(seed))
    assert codes.shape == (sheets, copies)
    for row in codes.tolist():
        assert 0 not in row
        assert len(set(row)) == min(copies, 3)
    if sheets and copies:
        assert duplicate_share(codes) == pytest.approx(max(0, copies - 3) / copies)


def test_duplicates_of_the_studys_six_copies() -> None:
    """At +600 % at least half of the copies repeat: only three flips differ from the sheet."""
    codes = draw_flips(5000, 6, BEST_CHANCE, np.random.default_rng(0))
    slow = np.mean([1 - len(set(row) - {0}) / 6 for row in codes.tolist()])
    assert duplicate_share(codes) == pytest.approx(slow)
    assert duplicate_share(codes) > 0.5
    assert duplicate_share(codes[:0]) == 0


def test_codes_flip_as_numpy_does() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 5), dtype=np.uint8)
    flipped = flip(images, np.arange(4))
    for got, expected in zip(
        flipped,
        (images[0], np.fliplr(images[1]), np.flipud(images[2]), images[3, ::-1, ::-1]),
        strict=True,
    ):
        assert (got == expected).all()


@pytest.mark.parametrize("chance", [-0.1, 1.1, float("nan")])
def test_a_chance_outside_0_to_1(chance: float) -> None:
    with pytest.raises(BadRecipe, match=r"flips\.chance: expected from 0 to 1, got"):
        two_copies_differ(chance)


def test_auto_gives_the_studys_shares(small: Small) -> None:
    counts = np.array([5902, 769, 195, 4759, 516])
    assert copies_by_class(counts, small().flips).tolist() == [0, 2, 6, 0, 2]
    assert copies_by_class(np.array([10, 0, 10]), small().flips).tolist() == [0, 0, 0]
    with pytest.raises(BadRecipe, match=r"flips\.added: expected 3 numbers, one a class.*got \[1, 2\]"):
        copies_by_class(np.array([1, 1, 1]), small("flips.added=[1, 2]").flips)
    with pytest.raises(BadRecipe, match="expected numbers of copies, from 0 to 1048576"):
        small("flips.added=[1, -2]")


@pytest.fixture
def uneven() -> TrainingData:
    """Twelve training sheets, the last two rare, one of them alone in its group; masks for all."""
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (16, 4, 6), dtype=np.uint8)
    targets = np.array([0] * 5 + [1] * 5 + [2, 2] + [0, 1, 2, 2])
    shares = (images > 200).astype(np.uint8) * 255
    return TrainingData(
        images, targets, np.arange(12), np.arange(12, 14), Masks(shares, targets > 0), np.arange(16)
    )


@pytest.mark.parametrize("exact", ["true", "false"])
def test_copies_are_flips_of_their_sheets(uneven: TrainingData, small: Small, exact: str) -> None:
    recipe = small("flips.added=[0, 1, 3]", f"flips.exact={exact}").flips
    copied = add_flips(uneven, recipe, np.random.default_rng(0))
    larger = copied.data
    assert copied.added.tolist() == [0, 5, 6]
    assert class_counts(larger).tolist() == [5, 10, 8]
    assert (larger.images[:16] == uneven.images).all()
    assert larger.validation.tolist() == uneven.validation.tolist()
    assert larger.groups is not None
    assert larger.masks is not None
    assert uneven.masks is not None
    for position in larger.train[12:].tolist():
        source = int(larger.groups[position])
        assert source in uneven.train
        assert larger.targets[position] == uneven.targets[source]
        same = [
            code
            for code in range(4)
            if (flip(uneven.images[[source]], np.array([code]))[0] == larger.images[position]).all()
        ]
        assert same
        mask = flip(uneven.masks.shares[[source]], np.array(same[:1]))[0]
        assert (larger.masks.shares[position] == mask).all()
    if exact == "true":
        assert copied.duplicate_share == 0


def test_a_class_with_one_sheet_gets_its_copies(uneven: TrainingData, small: Small) -> None:
    data = TrainingData(uneven.images, uneven.targets, np.arange(11), np.arange(12, 14))
    copied = add_flips(data, small("flips.added=[0, 0, 6]").flips, np.random.default_rng(0))
    assert copied.added.tolist() == [0, 0, 6]
    assert copied.duplicate_share >= 0.5
