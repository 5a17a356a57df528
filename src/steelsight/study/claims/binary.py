"""Verdicts on the study's claims: holds, does not hold, or undecided here, with the interval.

A claim about two models is tested by their paired difference on the same noisy test sheets, a claim about
time by the ratio of interleaved rounds. Where the data or the training cannot decide, the verdict says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap, wilson
from steelsight.evaluation.intervals.bounds import bounded_pair
from steelsight.evaluation.timing import time_ratio
from steelsight.streams import stream
from steelsight.study.claims.explanations import gradcam_coarse, guided_gradcam_best
from steelsight.study.claims.layers import layers_separate
from steelsight.study.claims.multiclass import MULTICLASS_CLAIMS
from steelsight.study.claims.neurons import hierarchy
from steelsight.study.claims.stains import pasted_stains_flip, stains_learnt, stains_raise_scores
from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.contents import Item, load_contents
from steelsight.study.measures.differences import count_units
from steelsight.study.multiclass import MulticlassResults
from steelsight.study.options import VGG
from steelsight.study.results import ModelResult, StudyResults
from steelsight.types import Interval

__all__ = ["CLAIMS", "Verdicts", "evaluate_claim", "evaluate_claims"]

MARGIN = 0.01  # loss of accuracy that still counts as none
STUDY_SHEETS, STUDY_SIZE = 12568, (256, 1600)
STRIP_CLASSES = 5  # none and four types

Verdicts = Sequence[tuple[Item, ClaimVerdict]]


def evaluate_claims(binary: StudyResults, multiclass: MulticlassResults | str) -> Verdicts:
    """Every claim of contents.toml with its verdict, in the order of the slides.

    multiclass  results of the multi-class models, or why there are none
    """
    return [
        (item, evaluate_claim(item, binary, multiclass)) for item in load_contents() if item.kind == "claim"
    ]


def evaluate_claim(item: Item, binary: StudyResults, multiclass: MulticlassResults | str) -> ClaimVerdict:
    """The verdict on one claim of contents.toml."""
    if item.status != "done":
        return ClaimVerdict("undecided here", f"Not tested: {item.reason}.")
    if item.id in CLAIMS:
        verdict = CLAIMS[item.id](binary)
    elif isinstance(multiclass, str):
        verdict = ClaimVerdict("undecided here", f"There are no multi-class models: {multiclass}.")
    else:
        verdict = MULTICLASS_CLAIMS[item.id](multiclass)
    if binary.options.quick and item.id not in OF_THE_DATA and verdict.answer != "undecided here":
        return ClaimVerdict(
            "undecided here", f"A quick run decides no claim. {verdict.reason}", verdict.interval
        )
    return verdict


def _data_size(study: StudyResults) -> ClaimVerdict:
    count, sizes, types = len(study.data.items), set(study.sizes), len(study.sheets.type_names) - 1
    if (count, sizes, types) == (STUDY_SHEETS, {STUDY_SIZE}, STRIP_CLASSES - 1):
        return ClaimVerdict("holds", "Number of sheets, image size and types are the same.")
    return ClaimVerdict(
        "undecided here",
        f"These are other data, with {count:,} sheets and {types} defect "
        f"{'type' if types == 1 else 'types'}.",
    )


def _majority(study: StudyResults) -> ClaimVerdict:
    if not _is_strip(study):
        return ClaimVerdict("undecided here", "These data do not have the study's four types.")
    common, rare = _share(study, {0, 3}), _share(study, {2})
    reason = (
        "Share of type 2, which should lie between 1 and 3 %; the share of none and type 3 together, which "
        f"should exceed 50 %, is {common.estimate:.1%}."
    )
    holds = common.low > 0.5 and rare.low > 0.01 and rare.high < 0.03
    fails = common.high < 0.5 or rare.high < 0.01 or rare.low > 0.03
    return ClaimVerdict(decide(holds, fails), reason, rare)


def _unbalanced(study: StudyResults) -> ClaimVerdict:
    if not _is_strip(study):
        return ClaimVerdict("undecided here", "These data do not have the study's four types.")
    share = _share(study, {0, 3})
    return ClaimVerdict(
        decide(share.low > 0.85, share.high < 0.85), "Share of none and type 3 together.", share
    )


def _vgg_most_accurate(study: StudyResults) -> ClaimVerdict:
    vgg = study.results.get(VGG)
    if vgg is None or vgg.remark:
        return ClaimVerdict(
            "undecided here", vgg.remark.capitalize() + "." if vgg else "VGG16 was not trained."
        )
    others = [result for name, result in study.results.items() if name != VGG]
    if not others:
        return ClaimVerdict("undecided here", "No other network was trained.")
    best = max(others, key=lambda result: result.noisy_report.accuracy.estimate)
    ahead = _difference(study, vgg, best)
    return _by_difference(
        ahead, f"Accuracy of VGG16 minus that of the best other network, {best.title}.", 0.0
    )


def _squeezenet_beats_adhoc(study: StudyResults) -> ClaimVerdict:
    return _compare(study, "squeezenet_reduced", "adhoc", 0.0)


def _reduced_as_good(study: StudyResults) -> ClaimVerdict:
    return _compare(study, "squeezenet_reduced", "squeezenet", -MARGIN)


def _adhoc_fastest(study: StudyResults) -> ClaimVerdict:
    others = {name: cost for name, cost in study.costs.items() if name != "adhoc"}
    nearest = min(others, key=lambda name: others[name].timing.median_ms)
    ratio = _ratio(study, "adhoc", nearest)
    reason = (
        "Time of the ad-hoc CNN divided by that of the fastest other network, "
        f"{others[nearest].title}, on this processor."
    )
    return ClaimVerdict(decide(ratio.high < 1, ratio.low > 1), reason, ratio)


def _reduced_faster(study: StudyResults) -> ClaimVerdict:
    ratio = _ratio(study, "squeezenet_reduced", "squeezenet")
    reason = (
        "Time of reduced SqueezeNet divided by that of the full one, on this processor; 0.75 in the study."
    )
    return ClaimVerdict(decide(ratio.high < 1, ratio.low > 1), reason, ratio)


def _vgg_slow(study: StudyResults) -> ClaimVerdict:
    ratio = _ratio(study, VGG, "squeezenet_reduced")
    reason = (
        "Time of VGG16 divided by that of reduced SqueezeNet, on this processor; it should lie between 6 and "
        "24, half and double the study's ratio."
    )
    return ClaimVerdict(
        decide(ratio.low > 6 and ratio.high < 24, ratio.high < 6 or ratio.low > 24), reason, ratio
    )


def _small_model_accurate(study: StudyResults) -> ClaimVerdict:
    result = study.results.get("squeezenet_reduced")
    if result is None:
        return ClaimVerdict("undecided here", "Reduced SqueezeNet was not trained.")
    accuracy = result.noisy_report.accuracy
    reason = "Accuracy of reduced SqueezeNet on noisy test sheets, which should be at least 0.92."
    return ClaimVerdict(decide(accuracy.low >= 0.92, accuracy.high < 0.92), reason, accuracy)


# One entry per claim that contents.toml marks as done.
CLAIMS: dict[str, Callable[[StudyResults], ClaimVerdict]] = {
    "data-size": _data_size,
    "majority-classes": _majority,
    "unbalanced": _unbalanced,
    "vgg-most-accurate": _vgg_most_accurate,
    "squeezenets-beat-adhoc": _squeezenet_beats_adhoc,
    "reduced-as-good": _reduced_as_good,
    "adhoc-fastest": _adhoc_fastest,
    "reduced-faster": _reduced_faster,
    "vgg-slow": _vgg_slow,
    "layers-separate": lambda study: layers_separate(study.layers),
    "gradcam-coarse": gradcam_coarse,
    "guided-gradcam-best": guided_gradcam_best,
    "neuron-hierarchy": hierarchy,
    "stains-mean-none": lambda study: stains_learnt(study.stains),
    "stain-test": lambda study: stains_raise_scores(study.stains),
    "stain-flips": lambda study: pasted_stains_flip(study.stains),
    "small-model-accurate": _small_model_accurate,
}
OF_THE_DATA = {"data-size", "majority-classes", "unbalanced", "flip-optimum"}  # claims without training


def _compare(study: StudyResults, first: str, second: str, least: float) -> ClaimVerdict:
    a, b = study.results.get(first), study.results.get(second)
    if a is None or b is None:
        missing = [study.costs[name].title for name in (first, second) if name not in study.results]
        return ClaimVerdict("undecided here", f"Not trained: {', '.join(missing)}.")
    allowed = f", which should be above {least}" if least else ""
    return _by_difference(_difference(study, a, b), f"Accuracy of {a.title} minus {b.title}{allowed}.", least)


def _by_difference(paired: PairedDifference, reason: str, least: float) -> ClaimVerdict:
    difference = paired.difference
    return ClaimVerdict(decide(difference.low > least, difference.high < least), reason, difference)


def _difference(study: StudyResults, first: ModelResult, second: ModelResult) -> PairedDifference:
    """Difference of accuracies on the same noisy sheets, resampled by group."""
    right = [(result.noisy.argmax(axis=1) == study.labels).astype(np.float64) for result in (first, second)]
    counts = np.ones(study.labels.size) if study.weights is None else study.weights
    paired = paired_bootstrap(
        lambda rows: float(np.average(right[0][rows], weights=counts[rows])),
        lambda rows: float(np.average(right[1][rows], weights=counts[rows])),
        study.labels.size,
        study.groups,
        rng=stream(study.options.seed, "claim-differences"),
        resamples=study.options.resamples,
    )
    return bounded_pair(paired, count_units(study))


def _ratio(study: StudyResults, first: str, second: str) -> Interval:
    rng = stream(study.options.seed, "claim-times")
    return time_ratio(study.costs[first].timing, study.costs[second].timing, rng=rng)


def _is_strip(study: StudyResults) -> bool:
    return study.sheets.layout == "severstal" and len(study.sheets.type_names) == STRIP_CLASSES


def _share(study: StudyResults, kinds: set[int]) -> Interval:
    """Share of these classes among sheets that have one class."""
    single = [item.types or (0,) for item in study.data.items if len(item.types) < 2]
    return wilson(sum(types[0] in kinds for types in single), len(single))
