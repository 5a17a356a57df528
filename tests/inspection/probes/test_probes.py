"""Linear probes: planted classes are separated, noise is at chance, the regression is scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from steelsight.inspection.probes.probes import PENALTIES, choose_penalty, fit_at, fit_probe, prepare
from steelsight.inspection.probes.resamples import rank_correlation, resample
from steelsight.inspection.probes.selection import make_folds

FITTED, JUDGED = 150, 300


def _planted(
    rng: np.random.Generator, classes: int, features: int, gap: float
) -> tuple[np.ndarray, np.ndarray]:
    """Classes about `gap` deviations apart in a direction through all features, which differ in scale."""
    labels = rng.integers(0, classes, FITTED + JUDGED)
    rows = rng.normal(size=(labels.size, features))
    rows += rng.normal(0, gap / (2 * features) ** 0.5, (classes, features))[labels]
    return (rows * rng.lognormal(0, 2, features) + 5).astype(np.float32), labels


def _accuracy(rows: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    prepared = prepare(rows[:FITTED], rows[FITTED:])
    folds = make_folds(labels[:FITTED], [""] * FITTED, rng=np.random.default_rng(1))
    probe = fit_probe(prepared, labels[:FITTED], folds)
    right = probe.answers == labels[FITTED:]
    return float(right.mean()), right.astype(float)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("features", [5, 40, 400])
def test_separable_classes_are_separated(classes: int, features: int, rng: np.random.Generator) -> None:
    """So wide a gap leaves no overlap, with more features than sheets as with fewer."""
    rows, labels = _planted(rng, classes, features, gap=24)
    assert _accuracy(rows, labels)[0] == 1.0


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("features", [40, 400])
def test_noise_is_chance_within_its_interval(classes: int, features: int, rng: np.random.Generator) -> None:
    rows, labels = _planted(rng, classes, features, gap=0)
    _, right = _accuracy(rows, labels)
    interval = resample(right[None], labels[FITTED:], rng=rng).accuracy[0]
    assert interval.low <= 1 / classes <= interval.high


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("features", [30, 400])
@pytest.mark.parametrize("penalty", [1e-2, 1e-4])
def test_a_probe_equals_scikit_learns_regression(
    classes: int, features: int, penalty: float, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against float64, unrotated, fitted to the end. One answer in 300 may be a tie in float32.

    Where ours stops at its usual gradient of 1e-3, 2 % of the answers on classes that overlap may differ.
    """
    rows, labels = _planted(rng, classes, features, gap=1)
    prepared = prepare(rows[:FITTED], rows[FITTED:])
    scaler = StandardScaler().fit(rows[:FITTED].astype(np.float64))
    slow = LogisticRegression(C=1 / (penalty * features * FITTED), tol=1e-8, max_iter=10_000)
    slow.fit(scaler.transform(rows[:FITTED]), labels[:FITTED])
    predicted = slow.predict(scaler.transform(rows[FITTED:]))
    usual = fit_at(prepared, labels[:FITTED], penalty)
    assert usual.converged
    assert (usual.answers == predicted).mean() >= 0.98
    monkeypatch.setattr("steelsight.inspection.probes.probes.FLAT_GRADIENT", 1e-5)
    thorough = fit_at(prepared, labels[:FITTED], penalty)
    assert (thorough.answers == predicted).sum() >= JUDGED - 1
    assert thorough.fit_accuracy == slow.score(scaler.transform(rows[:FITTED]), labels[:FITTED])


def test_rotation_keeps_distances(rng: np.random.Generator) -> None:
    """What the regression sees of fitting sheets is the same up to rotation: equal inner products."""
    rows = rng.normal(size=(60, 300)).astype(np.float32)
    prepared = prepare(rows[:40], rows[40:])
    mean, deviation = rows[:40].mean(0), rows[:40].std(0)
    scaled = (rows - mean) / deviation
    assert prepared.fit.shape[1] < 40
    assert np.allclose(prepared.fit @ prepared.fit.T, scaled[:40] @ scaled[:40].T, atol=1e-2)
    assert np.allclose(prepared.judge @ prepared.fit.T, scaled[40:] @ scaled[:40].T, atol=1e-2)


