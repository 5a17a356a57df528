"""Sheets thinned to a mill's shares: which are kept, how often, and bad input."""

import numpy as np
import pytest

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.shares import draw_to_shares

LABELS = np.repeat([0, 1, 2], [60, 40, 100])
SHARES = (0.6, 0.1, 0.3)  # class 0 is the scarcest: 100 sheets are the most that have these shares


def test_the_scarcest_class_is_kept_and_the_others_are_thinned():
    rng = np.random.default_rng(0)
    kept = np.array(
        [np.bincount(LABELS[draw_to_shares(LABELS, SHARES, rng)], minlength=3) for _ in range(400)]
    )
    assert (kept[:, 0] == 60).all()
    for c, (mean, total) in ((1, (10, 40)), (2, (30, 100))):
        chance = mean / total
        spread = (total * chance * (1 - chance)) ** 0.5
        assert abs(kept[:, c].mean() - mean) < 4 * spread / 400**0.5
        assert kept[:, c].std() == pytest.approx(spread, rel=0.2)  # 400 draws place it to 4 %


def test_sheets_of_a_class_are_kept_independently():
    rng = np.random.default_rng(1)
    kept = np.zeros((1000, 200))
    for row in kept:
        row[draw_to_shares(LABELS, SHARES, rng)] = 1
    third = kept[:, 100:]
    # Of 100 means of 1,000 draws the farthest is within four standard deviations.
    assert np.abs(third.mean(axis=0) - 0.3).max() < 4 * (0.3 * 0.7 / 1000) ** 0.5
    between = np.corrcoef(third.T)[np.triu_indices(100, 1)]
    assert abs(between.mean()) < 0.005  # quotas would make it -1 / 99


def test_equal_shares_keep_every_sheet(rng):
    assert draw_to_shares(LABELS, (0.3, 0.2, 0.5), rng).tolist() == list(range(200))


def test_a_class_without_share_is_dropped(rng):
    rows = draw_to_shares(LABELS, (0.5, 0.5, 0.0), rng)
    assert set(LABELS[rows]) == {0, 1}
    assert draw_to_shares(np.array([0, 0, 1]), (0.0, 1.0, 0.0), rng).tolist() == [2]


@pytest.mark.parametrize(
    ("labels", "shares", "message"),
    [
        (np.array([0, 1]), (0.5, 0.6), "expected numbers of at least 0 that sum to 1"),
        (np.array([0, 1]), (1.5, -0.5), "expected numbers of at least 0 that sum to 1"),
        (np.array([0, 1]), (0.5, float("nan")), "expected numbers of at least 0 that sum to 1"),
        (np.array([0, 1]), (0.5, 0.3, 0.2), "got none of class 2; give it share 0 or bring sheets of it"),
        (np.array([0, 2]), (0.5, 0.5), "labels: expected class indices from 0 to 1, got 2"),
        (np.zeros(0, int), (1.0,), "at least one sheet"),
    ],
)
def test_bad_input_is_refused(labels, shares, message, rng):
    with pytest.raises(BadInput, match=message):
        draw_to_shares(labels, shares, rng)
