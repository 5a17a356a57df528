"""A league as tables, figures and text; computes nothing but intervals of given scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steelsight.evaluation.heatmaps.localization import OVERLAPS
from steelsight.explanations.benchmark.pictures import nearest_to_average, picture_mask, picture_methods
from steelsight.explanations.benchmark.results import EvaluationCase, MethodResult
from steelsight.explanations.benchmark.run import League
from steelsight.explanations.benchmark.selection import ALL, ChosenMethod
from steelsight.reports.cells import Cell, Column, Value
from steelsight.reports.document import Document
from steelsight.reports.figures import LeagueRow, draw_league
from steelsight.types import Interval

__all__ = [
    "Published",
    "league_figure",
    "recommendation",
    "share_of_ceiling",
    "write_checks",
    "write_league",
    "write_league_table",
]

Published = Mapping[
    str, Mapping[str, float]
]  # the study's row → its figures: recall, precision, iou, dice, time_ms

TITLES = {"recall": "Recall", "precision": "Precision", "iou": "IoU", "dice": "Dice"}


def recommendation(league: League) -> str:
    """Text: the recommended method and rule, with their score on sheets that took no part in the choice.

    None is recommended unless the lower 95 % bound of its Dice is above the Dice of the best constant mask.
    """
    pick, dice = league.recommended[ALL], league.intervals(league.scores)["dice"]
    chosen = (
        "chosen by each fold's own validation sheets"
        if len(league.picks) > 1 and not league.chosen_on
        else f"chosen on {league.selection}"
    )
    if np.isnan(pick.dice):
        chosen = "nothing could be chosen, so the study's rule stands"
    if not league.holds:
        return (
            f"No method is recommended: {_title(league, pick)} with the rule “{pick.rule}” came first "
            f"({chosen}), but its Dice {_words(dice)} on the {len(league.ids)} sheets judged has no lower "
            f"bound above {league.constant_dice:.3f}, that of the best constant mask, which needs no model."
        )
    words = (
        f"{_title(league, pick)} with the rule “{pick.rule}” for this model; {chosen}, "
        f"Dice {_words(dice)} on the {len(league.ids)} sheets judged; the best constant mask, which needs "
        f"no model, has {league.constant_dice:.3f}."
    )
    if len(league.classes) < 2:
        return words
    own = league.intervals(league.class_scores)["dice"]
    predicted = league.intervals(league.predicted_class_scores)["dice"]
    return (
        f"{words} With a method and rule for each class: Dice {_words(own)} where the true class is "
        f"explained, {_words(predicted)} where the predicted one is."
    )


def write_league(
    document: Document,
    league: League,
    cases: Sequence[EvaluationCase],
    *,
    published: Published,
    pictures: bool = True,
) -> None:
    """Write the chapters of a report.

    Recommendation, tables, defect types, variants, faithfulness, pictures.

    published  the study's figures, shown beside
    """
    _write_answer(document, league, published)
    _write_tables(document, league, published)
    _write_types(document, league)
    _write_variants(document, league)
    document.chapter("Faithfulness", id="league-faithfulness")
    write_checks(document, league)
    if pictures:
        _write_pictures(document, league, cases)


def league_figure(league: League, published: Published) -> Any:
    """Figure with one row a method: Dice by three rules, the study's Dice, the ceiling, milliseconds."""
    rows = [
        LeagueRow(
            result.candidate.title,
            {
                str(league.rule): league.intervals(result.scores["study"])["dice"],
                f"rule chosen on {league.chosen_on or 'validation'}": league.intervals(
                    result.scores["chosen"]
                )["dice"],
                **(
                    {"one for each class": league.intervals(result.scores["by class"])["dice"]}
                    if len(league.classes) > 1
                    else {}
                ),
            },
            result.time_ms,
            published.get(result.candidate.published, {}).get("dice"),
            strong=league.holds and name == league.recommended[ALL].method,
        )
        for name, result in league.results.items()
    ]
    lines = {
        "perfect map on this grid, same rule": float(league.ceiling.by_rule.mean()),
        "perfect map, best threshold": float(league.ceiling.by_best.mean()),
    }
    return draw_league(rows, lines=lines)


def share_of_ceiling(league: League) -> float:
    """Mean Dice, each class with its own method and rule, over the ceiling with the best threshold."""
    return float(league.class_scores["dice"].mean() / league.ceiling.by_best.mean())


