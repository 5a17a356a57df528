"""The study's claims about the multi-class models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.evaluation.intervals.bootstrap import bootstrap
from steelsight.streams import stream
from steelsight.study.claims.explanations import guided_gradcam_best
from steelsight.study.claims.layers import multiclass_layers_separate
from steelsight.study.claims.neurons import no_insight
from steelsight.study.claims.sheet_ends import type_two_at_ends
from steelsight.study.claims.stains import stains_raise_scores
from steelsight.study.claims.transplant import features_serve
from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.measures.differences import metric_difference
from steelsight.study.multiclass import MulticlassResults
from steelsight.study.train_multiclass import CHOSEN
from steelsight.training.imbalance.flips import BEST_CHANCE, two_copies_differ
from steelsight.types import Interval

__all__ = ["MULTICLASS_CLAIMS"]

MARGIN = 0.01  # loss of accuracy that still counts as none
LEVEL, STUDY_ACCURACY = 0.99, 0.99  # the study's threshold, and the accuracy it reached there
HALF = (0.35, 0.65)  # shares that count as "about half"


def _techniques(multiclass: MulticlassResults) -> ClaimVerdict:
    tried = multiclass.study.techniques
    needed = ("none", "patches", "weighted", "flips")
    missing = [key for key in needed if key not in tried]
    if missing:
        return ClaimVerdict("undecided here", f"Not trained: {', '.join(missing)}.")
    plain = tried["none"]

    def gain(key: str, metric: str) -> Interval:
        return metric_difference(multiclass.study, tried[key], plain, metric).difference

    metrics = ("accuracy", "balanced_accuracy", "f1_weighted", "auc")
    patches = [gain("patches", metric) for metric in metrics]
    raised = {key: gain(key, "balanced_accuracy") for key in ("weighted", "flips")}
    others = [gain("weighted", metric) for metric in metrics if metric != "balanced_accuracy"]
    kept = gain("flips", "accuracy")
    holds = (
        all(each.high < 0 for each in (*patches, *others))
        and all(each.low > 0 for each in raised.values())
        and kept.low > -MARGIN
    )
    fails = (
        any(each.low > 0 for each in (*patches, *others))
        or any(each.high < 0 for each in raised.values())
        or kept.high < -MARGIN
    )
    reason = (
        "Gain in balanced accuracy by flipped copies over no technique. "
        f"Patches change accuracy by {patches[0].estimate:+.3f} and balanced accuracy by "
        f"{patches[1].estimate:+.3f}, the weighted loss by {others[0].estimate:+.3f} and "
        f"{raised['weighted'].estimate:+.3f}, flips accuracy by {kept.estimate:+.3f}."
    )
    return ClaimVerdict(decide(holds, fails), reason, raised["flips"])


def _flip_optimum(_: MulticlassResults) -> ClaimVerdict:
    best = two_copies_differ(BEST_CHANCE)
    rest = max(two_copies_differ(p) for p in np.linspace(0, 1, 1001).tolist())
    reason = (
        f"f(1/sqrt(2)) = {best:.4f}; the largest of a thousand other values is {rest:.4f} (see the figure)."
    )
    return ClaimVerdict(decide(best >= rest - 1e-6, best < rest - 1e-6), reason)


def _best_rows(multiclass: MulticlassResults) -> ClaimVerdict:
    study = multiclass.study
    if CHOSEN not in study.results or "vgg16" not in study.results or study.results["vgg16"].remark:
        return ClaimVerdict("undecided here", "VGG16 was not trained as in the study.")
    others = [result for key, result in study.results.items() if key != CHOSEN]
    nearest = max(others, key=lambda result: result.noisy_report.balanced_accuracy.estimate)
    ahead = metric_difference(study, study.results[CHOSEN], nearest, "balanced_accuracy").difference
    accuracies = {key: result.noisy_report.accuracy.estimate for key, result in study.results.items()}
    leads = max(accuracies, key=lambda key: accuracies[key]) == "vgg16"
    reason = (
        f"Balanced accuracy of Aug. Red. Squeeze minus that of the best other model, {nearest.title}; "
        f"VGG16 {'leads' if leads else 'does not lead'} in accuracy."
    )
    return ClaimVerdict(decide(ahead.low > 0 and leads, ahead.high < 0), reason, ahead)


def _threshold(multiclass: MulticlassResults) -> ClaimVerdict:
    evaluation = multiclass.confidence
    if evaluation is None:
        return ClaimVerdict("undecided here", "No multi-class model was trained.")
    answered = evaluation.columns["max_probability"] >= LEVEL
    if not answered.any():
        return ClaimVerdict("does not hold", f"No sheet reaches a confidence of {LEVEL}.")
    weights = multiclass.study.weights
    counts = np.ones(answered.size) if weights is None else weights
    share = float(np.average(answered, weights=counts))

    def accuracy(rows: np.ndarray) -> float:
        kept = rows[answered[rows]]
        if not counts[kept].sum():
            return float("nan")
        return float(np.average(evaluation.right[kept], weights=counts[kept]))

    rng = stream(multiclass.study.options.seed, "claim-multiclass")
    interval = bootstrap(
        accuracy,
        answered.size,
        multiclass.study.groups,
        rng=rng,
        resamples=multiclass.study.options.resamples,
    )
    about_half = HALF[0] <= share <= HALF[1]
    overall = float(np.average(evaluation.right, weights=counts))
    reason = (
        f"Accuracy on the {share:.0%} of the sheets at or above a confidence of {LEVEL}, compared with "
        f"{overall:.1%} on all; it should reach {STUDY_ACCURACY:.0%} on {HALF[0]:.0%} to "
        f"{HALF[1]:.0%} of them."
    )
    return ClaimVerdict(
        decide(interval.low >= STUDY_ACCURACY and about_half, interval.high < STUDY_ACCURACY),
        reason,
        interval,
    )


def _layers(multiclass: MulticlassResults) -> ClaimVerdict:
    return multiclass_layers_separate(multiclass.study.layers)


def _guided(multiclass: MulticlassResults) -> ClaimVerdict:
    return guided_gradcam_best(multiclass.study)


def _transplant(multiclass: MulticlassResults) -> ClaimVerdict:
    return features_serve(multiclass.transplant)


def _no_insight(multiclass: MulticlassResults) -> ClaimVerdict:
    return no_insight(multiclass.study)


# One entry per claim that contents.toml marks as done.
MULTICLASS_CLAIMS: dict[str, Callable[[MulticlassResults], ClaimVerdict]] = {
    "techniques-compared": _techniques,
    "flip-optimum": _flip_optimum,
    "multiclass-best": _best_rows,
    "threshold-accuracy": _threshold,
    "multiclass-layers-separate": _layers,
    "multiclass-guided-gradcam-best": _guided,
    "type-2-edges": type_two_at_ends,
    "multiclass-stain-test": lambda multiclass: stains_raise_scores(multiclass.study.stains),
    "transplant-features": _transplant,
    "neuron-no-insight": _no_insight,
}
