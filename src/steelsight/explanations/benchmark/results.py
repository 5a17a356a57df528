"""One method in a league: tried on the sheets that choose, judged on the others, checked, timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from steelsight.evaluation.timing import time_interleaved
from steelsight.explanations.benchmark.faithfulness import FaithfulnessMeans, check_method, randomise_stages
from steelsight.explanations.benchmark.methods import ENTRANTS, CandidateMethod
from steelsight.explanations.benchmark.scoring import Explain, MaskedSheets, MethodScores, score_method
from steelsight.explanations.benchmark.selection import ALL, Choices, choose_rules
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.explanations.masks import MaskRule
from steelsight.models.inputs import to_input
from steelsight.streams import stream
from steelsight.types import GrayBatch, Labels, Task

__all__ = ["LABELS", "EvaluationCase", "MethodResult", "Scores", "evaluate_method", "with_times"]

# Whose rule: the study's for this task, for the other task, the one chosen for all classes, one a class.
LABELS = ("study", "other", "chosen", "by class")
Scores = dict[str, Float[np.ndarray, "_"]]  # by name, one number a sheet


@dataclass(frozen=True)
class EvaluationCase:
    """One model with the sheets it chooses on and those it is judged on."""

    name: str
    choose: MaskedSheets
    judge: MaskedSheets
    clean: (
        GrayBatch  # defect-free sheets it was trained on: references for methods that compare; may be empty
    )


@dataclass(frozen=True)
class MethodResult:
    """One method on all judged sheets, bouts after one another; n sheets."""

    method: str
    entrant: CandidateMethod
    choices: tuple[Choices, ...]  # what its validation sheets gave this method, one a bout
    by: dict[str, Scores]  # LABELS → overlap scores, true class explained
    predicted: dict[str, Scores]  # the same where the predicted class is explained
    original: dict[str, Scores]  # the true class at the images' own sizes; {} where those are not known
    maps: Scores
    sensitivity: dict[str, float]  # mean Dice of the study's rule by the key of its variant
    checks: FaithfulnessMeans | None
    time_ms: float  # median, one sheet at a time

    @property
    def rules(self) -> tuple[MaskRule, ...]:
        """The rule for all classes, one a bout."""
        return tuple(choices[ALL].rule for choices in self.choices)


def evaluate_method(
    name: str, bouts: Sequence[EvaluationCase], recipe: LeagueRecipe, task: Task, seed: int
) -> MethodResult:
    """Choose a rule for one method on each bout, then count what it and the study's rules score."""
    entrant = ENTRANTS[name]
    rule, other = recipe.study_rules(task)
    batch: dict[str, Any] = {"batch": recipe.report.batch, "blur": (rule.sigma, rule.sign)}
    choices, truly, answered = [], [], []
    for bout in bouts:
        explain = entrant.prepare(bout.clean, seed)
        tried = score_method(bout.choose, explain, recipe.search_rules(), **batch)
        choices.append(choose_rules(tried, bout.choose.targets, rule, least=recipe.choice.least))
        told = tuple(dict.fromkeys((rule, other, *(choice.rule for choice in choices[-1].values()))))
        counted = tuple(dict.fromkeys((*told, *recipe.sensitivity_rules(task))))
        truly.append(score_method(bout.judge, explain, counted, original_rules=told, **batch))
        answered.append(_explain_answers(bout.judge, explain, truly[-1], recipe.report.batch))
    true_rules = _rules_by_label(rule, other, choices, [bout.judge.targets for bout in bouts])
    answer_rules = _rules_by_label(rule, other, choices, [bout.judge.answers for bout in bouts])
    known = all(each.original_rules for each in truly)
    return MethodResult(
        method=name,
        entrant=entrant,
        choices=tuple(choices),
        by={label: _pool([t.scores(r) for t, r in _pairs(truly, true_rules[label])]) for label in LABELS},
        predicted={
            label: _pool([t.scores(r) for t, r in _pairs(answered, answer_rules[label])]) for label in LABELS
        },
        original={
            label: _pool([t.original_scores(r) for t, r in _pairs(truly, true_rules[label])])
            for label in LABELS
            if known
        },
        maps=_pool([each.map_scores for each in truly]),
        sensitivity={
            variant.key: float(np.concatenate([t.scores(variant)["dice"] for t in truly]).mean())
            for variant in recipe.sensitivity_rules(task)
        },
        checks=_check(name, bouts[0], recipe, rule, seed),
        time_ms=float("nan"),
    )


def _rules_by_label(
    rule: MaskRule, other: MaskRule, choices: Sequence[Choices], explained: Sequence[Labels]
) -> dict[str, list[MaskRule | list[MaskRule]]]:
    """By label and bout, one rule, or one a sheet by the class that is explained on it."""
    return {
        "study": [rule for _ in choices],
        "other": [other for _ in choices],
        "chosen": [each[ALL].rule for each in choices],
        "by class": [
            [each.get(name, each[ALL]).rule for name in names.tolist()]
            for each, names in zip(choices, explained, strict=True)
        ],
    }


def _pairs(
    tallies: Sequence[MethodScores], rules: Sequence[MaskRule | list[MaskRule]]
) -> Iterator[tuple[MethodScores, MaskRule | list[MaskRule]]]:
    return zip(tallies, rules, strict=True)


def _explain_answers(field: MaskedSheets, explain: Explain, judged: MethodScores, batch: int) -> MethodScores:
    """The same tally with the predicted class explained: only wrong verdicts need a second look."""
    wrong = np.flatnonzero(field.answers != field.targets)
    if not wrong.size:
        return judged
    some = field.take(wrong)
    again = score_method(some, explain, judged.rules, targets=some.answers, batch=batch)
    counts = judged.counts.copy()
    counts[wrong] = again.counts
    return replace(judged, counts=counts)


def _check(
    name: str, bout: EvaluationCase, recipe: LeagueRecipe, rule: MaskRule, seed: int
) -> FaithfulnessMeans | None:
    """Faithfulness on some sheets of the first bout."""
    if recipe.checks.sheets == 0:
        return None
    count = len(bout.judge.images)
    rng = stream(seed, "league-faithfulness")
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


def with_times(
    standings: Mapping[str, MethodResult], bout: EvaluationCase, recipe: LeagueRecipe
) -> dict[str, MethodResult]:
    """One sheet at a time, in turns."""
    image = to_input(torch.from_numpy(np.array(bout.judge.images[:1])))
    target = torch.from_numpy(np.asarray(bout.judge.targets[:1], dtype=np.int64))

    def run(standing: MethodResult) -> Callable[[], object]:
        explain = standing.entrant.prepare(bout.clean, 0)
        return lambda: explain(bout.judge.model, image, target)

    timings = time_interleaved(
        {name: run(standing) for name, standing in standings.items()}, recipe.report.repeats, warm_up=1
    )
    return {name: replace(standing, time_ms=timings[name].median_ms) for name, standing in standings.items()}


def _pool(parts: Sequence[Scores]) -> Scores:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