def _write_answer(document: Document, league: League, published: Published) -> None:
    document.chapter("The answer", id="league-answer")
    document.text(recommendation(league))
    ceiling = league.ceiling
    document.facts(
        {
            "input": f"{ceiling.input_size[0]}x{ceiling.input_size[1]}",
            "last grid": f"{ceiling.grid[0]}x{ceiling.grid[1]}",
            "ceiling, the study's rule": float(ceiling.by_rule.mean()),
            "ceiling, best threshold": float(ceiling.by_best.mean()),
            "reached, share of the ceiling with the best threshold": share_of_ceiling(league),
            "best constant mask, no model": league.constant_dice,
            "sheets judged": len(league.ids),
            "of which the model's verdict is right": float(league.right.mean()),
        }
    )
    for note in league.notes:
        document.notice(f"{note[0].upper()}{note[1:]}.")
    if len(league.classes) > 1:
        _write_picks(document, league)
    document.figure(
        league_figure(league, published),
        id="league",
        alt="Dice of every method with intervals, by the study's rule and by the rule chosen for it.",
        caption="Means over sheets with 95 % intervals by group. Lines: what true masks score after the "
        "model's own grid. A method that shows the model other sizes, or follows the sheet's own edges, may "
        "pass them.",
    )


def _write_picks(document: Document, league: League) -> None:
    rows: list[list[Value | Cell]] = []
    for name in league.classes:
        pick = league.recommended[name]
        rows.append([league.class_names[name], _title(league, pick), str(pick.rule), pick.dice, pick.sheets])
    document.table(
        ["class explained", "method", "rule", Column(f"Dice on {league.selection}"), "sheets"],
        rows,
        id="league-picks",
        caption="For each class",
        note=f"The best over the {league.selection} of all folds; the figures above are of each fold's own.",
    )


def write_league_table(document: Document, league: League, published: Published, *, id: str) -> None:
    """Write recall, precision, IoU, Dice and time by the study's rule, with the study's figures beside."""
    best = _best(league, "study")
    rows = []
    for name, result in league.results.items():
        found = league.intervals(result.scores["study"])
        printed = published.get(result.candidate.published, {})
        row = [Cell(result.candidate.title, note="reference" if result.candidate.reference else "")]
        row += [
            Cell(found[score], strong=best[score] == name, note=_beside(printed.get(score), 3))
            for score in OVERLAPS
        ]
        rows.append([*row, Cell(result.time_ms, note=_beside(printed.get("time_ms"), 0))])
    document.table(
        ["method", *(Column(TITLES[name]) for name in OVERLAPS), Column("Time", 1, "ms")],
        rows,
        id=id,
        caption=f"Heatmaps as masks: {league.rule}",
        note="Small print: the study's figures, on its data and its graphics card. Bold: the best. "
        "An empty mask scores 0 and counts. Time: one sheet at a time.",
    )


def _write_tables(document: Document, league: League, published: Published) -> None:
    document.chapter("Heatmaps as masks", id="league-tables")
    write_league_table(document, league, published, id="league-study")
    best = _best(league, "chosen")
    rows = []
    for name, result in league.results.items():
        found = league.intervals(result.scores["chosen"])
        scores = [Cell(found[score], strong=best[score] == name) for score in OVERLAPS]
        rows.append([Cell(result.candidate.title, note=_rule_words(result)), *scores])
    document.table(
        ["method", *(Column(TITLES[name]) for name in OVERLAPS)],
        rows,
        id="league-chosen",
        caption="Each method with the rule chosen for it",
        note=f"Chosen on {league.selection} by mean Dice, reported on sheets that took no part.",
    )


def _write_types(document: Document, league: League) -> None:
    document.chapter("By defect type", id="league-types")
    names = list(dict.fromkeys(league.types))
    ceiling: Any = league.ceiling.as_dict(league.types)["dice"]
    rows: list[list[Any]] = [
        ["ceiling, study's rule", *(ceiling[name]["by_rule"] for name in names)],
        ["ceiling, best threshold", *(ceiling[name]["by_best_threshold"] for name in names)],
        [
            f"best on {league.chosen_on or 'validation'}, one for all",
            *(league.intervals(league.scores, of=name)["dice"] for name in names),
        ],
        [
            f"best on {league.chosen_on or 'validation'}, one for each",
            *(league.intervals(league.class_scores, of=name)["dice"] for name in names),
        ],
    ]
    rows += [
        [
            each.candidate.title,
            *(float(each.scores["chosen"]["dice"][_of(league, name)].mean()) for name in names),
        ]
        for each in league.results.values()
    ]
    heads = [Column(f"{name} ({league.types.count(name)})", 2) for name in names]
    document.table(
        ["Dice", *heads],
        rows,
        id="league-by-type",
        caption="Dice by defect type, each method with the rule chosen for it",
    )