def test_constant_features_are_ignored(rng: np.random.Generator) -> None:
    rows = np.full((20, 6), 3.0, dtype=np.float32)
    prepared = prepare(rows[:12], rows[12:])
    assert prepared.features == 1
    labels = np.array([0] * 8 + [1] * 4)
    assert (fit_at(prepared, labels, 1e-3).answers == 0).all(), "the commonest class"
    rows[:, 2] = rng.normal(size=20)
    assert prepare(rows[:12], rows[12:]).features == 1
    assert np.isfinite(prepare(rows[:12], rows[12:]).judge).all()


def test_noise_gets_the_strongest_penalty_and_a_clear_signal_a_weaker_one(rng: np.random.Generator) -> None:
    folds = make_folds(np.arange(FITTED) % 2, [""] * FITTED, rng=rng)
    noise, labels = _planted(rng, 2, 100, gap=0)
    clear, clear_labels = _planted(rng, 2, 100, gap=24)
    strong = choose_penalty(prepare(noise[:FITTED], noise[:1]), labels[:FITTED], folds)
    weak = choose_penalty(prepare(clear[:FITTED], clear[:1]), clear_labels[:FITTED], folds)
    assert strong in PENALTIES[:2]
    assert weak < strong


def test_a_class_missing_from_a_fold_does_not_stop_the_choice(rng: np.random.Generator) -> None:
    rows, labels = _planted(rng, 2, 20, gap=2)
    labels[:FITTED] = 0
    labels[3] = 1  # whichever fold holds it out has one class left, and is passed over
    folds = make_folds(labels[:FITTED], [""] * FITTED, rng=rng)
    assert choose_penalty(prepare(rows[:FITTED], rows[:1]), labels[:FITTED], folds) in PENALTIES


def test_intervals_resample_groups_and_are_paired(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 2, 200)
    first = (rng.random(200) < 0.8).astype(float)
    right = np.stack([first, first, 1 - first, np.ones(200), np.zeros(200)])
    alone = resample(right, labels, rng=np.random.default_rng(0))
    assert alone.accuracy[0] == alone.accuracy[1]
    same, most = alone.difference(1, 0), 1 - 0.025 ** (1 / 200)  # none of 200 sheets tells them apart
    assert (same.low, same.estimate, same.high) == pytest.approx((-most, 0, most))
    assert alone.difference(0, 2).low > 0
    assert alone.accuracy[3].high == 1.0
    assert 0.97 < alone.accuracy[3].low < 1.0, "Wilson's bound where all answers agree"
    assert (alone.accuracy[4].low, alone.accuracy[4].estimate) == (0.0, 0.0)
    groups = [f"g{i // 20}" for i in range(200)]
    first[:] = np.repeat(rng.random(10) < 0.7, 20)
    tied = resample(first[None], labels, groups, rng=np.random.default_rng(0)).accuracy[0]
    free = resample(first[None], labels, rng=np.random.default_rng(0)).accuracy[0]
    assert tied.high - tied.low > 2 * (free.high - free.low)
    single = resample(first[None], labels, ["one"] * 200, rng=rng).accuracy[0]
    assert np.isnan(single.low)


def test_a_class_of_one_group_leaves_balanced_accuracy_without_bounds(rng: np.random.Generator) -> None:
    labels, groups = np.array([0] * 30 + [1] * 10), [f"g{i // 5}" for i in range(30)] + ["one"] * 10
    found = resample((rng.random((1, 40)) < 0.7).astype(float), labels, groups, rng=rng)
    assert np.isnan(found.balanced_accuracy[0].low)
    assert not np.isnan(found.accuracy[0].low)


def test_weights_count_for_accuracy_and_classes_alike_for_balanced_accuracy(rng: np.random.Generator) -> None:
    labels = np.array([0] * 30 + [1] * 10)
    right = (labels == 0).astype(float)[None]
    weights = np.where(labels == 0, 1.0, 3.0)
    found = resample(right, labels, weights=weights, rng=rng)
    assert found.estimates[0] == pytest.approx(0.5)
    assert found.balanced_accuracy[0].estimate == pytest.approx(0.5)
    assert resample(right, labels, rng=rng).estimates[0] == pytest.approx(0.75)


def test_trend_equals_spearmans(rng: np.random.Generator) -> None:
    from scipy.stats import spearmanr

    rows = rng.random((20, 9)).round(1)  # with ties
    expected = [spearmanr(np.arange(9), row).statistic for row in rows]
    assert np.allclose(rank_correlation(rows), expected)
