"""Which explanation method, with which mask rule, finds this model's defects best.

Method and rule are chosen on validation sheets and reported on sheets the choice never saw; in a
cross-validation each fold's model chooses by itself and the folds' test sheets are pooled. Masks are used for
choosing and judging only: no map looks at one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadData, BadRecipe
from steelsight.evaluation.heatmaps.localization import OVERLAPS, mean_scores
from steelsight.explanations.benchmark.ceiling import Ceiling, find_grid, oracle_ceiling
from steelsight.explanations.benchmark.methods import ENTRANTS
from steelsight.explanations.benchmark.results import (
    EvaluationCase,
    MethodResult,
    Scores,
    evaluate_method,
    with_times,
)
from steelsight.explanations.benchmark.scoring import MaskedSheets
from steelsight.explanations.benchmark.selection import ALL, ChosenMethod, merge_picks, pick_methods
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.explanations.masks import MaskRule
from steelsight.groups import group_keys
from steelsight.streams import stream
from steelsight.types import Interval, Labels, Task

__all__ = ["ChosenMethod", "EvaluationCase", "League", "MethodResult", "run_league"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class League:
    """All methods, the choice, and what even a perfect map could score."""

    task: Task
    rule: MaskRule  # the study's for this task
    other: MaskRule  # the study's for the other task
    types: tuple[str, ...]  # of each judged sheet
    groups: tuple[str, ...]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]  # the model's outputs
    targets: Labels  # the true class of each judged sheet, as an output
    answers: Labels  # the model's verdict on it
    bouts: Int[np.ndarray, " n"]  # which bout judged it
    standings: dict[str, MethodResult]
    ceiling: Ceiling
    picks: tuple[dict[int, ChosenMethod], ...]  # one a bout: for ALL classes together, and for each
    recommended: dict[int, ChosenMethod]  # the same over the validation sheets of all bouts
    scores: Scores  # each bout's own pick for all classes, on its judged sheets
    class_scores: Scores  # each bout's own pick for the true class
    predicted_class_scores: Scores  # each bout's own pick for the class it answered, that one explained
    seed: int
    resamples: int
    notes: tuple[str, ...] = ()

    @property
    def right(self) -> Bool[np.ndarray, " n"]:
        """Whether the model's verdict on each sheet was right."""
        right: Bool[np.ndarray, " n"] = self.answers == self.targets
        return right

    @property
    def classes(self) -> list[int]:
        """The classes that have a pick of their own."""
        return sorted(name for name in self.recommended if name != ALL)

    def intervals(self, scores: Scores, *, of: str | None = None) -> dict[str, Interval]:
        """Means with bounds by group, over all sheets or those of one type."""
        rows = np.array([of is None or name == of for name in self.types])
        groups = group_keys(self.groups, self.ids)
        kept = [group for group, row in zip(groups, rows, strict=True) if row]
        some = {name: values[rows] for name, values in scores.items()}
        return mean_scores(some, kept, rng=stream(self.seed, "league-intervals"), resamples=self.resamples)


def run_league(
    bouts: Sequence[EvaluationCase],
    recipe: LeagueRecipe,
    *,
    task: Task,
    methods: Sequence[str] | None = None,
    class_names: Sequence[str] = (),
    seed: int = 0,
    notes: Sequence[str] = (),
    say: Say = lambda _text: None,
) -> League:
    """Judge every method on every bout.

    methods      keys of ENTRANTS; None = all that the models allow
    class_names  of the model's outputs; () = their numbers
    raises       BadRecipe for an unknown method, BadData where no sheet can be judged
    """
    judged = [bout for bout in bouts if len(bout.judge.images)]
    if not judged:
        raise BadData("league: expected defective sheets with masks to judge on, found none; bring masks")
    names = _allowed(methods, judged)
    rule, other = recipe.study_rules(task)
    standings = {}
    for name in names:
        say(f"{name}: {ENTRANTS[name].title}")
        standings[name] = evaluate_method(name, judged, recipe, task, seed)
    standings = with_times(standings, judged[0], recipe)
    eligible = {n: each for n, each in standings.items() if not each.entrant.reference} or standings
    chosen = [{name: each.choices[place] for name, each in eligible.items()} for place in range(len(judged))]
    picks = tuple(pick_methods(each) for each in chosen)
    fields = [bout.judge for bout in judged]
    where = np.concatenate([np.full(len(each.images), place) for place, each in enumerate(fields)])
    targets = np.concatenate([each.targets for each in fields])
    answers = np.concatenate([each.answers for each in fields])
    everything = np.full(len(where), ALL)
    return League(
        task=task,
        rule=rule,
        other=other,
        types=tuple(name for each in fields for name in each.types),
        groups=tuple(name for each in fields for name in each.groups),
        ids=tuple(name for each in fields for name in each.ids),
        class_names=tuple(class_names)
        or tuple(f"class {c}" for c in range(1 + int(max(targets.max(), answers.max())))),
        targets=targets,
        answers=answers,
        bouts=where,
        standings=standings,
        ceiling=_ceiling(fields, rule),
        picks=picks,
        recommended=merge_picks(chosen),
        scores=_picked_scores(standings, picks, where, everything, predicted=False),
        class_scores=_picked_scores(standings, picks, where, targets, predicted=False),
        predicted_class_scores=_picked_scores(standings, picks, where, answers, predicted=True),
        seed=seed,
        resamples=recipe.report.resamples,
        notes=tuple(notes),
    )


def _allowed(methods: Sequence[str] | None, bouts: Sequence[EvaluationCase]) -> list[str]:
    unknown = [name for name in methods or () if name not in ENTRANTS]
    if unknown:
        raise BadRecipe(f"methods: expected some of {', '.join(ENTRANTS)}, got {', '.join(unknown)}")
    models = [bout.judge.model for bout in bouts]
    usual = [name for name, entrant in ENTRANTS.items() if not entrant.asked_only]
    wanted = usual if methods is None else list(dict.fromkeys(methods))
    refused = {name: ENTRANTS[name].refuses(model) for name in wanted for model in models}
    if methods is not None and any(refused.values()):
        raise BadRecipe("; ".join(f"method {name}: {why}" for name, why in refused.items() if why))
    return [name for name in wanted if not refused[name]]


def _picked_scores(
    standings: Mapping[str, MethodResult],
    picks: Sequence[Mapping[int, ChosenMethod]],
    where: Int[np.ndarray, " n"],
    explained: Int[np.ndarray, " n"],
    *,
    predicted: bool,
) -> Scores:
    """Each sheet's scores by its bout's pick for a class.

    explained  the class of each sheet whose pick is asked for, or ALL
    """
    scores = {name: np.full(len(where), np.nan) for name in OVERLAPS}
    for row, (place, name) in enumerate(zip(where.tolist(), explained.tolist(), strict=True)):
        own = name if name in picks[place] else ALL
        standing = standings[picks[place][own].method]
        label = "chosen" if own == ALL else "by class"
        found = (standing.predicted if predicted else standing.by)[label]
        for score, values in scores.items():
            values[row] = found[score][row]
    return scores


def _ceiling(fields: Sequence[MaskedSheets], rule: MaskRule) -> Ceiling:
    """All bouts share input and grid: they are folds of one recipe."""
    size = (fields[0].truths.shape[1], fields[0].truths.shape[2])
    truths = np.concatenate([each.truths for each in fields])
    return oracle_ceiling(truths, find_grid(fields[0].model, size), rule)
