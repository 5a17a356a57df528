"""Every number of a league as plain JSON values."""

from __future__ import annotations

from typing import Any

from steelsight.explanations.benchmark.report import Published, share_of_ceiling
from steelsight.explanations.benchmark.results import LABELS, MethodResult, Scores
from steelsight.explanations.benchmark.run import League
from steelsight.explanations.benchmark.selection import ALL, ChosenMethod
from steelsight.plain import plain
from steelsight.types import Interval

__all__ = ["league_json"]


def league_json(league: League, published: Published) -> dict[str, Any]:
    """The recommendation, the ceiling, and the scores of all methods, with the keys of `league.json`."""
    types = list(dict.fromkeys(league.types))
    pick = league.recommended[ALL]
    answer: dict[str, Any] = plain(
        {
            "task": league.task,
            "sheets": len(league.ids),
            "groups": len({group or id for group, id in zip(league.groups, league.ids, strict=True)}),
            "types": {name: league.types.count(name) for name in types},
            "verdicts_right": float(league.right.mean()),
            "study_rule": {"key": league.rule.key, "words": str(league.rule)},
            "ceiling": league.ceiling.as_dict(league.types),
            "constant_mask_dice": league.constant_dice,
            "recommended": {
                **_pick(league, pick),
                "holds": league.holds,
                "scores": league.intervals(league.scores),
                "by_type": {name: league.intervals(league.scores, of=name) for name in types},
            },
            "recommended_by_class": {
                "picks": {
                    _class(league, name): _pick(league, league.recommended[name]) for name in league.classes
                },
                "scores": league.intervals(league.class_scores),
                "scores_predicted_class": league.intervals(league.predicted_class_scores),
                "by_type": {name: league.intervals(league.class_scores, of=name) for name in types},
                "share_of_ceiling": share_of_ceiling(league),
            },
            "picks": [
                {_class(league, name): _pick(league, each) for name, each in picks.items()}
                for picks in league.picks
            ],
            "methods": {name: _standing(league, each, published) for name, each in league.results.items()},
            "notes": list(league.notes),
        }
    )
    return answer


def _standing(league: League, result: MethodResult, published: Published) -> dict[str, Any]:
    checks = result.checks
    return {
        "title": result.candidate.title,
        "reference": result.candidate.reference,
        "choices": [
            {
                _class(league, name): {"rule": each.rule.key, "dice": each.dice, "sheets": each.sheets}
                for name, each in choices.items()
            }
            for choices in result.choices
        ],
        "true_class": _by_label(league, result.scores),
        "predicted_class": _by_label(league, result.predicted),
        "original_size": _by_label(league, result.original),
        "by_type": {
            name: {label: league.intervals(result.scores[label], of=name)["dice"] for label in LABELS}
            for name in dict.fromkeys(league.types)
        },
        "maps": league.intervals(result.maps),
        "sensitivity": result.sensitivity,
        "time_ms": result.time_ms,
        "faithfulness": None
        if checks is None
        else {
            "sheets": checks.sheets,
            "deletion": checks.deletion,
            "insertion": checks.insertion,
            "stability": checks.stability,
            "similarity_when_randomised": list(checks.randomised),
        },
        "the_study": dict(published.get(result.candidate.published, {})) or None,
    }


def _by_label(league: League, scores: dict[str, Scores]) -> dict[str, dict[str, Interval]]:
    return {label.replace(" ", "_"): league.intervals(each) for label, each in scores.items()}


def _pick(league: League, pick: ChosenMethod) -> dict[str, Any]:
    return {
        "method": pick.method,
        "title": league.results[pick.method].candidate.title,
        "rule": pick.rule.key,
        "words": str(pick.rule),
        "validation_dice": pick.dice,
        "validation_sheets": pick.sheets,
    }


def _class(league: League, name: int) -> str:
    return "all" if name == ALL else league.class_names[name]
