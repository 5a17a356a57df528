"""Familiarity: distances by the definition, a limit with the promised share, and old bundles as before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis

import steelsight
from steelsight.errors import BadInput
from steelsight.runtime.bundle.card import Familiarity
from steelsight.runtime.bundle.open import FeatureStatistics, open_bundle
from steelsight.runtime.bundle.writer import write_bundle
from steelsight.runtime.familiarity import distances_between, familiarity_limit, feature_distance, scaled


@pytest.mark.parametrize("scale", ["linear", "cube root"])
def test_the_distance_is_that_of_mahalanobis_to_the_nearest_mean(rng, scale):
    embedding = rng.gamma(0.5, 4, (20, 6)).astype(np.float32)
    sheets = rng.gamma(0.5, 4, (100, 6))
    points = np.cbrt(embedding.astype(np.float64)) if scale == "cube root" else embedding
    own = np.cbrt(sheets) if scale == "cube root" else sheets
    precision = np.linalg.inv(np.cov(own.T))
    means = np.stack([own[:50].mean(axis=0), own[50:].mean(axis=0)]).astype(np.float32)
    statistics = FeatureStatistics(means, np.linalg.cholesky(precision).astype(np.float32), scale)
    expected = [min(mahalanobis(point, mean, precision) for mean in means) for point in points]
    np.testing.assert_allclose(feature_distance(embedding, statistics), expected, rtol=1e-4)  # float32


@pytest.mark.parametrize("scale", ["linear", "cube root"])
def test_the_distance_between_sheets_is_that_of_mahalanobis(rng, scale):
    points = rng.normal(3, 2, (6, 4)).astype(np.float32)
    mixing = rng.normal(size=(4, 4))
    whitening = mixing.astype(np.float32)
    statistics = FeatureStatistics(np.zeros((1, 4), np.float32), whitening, scale)
    found = distances_between(points[0], points[1:], statistics)
    wide, inverse = scaled(points, scale), whitening.astype(np.float64) @ whitening.T.astype(np.float64)
    assert found == pytest.approx([mahalanobis(wide[0], each, inverse) for each in wide[1:]], rel=1e-9)
    plain = distances_between(points[0], points[1:], None)
    assert plain == pytest.approx(np.linalg.norm(points[1:].astype(np.float64) - points[0], axis=1))


def test_without_statistics_there_is_no_distance():
    assert np.isnan(feature_distance(np.ones((3, 2), np.float32), None)).all()


def test_cube_roots_keep_the_sign_and_the_order(rng):
    values = np.sort(rng.normal(size=(1, 50)) * 100)
    assert (np.diff(scaled(values, "cube root")) > 0).all()
    np.testing.assert_allclose(scaled(-values, "cube root"), -scaled(values, "cube root"))


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 400), kept=st.floats(0.5, 0.995))
def test_the_limit_is_an_order_statistic_and_states_its_share(seed, count, kept):
    distance = np.random.default_rng(seed).chisquare(5, count)
    limit, share = familiarity_limit(distance, kept)
    within = int((distance <= limit).sum())
    assert share == within / (count + 1)
    assert share >= kept - 1e-9 or within == count
    assert (within - 1) / (count + 1) < kept


@pytest.mark.parametrize("count", [20, 99, 212])
def test_further_sheets_lie_within_the_limit_as_often_as_stated(count):
    rng, runs, inside = np.random.default_rng(count), 4000, []
    for _ in range(runs):
        limit, share = familiarity_limit(rng.exponential(size=count), 0.99)
        inside.append(1 - np.exp(-limit))
    error = np.std(inside) / np.sqrt(runs)
    assert abs(np.mean(inside) - share) < 4 * error


@pytest.mark.parametrize(("distance", "words"), [([], "got none"), ([0.0, 0.0], "sheets that differ")])
def test_unusable_distances_are_refused(distance, words):
    with pytest.raises(BadInput, match=words):
        familiarity_limit(np.array(distance), 0.99)


def test_the_scale_is_the_cards(make_bundle, sheets, tmp_path):
    """A card that names no scale, as all before did, measures linearly."""
    opened = open_bundle(make_bundle())
    assert opened.statistics is not None
    assert opened.statistics.scale == "linear"
    linear = [verdict.distance for verdict in steelsight.load(opened.folder, threads=1).stream(sheets)]
    facts = Familiarity(limit=1e6, kept=0.99, scale="cube root")
    card = opened.card.model_copy(update={"familiarity": facts})
    write_bundle(tmp_path / "rooted", card, opened.files)
    rooted = steelsight.load(tmp_path / "rooted", threads=1)
    embedding = rooted.engine(sheets).embedding
    means, whitening = opened.statistics.means, opened.statistics.whitening
    expected = feature_distance(embedding, FeatureStatistics(means, whitening, "cube root"))
    found = [verdict.distance for verdict in rooted.stream(sheets)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # a batch of another size
    assert not np.allclose(found, linear)


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match="cube root"):
        Familiarity.model_validate({"limit": 1.0, "kept": 0.9, "scale": "log"})
