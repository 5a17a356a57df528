"""Familiarity of an adapted bundle: directions of the bundle's training sheets, means of the labelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steelsight.adaptation.calibrate import fit_familiarity
from steelsight.adaptation.classes import ClassPlan
from steelsight.adaptation.means import kept_means
from steelsight.adaptation.nested import FitSheets, NestedScores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.errors import BadInput
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.files import pack_arrays
from steelsight.runtime.bundle.card import Familiarity
from steelsight.runtime.bundle.open import FeatureStatistics, open_bundle
from steelsight.runtime.bundle.writer import describe_files, write_bundle
from steelsight.runtime.familiarity import feature_distance

WIDTH = 60  # more features than labelled sheets can give a covariance for
Make = Callable[..., Path]


def labelled(rng: np.random.Generator, count: int) -> tuple[np.ndarray, FitSheets, NestedScores]:
    """Sheets of two classes in a few directions, with five folds."""
    labels = np.arange(count) % 2
    embedding = np.abs(draw(rng, count) + 3 * labels[:, None])
    shares = np.eye(2)[labels]
    sheets = FitSheets(embedding, shares, tuple(map(str, range(count))))
    parts = [np.flatnonzero(np.arange(count) % 5 == fold) for fold in range(5)]
    folds = tuple((np.setdiff1d(np.arange(count), test), test) for test in parts)
    return embedding, sheets, NestedScores(np.zeros((1, count, 2)), (1.0,), folds)


def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """Features of sheets: most of the variance in five directions."""
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(WIDTH, 5)))[0]
    values: np.ndarray = 20 + rng.normal(size=(count, 5)) * 8 @ basis.T + rng.normal(size=(count, WIDTH)) / 4
    return values


def space_of(embedding: np.ndarray, labels: np.ndarray) -> FeatureStatistics:
    space = fit_feature_space(np.cbrt(embedding), labels)
    whitening = np.linalg.cholesky(space.precision).astype(np.float32)
    return FeatureStatistics(space.means.astype(np.float32), whitening, "cube root")


def test_the_directions_stay_and_the_means_are_added(rng: np.random.Generator) -> None:
    embedding, sheets, scores = labelled(rng, 40)
    before = space_of(draw(rng, 2000), np.arange(2000) % 3)
    found = fit_familiarity(embedding, sheets, scores, before)
    assert found.statistics.scale == found.facts.scale == "cube root"
    np.testing.assert_array_equal(found.statistics.whitening, before.whitening)
    np.testing.assert_array_equal(found.statistics.means[:3], before.means)
    expected = [np.cbrt(embedding[np.arange(40) % 2 == kind]).mean(axis=0) for kind in (0, 1)]
    np.testing.assert_allclose(found.statistics.means[3:], expected, rtol=1e-5)
    assert found.facts.kept == pytest.approx(39 / 41)  # ceil(.95 * 41) = 39


@pytest.mark.parametrize("known", [True, False])
def test_the_limit_is_of_sheets_that_were_left_out(known: bool, rng: np.random.Generator) -> None:
    """Distances one fold at a time, from a space without it; the space of all sheets would give less."""
    embedding, sheets, scores = labelled(rng, 40)
    before = space_of(draw(rng, 2000), np.arange(2000) % 3) if known else None
    found = fit_familiarity(embedding, sheets, scores, before)
    apart = np.full(40, np.nan)
    for fit, test in scores.folds:
        space = space_of(embedding[fit], fit % 2)
        if before is not None:
            space = replace(before, means=np.concatenate([before.means, space.means]))
        apart[test] = feature_distance(embedding[test], space)
    assert found.facts.limit == pytest.approx(np.sort(apart)[38], rel=1e-4)
    within = feature_distance(embedding, found.statistics)
    assert found.facts.limit > 1.001 * np.sort(within)[38]


def test_foreign_features_are_told_where_a_space_of_the_labelled_alone_tells_few(
    rng: np.random.Generator,
) -> None:
    """Sheets that leave the five directions: the covariance of forty sheets cannot say that they do."""
    embedding, sheets, scores = labelled(rng, 40)
    before = space_of(draw(rng, 3000), np.arange(3000) % 3)
    foreign = draw(rng, 200) + rng.normal(size=(200, WIDTH)) * 0.3
    told = []
    for known in (before, None):
        found = fit_familiarity(embedding, sheets, scores, known)
        told.append((feature_distance(foreign, found.statistics) > found.facts.limit).mean())
    assert told[0] > told[1] + 0.3


def test_sheets_without_spread_are_refused(rng: np.random.Generator) -> None:
    embedding, sheets, scores = labelled(rng, 40)
    equal = np.ones_like(embedding)
    with pytest.raises(BadInput, match="two sheets of different features"):
        fit_familiarity(equal, FitSheets(equal, sheets.shares, sheets.groups), scores, None)


def test_an_adapted_bundle_keeps_the_scale_and_the_directions(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    plain = open_bundle(make_bundle())
    rng = np.random.default_rng(2)
    arrays = {
        "means": rng.random((3, 12)).astype(np.float32),
        "whitening": rng.normal(size=(12, 12)).astype(np.float32),
    }
    files = {**plain.files, "familiarity.npz": pack_arrays(arrays)}
    facts = Familiarity(limit=5.0, kept=0.99, scale="cube root")
    card = plain.card.model_copy(update={"familiarity": facts, "files": describe_files(files)})
    write_bundle(tmp_path / "known", card, files)
    data = make_data({"none": 14, "bar": 12, "block": 10})
    adapt_bundle(tmp_path / "known", data, tmp_path / "new", AdaptOptions(folds=3, repeats=1))
    new = open_bundle(tmp_path / "new")
    assert new.statistics is not None
    assert new.card.familiarity is not None
    assert new.card.familiarity.scale == "cube root"
    assert new.card.familiarity.kept == pytest.approx(36 / 37)
    np.testing.assert_array_equal(new.statistics.whitening, arrays["whitening"])
    assert new.statistics.means.shape == (6, 12)
    entry = new.card.source["adapted"][0]
    assert entry["means"] == ["none", "bar", "block"] * 2
    assert entry["means_of_labelled"] == 3


@pytest.fixture
def known(make_bundle: Make, tmp_path: Path) -> Callable[..., Path]:
    """A bundle with so many means, the first of ones, the second of twos."""

    def make(count: int = 3, **card: object) -> Path:
        plain = open_bundle(make_bundle(**card))
        means = np.repeat(np.arange(1, count + 1, dtype=np.float32)[:, None], 12, axis=1)
        arrays = {"means": means, "whitening": np.eye(12, dtype=np.float32)}
        files = {**plain.files, "familiarity.npz": pack_arrays(arrays)}
        facts = Familiarity(limit=5.0, kept=0.99, scale="cube root")
        told = plain.card.model_copy(update={"familiarity": facts, "files": describe_files(files)})
        write_bundle(tmp_path / "known", told, files)
        return tmp_path / "known"

    return make


def firsts(folder: Path, count: int) -> list[float]:
    """The first feature of the first means, and that no others but so many are there."""
    statistics = open_bundle(folder).statistics
    assert statistics is not None
    return [float(mean[0]) for mean in statistics.means[:count]]


def test_means_of_classes_that_are_left_out_go(
    known: Callable[..., Path], make_data: Make, tmp_path: Path
) -> None:
    quick = AdaptOptions(folds=3, repeats=1, drop=("bar",))
    adapt_bundle(known(), make_data({"none": 14, "block": 10}), tmp_path / "new", quick)
    assert firsts(tmp_path / "new", 2) == [1, 3]
    statistics = open_bundle(tmp_path / "new").statistics
    assert statistics is not None
    assert len(statistics.means) == 4


def test_means_of_an_earlier_adaptation_are_replaced(
    known: Callable[..., Path], make_data: Make, tmp_path: Path
) -> None:
    quick = AdaptOptions(folds=3, repeats=1)
    adapt_bundle(known(), make_data({"none": 14, "bar": 12, "block": 10}), tmp_path / "new", quick)
    more = make_data({"none": 14, "bar": 12, "block": 10, "dots": 8}, "MORE", seed=3)
    adapt_bundle(tmp_path / "new", more, tmp_path / "newer", replace(quick, new=("dots",)))
    one, two = (open_bundle(tmp_path / name) for name in ("new", "newer"))
    assert one.statistics is not None
    assert two.statistics is not None
    assert firsts(tmp_path / "newer", 3) == [1, 2, 3]
    assert two.statistics.means.shape == (7, 12)
    assert not np.isin(one.statistics.means[3:], two.statistics.means).all(axis=1).any()
    assert two.card.source["adapted"][1]["means"] == ["none", "bar", "block", "none", "bar", "block", "dots"]


@pytest.mark.parametrize(
    ("count", "source", "kept"),
    [
        (3, {}, [1, 3]),
        (4, {}, [1, 2, 3, 4]),  # not one a class: their names are not known
        (6, {"adapted": [{}]}, [1, 2, 3]),  # of an earlier version: the last three were of labelled sheets
        (3, {"adapted": [{}]}, []),
        (5, {"adapted": [{"means": ["none", "bar", *"abc"], "means_of_labelled": 3}]}, [1]),
        (4, {"adapted": [{"means": ["none"], "means_of_labelled": 3}]}, [1]),
    ],
)
def test_which_means_stay(
    count: int, source: dict[str, object], kept: list[float], known: Callable[..., Path]
) -> None:
    plan = ClassPlan(("none", "block"), "none", (0, 2), ("bar",))
    bundle = open_bundle(known(count, source=source))
    statistics, names = kept_means(bundle, plan)
    assert statistics is not None
    assert statistics.means[:, 0].tolist() == kept
    assert len(names) == len(kept)
    assert kept_means(replace(bundle, statistics=None), plan) == (None, ())
