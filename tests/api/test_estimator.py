"""`SheetEstimator` is an estimator of scikit-learn: its checks, its searches, and the head of `adapt`."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import validate_data

import steelsight as ss
from steelsight.adaptation.features import read_features
from steelsight.api.lab.estimator import SheetEstimator
from steelsight.errors import BadBundle, BadImage, BadInput
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.engine.reading import read_image


class Rows(SheetEstimator):
    """The same estimator on rows of numbers, as scikit-learn's checks give them, without the network."""

    def _features(self, X, *, reset):
        return validate_data(self, X, reset=reset, dtype=np.float64)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.three_d_array = False
        tags.input_tags.string = False
        return tags


@pytest.fixture(scope="module")
def labelled(data):
    """Paths and whether a sheet has a defect."""
    rows = ss.open_data(data).table().rows[:24]
    names = ss.open_data(data).class_names
    return [row[1] for row in rows], np.array(["good" if row[2] == names[0] else "defect" for row in rows])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_checks_of_scikit_learn_pass():
    outcomes = check_estimator(Rows(penalty=1.0), on_fail=None, on_skip=None)
    failed = {each["check_name"]: str(each["exception"]) for each in outcomes if each["status"] == "failed"}
    assert failed == {}
    assert len(outcomes) > 40


def test_it_is_logistic_regression_on_the_features_of_the_bundle(labelled):
    paths, labels = labelled
    fitted = SheetEstimator(penalty=0.05).fit(paths, labels)
    bundle = open_bundle(Path("fast"))
    grays = np.stack([_gray(path, bundle) for path in paths])
    head = fitted.head_
    points = np.clip((read_features(bundle, grays).pooled - head.mean) / head.scale, -2, 2)
    oracle = LogisticRegression(C=0.05, class_weight="balanced", tol=1e-8, max_iter=5000).fit(points, labels)
    np.testing.assert_allclose(fitted.predict_proba(paths), oracle.predict_proba(points), atol=1e-3)
    assert fitted.classes_.tolist() == ["defect", "good"]
    assert fitted.score(paths, labels) > 0.8


def _gray(path, bundle):
    return read_image(path, bundle.card.input).gray


def test_paths_and_arrays_have_the_same_probabilities(labelled):
    paths, labels = labelled
    fitted = SheetEstimator().fit(paths[:20], labels[:20])
    bundle = open_bundle(Path("fast"))
    arrays = np.stack([_gray(path, bundle) for path in paths[20:24]])
    found = fitted.predict_proba(paths[20:24])
    np.testing.assert_array_equal(fitted.predict_proba(arrays), found)
    np.testing.assert_array_equal(fitted.predict_proba(np.array(paths[20:24])), found)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert fitted.decision_function(arrays).shape == (4,)
    np.testing.assert_array_equal(fitted.decision_function(arrays) > 0, found[:, 1] > 0.5)


def test_searches_and_copies(labelled):
    paths, labels = labelled
    search = GridSearchCV(SheetEstimator(), {"penalty": [0.001, 0.1]}, cv=2).fit(paths, labels)
    assert search.best_params_["penalty"] in (0.001, 0.1)
    assert cross_val_score(SheetEstimator(), paths, labels, cv=2).shape == (2,)
    best = search.best_estimator_
    assert clone(best).get_params() == {"bundle": "fast", "limit": 2.0, "penalty": best.penalty}
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(best)).predict_proba(paths[:2]), best.predict_proba(paths[:2])
    )


@pytest.mark.parametrize(
    ("sheets", "labels", "settings", "error", "message"),
    [
        ([b"nothing"], ["a"], {}, BadImage, "sheet 0: "),
        (
            [3],
            ["a"],
            {},
            BadInput,
            r"sheet 0: expected a path, bytes of a file or gray uint8 \(h, w\), got int",
        ),
        (np.zeros((2, 4, 5)), ["a", "b"], {}, BadInput, r"got float64 of shape \(4, 5\)"),
        (np.zeros((2, 4, 5), np.uint8), ["a", "a"], {}, BadInput, "expected sheets of two classes or more"),
        (np.zeros((2, 4, 5), np.uint8), ["a"], {}, ValueError, "inconsistent numbers of samples"),
        ([], [], {}, BadInput, "expected at least one sheet, got none"),
        ([], [], {"penalty": 0}, BadInput, "penalty: expected a number above 0, got 0"),
        ([b""], ["a"], {"bundle": "none"}, BadBundle, "none"),
    ],
)
def test_what_cannot_be_fitted_is_refused(sheets, labels, settings, error, message):
    with pytest.raises(error, match=message):
        SheetEstimator(**settings).fit(sheets, labels)


def test_it_predicts_after_it_was_fitted_alone():
    with pytest.raises(NotFittedError):
        SheetEstimator().predict([b""])
