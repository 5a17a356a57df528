"""The decision: one figure clearly higher and none clearly lower, on the same resamples."""

from __future__ import annotations

import numpy as np
import pytest

from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.compare import HeadComparison, compare_heads, log_losses, own_probabilities
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.sheets import SheetLabels
from steelsight.evaluation.intervals.bootstrap import paired_bootstrap
from steelsight.evaluation.probabilities import softmax
from steelsight.streams import stream

NAMES = ("none", "bar", "block")
PLAN = ClassPlan(NAMES, "none", (0, 1, 2), ())
LABELS = np.arange(90) % 3
ANSWERS = SheetLabels(tuple((label,) for label in LABELS.tolist()), LABELS)
GROUPS = [f"coil {row // 4}" for row in range(90)]


def answers(right: float, rng: np.random.Generator, labels: np.ndarray = LABELS) -> np.ndarray:
    """Probabilities (n, 3) whose largest is right for such a share of the sheets."""
    told = np.where(rng.random(labels.size) < right, labels, rng.integers(0, 3, labels.size))
    return 0.1 + 0.7 * np.eye(3)[told]


def test_better_worse_and_the_same(rng: np.random.Generator) -> None:
    poor, good = answers(0.2, rng), answers(0.95, rng)
    better = compare_heads(ANSWERS, poor[None], good[None], PLAN, GROUPS, 0)
    assert better.reasons == ()
    assert better.shared is None
    worse = compare_heads(ANSWERS, good[None], poor[None], PLAN, GROUPS, 0)
    assert "a lower bound must be above 0" in worse.reasons[0]
    assert "balanced accuracy" in worse.reasons[1]
    assert worse.reasons[1].endswith("clearly lower")
    same = compare_heads(ANSWERS, good[None], good[None], PLAN, GROUPS, 0)
    assert len(same.reasons) == 1


def test_a_defect_auc_that_falls_refuses_a_gain(rng: np.random.Generator) -> None:
    """The types are told apart, and the defect-free sheets are no longer."""
    own = 0.1 + 0.7 * np.eye(3)[np.where(LABELS == 0, 0, 1)]  # every defect is a bar
    new = 0.1 + 0.7 * np.eye(3)[np.where(LABELS == 0, rng.integers(0, 2, 90), LABELS)]
    new[:, 0] += 0.4 * (LABELS > 0)
    found = compare_heads(ANSWERS, own[None], (new / new.sum(1, keepdims=True))[None], PLAN, GROUPS, 0)
    assert found.defect_auc is not None
    assert found.defect_auc.gain.high < 0
    assert any(
        reason.startswith("defect AUC") and reason.endswith("clearly lower") for reason in found.reasons
    )


def test_the_interval_is_that_of_the_slow_bootstrap(rng: np.random.Generator) -> None:
    own, new = answers(0.6, rng), np.stack([answers(0.8, rng) for _ in range(2)])
    found = compare_heads(ANSWERS, own[None], new, PLAN, GROUPS, 3).balanced_accuracy.gain

    def recall(verdicts: np.ndarray, rows: np.ndarray) -> float:
        each = [(verdicts[rows][LABELS[rows] == c] == c).mean() for c in range(3)]
        return float(np.mean(each))

    slow = paired_bootstrap(
        lambda rows: float(np.mean([recall(each.argmax(1), rows) for each in new])),
        lambda rows: recall(own.argmax(1), rows),
        90,
        GROUPS,
        rng=stream(3, "adapt-intervals"),
    ).difference
    assert found.estimate == pytest.approx(slow.estimate)
    assert (found.low, found.high) == pytest.approx((slow.low, slow.high))


def test_a_new_class_is_judged_apart(rng: np.random.Generator) -> None:
    """The bundle cannot name the new class; on the two it has the new head is worse, so it is refused."""
    plan = ClassPlan(NAMES, "none", (0, 1, None), ("scale",))
    own = own_probabilities(20 * np.eye(3)[np.where(LABELS == 2, 1, LABELS)], plan, 1.0)
    assert (own[:, 2] == 0).all()
    np.testing.assert_allclose(own.sum(1), 1)
    new = answers(1.0, rng)
    new[LABELS == 1] = [0.1, 0.1, 0.8]
    found = compare_heads(ANSWERS, own[None], new[None], plan, GROUPS, 0)
    assert found.shared is not None
    assert found.shared.gain.high < 0
    assert any("balanced accuracy on the bundle's classes" in reason for reason in found.reasons)


def test_sheets_of_several_types() -> None:
    labels = SheetLabels(((0,), (1, 2), (2,)), np.array([0, 1, 2]))
    assert labels.single.tolist() == [True, False, True]
    assert labels.right(np.array([0, 2, 1])).tolist() == [True, True, False]
    assert labels.shares(3).tolist() == [[1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]]


def test_defect_auc_of_the_bundle_does_not_depend_on_which_types_stay() -> None:
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [4.0, 0.0, 0.0]])
    whole = own_probabilities(logits, ClassPlan(NAMES, "none", (0, 1, 2), ()), 1.0)
    np.testing.assert_allclose(whole, softmax(logits))
    for names, own in ((("none", "scratch"), (0, None)), (("none", NAMES[1]), (0, 1)), (NAMES, (0, 2, None))):
        part = own_probabilities(logits, ClassPlan(names, "none", own, ()), 1.0)
        np.testing.assert_allclose(part[:, 0], whole[:, 0])
    without = own_probabilities(logits, ClassPlan(NAMES[1:], None, (1, 2), ()), 1.0)
    np.testing.assert_allclose(without.sum(1), 1)


def test_a_log_loss_that_is_clearly_lower_decides_where_the_others_cannot(rng: np.random.Generator) -> None:
    labels = ANSWERS.labels
    logits = rng.normal(size=(90, 3))
    logits[np.arange(90), labels] += 1.5
    fold = np.arange(90) // 30
    folds = tuple((np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3))

    def compared(new: np.ndarray) -> HeadComparison:
        scores = NestedScores(new[None], (1.0,), folds)
        losses = log_losses(logits, scores, ANSWERS, PLAN)
        return compare_heads(ANSWERS, softmax(logits)[None], softmax(new)[None], PLAN, GROUPS, 0, losses)

    surer = logits.copy()
    surer[np.arange(90), labels] += 1.0  # as right as before on most sheets, and nearer to the truth on all
    better = compared(surer)
    assert better.log_loss is not None
    assert better.log_loss.new.estimate < better.log_loss.own.estimate
    assert better.log_loss.gain.low > 0
    hotter = compared(3.0 * logits)  # another temperature alone
    assert hotter.log_loss is not None
    assert hotter.log_loss.gain.low <= 0
    assert hotter.reasons
    lacking = ClassPlan(NAMES, "none", (0, 1, None), ())
    assert log_losses(logits, NestedScores(surer[None], (1.0,), folds), ANSWERS, lacking) is None