def _write_variants(document: Document, league: League) -> None:
    document.chapter("Other readings", id="league-variants")
    document.text(
        "The same maps scored otherwise: the predicted class explained instead of the true one, the images' "
        "own size instead of the model's, the rule of the study's other table, other blurs, the absolute map."
    )
    keys = list(next(iter(league.results.values())).sensitivity)
    rows = []
    for result in league.results.values():
        original = result.original.get("study")
        rows.append(
            [
                result.candidate.title,
                float(result.scores["study"]["dice"].mean()),
                float(result.predicted["study"]["dice"].mean()),
                None if original is None else float(original["dice"].mean()),
                float(result.scores["other"]["dice"].mean()),
                *(result.sensitivity[key] for key in keys),
            ]
        )
    heads = ["as above", "predicted class", "own size", f"k = {league.other.amount:g}"]
    heads += [key.partition("@")[2].replace("abs", " px, absolute") for key in keys]
    heads = [head if "px" in head or not head[0].isdigit() else f"{head} px" for head in heads]
    document.table(
        ["Dice", *(Column(head, 2) for head in heads)],
        rows,
        id="league-readings",
        caption=f"Dice, {league.rule}",
    )


def write_checks(document: Document, league: League) -> None:
    """Write pointing game, mass inside, AUPRC and faithfulness of every method."""
    some = next(iter(league.results.values())).checks
    document.text(
        "A map that finds the defect need not show what the model used. Deletion: the class's probability "
        "while the hottest pixels are removed (less is better). Insertion: while they are added (more is "
        "better). Stability: rank similarity of maps under small noise. Randomised: rank similarity to the "
        "maps of the same network with random weights; near 1, a map shows the sheet and not the model."
        + (f" Means over {some.sheets} sheets." if some else "")
    )
    rows = []
    for result in league.results.values():
        pixels = league.intervals(result.maps)
        row: list[Any] = [result.candidate.title, pixels["pointing"], pixels["mass_inside"], pixels["auprc"]]
        checks = result.checks
        row += (
            [None] * 4
            if checks is None
            else [checks.deletion, checks.insertion, checks.stability, checks.random_model_similarity]
        )
        rows.append(row)
    heads = ["pointing game", "mass inside", "AUPRC", "deletion", "insertion", "stability", "randomised"]
    document.table(
        ["method", *(Column(head, 2) for head in heads)],
        rows,
        id="league-checks",
        caption="Before any threshold",
    )


def _write_pictures(document: Document, league: League, cases: Sequence[EvaluationCase]) -> None:
    document.chapter("Pictures", id="league-pictures")
    method = league.recommended[ALL].method
    figure, words = picture_mask(league, cases, method, "chosen")
    document.figure(figure, id="league-mask", alt=words, caption=words)
    row = nearest_to_average(league.results[method].scores["chosen"])
    figure, words = picture_methods(league, cases, row)
    document.figure(figure, id="league-methods", alt=words, caption=words)


def _best(league: League, label: str) -> dict[str, str]:
    """The method with the highest mean of each score, without references."""
    real = {name: each for name, each in league.results.items() if not each.candidate.reference}
    return {
        score: max(real, key=lambda name: float(real[name].scores[label][score].mean()))
        if len(real) > 1
        else ""
        for score in OVERLAPS
    }


def _rule_words(result: MethodResult) -> str:
    """The rule chosen by most folds."""
    rules = result.rules
    most = max(dict.fromkeys(rules), key=rules.count)
    return str(most) + (f" ({rules.count(most)} of {len(rules)} folds)" if len(rules) > 1 else "")


def _title(league: League, pick: ChosenMethod) -> str:
    return league.results[pick.method].candidate.title


def _of(league: League, name: str) -> Any:
    return np.array([each == name for each in league.types])


def _beside(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _words(interval: Interval) -> str:
    if np.isnan(interval.low):
        return f"{interval.estimate:.3f}"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
