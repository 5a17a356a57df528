"""The study's multi-class models: six trainings, and measurements on the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from steelsight.runs.transplant.run import TransplantResult
from steelsight.study.data import StudyData, multiclass_data
from steelsight.study.measures.confidence import ConfidenceEvaluation, evaluate_confidence
from steelsight.study.measures.robustness import Robustness, sweep_models
from steelsight.study.measures.transplant import transplant_binary_model
from steelsight.study.results import StudyResults
from steelsight.study.train import Trainer
from steelsight.study.train_multiclass import train_slide_models, train_techniques
from steelsight.training.loop.progress import TrainingProgress

__all__ = ["MulticlassResults", "run_multiclass"]


@dataclass(frozen=True)
class MulticlassResults:
    """Results of the multi-class models, and what is measured on them alone."""

    study: StudyResults  # as for the binary models; results by recipe, with the techniques for rare types
    confidence: ConfidenceEvaluation | None  # of the chosen model; None where none was trained
    robustness: Robustness | None
    transplant: TransplantResult | str  # the binary model's weights in the chosen one, or why not


def run_multiclass(
    study_data: StudyData,
    binary: StudyResults,
    out: Path,
    inspect_chosen: Callable[[StudyResults], StudyResults],
    *,
    train: Trainer,
    watcher: TrainingProgress,
) -> MulticlassResults | str:
    """Train and measure the multi-class models on the sheets and the split of the binary ones.

    inspect_chosen  adds the measurements on the chosen model
    returns         results, or why these data have no multi-class models
    """
    if not study_data.options.multiclass:
        return "not requested"
    own = multiclass_data(study_data)
    if isinstance(own, str):
        return own
    results, skipped = train_slide_models(own, out, train=train, watcher=watcher)
    techniques, left_out = train_techniques(own, results, out, train=train, watcher=watcher)
    study = inspect_chosen(
        StudyResults(
            options=own.options,
            sheets=own.sheets,
            data=own.data,
            sizes=own.sizes,
            split=own.split,
            leaks=own.leaks,
            results=results,
            skipped=skipped,
            costs=binary.costs,
            published=binary.published,
            weights=own.weights,
            techniques=techniques,
            left_out=left_out,
        )
    )
    chosen = study.chosen
    return MulticlassResults(
        study,
        None if chosen is None else evaluate_confidence(study, chosen),
        sweep_models(study),
        transplant_binary_model(own, study, binary, out, train=train, watcher=watcher),
    )
