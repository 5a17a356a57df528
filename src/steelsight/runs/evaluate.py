"""Evaluates a finished run on a DATA folder: metrics, figures, a page, and every prediction.

Sheets of training are recognised by their pixels at model size, whatever their name and folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from steelsight.errors import BadCheckpoint, BadInput, BadOutput
from steelsight.files import add_files, keep_earlier, write_json
from steelsight.models.checkpoint import WEIGHTS_FILE
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.runs.settings import result_settings
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.training.conclude import describe_data, environment
from steelsight.training.imbalance.shuffle import SHUFFLED_NOTE
from steelsight.training.predict import predict_logits
from steelsight.training.records import (
    METRICS_FILE,
    PREDICTIONS_FILE,
    write_predictions,
)
from steelsight.training.report.operating import report_operating
from steelsight.training.report.pages import PAGE, write_evaluation_page
from steelsight.training.report.scores import answers_in_words, probabilities_of, report_apart, report_part
from steelsight.training.run import load_run
from steelsight.types import Logits

__all__ = ["EVALUATED", "Evaluation", "evaluate_run"]

EVALUATED = ("unseen", "test", "validation", "train", "all")

Positions = Int[np.ndarray, " p"]

NO_PREVALENCE = "--prevalence has no effect: the model has no output for defect-free sheets"


@dataclass(frozen=True)
class Evaluation:
    """Metrics of an evaluation, and the folder they are written to."""

    folder: Path
    metrics: dict[str, Any]


def evaluate_run(
    run: Path,
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    part: str = "unseen",
    noise_sigma: float = 0.0,
    prevalence: float | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> Evaluation:
    """Evaluate a run on a DATA folder.

    part         unseen: all sheets but those of training and validation and their groups; test, validation,
                 train: that part of the run's own split; all: refused where the run was trained on any of it
    noise_sigma  evaluate on X + sigma Z, see predict_logits
    prevalence   share of defective sheets on the line, for the operating point; None = that of these sheets
    options      how DATA is opened; groups serve intervals, and those of training sheets are left out
    out          default RUN/evaluations/NAME-PART
    raises       BadData where no sheet is left, or `all` has training sheets; BadCheckpoint; BadInput;
                 BadOutput where `out` is a RUN
    """
    if part not in EVALUATED:
        raise BadInput(f"--split: expected one of {', '.join(EVALUATED)}, got {part!r}")
    _refuse_run(out)
    opened = open_run(run, data, options, allow_patches=True)
    card, sheets = opened.card, opened.data
    chosen = opened.choose(part)
    folder = out or run / "evaluations" / (
        f"{sheets.name}-{part}" + (f"-noise{noise_sigma:g}" * (noise_sigma > 0))
    )
    generator = torch.Generator().manual_seed(seed)
    logits = predict_logits(opened.model, sheets.images, noise_sigma=noise_sigma, generator=generator)
    threshold = _threshold_of(run)
    metrics = {"run": run.name, "noise_sigma": noise_sigma} | _measure(
        opened, logits, chosen, part, threshold=threshold, seed=seed, prevalence=prevalence
    )
    settings = result_settings(
        "evaluate",
        options,
        cards=[card],
        data_hash=sheets.data_hash,
        part=part,
        noise=noise_sigma,
        prevalence=prevalence,
        seed=seed,
    )
    metrics |= keep_earlier(folder, METRICS_FILE, settings, (PREDICTIONS_FILE, PAGE))
    parts = _parts(opened, chosen, part)
    probabilities = probabilities_of(logits, sheets.task)
    write_predictions(
        folder / PREDICTIONS_FILE, sheets, parts, answers_in_words(logits, sheets), probabilities, logits
    )
    single = chosen[sheets.keys[chosen] >= 0]
    add_files(metrics, write_evaluation_page(folder, metrics, sheets, logits, single))
    write_json(folder / METRICS_FILE, metrics)
    return Evaluation(folder, metrics)


def _parts(opened: OpenRun, chosen: Positions, part: str) -> list[str]:
    """For each sheet of DATA: the part that is evaluated, or "left out"."""
    inside = set(chosen.tolist())
    return [part if i in inside else "left out" for i in range(len(opened.data.items))]


def _measure(
    opened: OpenRun,
    logits: Logits,
    chosen: Positions,
    part: str,
    *,
    threshold: float | None,
    seed: int,
    prevalence: float | None,
) -> dict[str, Any]:
    """What metrics.json says of the chosen sheets, and of DATA."""
    card, sheets = opened.card, opened.data
    single = chosen[sheets.keys[chosen] >= 0]
    several = chosen[sheets.keys[chosen] < 0]
    return {
        "part": part,
        "seed": seed,
        "task": card.task,
        "class_names": list(card.class_names),
        "mask_supervised": card.mask_supervised,
        "shuffled_labels": card.shuffled_labels,
        "data": describe_data(sheets, _parts(opened, chosen, part)),
        "notes": [
            *[SHUFFLED_NOTE] * card.shuffled_labels,
            *opened.notes(part),
            *_given_notes(opened),
            *[NO_PREVALENCE] * (prevalence is not None and card.clean is None),
        ],
        "report": report_part(sheets, logits, single, seed=seed),
        "apart": report_apart(sheets, logits, several, opened.seen.trained) if several.size else None,
        "operating_point": report_operating(
            sheets, logits, chosen, threshold, seed=seed, prevalence=prevalence
        ),
        "environment": environment(),
    }


def _refuse_run(out: Path | None) -> None:
    """Raise BadOutput where the folder to write is a RUN: its metrics and predictions have the same names."""
    if out is not None and (out / WEIGHTS_FILE).is_file():
        raise BadOutput(
            f"{out}: expected a folder of its own, got a RUN, whose records would be replaced; "
            "choose another --out"
        )


def _given_notes(opened: OpenRun) -> list[str]:
    """Whether figures hold for the test part that DATA brings along."""
    test = [i for i, item in enumerate(opened.data.items) if item.part == "test"]
    if not test:
        return []
    seen = len(opened.seen.seen & set(test))
    words = f"the given test part has {len(test)} sheets"
    return [f"{words}; {seen} of them, or of their groups, were seen in training" if seen else words]


def _threshold_of(run: Path) -> float | None:
    """The threshold chosen on the run's validation sheets; None for runs without one.

    Older metrics.json files have it in their operating point only.
    """
    if not (run / METRICS_FILE).exists():
        return None
    metrics = load_run(run).metrics
    try:
        point = metrics.get("operating_point") or {}
        threshold = metrics.get("operating_threshold", point.get("threshold"))
        return None if threshold is None else float(threshold)
    except (AttributeError, TypeError, ValueError) as error:
        raise BadCheckpoint(
            f"{run / METRICS_FILE}: expected a number as operating_threshold, got {error!s:.80}; restore it, "
            "or train again"
        ) from error
