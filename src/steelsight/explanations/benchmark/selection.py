"""Selection on validation sheets: a rule for each method, and a method, for all classes and for each class.

Defect types differ in size more than methods do, so a class may have its own method and rule: the class that
is explained is known. Evaluation sheets take no part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steelsight.explanations.benchmark.scoring import MethodScores
from steelsight.explanations.masks import MaskRule
from steelsight.types import Labels

__all__ = ["ALL", "Choices", "ChosenMethod", "ChosenRule", "choose_rules", "merge_picks", "pick_methods"]

ALL = -1  # stands for all classes together


@dataclass(frozen=True)
class ChosenRule:
    """The rule chosen for one method."""

    rule: MaskRule
    dice: float  # mean over the selection sheets; NaN without any
    sheets: int


@dataclass(frozen=True)
class ChosenMethod:
    """The method and rule chosen."""

    method: str
    rule: MaskRule
    dice: float  # mean over the selection sheets; NaN without any
    sheets: int


Choices = Mapping[int, ChosenRule]  # by class, and ALL; a class with too few sheets is absent


def choose_rules(tried: MethodScores, targets: Labels, fallback: MaskRule, *, least: int) -> Choices:
    """The rule with the best mean Dice over all sheets, and over those of each class.

    tried     every rule scored on the selection sheets
    targets   true class of each selection sheet
    fallback  the rule where there is no selection sheet
    least     number of sheets from which on a class has a rule of its own
    """
    if not len(targets):
        return {ALL: ChosenRule(fallback, float("nan"), 0)}
    dice = tried.dice()
    choices = {ALL: _best(tried, dice)}
    for name in np.unique(targets).tolist():
        rows = targets == name
        if rows.sum() >= least:
            choices[name] = _best(tried, dice[rows])
    return choices


def pick_methods(choices: Mapping[str, Choices]) -> dict[int, ChosenMethod]:
    """The method with the best validation Dice, for all classes and for each class with choices.

    choices  of every eligible method; of equal ones the first is chosen
    """
    classes = {name: None for of_method in choices.values() for name in of_method}
    picks = {}
    for name in classes:
        known = {method: each[name] for method, each in choices.items() if name in each}
        best = max(known, key=lambda method: _height(known[method].dice))
        picks[name] = ChosenMethod(best, known[best].rule, known[best].dice, known[best].sheets)
    return picks


def merge_picks(cases: Sequence[Mapping[str, Choices]]) -> dict[int, ChosenMethod]:
    """One choice for several models of one recipe: best mean Dice over all sheets, most frequent rule."""
    merged: dict[str, dict[int, ChosenRule]] = {}
    for method in cases[0]:
        names = {name: None for choices in cases for name in choices[method]}
        merged[method] = {
            name: _merge([choices[method][name] for choices in cases if name in choices[method]])
            for name in names
        }
    return pick_methods(merged)


def _merge(choices: Sequence[ChosenRule]) -> ChosenRule:
    rules = [choice.rule for choice in choices]
    sheets = np.array([choice.sheets for choice in choices])
    dice = [choice.dice for choice in choices if choice.sheets]
    mean = float(np.average(dice, weights=sheets[sheets > 0])) if dice else float("nan")
    return ChosenRule(max(dict.fromkeys(rules), key=rules.count), mean, int(sheets.sum()))


def _best(tried: MethodScores, dice: np.ndarray) -> ChosenRule:
    mean = dice.mean(axis=0)
    place = int(mean.argmax())
    return ChosenRule(tried.rules[place], float(mean[place]), len(dice))


def _height(dice: float) -> float:
    return -1.0 if np.isnan(dice) else dice
