"""The study's claims about explanation methods, tested on either model."""

from __future__ import annotations

from steelsight.evaluation.intervals.bootstrap import PairedDifference, paired_bootstrap
from steelsight.explanations.benchmark.run import League
from steelsight.streams import stream
from steelsight.study.claims.verdict import ClaimVerdict, decide
from steelsight.study.results import StudyResults

__all__ = ["gradcam_coarse", "guided_gradcam_best"]

NO_MASKS = "The methods were not compared: no test sheet has a mask."


def gradcam_coarse(study: StudyResults) -> ClaimVerdict:
    """Grad-CAM finds the place but gives no fine detail."""
    result = study.league_result
    if result is None or not {"gradcam", "guided_backprop"} <= set(result.league.results):
        return ClaimVerdict("undecided here", NO_MASKS)
    league = result.league
    place = league.intervals(league.results["gradcam"].maps)["pointing"]
    finer = _league_difference(study, league, "guided_backprop", "gradcam", "precision")
    reason = (
        "Precision of the masks of Guided Backpropagation minus that of Grad-CAM, by the study's rule. The "
        f"maximum of Grad-CAM lies in the defect on {place.estimate:.0%} of the sheets, which should be more "
        "than half."
    )
    holds = finer.difference.low > 0 and place.low > 0.5
    fails = finer.difference.high < 0 or place.high < 0.5
    return ClaimVerdict(decide(holds, fails), reason, finer.difference)


def guided_gradcam_best(study: StudyResults) -> ClaimVerdict:
    """Guided Grad-CAM has the best precision, IoU and Dice; Grad-CAM is the fastest."""
    result = study.league_result
    if result is None or "guided_gradcam" not in result.league.results:
        return ClaimVerdict("undecided here", NO_MASKS)
    league = result.league
    results = league.results
    others = [name for name in results if name != "guided_gradcam"]
    ahead = {}
    for score in ("precision", "iou", "dice"):
        nearest = max(others, key=lambda name: float(results[name].scores["study"][score].mean()))
        ahead[score] = _league_difference(study, league, "guided_gradcam", nearest, score)
    fastest = min(results.values(), key=lambda result: result.time_ms)
    reason = (
        "Dice of Guided Grad-CAM minus that of the best other method, by the study's rule; precision and IoU "
        f"should be ahead as well. Fastest: {fastest.candidate.title}, {fastest.time_ms:.0f} ms per sheet."
    )
    holds = fastest.method == "gradcam" and all(lead.difference.low > 0 for lead in ahead.values())
    fails = any(lead.difference.high < 0 for lead in ahead.values())
    return ClaimVerdict(decide(holds, fails), reason, ahead["dice"].difference)


def _league_difference(
    study: StudyResults, league: League, first: str, second: str, score: str
) -> PairedDifference:
    """Difference of a score of two methods' masks by the study's rule, resampled by group."""
    one, other = (league.results[name].scores["study"][score] for name in (first, second))
    return paired_bootstrap(
        lambda rows: float(one[rows].mean()),
        lambda rows: float(other[rows].mean()),
        one.size,
        league.groups,
        rng=stream(study.options.seed, "claim-explanations"),
        resamples=study.options.resamples,
    )
