"""One method in a league: tried on the sheets that choose, judged on the others, checked, timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from steelsight.evaluation.timing import time_interleaved
from steelsight.explanations.league_checks import Checks, check_method, randomise_stages
from steelsight.explanations.league_entrants import ENTRANTS, Entrant
from steelsight.explanations.league_recipe import LeagueRecipe
from steelsight.explanations.league_tally import Explain, Field, Tally, tally
from steelsight.explanations.masks import MaskRule
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch, Task

__all__ = ["Bout", "Scores", "Standing", "stand", "with_times"]

Scores = dict[str, Float[np.ndarray, "_"]]  # by name, one number a sheet


@dataclass(frozen=True)
class Bout:
    """One model with the sheets it chooses on and those it is judged on."""

    name: str
    choose: Field
    judge: Field
    clean: (
        GrayBatch  # defect-free sheets it was trained on: references for methods that compare; may be empty
    )


@dataclass(frozen=True)
class Standing:
    """One method on all judged sheets, bouts after one another; n sheets."""

    method: str
    entrant: Entrant
    rules: tuple[MaskRule, ...]  # chosen for this method, one a bout
    validation: tuple[float, ...]  # mean Dice of that rule where it was chosen, one a bout
    by: dict[str, Scores]  # "study", "other", "chosen" → overlap scores, true class explained
    predicted: dict[str, Scores]  # the same where the predicted class is explained
    original: dict[str, Scores]  # the true class at the images' own sizes; {} where those are not known
    maps: Scores
    sensitivity: dict[str, float]  # mean Dice of the study's rule by the key of its variant
    checks: Checks | None
    time_ms: float  # median, one sheet at a time


def stand(name: str, bouts: Sequence[Bout], recipe: LeagueRecipe, task: Task, seed: int) -> Standing:
    """Choose a rule for one method on each bout, then count what it and the study's rules score."""
    entrant = ENTRANTS[name]
    rule, other = recipe.study_rules(task)
    search = recipe.search_rules()
    rules, validation, tallies, answered = [], [], [], []
    for bout in bouts:
        explain = entrant.prepare(bout.clean, seed)
        blur, batch = (rule.sigma, rule.sign), recipe.report.batch
        tried = tally(bout.choose, explain, search, blur=blur, batch=batch)
        dice = tried.mean_dice() if len(bout.choose.images) else np.zeros(0)
        best = int(dice.argmax()) if dice.size else -1
        chosen = search[best] if best >= 0 else rule
        counted = tuple(dict.fromkeys((rule, other, chosen, *recipe.sensitivity_rules(task))))
        judged = tally(
            bout.judge, explain, counted, original_rules=(rule, other, chosen), blur=blur, batch=batch
        )
        rules.append(chosen)
        validation.append(float(dice[best]) if best >= 0 else float("nan"))
        tallies.append(judged)
        answered.append(_explain_answers(bout.judge, explain, judged, batch))
    labels = {"study": [rule] * len(bouts), "other": [other] * len(bouts), "chosen": rules}
    known = all(each.original_rules for each in tallies)
    return Standing(
        method=name,
        entrant=entrant,
        rules=tuple(rules),
        validation=tuple(validation),
        by={
            label: _pool([t.scores(r) for t, r in zip(tallies, of, strict=True)])
            for label, of in labels.items()
        },
        predicted={
            label: _pool([t.scores(r) for t, r in zip(answered, of, strict=True)])
            for label, of in labels.items()
        },
        original={
            label: _pool([t.original_scores(r) for t, r in zip(tallies, of, strict=True)])
            for label, of in labels.items()
            if known
        },
        maps=_pool([each.map_scores for each in tallies]),
        sensitivity={
            variant.key: float(np.concatenate([t.scores(variant)["dice"] for t in tallies]).mean())
            for variant in recipe.sensitivity_rules(task)
        },
        checks=_check(name, bouts[0], recipe, rule, seed),
        time_ms=float("nan"),
    )


def _explain_answers(field: Field, explain: Explain, judged: Tally, batch: int) -> Tally:
    """The same tally with the predicted class explained: only wrong verdicts need a second look."""
    wrong = np.flatnonzero(field.answers != field.targets)
    if not wrong.size:
        return judged
    some = field.take(wrong)
    again = tally(some, explain, judged.rules, targets=some.answers, batch=batch)
    counts = judged.counts.copy()
    counts[wrong] = again.counts
    return replace(judged, counts=counts)


def _check(name: str, bout: Bout, recipe: LeagueRecipe, rule: MaskRule, seed: int) -> Checks | None:
    """Faithfulness on some sheets of the first bout."""
    if recipe.checks.sheets == 0:
        return None
    count = len(bout.judge.images)
    rng = np.random.default_rng([seed, 1])
    rows = np.sort(rng.permutation(count)[: recipe.checks.sheets]).tolist()
    generator = torch.Generator().manual_seed(seed)
    return check_method(
        bout.judge,
        ENTRANTS[name].prepare(bout.clean, seed),
        recipe.checks,
        rows=rows,
        randomised=randomise_stages(bout.judge.model, recipe.checks.stages, generator=generator),
        blur=(rule.sigma, rule.sign),
        seed=seed,
    )


def with_times(standings: Mapping[str, Standing], bout: Bout, recipe: LeagueRecipe) -> dict[str, Standing]:
    """One sheet at a time, in turns."""
    image = to_input(torch.from_numpy(np.array(bout.judge.images[:1])))
    target = torch.from_numpy(np.asarray(bout.judge.targets[:1], dtype=np.int64))

    def run(standing: Standing) -> Callable[[], object]:
        explain = standing.entrant.prepare(bout.clean, 0)
        return lambda: explain(bout.judge.model, image, target)

    timings = time_interleaved(
        {name: run(standing) for name, standing in standings.items()}, recipe.report.repeats, warm_up=1
    )
    return {name: replace(standing, time_ms=timings[name].median_ms) for name, standing in standings.items()}


def _pool(parts: Sequence[Scores]) -> Scores:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
