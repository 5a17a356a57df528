"""The study's claims, each judged on these data: holds, does not hold, or undecided here, with the interval.

A claim about two models is judged by their paired difference on the same noisy test sheets, a claim about
time by the ratio of interleaved rounds. Where the data or the training cannot decide, the verdict says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from steelsight.evaluation.bootstrap import PairedDifference, paired_bootstrap, wilson
from steelsight.evaluation.timing import time_ratio
from steelsight.explanations.league import League
from steelsight.study.contents import Item, load_contents
from steelsight.study.findings import Findings, ModelResult
from steelsight.study.options import VGG
from steelsight.types import Interval

__all__ = ["CLAIMS", "Verdict", "Verdicts", "judge", "judge_all"]

Answer = Literal["holds", "does not hold", "undecided here"]

NO_MASKS = "The methods were not compared: no test sheet has a mask."
MARGIN = 0.01  # of accuracy: what "costs nothing" may cost
STUDY_SHEETS, STUDY_SIZE = 12568, (256, 1600)
STRIP_CLASSES = 5  # none and four types


@dataclass(frozen=True)
class Verdict:
    """What these data say of a claim."""

    answer: Answer
    because: str
    interval: Interval | None = None


Verdicts = Sequence[tuple[Item, Verdict]]


def judge_all(found: Findings) -> Verdicts:
    """Every claim of contents.toml with its verdict, in the order of the slides."""
    return [(item, judge(item, found)) for item in load_contents() if item.kind == "claim"]


def judge(item: Item, found: Findings) -> Verdict:
    """The verdict on one claim of contents.toml."""
    if item.status != "done":
        return Verdict("undecided here", f"Not tested yet: {item.reason}.")
    verdict = CLAIMS[item.id](found)
    if found.options.quick and item.id not in OF_THE_DATA and verdict.answer != "undecided here":
        return Verdict("undecided here", f"A quick look decides nothing. {verdict.because}", verdict.interval)
    return verdict


def _data_size(found: Findings) -> Verdict:
    count, sizes, types = len(found.data.items), set(found.sizes), len(found.sheets.type_names) - 1
    if (count, sizes, types) == (STUDY_SHEETS, {STUDY_SIZE}, STRIP_CLASSES - 1):
        return Verdict("holds", "Counted.")
    return Verdict("undecided here", f"These are other data: {count:,} sheets, {types} defect types.")


def _majority(found: Findings) -> Verdict:
    if not _is_strip(found):
        return Verdict("undecided here", "These data do not have the study's four types.")
    common, rare = _share(found, {0, 3}), _share(found, {2})
    because = (
        "Interval of type 2's share, held to lie between 1 and 3 %; "
        f"none and type 3 together make {common.estimate:.1%}."
    )
    holds = common.low > 0.5 and rare.low > 0.01 and rare.high < 0.03
    fails = common.high < 0.5 or rare.high < 0.01 or rare.low > 0.03
    return Verdict(_decide(holds, fails), because, rare)


def _unbalanced(found: Findings) -> Verdict:
    if not _is_strip(found):
        return Verdict("undecided here", "These data do not have the study's four types.")
    share = _share(found, {0, 3})
    return Verdict(_decide(share.low > 0.85, share.high < 0.85), "Interval of their share.", share)


def _vgg_most_accurate(found: Findings) -> Verdict:
    vgg = found.results.get(VGG)
    if vgg is None or vgg.remark:
        return Verdict("undecided here", vgg.remark.capitalize() + "." if vgg else "VGG16 was not trained.")
    others = [result for name, result in found.results.items() if name != VGG]
    if not others:
        return Verdict("undecided here", "No other network was trained.")
    best = max(others, key=lambda result: result.noisy_report.accuracy.estimate)
    ahead = _difference(found, vgg, best)
    return _by_difference(ahead, f"VGG16's accuracy minus that of the best other, {best.title}.", 0.0)


def _squeezenet_beats_adhoc(found: Findings) -> Verdict:
    return _compare(found, "squeezenet_reduced", "adhoc", 0.0)


def _reduced_as_good(found: Findings) -> Verdict:
    return _compare(found, "squeezenet_reduced", "squeezenet", -MARGIN)


def _adhoc_fastest(found: Findings) -> Verdict:
    others = {name: cost for name, cost in found.costs.items() if name != "adhoc"}
    nearest = min(others, key=lambda name: others[name].timing.median_ms)
    ratio = _ratio(found, "adhoc", nearest)
    because = f"Its time over that of the fastest other, {others[nearest].title}, on this processor."
    return Verdict(_decide(ratio.high < 1, ratio.low > 1), because, ratio)


def _reduced_faster(found: Findings) -> Verdict:
    ratio = _ratio(found, "squeezenet_reduced", "squeezenet")
    because = "Its time over the full one's on this processor; the study's ratio is 0.75."
    return Verdict(_decide(ratio.high < 1, ratio.low > 1), because, ratio)


def _vgg_slow(found: Findings) -> Verdict:
    ratio = _ratio(found, VGG, "squeezenet_reduced")
    because = "Ratio of times on this processor; held to lie between 6 and 24, half and double the study's."
    return Verdict(
        _decide(ratio.low > 6 and ratio.high < 24, ratio.high < 6 or ratio.low > 24), because, ratio
    )


def _small_model_accurate(found: Findings) -> Verdict:
    result = found.results.get("squeezenet_reduced")
    if result is None:
        return Verdict("undecided here", "Reduced SqueezeNet was not trained.")
    accuracy = result.noisy_report.accuracy
    because = "Accuracy of reduced SqueezeNet on noisy test sheets, held against 0.92."
    return Verdict(_decide(accuracy.low >= 0.92, accuracy.high < 0.92), because, accuracy)


def _gradcam_coarse(found: Findings) -> Verdict:
    judged = found.judgement
    if judged is None or not {"gradcam", "guided_backprop"} <= set(judged.league.standings):
        return Verdict("undecided here", NO_MASKS)
    league = judged.league
    place = league.intervals(league.standings["gradcam"].maps)["pointing"]
    finer = _league_difference(found, league, "guided_backprop", "gradcam", "precision")
    because = (
        "Precision of Guided Backpropagation's masks minus Grad-CAM's, by the study's rule; Grad-CAM's "
        f"highest point is in the defect on {place.estimate:.0%} of the sheets, held to be most."
    )
    holds = finer.difference.low > 0 and place.low > 0.5
    fails = finer.difference.high < 0 or place.high < 0.5
    return Verdict(_decide(holds, fails), because, finer.difference)


def _guided_gradcam_best(found: Findings) -> Verdict:
    judged = found.judgement
    if judged is None or "guided_gradcam" not in judged.league.standings:
        return Verdict("undecided here", NO_MASKS)
    league = judged.league
    standings = league.standings
    others = [name for name in standings if name != "guided_gradcam"]
    ahead = {}
    for score in ("precision", "iou", "dice"):
        nearest = max(others, key=lambda name: float(standings[name].by["study"][score].mean()))
        ahead[score] = _league_difference(found, league, "guided_gradcam", nearest, score)
    fastest = min(standings.values(), key=lambda standing: standing.time_ms)
    because = (
        "Its Dice minus that of the best other method, by the study's rule; precision and IoU are held as "
        "well. "
        f"Fastest: {fastest.entrant.title}, {fastest.time_ms:.0f} ms a sheet."
    )
    holds = fastest.method == "gradcam" and all(each.difference.low > 0 for each in ahead.values())
    fails = any(each.difference.high < 0 for each in ahead.values())
    return Verdict(_decide(holds, fails), because, ahead["dice"].difference)


# One entry a claim that contents.toml calls done.
CLAIMS: dict[str, Callable[[Findings], Verdict]] = {
    "data-size": _data_size,
    "majority-classes": _majority,
    "unbalanced": _unbalanced,
    "vgg-most-accurate": _vgg_most_accurate,
    "squeezenets-beat-adhoc": _squeezenet_beats_adhoc,
    "reduced-as-good": _reduced_as_good,
    "adhoc-fastest": _adhoc_fastest,
    "reduced-faster": _reduced_faster,
    "vgg-slow": _vgg_slow,
    "gradcam-coarse": _gradcam_coarse,
    "guided-gradcam-best": _guided_gradcam_best,
    "small-model-accurate": _small_model_accurate,
}
OF_THE_DATA = {"data-size", "majority-classes", "unbalanced"}  # need no training


def _decide(holds: bool, fails: bool) -> Answer:
    if holds:
        return "holds"
    return "does not hold" if fails else "undecided here"


def _compare(found: Findings, first: str, second: str, least: float) -> Verdict:
    a, b = found.results.get(first), found.results.get(second)
    if a is None or b is None:
        missing = [found.costs[name].title for name in (first, second) if name not in found.results]
        return Verdict("undecided here", f"{' and '.join(missing)} not trained.")
    allowed = f", held to be above {least}" if least else ""
    return _by_difference(_difference(found, a, b), f"Accuracy of {a.title} minus {b.title}{allowed}.", least)


def _by_difference(paired: PairedDifference, because: str, least: float) -> Verdict:
    difference = paired.difference
    return Verdict(_decide(difference.low > least, difference.high < least), because, difference)


def _difference(found: Findings, first: ModelResult, second: ModelResult) -> PairedDifference:
    """Of accuracies on the same noisy sheets, resampled by group."""
    right = [(result.noisy.argmax(axis=1) == found.labels).astype(np.float64) for result in (first, second)]
    return paired_bootstrap(
        lambda rows: float(right[0][rows].mean()),
        lambda rows: float(right[1][rows].mean()),
        found.labels.size,
        found.groups,
        rng=np.random.default_rng([found.options.seed, 5]),
        resamples=found.options.resamples,
    )


def _league_difference(
    found: Findings, league: League, first: str, second: str, score: str
) -> PairedDifference:
    """Of two methods' masks by the study's rule on the same sheets, resampled by group."""
    one, other = (league.standings[name].by["study"][score] for name in (first, second))
    return paired_bootstrap(
        lambda rows: float(one[rows].mean()),
        lambda rows: float(other[rows].mean()),
        one.size,
        league.groups,
        rng=np.random.default_rng([found.options.seed, 8]),
        resamples=found.options.resamples,
    )


def _ratio(found: Findings, first: str, second: str) -> Interval:
    rng = np.random.default_rng([found.options.seed, 6])
    return time_ratio(found.costs[first].timing, found.costs[second].timing, rng=rng)


def _is_strip(found: Findings) -> bool:
    return found.sheets.layout == "severstal" and len(found.sheets.type_names) == STRIP_CLASSES


def _share(found: Findings, kinds: set[int]) -> Interval:
    """Share of sheets with one of these classes among sheets of one class."""
    single = [item.types or (0,) for item in found.data.items if len(item.types) < 2]
    return wilson(sum(types[0] in kinds for types in single), len(single))
