"""Writes the RUN folder of a finished training: checkpoint, metrics, figures and all predictions."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steelsight.checksums import write_checksums
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.files import dump_json, replace_file, write_json
from steelsight.models.catalog import SheetClassifier
from steelsight.models.checkpoint import Card, save_checkpoint
from steelsight.sheets.grouping.given_split import count_parts
from steelsight.training.dataset import SheetData
from steelsight.training.earlier import write_earlier
from steelsight.training.loop.fit import FitResult
from steelsight.training.predict import predict_logits
from steelsight.training.records import (
    APART,
    METRICS_FILE,
    PREDICTIONS_FILE,
    RECIPE_FILE,
    SPLITS_FILE,
    SplitRow,
    positions_of,
    write_predictions,
    write_splits,
)
from steelsight.training.report.model_card import CARD_README, model_card
from steelsight.training.report.operating import choose_threshold, report_operating
from steelsight.training.report.pages import write_run_page
from steelsight.training.report.scores import answers_in_words, probabilities_of, report_apart, report_part
from steelsight.training.sketches import SKETCHES_FILE, write_sketches
from steelsight.types import Logits
from steelsight.version import __version__

__all__ = ["conclude", "environment"]


def conclude(
    out: Path,
    model: SheetClassifier,
    card: Card,
    data: SheetData,
    parts: list[str],
    fitted: FitResult,
    *,
    extra: Mapping[str, Any],
    earlier: Sequence[SplitRow] = (),
) -> tuple[Card, dict[str, Any]]:
    """Save the model, evaluate it on every part, write the RUN folder; metrics.json comes last.

    parts   the part each sheet is in, see records.split_names
    extra   more entries of metrics.json
    earlier sheets that the runs before this one learnt from
    returns the card as saved, and metrics.json
    """
    card = save_checkpoint(out, model, card)
    clean = predict_logits(model, data.images)
    noise = torch.Generator().manual_seed(card.seed)
    noisy = predict_logits(model, data.images, noise_sigma=STUDY_SIGMA, generator=noise)
    threshold = choose_threshold(data, clean, positions_of(parts, "validation"))
    metrics = {
        **extra,
        "task": data.task,
        "class_names": list(data.labelled.class_names),
        "seed": card.seed,
        "data": describe_data(data, parts),
        "training": _describe_training(fitted),
        **_reports(data, parts, clean, noisy, card.seed),
        "operating_threshold": threshold,  # also without test sheets to evaluate it on
        "operating_point": report_operating(
            data, clean, positions_of(parts, "test"), threshold, seed=card.seed
        ),
        "environment": environment(),
    }
    write_json(out / RECIPE_FILE, card.recipe)
    write_splits(out, data, parts)
    write_sketches(out, data, parts)
    probabilities = probabilities_of(clean, data.task)
    answers = answers_in_words(clean, data)
    write_predictions(out / PREDICTIONS_FILE, data, parts, answers, probabilities, clean)
    replace_file(out / CARD_README, model_card(card, metrics))
    write_run_page(out, metrics, data, clean, positions_of(parts, "test"))
    records = (RECIPE_FILE, SPLITS_FILE, PREDICTIONS_FILE, SKETCHES_FILE, *write_earlier(out, earlier))
    write_checksums(out, records, {METRICS_FILE: dump_json(metrics)})
    write_json(out / METRICS_FILE, metrics)
    return card, metrics


def describe_data(data: SheetData, parts: list[str]) -> dict[str, Any]:
    """Name, hash, size and groups of the data, the items set aside, and the size of each part."""
    return {
        "name": data.name,
        "hash": data.data_hash,
        "sheets": len(data.items),
        "groups": data.grouping,
        "reading": data.reading,
        "given_split": count_parts(data.items),
        "set_aside": [asdict(item) for item in data.rejections],
        "parts": {part: parts.count(part) for part in dict.fromkeys(parts)},
    }


def _describe_training(fitted: FitResult) -> dict[str, Any]:
    return {
        "epochs": fitted.epochs,
        "best_epoch": fitted.best_epoch,
        "stopped_early": fitted.stopped_early,
        "precision": fitted.precision,
        "resumed_after": fitted.resumed_after,
        "history": [asdict(row) for row in fitted.history],
    } | ({} if fitted.places_loss is None else {"places_loss": fitted.places_loss})


def _reports(data: SheetData, parts: list[str], clean: Logits, noisy: Logits, seed: int) -> dict[str, Any]:
    test, apart = positions_of(parts, "test"), positions_of(parts, APART)
    return {
        "validation": report_part(data, clean, positions_of(parts, "validation"), seed=seed),
        "test": report_part(data, clean, test, seed=seed),
        "test_noisy": report_part(data, noisy, test, seed=seed),
        "noise_sigma": STUDY_SIGMA,
        "apart": report_apart(data, clean, apart, positions_of(parts, "train")) if apart.size else None,
    }


def environment() -> dict[str, Any]:
    """Versions, machine and threads, on which figures depend too."""
    return {
        "steelsight": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
