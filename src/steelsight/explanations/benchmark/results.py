"""Evaluation of one method: rules chosen on selection sheets, scores on evaluation sheets, checks, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from steelsight.evaluation.timing import time_interleaved
from steelsight.explanations.benchmark.faithfulness import FaithfulnessMeans, check_method, randomise_stages
from steelsight.explanations.benchmark.methods import CANDIDATES, CandidateMethod
from steelsight.explanations.benchmark.scoring import Explain, MaskedSheets, MethodScores, score_method
from steelsight.explanations.benchmark.selection import ALL, Choices, choose_rules
from steelsight.explanations.benchmark.settings import LeagueRecipe
from steelsight.explanations.masks import MaskRule
from steelsight.models.inputs import to_input
from steelsight.streams import stream
from steelsight.types import GrayBatch, Labels, Task

__all__ = ["LABELS", "EvaluationCase", "MethodResult", "Scores", "evaluate_method", "with_times"]

# Rules: the study's for this task, the study's for the other task, one chosen for all classes, one a class.
LABELS = ("study", "other", "chosen", "by class")
Scores = dict[str, Float[np.ndarray, "_"]]  # by name, one number a sheet


@dataclass(frozen=True)
class EvaluationCase:
    """One model with the sheets that select a rule and those that evaluate it."""

    name: str
    selection: MaskedSheets
    evaluation: MaskedSheets
    clean: GrayBatch  # defect-free training sheets: references for methods that compare; may be empty


@dataclass(frozen=True)
class MethodResult:
    """One method on the evaluation sheets of all cases, one case after another; n sheets."""

    method: str
    candidate: CandidateMethod
    choices: tuple[Choices, ...]  # rules chosen on the selection sheets, one entry a case
    scores: dict[str, Scores]  # LABELS → overlap scores, true class explained
    predicted: dict[str, Scores]  # the same where the predicted class is explained
    original: dict[str, Scores]  # the true class at the images' own sizes; {} where those are not known
    maps: Scores
    sensitivity: dict[str, float]  # mean Dice of the study's rule by the key of its variant
    checks: FaithfulnessMeans | None
    time_ms: float  # median, one sheet at a time

    @property
    def rules(self) -> tuple[MaskRule, ...]:
        """The rule for all classes, one a case."""
        return tuple(choices[ALL].rule for choices in self.choices)


def evaluate_method(
    name: str, cases: Sequence[EvaluationCase], recipe: LeagueRecipe, task: Task, seed: int
) -> MethodResult:
    """Choose a rule for one method in each case, then score it and the study's rules.

    name  a key of CANDIDATES
    """
    candidate = CANDIDATES[name]
    rule, other = recipe.study_rules(task)
    batch: dict[str, Any] = {"batch": recipe.report.batch, "blur": (rule.sigma, rule.sign)}
    choices, true_scores, predicted_scores = [], [], []
    for case in cases:
        explain = candidate.prepare(case.clean, seed)
        selection_scores = score_method(case.selection, explain, recipe.search_rules(), **batch)
        choices.append(
            choose_rules(selection_scores, case.selection.targets, rule, least=recipe.choice.least)
        )
        reported = tuple(dict.fromkeys((rule, other, *(choice.rule for choice in choices[-1].values()))))
        counted = tuple(dict.fromkeys((*reported, *recipe.sensitivity_rules(task))))
        true_scores.append(score_method(case.evaluation, explain, counted, original_rules=reported, **batch))
        predicted_scores.append(
            _explain_answers(case.evaluation, explain, true_scores[-1], recipe.report.batch)
        )
    true_rules = _rules_by_label(rule, other, choices, [case.evaluation.targets for case in cases])
    answer_rules = _rules_by_label(rule, other, choices, [case.evaluation.answers for case in cases])
    at_original = all(each.original_rules for each in true_scores)
    return MethodResult(
        method=name,
        candidate=candidate,
        choices=tuple(choices),
        scores={
            label: _pool([t.scores(r) for t, r in _pairs(true_scores, true_rules[label])]) for label in LABELS
        },
        predicted={
            label: _pool([t.scores(r) for t, r in _pairs(predicted_scores, answer_rules[label])])
            for label in LABELS
        },
        original={
            label: _pool([t.original_scores(r) for t, r in _pairs(true_scores, true_rules[label])])
            for label in LABELS
            if at_original
        },
        maps=_pool([each.map_scores for each in true_scores]),
        sensitivity={
            variant.key: float(np.concatenate([t.scores(variant)["dice"] for t in true_scores]).mean())
            for variant in recipe.sensitivity_rules(task)
        },
        checks=_check(name, cases[0], recipe, rule, seed),
        time_ms=float("nan"),
    )


def _rules_by_label(
    rule: MaskRule, other: MaskRule, choices: Sequence[Choices], explained: Sequence[Labels]
) -> dict[str, list[MaskRule | list[MaskRule]]]:
    """For each label and case one rule, or one for each sheet by the class explained on it."""
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


def _explain_answers(
    sheets: MaskedSheets, explain: Explain, true_scores: MethodScores, batch: int
) -> MethodScores:
    """Scores with the predicted class explained; only sheets with a wrong verdict are explained again."""
    wrong = np.flatnonzero(sheets.answers != sheets.targets)
    if not wrong.size:
        return true_scores
    some = sheets.take(wrong)
    again = score_method(some, explain, true_scores.rules, targets=some.answers, batch=batch)
    counts = true_scores.counts.copy()
    counts[wrong] = again.counts
    return replace(true_scores, counts=counts)


def _check(
    name: str, case: EvaluationCase, recipe: LeagueRecipe, rule: MaskRule, seed: int
) -> FaithfulnessMeans | None:
    """Faithfulness on some sheets of the first case."""
    if recipe.checks.sheets == 0:
        return None
    count = len(case.evaluation.images)
    rng = stream(seed, "league-faithfulness")
    rows = np.sort(rng.permutation(count)[: recipe.checks.sheets]).tolist()
    generator = torch.Generator().manual_seed(seed)
    return check_method(
        case.evaluation,
        CANDIDATES[name].prepare(case.clean, seed),
        recipe.checks,
        rows=rows,
        randomised=randomise_stages(case.evaluation.model, recipe.checks.stages, generator=generator),
        blur=(rule.sigma, rule.sign),
        seed=seed,
    )


def with_times(
    results: Mapping[str, MethodResult], case: EvaluationCase, recipe: LeagueRecipe
) -> dict[str, MethodResult]:
    """The results with the time of each method: one sheet at a time, methods interleaved."""
    image = to_input(torch.from_numpy(np.array(case.evaluation.images[:1])))
    target = torch.from_numpy(np.asarray(case.evaluation.targets[:1], dtype=np.int64))

    def run(result: MethodResult) -> Callable[[], object]:
        explain = result.candidate.prepare(case.clean, 0)
        return lambda: explain(case.evaluation.model, image, target)

    timings = time_interleaved(
        {name: run(result) for name, result in results.items()}, recipe.report.repeats, warm_up=1
    )
    return {name: replace(result, time_ms=timings[name].median_ms) for name, result in results.items()}


def _pool(parts: Sequence[Scores]) -> Scores:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
