"""Familiarity of an adapted bundle: directions of the bundle's training sheets, means of the labelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from steelsight.adaptation.calibrate import fit_familiarity
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
