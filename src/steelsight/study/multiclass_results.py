"""The study's second half: six multi-class models, and the chosen one looked at closely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.data import StudyData, several_types
from steelsight.study.measures.confidence import ConfidenceEvaluation, evaluate_confidence
from steelsight.study.measures.robustness import Robustness, sweep_models
from steelsight.study.measures.transplant_halves import transplant_halves
from steelsight.study.multiclass_train import train_slide_models, train_techniques
from steelsight.study.results import StudyResults
from steelsight.study.train import Trainer
from steelsight.training.loop.progress import TrainingProgress

__all__ = ["MulticlassResults", "run_multiclass_half"]


@dataclass(frozen=True)
class MulticlassResults:
    """What was found."""

    found: StudyResults  # multi-class: results by recipe, techniques, explanations judged
    scrutiny: ConfidenceEvaluation | None  # None where no model was trained
    robustness: Robustness | None
    transplant: TransplantResult | str  # the binary model's weights in the chosen one, or why not


def run_multiclass_half(
    material: StudyData,
    binary: StudyResults,
    out: Path,
    look_inside: Callable[[StudyResults], StudyResults],
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> MulticlassResults | str:
    """Train and look, on the first half's sheets and parts; or why these data have no second half.

    look_inside  judges the chosen model's explanations
    """
    if not material.options.multiclass:
        return "not asked for"
    second = several_types(material)
    if isinstance(second, str):
        return second
    results, skipped = train_slide_models(second, out, train=train, watcher=watcher)
    techniques, left_out = train_techniques(second, results, out, train=train, watcher=watcher)
    found = look_inside(
        StudyResults(
            options=second.options,
            sheets=second.sheets,
            data=second.data,
            sizes=second.sizes,
            split=second.split,
            leaks=second.leaks,
            results=results,
            skipped=skipped,
            costs=binary.costs,
            published=binary.published,
            weights=second.weights,
            techniques=techniques,
            left_out=left_out,
        )
    )
    chosen = found.chosen
    return MulticlassResults(
        found,
        None if chosen is None else evaluate_confidence(found, chosen),
        sweep_models(found),
        transplant_halves(second, found, binary, out, train=train, watcher=watcher),
    )
