"""Which explanation method and mask rule locate this model's defects best.

Method and rule are chosen on validation sheets and reported on sheets that took no part in the choice; in a
cross-validation each fold chooses for itself and the folds' test sheets are pooled. Masks are used to choose
and to score, never to make a map. The command `league` runs this benchmark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadData, BadRecipe
from steelsight.evaluation.heatmaps.localization import OVERLAPS, mean_scores
from steelsight.explanations.benchmark.baseline import constant_mask_dice
from steelsight.explanations.benchmark.ceiling import Ceiling, find_grid, oracle_ceiling
from steelsight.explanations.benchmark.kept_results import KeptResults, identify_league
from steelsight.explanations.benchmark.methods import CANDIDATES
from steelsight.explanations.benchmark.results import (
    EvaluationCase,
    MethodResult,
    Scores,
    evaluate_method,
    with_times,
)
from steelsight.explanations.benchmark.scoring import MaskedSheets
from steelsight.explanations.benchmark.selection import ALL, Choices, ChosenMethod, merge_picks, pick_methods
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.explanations.benchmark.time_estimate import TimeEstimate, duration_words, estimate_method
from steelsight.explanations.masks import MaskRule
from steelsight.groups import group_keys
from steelsight.streams import stream
from steelsight.types import Interval, Labels, Task

__all__ = ["ChosenMethod", "EvaluationCase", "League", "LeagueProgress", "MethodResult", "run_league"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class LeagueProgress:
    """What a league tells while it runs, and the folder that keeps the results of finished methods."""

    say: Say = lambda _text: None  # the current step
    note: Say = lambda _text: None  # what stays on the screen
    keep: Path | None = None  # None = nothing is kept
    fresh: bool = False  # evaluate every method again


@dataclass(frozen=True)
class League:
    """Scores of all methods, the recommended ones, and the ceiling of a perfect map; n evaluation sheets."""

    task: Task
    rule: MaskRule  # the study's for this task
    other: MaskRule  # the study's for the other task
    types: tuple[str, ...]  # defect type of each sheet
    groups: tuple[str, ...]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]  # the model's outputs
    targets: Labels  # true class of each sheet, as an output of the model
    answers: Labels  # class predicted by the model
    cases: Int[np.ndarray, " n"]  # number of the case each sheet was evaluated in
    results: dict[str, MethodResult]
    ceiling: Ceiling
    picks: tuple[dict[int, ChosenMethod], ...]  # one a case: for ALL classes together, and for each
    recommended: dict[int, ChosenMethod]  # the same over the selection sheets of all cases
    scores: Scores  # each case's pick for all classes, on its evaluation sheets
    class_scores: Scores  # each case's pick for the true class
    predicted_class_scores: Scores  # each case's pick for the predicted class, which is explained
    seed: int
    resamples: int
    notes: tuple[str, ...] = ()
    chosen_on: str = ""  # the folder whose sheets methods and rules were chosen on; "" = the run's own DATA
    constant_dice: float = 0.0  # mean Dice of the best constant mask, which needs no model

    @property
    def holds(self) -> bool:
        """Whether a method is recommended: the lower 95 % bound of its Dice is above the constant mask's."""
        return bool(self.intervals(self.scores)["dice"].low > self.constant_dice)

    @property
    def selection(self) -> str:
        """The sheets that methods and rules were chosen on, in words."""
        return f"sheets of {self.chosen_on}" if self.chosen_on else "validation sheets"

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Whether the model predicted the true class of each sheet."""
        right: Bool[np.ndarray, " n"] = self.answers == self.targets
        return right

    @property
    def classes(self) -> list[int]:
        """The classes with a pick of their own."""
        return sorted(name for name in self.recommended if name != ALL)

    def intervals(self, scores: Scores, *, of: str | None = None) -> dict[str, Interval]:
        """Means with bounds by group, over all sheets or those of one type."""
        rows = np.array([of is None or name == of for name in self.types])
        groups = group_keys(self.groups, self.ids)
        kept = [group for group, row in zip(groups, rows, strict=True) if row]
        some = {name: values[rows] for name, values in scores.items()}
        return mean_scores(some, kept, rng=stream(self.seed, "league-intervals"), resamples=self.resamples)


def run_league(
    cases: Sequence[EvaluationCase],
    recipe: LeagueRecipe,
    *,
    task: Task,
    methods: Sequence[str] | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
    notes: Sequence[str] = (),
    progress: LeagueProgress | None = None,
) -> League:
    """Evaluate every method on every case.

    methods      keys of CANDIDATES; None = all that the models support
    class_names  of the model's outputs; () = their numbers
    notes        what a reader of the figures must know
    progress     where results of finished methods are kept, and what is told while it runs; None = nothing
    raises       BadRecipe for an unknown or unsupported method, BadData where no sheet can be evaluated
    """
    evaluated = [case for case in cases if len(case.evaluation.images)]
    if not evaluated:
        raise BadData(
            "league: expected defective sheets with masks to judge on, found none; bring masks, or "
            "evaluate another --split"
        )
    names = _supported(methods, evaluated)
    rule, other = recipe.study_rules(task)
    if progress is None:
        results = {name: evaluate_method(name, evaluated, recipe, task, seed) for name in names}
    else:
        results = _evaluate_methods(names, evaluated, recipe, task, seed, progress)
    results = with_times(results, evaluated[0], recipe)
    chosen = _choices(results, len(evaluated))
    picks = tuple(pick_methods(each) for each in chosen)
    sheets = [case.evaluation for case in evaluated]
    case_numbers = np.concatenate([np.full(len(each.images), place) for place, each in enumerate(sheets)])
    targets = np.concatenate([each.targets for each in sheets])
    answers = np.concatenate([each.answers for each in sheets])
    everything = np.full(len(case_numbers), ALL)
    return League(
        task=task,
        rule=rule,
        other=other,
        types=tuple(name for each in sheets for name in each.types),
        groups=tuple(name for each in sheets for name in each.groups),
        ids=tuple(name for each in sheets for name in each.ids),
        class_names=tuple(class_names) or _numbered(int(max(targets.max(), answers.max()))),
        targets=targets,
        answers=answers,
        cases=case_numbers,
        results=results,
        ceiling=_ceiling(sheets, rule),
        picks=picks,
        recommended=merge_picks(chosen),
        scores=_picked_scores(results, picks, case_numbers, everything, predicted=False),
        class_scores=_picked_scores(results, picks, case_numbers, targets, predicted=False),
        predicted_class_scores=_picked_scores(results, picks, case_numbers, answers, predicted=True),
        seed=seed,
        resamples=recipe.report.resamples,
        notes=tuple(notes),
        constant_dice=float(_constant_dice(sheets).mean()),
    )


def _evaluate_methods(
    names: Sequence[str],
    cases: Sequence[EvaluationCase],
    recipe: LeagueRecipe,
    task: Task,
    seed: int,
    progress: LeagueProgress,
) -> dict[str, MethodResult]:
    """Every method's result, in the order of the names: kept before, or computed and kept."""
    store, done = None, {}
    if progress.keep is not None:
        store = KeptResults(progress.keep, identify_league(cases, recipe, task, seed), CANDIDATES)
        found = {name: None if progress.fresh else store.load(name) for name in names}
        done = {name: result for name, result in found.items() if result is not None}
    left = [name for name in names if name not in done]
    if done:
        progress.note(f"{len(done)} of {len(names)} methods were evaluated before: {', '.join(done)}")
    if not left:
        return done
    progress.say("estimating the time")
    clock = TimeEstimate({name: estimate_method(CANDIDATES[name], cases, recipe, seed) for name in left})
    choosing = sum(len(case.selection.images) for case in cases)
    evaluating = sum(len(case.evaluation.images) for case in cases)
    progress.note(
        f"{len(left)} methods on {choosing + evaluating} sheets with masks ({choosing} to choose rules on, "
        f"{evaluating} to evaluate on): about {duration_words(clock.left)} by a trial on a few sheets, "
        "corrected after each method; --limit N takes fewer sheets, --methods NAMES fewer methods"
    )
    for number, name in enumerate(left, 1):
        progress.say(
            f"{name}: {CANDIDATES[name].title} ({number} of {len(left)}, about "
            f"{duration_words(clock.left)} left)"
        )
        clock.start()
        done[name] = evaluate_method(name, cases, recipe, task, seed)
        clock.finish(name)
        if store is not None:
            store.save(done[name])
    return {name: done[name] for name in names}


