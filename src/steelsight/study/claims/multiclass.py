"""The claims of the study's second half, each judged on these data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from steelsight.evaluation.intervals.bootstrap import bootstrap
from steelsight.streams import stream
from steelsight.study.claims.explanations import guided_gradcam_best
from steelsight.study.claims.layers import multiclass_layers_separate
from steelsight.study.claims.neurons import no_insight
from steelsight.study.claims.sheet_ends import judge_type_two
from steelsight.study.claims.transplant import features_serve
from steelsight.study.measures.differences import metric_difference
from steelsight.study.multiclass_results import MulticlassResults
from steelsight.study.multiclass_train import CHOSEN
from steelsight.study.stains import judge_test
from steelsight.study.verdict import ClaimVerdict, decide
from steelsight.training.imbalance.flips import BEST_CHANCE, two_copies_differ
from steelsight.types import Interval

__all__ = ["SECOND_CLAIMS"]

MARGIN = 0.01  # what "keeps the rest" may cost of accuracy
LEVEL, STUDY_ACCURACY = 0.99, 0.99  # the study's threshold, and the accuracy it reached there
HALF = (0.35, 0.65)  # what "about half" may mean


def _techniques(second: MulticlassResults) -> ClaimVerdict:
    tried = second.found.techniques
    needed = ("none", "patches", "weighted", "flips")
    missing = [key for key in needed if key not in tried]
    if missing:
        return ClaimVerdict("undecided here", f"Not trained: {', '.join(missing)}.")
    plain = tried["none"]

    def gain(key: str, metric: str) -> Interval:
        return metric_difference(second.found, tried[key], plain, metric).difference

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
    because = (
        "Balanced accuracy flipped copies gain over doing nothing. "
        f"Patches change accuracy by {patches[0].estimate:+.3f} and balanced accuracy by "
        f"{patches[1].estimate:+.3f}, the weighted loss by {others[0].estimate:+.3f} and "
        f"{raised['weighted'].estimate:+.3f}, flips accuracy by {kept.estimate:+.3f}."
    )
    return ClaimVerdict(decide(holds, fails), because, raised["flips"])


def _flip_optimum(_second: MulticlassResults) -> ClaimVerdict:
    best = two_copies_differ(BEST_CHANCE)
    rest = max(two_copies_differ(p) for p in np.linspace(0, 1, 1001).tolist())
    because = f"f(1/sqrt(2)) = {best:.4f}, the largest of a thousand others {rest:.4f}; see the picture."
    return ClaimVerdict(decide(best >= rest - 1e-6, best < rest - 1e-6), because)


def _best_rows(second: MulticlassResults) -> ClaimVerdict:
    found = second.found
    if CHOSEN not in found.results or "vgg16" not in found.results or found.results["vgg16"].remark:
        return ClaimVerdict("undecided here", "VGG16 was not trained as the study did.")
    others = [result for key, result in found.results.items() if key != CHOSEN]
    nearest = max(others, key=lambda result: result.noisy_report.balanced_accuracy.estimate)
    ahead = metric_difference(found, found.results[CHOSEN], nearest, "balanced_accuracy").difference
    accuracies = {key: result.noisy_report.accuracy.estimate for key, result in found.results.items()}
    leads = max(accuracies, key=lambda key: accuracies[key]) == "vgg16"
    because = (
        f"Balanced accuracy of Aug. Red. Squeeze minus that of the best other, {nearest.title}; "
        f"VGG16 {'leads' if leads else 'does not lead'} in accuracy."
    )
    return ClaimVerdict(decide(ahead.low > 0 and leads, ahead.high < 0), because, ahead)


def _threshold(second: MulticlassResults) -> ClaimVerdict:
    looked = second.scrutiny
    if looked is None:
        return ClaimVerdict("undecided here", "No multi-class model was trained.")
    answered = looked.columns["max_probability"] >= LEVEL
    if not answered.any():
        return ClaimVerdict("does not hold", f"No sheet reaches a confidence of {LEVEL}.")
    base = second.found.weights
    counts = np.ones(answered.size) if base is None else base
    share = float(np.average(answered, weights=counts))

    def accuracy(rows: np.ndarray) -> float:
        told = rows[answered[rows]]
        if not counts[told].sum():
            return float("nan")
        return float(np.average(looked.right[told], weights=counts[told]))

    rng = stream(second.found.options.seed, "claim-multiclass")
    found = bootstrap(
        accuracy, answered.size, second.found.groups, rng=rng, resamples=second.found.options.resamples
    )
    half = HALF[0] <= share <= HALF[1]
    everyone = float(np.average(looked.right, weights=counts))
    because = (
        f"Accuracy of the {share:.0%} of the sheets answered at {LEVEL}, against "
        f"{everyone:.1%} of all; held to reach {STUDY_ACCURACY:.0%} on {HALF[0]:.0%} to "
        f"{HALF[1]:.0%}."
    )
    return ClaimVerdict(
        decide(found.low >= STUDY_ACCURACY and half, found.high < STUDY_ACCURACY), because, found
    )


def _layers(second: MulticlassResults) -> ClaimVerdict:
    return multiclass_layers_separate(second.found.layers)


def _guided(second: MulticlassResults) -> ClaimVerdict:
    return guided_gradcam_best(second.found)


def _transplant(second: MulticlassResults) -> ClaimVerdict:
    return features_serve(second.transplant)


def _no_insight(second: MulticlassResults) -> ClaimVerdict:
    return no_insight(second.found)


# One entry a claim that contents.toml calls done.
SECOND_CLAIMS: dict[str, Callable[[MulticlassResults], ClaimVerdict]] = {
    "techniques-compared": _techniques,
    "flip-optimum": _flip_optimum,
    "multiclass-best": _best_rows,
    "threshold-accuracy": _threshold,
    "multiclass-layers-separate": _layers,
    "multiclass-guided-gradcam-best": _guided,
    "type-2-edges": judge_type_two,
    "multiclass-stain-test": lambda second: judge_test(second.found.stains),
    "transplant-features": _transplant,
    "neuron-no-insight": _no_insight,
}
