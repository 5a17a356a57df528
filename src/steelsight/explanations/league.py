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
from steelsight.evaluation.localization import MAP_SCORES, OVERLAPS, mean_scores
from steelsight.explanations.ceiling import Ceiling, find_grid, oracle_ceiling
from steelsight.explanations.league_entrants import ENTRANTS
from steelsight.explanations.league_recipe import LeagueRecipe
from steelsight.explanations.league_standing import Bout, Scores, Standing, stand, with_times
from steelsight.explanations.league_tally import Field
from steelsight.explanations.masks import MaskRule
from steelsight.types import Interval, Task

__all__ = ["Bout", "League", "Pick", "Standing", "run_league"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Pick:
    """A method and a rule, and what they scored where they were chosen."""

    method: str
    rule: MaskRule
    dice: float  # mean over validation sheets; NaN where nothing could be chosen


@dataclass(frozen=True)
class League:
    """All methods, the choice, and what even a perfect map could score."""

    task: Task
    rule: MaskRule  # the study's for this task
    other: MaskRule  # the study's for the other task
    types: tuple[str, ...]  # of each judged sheet
    groups: tuple[str, ...]
    ids: tuple[str, ...]
    right: Bool[np.ndarray, " n"]  # whether the model's verdict on it was right
    bouts: Int[np.ndarray, " n"]  # which bout judged it
    standings: dict[str, Standing]
    ceiling: Ceiling
    picks: tuple[Pick, ...]  # one a bout
    recommended: Pick  # over the validation sheets of all bouts
    recommended_scores: Scores  # each bout's own pick on its judged sheets
    seed: int
    resamples: int
    notes: tuple[str, ...] = ()

    def intervals(self, scores: Scores, *, of: str | None = None) -> dict[str, Interval]:
        """Means with bounds by group, over all sheets or those of one type."""
        rows = np.array([of is None or name == of for name in self.types])
        groups = [group or f"\0{i}" for group, i in zip(self.groups, self.ids, strict=True)]
        kept = [group for group, row in zip(groups, rows, strict=True) if row]
        some = {name: values[rows] for name, values in scores.items()}
        return mean_scores(some, kept, rng=np.random.default_rng([self.seed, 0]), resamples=self.resamples)


def run_league(
    bouts: Sequence[Bout],
    recipe: LeagueRecipe,
    *,
    task: Task,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    notes: Sequence[str] = (),
    say: Say = lambda _text: None,
) -> League:
    """Judge every method on every bout.

    methods  keys of ENTRANTS; None = all that the models allow
    raises   BadRecipe for an unknown method, BadData where no sheet can be judged
    """
    judged = [bout for bout in bouts if len(bout.judge.images)]
    if not judged:
        raise BadData("league: expected defective sheets with masks to judge on, found none; bring masks")
    names = _allowed(methods, judged)
    rule, other = recipe.study_rules(task)
    standings = {}
    for name in names:
        say(f"{name}: {ENTRANTS[name].title}")
        standings[name] = stand(name, judged, recipe, task, seed)
    standings = with_times(standings, judged[0], recipe)
    picks = tuple(_pick(standings, place) for place in range(len(judged)))
    parts = [np.full(len(bout.judge.images), place) for place, bout in enumerate(judged)]
    where = np.concatenate(parts)
    fields = [bout.judge for bout in judged]
    return League(
        task=task,
        rule=rule,
        other=other,
        types=tuple(name for each in fields for name in each.types),
        groups=tuple(name for each in fields for name in each.groups),
        ids=tuple(name for each in fields for name in each.ids),
        right=np.concatenate([each.answers == each.targets for each in fields]),
        bouts=where,
        standings=standings,
        ceiling=_ceiling(fields, rule),
        picks=picks,
        recommended=_recommend(standings, [len(bout.choose.images) for bout in judged]),
        recommended_scores=_picked_scores(standings, picks, where),
        seed=seed,
        resamples=recipe.report.resamples,
        notes=tuple(notes),
    )


def _allowed(methods: Sequence[str] | None, bouts: Sequence[Bout]) -> list[str]:
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


def _pick(standings: Mapping[str, Standing], place: int) -> Pick:
    """The method with the best validation Dice of one bout; what knows no class cannot be picked."""
    scores = {
        name: each.validation[place] for name, each in standings.items() if not each.entrant.reference
    } or {name: each.validation[place] for name, each in standings.items()}
    best = max(scores, key=lambda name: -1.0 if np.isnan(scores[name]) else scores[name])
    return Pick(best, standings[best].rules[place], scores[best])


def _recommend(standings: Mapping[str, Standing], sheets: Sequence[int]) -> Pick:
    """One method for all bouts: the best over their validation sheets, with the rule most bouts gave it."""
    weights = np.array(sheets, dtype=np.float64)

    def mean(standing: Standing) -> float:
        if not weights.sum():
            return float("nan")
        return float(np.nan_to_num(np.array(standing.validation)) @ weights / weights.sum())

    eligible = {name: each for name, each in standings.items() if not each.entrant.reference} or dict(
        standings
    )
    best = max(eligible.values(), key=lambda each: np.nan_to_num(mean(each), nan=-1.0))
    counts = {rule: best.rules.count(rule) for rule in best.rules}
    return Pick(best.method, max(counts, key=lambda rule: counts[rule]), mean(best))


def _picked_scores(
    standings: Mapping[str, Standing], picks: Sequence[Pick], where: Int[np.ndarray, " n"]
) -> Scores:
    scores = {name: np.full(len(where), np.nan) for name in (*OVERLAPS, *MAP_SCORES)}
    for place, pick in enumerate(picks):
        rows, standing = where == place, standings[pick.method]
        for name, values in scores.items():
            source = standing.maps if name in MAP_SCORES else standing.by["chosen"]
            values[rows] = source[name][rows]
    return scores


def _ceiling(fields: Sequence[Field], rule: MaskRule) -> Ceiling:
    """All bouts share input and grid: they are folds of one recipe."""
    size = (fields[0].truths.shape[1], fields[0].truths.shape[2])
    truths = np.concatenate([each.truths for each in fields])
    return oracle_ceiling(truths, find_grid(fields[0].model, size), rule)