def _constant_dice(sheets: Sequence[MaskedSheets]) -> Float[np.ndarray, " n"]:
    """Of the best constant mask of each input size."""
    by_size: dict[tuple[int, ...], list[MaskedSheets]] = {}
    for each in sheets:
        by_size.setdefault(each.truths.shape[1:], []).append(each)
    return np.concatenate(
        [constant_mask_dice(np.concatenate([each.truths for each in some])) for some in by_size.values()]
    )


def _choices(results: Mapping[str, MethodResult], cases: int) -> list[dict[str, Choices]]:
    """The rules of every eligible method, one dictionary a case; references are not eligible."""
    eligible = {name: each for name, each in results.items() if not each.candidate.reference} or results
    return [{name: each.choices[number] for name, each in eligible.items()} for number in range(cases)]


def _numbered(last: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(1 + last))


def _supported(methods: Sequence[str] | None, cases: Sequence[EvaluationCase]) -> list[str]:
    unknown = [name for name in methods or () if name not in CANDIDATES]
    if unknown:
        raise BadRecipe(f"methods: expected some of {', '.join(CANDIDATES)}, got {', '.join(unknown)}")
    models = [case.evaluation.model for case in cases]
    usual = [name for name, candidate in CANDIDATES.items() if not candidate.only_by_name]
    wanted = usual if methods is None else list(dict.fromkeys(methods))
    reasons = {
        name: " and ".join(
            dict.fromkeys(why for model in models if (why := CANDIDATES[name].unsupported_reason(model)))
        )
        for name in wanted
    }
    if methods is not None and any(reasons.values()):
        raise BadRecipe("; ".join(f"method {name}: {why}" for name, why in reasons.items() if why))
    return [name for name in wanted if not reasons[name]]


