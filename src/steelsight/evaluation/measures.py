"""The metrics of a classification, for one sample or many resamples at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from steelsight.evaluation import confusion as counted
from steelsight.evaluation.confusion import Margins, weighted_margins
from steelsight.evaluation.curves.roc import RocCurve, roc_curve, weighted_auc
from steelsight.evaluation.probabilities import check_labels, check_probabilities
from steelsight.types import Labels, Probabilities

__all__ = ["measure", "roc_curves"]

Weights = Float[np.ndarray, "b n"]
Draws = Float[np.ndarray, "b"]
MEANS = ("accuracy", "balanced_accuracy", "f1_weighted", "f1_macro")


def measure(
    labels: Labels, probabilities: Probabilities, weights: Weights
) -> dict[str, Float[np.ndarray, " b"]]:
    """Every headline and per-class metric under each row of weights.

    weights  (b, n); a row of ones gives the plain metrics
    returns  accuracy, balanced_accuracy, f1_weighted, f1_macro, auc, and for each class c precision:c,
             recall:c, f1:c, auc:c; NaN where undefined. A row that lost a class which the labels have is
             undefined for every mean over classes
    """
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    tables = _count_metrics(weighted_margins(labels, predicted, classes, weights), labels)
    metrics = {name: tables.pop(name) for name in MEANS}
    tables["auc"] = _one_against_rest(labels, probabilities, weights)
    sheets = np.bincount(labels, minlength=classes)
    metrics["auc"] = _mean_area(tables["auc"], (sheets > 0) & (sheets < labels.size))
    metrics |= {f"{name}:{c}": table[:, c] for name, table in tables.items() for c in range(classes)}
    return metrics


def _count_metrics(counts: Margins, labels: Labels) -> dict[str, np.ndarray]:
    """The metrics that follow from counts alone: MEANS (b,), and one (b, k) for each class."""
    present = np.bincount(labels, minlength=counts.sheets.shape[1]) > 0
    lost = (counts.sheets[:, present] == 0).any(axis=1)
    return {
        "accuracy": counted.accuracy(counts),
        "balanced_accuracy": np.where(lost, np.nan, counted.balanced_accuracy(counts)),
        "f1_weighted": counted.f1(counts, "weighted"),
        "f1_macro": np.where(lost, np.nan, counted.f1(counts, "macro")),
        "precision": counted.precision(counts),
        "recall": counted.recall(counts),
        "f1": counted.class_f1(counts),
    }


def roc_curves(
    labels: Labels, probabilities: Float[np.ndarray, "m c"], class_names: Sequence[str]
) -> dict[str, RocCurve]:
    """One curve for each class against the rest, of two the second alone; one-sided classes are left out."""
    check_probabilities(probabilities, labels.size, len(class_names))
    check_labels(labels, len(class_names))
    chosen = [1] if len(class_names) == 2 else range(len(class_names))
    return {
        class_names[c]: roc_curve(labels == c, probabilities[:, c].astype(np.float64))
        for c in chosen
        if 0 < (labels == c).sum() < labels.size
    }


def _one_against_rest(
    labels: Labels, probabilities: Probabilities, weights: Weights
) -> Float[np.ndarray, "b k"]:
    columns = range(probabilities.shape[1])
    return np.stack([weighted_auc(labels == c, probabilities[:, c], weights) for c in columns], axis=1)


def _mean_area(areas: Float[np.ndarray, "b k"], defined: Bool[np.ndarray, " k"]) -> Float[np.ndarray, " b"]:
    """For two classes the second's area, else the mean over defined classes; NaN in it makes the mean NaN."""
    if areas.shape[1] == 2:
        return areas[:, 1]
    if not defined.any():
        return np.full(len(areas), np.nan)
    mean: Float[np.ndarray, " b"] = areas[:, defined].mean(axis=1)
    return mean
