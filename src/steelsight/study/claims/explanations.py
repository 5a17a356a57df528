"""What the study claims of its explanation methods, judged on either half's model."""

from __future__ import annotations

from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap
from steelsight.explanations.benchmark.run import League
from steelsight.streams import stream
from steelsight.study.results import StudyResults
from steelsight.study.verdict import ClaimVerdict, decide

__all__ = ["gradcam_coarse", "guided_gradcam_best"]

NO_MASKS = "The methods were not compared: no test sheet has a mask."


def gradcam_coarse(found: StudyResults) -> ClaimVerdict:
    """Grad-CAM finds the place but gives no fine detail."""
    judged = found.judgement
    if judged is None or not {"gradcam", "guided_backprop"} <= set(judged.league.results):
        return ClaimVerdict("undecided here", NO_MASKS)
    league = judged.league
    place = league.intervals(league.results["gradcam"].maps)["pointing"]
    finer = _league_difference(found, league, "guided_backprop", "gradcam", "precision")
    because = (
        "Precision of Guided Backpropagation's masks minus Grad-CAM's, by the study's rule; Grad-CAM's "
        f"highest point is in the defect on {place.estimate:.0%} of the sheets, held to be most."
    )
    holds = finer.difference.low > 0 and place.low > 0.5
    fails = finer.difference.high < 0 or place.high < 0.5
    return ClaimVerdict(decide(holds, fails), because, finer.difference)


def guided_gradcam_best(found: StudyResults) -> ClaimVerdict:
    """Guided Grad-CAM has the best precision, IoU and Dice; Grad-CAM is the fastest."""
    judged = found.judgement
    if judged is None or "guided_gradcam" not in judged.league.results:
        return ClaimVerdict("undecided here", NO_MASKS)
    league = judged.league
    results = league.results
    others = [name for name in results if name != "guided_gradcam"]
    ahead = {}
    for score in ("precision", "iou", "dice"):
        nearest = max(others, key=lambda name: float(results[name].scores["study"][score].mean()))
        ahead[score] = _league_difference(found, league, "guided_gradcam", nearest, score)
    fastest = min(results.values(), key=lambda result: result.time_ms)
    because = (
        "Its Dice minus that of the best other method, by the study's rule; precision and IoU are held as "
        "well. "
        f"Fastest: {fastest.candidate.title}, {fastest.time_ms:.0f} ms a sheet."
    )
    holds = fastest.method == "gradcam" and all(each.difference.low > 0 for each in ahead.values())
    fails = any(each.difference.high < 0 for each in ahead.values())
    return ClaimVerdict(decide(holds, fails), because, ahead["dice"].difference)


def _league_difference(
    found: StudyResults, league: League, first: str, second: str, score: str
) -> PairedDifference:
    """Of two methods' masks by the study's rule on the same sheets, resampled by group."""
    one, other = (league.results[name].scores["study"][score] for name in (first, second))
    return paired_bootstrap(
        lambda rows: float(one[rows].mean()),
        lambda rows: float(other[rows].mean()),
        one.size,
        league.groups,
        rng=stream(found.options.seed, "claim-explanations"),
        resamples=found.options.resamples,
    )