def _picked_scores(
    results: Mapping[str, MethodResult],
    picks: Sequence[Mapping[int, ChosenMethod]],
    case_numbers: Int[np.ndarray, " n"],
    explained: Int[np.ndarray, " n"],
    *,
    predicted: bool,
) -> Scores:
    """Scores of each sheet by its case's pick for a class.

    case_numbers  case of each sheet
    explained     the class whose pick is used for each sheet, or ALL
    """
    scores = {name: np.full(len(case_numbers), np.nan) for name in OVERLAPS}
    for row, (place, name) in enumerate(zip(case_numbers.tolist(), explained.tolist(), strict=True)):
        picked = name if name in picks[place] else ALL
        result = results[picks[place][picked].method]
        label = "chosen" if picked == ALL else "by class"
        scores_by_row = (result.predicted if predicted else result.scores)[label]
        for score, values in scores.items():
            values[row] = scores_by_row[score][row]
    return scores


def _ceiling(sheets: Sequence[MaskedSheets], rule: MaskRule) -> Ceiling:
    """Ceiling over the sheets of all cases, which share input and grid: they are folds of one recipe."""
    size = (sheets[0].truths.shape[1], sheets[0].truths.shape[2])
    truths = np.concatenate([each.truths for each in sheets])
    return oracle_ceiling(truths, find_grid(sheets[0].model, size), rule)
