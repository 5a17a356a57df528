"""The study's claims, each judged on these data: holds, does not hold, or undecided here, with the interval.

A claim about two models is judged by their paired difference on the same noisy test sheets, a claim about
time by the ratio of interleaved rounds. Where the data or the training cannot decide, the verdict says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap, wilson
from steelsight.evaluation.timing import time_ratio
from steelsight.streams import stream
from steelsight.study.claims.explanations import gradcam_coarse, guided_gradcam_best
from steelsight.study.claims.layers import layers_separate
from steelsight.study.claims.multiclass import SECOND_CLAIMS
from steelsight.study.claims.neurons import hierarchy
from steelsight.study.contents import Item, load_contents
from steelsight.study.multiclass_results import MulticlassResults
from steelsight.study.options import VGG
from steelsight.study.results import ModelResult, StudyResults
from steelsight.study.stains import judge_flips, judge_learnt, judge_test
from steelsight.study.verdict import ClaimVerdict, decide
from steelsight.types import Interval

__all__ = ["CLAIMS", "ClaimVerdict", "Verdicts", "judge", "judge_all"]

MARGIN = 0.01  # of accuracy: what "costs nothing" may cost
STUDY_SHEETS, STUDY_SIZE = 12568, (256, 1600)
STRIP_CLASSES = 5  # none and four types


Verdicts = Sequence[tuple[Item, ClaimVerdict]]


def judge_all(found: StudyResults, second: MulticlassResults | str) -> Verdicts:
    """Every claim of contents.toml with its verdict, in the order of the slides.

    second  the multi-class half, or why there is none
    """
    return [(item, judge(item, found, second)) for item in load_contents() if item.kind == "claim"]


def judge(item: Item, found: StudyResults, second: MulticlassResults | str) -> ClaimVerdict:
    """The verdict on one claim of contents.toml."""
    if item.status != "done":
        return ClaimVerdict("undecided here", f"Not tested yet: {item.reason}.")
    if item.id in CLAIMS:
        verdict = CLAIMS[item.id](found)
    elif isinstance(second, str):
        verdict = ClaimVerdict("undecided here", f"There is no multi-class half: {second}.")
    else:
        verdict = SECOND_CLAIMS[item.id](second)
    if found.options.quick and item.id not in OF_THE_DATA and verdict.answer != "undecided here":
        return ClaimVerdict(
            "undecided here", f"A quick look decides nothing. {verdict.because}", verdict.interval
        )
    return verdict


def _data_size(found: StudyResults) -> ClaimVerdict:
    count, sizes, types = len(found.data.items), set(found.sizes), len(found.sheets.type_names) - 1
    if (count, sizes, types) == (STUDY_SHEETS, {STUDY_SIZE}, STRIP_CLASSES - 1):
        return ClaimVerdict("holds", "Counted.")
    return ClaimVerdict("undecided here", f"These are other data: {count:,} sheets, {types} defect types.")


def _majority(found: StudyResults) -> ClaimVerdict:
    if not _is_strip(found):
        return ClaimVerdict("undecided here", "These data do not have the study's four types.")
    common, rare = _share(found, {0, 3}), _share(found, {2})
    because = (
        "Interval of type 2's share, held to lie between 1 and 3 %; "
        f"none and type 3 together make {common.estimate:.1%}."
    )
    holds = common.low > 0.5 and rare.low > 0.01 and rare.high < 0.03
    fails = common.high < 0.5 or rare.high < 0.01 or rare.low > 0.03
    return ClaimVerdict(decide(holds, fails), because, rare)


def _unbalanced(found: StudyResults) -> ClaimVerdict:
    if not _is_strip(found):
        return ClaimVerdict("undecided here", "These data do not have the study's four types.")
    share = _share(found, {0, 3})
    return ClaimVerdict(decide(share.low > 0.85, share.high < 0.85), "Interval of their share.", share)


def _vgg_most_accurate(found: StudyResults) -> ClaimVerdict:
    vgg = found.results.get(VGG)
    if vgg is None or vgg.remark:
        return ClaimVerdict(
            "undecided here", vgg.remark.capitalize() + "." if vgg else "VGG16 was not trained."
        )
    others = [result for name, result in found.results.items() if name != VGG]
    if not others:
        return ClaimVerdict("undecided here", "No other network was trained.")
    best = max(others, key=lambda result: result.noisy_report.accuracy.estimate)
    ahead = _difference(found, vgg, best)
    return _by_difference(ahead, f"VGG16's accuracy minus that of the best other, {best.title}.", 0.0)


def _squeezenet_beats_adhoc(found: StudyResults) -> ClaimVerdict:
    return _compare(found, "squeezenet_reduced", "adhoc", 0.0)


def _reduced_as_good(found: StudyResults) -> ClaimVerdict:
    return _compare(found, "squeezenet_reduced", "squeezenet", -MARGIN)


def _adhoc_fastest(found: StudyResults) -> ClaimVerdict:
    others = {name: cost for name, cost in found.costs.items() if name != "adhoc"}
    nearest = min(others, key=lambda name: others[name].timing.median_ms)
    ratio = _ratio(found, "adhoc", nearest)
    because = f"Its time over that of the fastest other, {others[nearest].title}, on this processor."
    return ClaimVerdict(decide(ratio.high < 1, ratio.low > 1), because, ratio)


def _reduced_faster(found: StudyResults) -> ClaimVerdict:
    ratio = _ratio(found, "squeezenet_reduced", "squeezenet")
    because = "Its time over the full one's on this processor; the study's ratio is 0.75."
    return ClaimVerdict(decide(ratio.high < 1, ratio.low > 1), because, ratio)


def _vgg_slow(found: StudyResults) -> ClaimVerdict:
    ratio = _ratio(found, VGG, "squeezenet_reduced")
    because = "Ratio of times on this processor; held to lie between 6 and 24, half and double the study's."
    return ClaimVerdict(
        decide(ratio.low > 6 and ratio.high < 24, ratio.high < 6 or ratio.low > 24), because, ratio
    )


def _small_model_accurate(found: StudyResults) -> ClaimVerdict:
    result = found.results.get("squeezenet_reduced")
    if result is None:
        return ClaimVerdict("undecided here", "Reduced SqueezeNet was not trained.")
    accuracy = result.noisy_report.accuracy
    because = "Accuracy of reduced SqueezeNet on noisy test sheets, held against 0.92."
    return ClaimVerdict(decide(accuracy.low >= 0.92, accuracy.high < 0.92), because, accuracy)


# One entry a claim that contents.toml calls done.
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
    "layers-separate": lambda found: layers_separate(found.layers),
    "gradcam-coarse": gradcam_coarse,
    "guided-gradcam-best": guided_gradcam_best,
    "neuron-hierarchy": hierarchy,
    "stains-mean-none": lambda found: judge_learnt(found.stains),
    "stain-test": lambda found: judge_test(found.stains),
    "stain-flips": lambda found: judge_flips(found.stains),
    "small-model-accurate": _small_model_accurate,
}
OF_THE_DATA = {"data-size", "majority-classes", "unbalanced", "flip-optimum"}  # need no training


def _compare(found: StudyResults, first: str, second: str, least: float) -> ClaimVerdict:
    a, b = found.results.get(first), found.results.get(second)
    if a is None or b is None:
        missing = [found.costs[name].title for name in (first, second) if name not in found.results]
        return ClaimVerdict("undecided here", f"{' and '.join(missing)} not trained.")
    allowed = f", held to be above {least}" if least else ""
    return _by_difference(_difference(found, a, b), f"Accuracy of {a.title} minus {b.title}{allowed}.", least)


def _by_difference(paired: PairedDifference, because: str, least: float) -> ClaimVerdict:
    difference = paired.difference
    return ClaimVerdict(decide(difference.low > least, difference.high < least), because, difference)


def _difference(found: StudyResults, first: ModelResult, second: ModelResult) -> PairedDifference:
    """Of accuracies on the same noisy sheets, resampled by group."""
    right = [(result.noisy.argmax(axis=1) == found.labels).astype(np.float64) for result in (first, second)]
    counts = np.ones(found.labels.size) if found.weights is None else found.weights
    return paired_bootstrap(
        lambda rows: float(np.average(right[0][rows], weights=counts[rows])),
        lambda rows: float(np.average(right[1][rows], weights=counts[rows])),
        found.labels.size,
        found.groups,
        rng=stream(found.options.seed, "claim-differences"),
        resamples=found.options.resamples,
    )


def _ratio(found: StudyResults, first: str, second: str) -> Interval:
    rng = stream(found.options.seed, "claim-times")
    return time_ratio(found.costs[first].timing, found.costs[second].timing, rng=rng)


def _is_strip(found: StudyResults) -> bool:
    return found.sheets.layout == "severstal" and len(found.sheets.type_names) == STRIP_CLASSES


def _share(found: StudyResults, kinds: set[int]) -> Interval:
    """Share of sheets with one of these classes among sheets of one class."""
    single = [item.types or (0,) for item in found.data.items if len(item.types) < 2]
    return wilson(sum(types[0] in kinds for types in single), len(single))
