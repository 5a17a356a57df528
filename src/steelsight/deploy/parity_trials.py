"""Compare the exported graph with the trained model: sheets to compare on, precisions, speed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Int

from steelsight.deploy.export_data import ExportData
from steelsight.explanations.gradcam import class_maps
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.runtime.bundle.card import BundleCard, Precision
from steelsight.runtime.bundle.open import Bundle
from steelsight.runtime.engine.engine import Engine, Outputs, open_engine
from steelsight.runtime.parity.compare import FEWEST, Parity, ParitySetup, compare, draw_edge_sheets, failures
from steelsight.streams import stream
from steelsight.types import GrayBatch

__all__ = [
    "ParitySheets",
    "PrecisionTrial",
    "at_precision",
    "evaluate_precision",
    "gather_sheets",
    "run_source",
    "time_precisions",
]

MOST: Final = 4000  # labelled sheets to compare on
ROUNDS: Final = 12  # of the timing that chooses between precisions
WARM_UP: Final = 2  # rounds before those
FLIPS: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps along rows and columns: other views of a sheet


@dataclass(frozen=True)
class PrecisionTrial:
    """One precision, compared with the model and timed."""

    precision: Precision
    parities: tuple[Parity, ...]  # OpenVINO first
    broken: tuple[str, ...]  # the bounds it breaks, in words; none = it may be used
    ms_a_sheet: float | None  # OpenVINO, one thread; None where it was not timed


@dataclass(frozen=True, eq=False)
class ParitySheets:
    """Sheets to compare on: labelled ones first, then edge cases."""

    images: GrayBatch
    labels: Int[np.ndarray, " m"]
    groups: list[str]
    views: int  # of each labelled sheet at most
    trained: int  # labelled sheets that trained the model, used where others were too few


def gather_sheets(sheets: ExportData) -> ParitySheets:
    """Sheets the run was not trained on, then their flips, then training sheets, until there are FEWEST.

    At most MOST labelled sheets, and behind them the edge cases of `draw_edge_sheets`.
    """
    own = np.union1d(sheets.unseen, sheets.validation)
    images: list[GrayBatch] = []
    labels: list[Int[np.ndarray, " r"]] = []
    groups: list[str] = []
    views = trained = 0
    size = sheets.data.images.shape[1:]
    for rows in (own, sheets.train):
        for step_y, step_x in FLIPS:
            left = (FEWEST if images else MOST) - sum(len(some) for some in images)
            if left <= 0 or not rows.size:
                break
            some = rows[:left]
            images.append(sheets.images(some)[:, ::step_y, ::step_x])
            labels.append(sheets.labels(some))
            groups += sheets.groups(some)
            views += rows is own
            trained += len(some) * (rows is not own)
    edges = draw_edge_sheets(*size)
    return ParitySheets(np.concatenate([*images, edges]), np.concatenate(labels), groups, views, trained)


def at_precision(card: BundleCard, precision: Precision) -> BundleCard:
    """The card of the same bundle at another precision."""
    return card.model_copy(update={"precision": precision})


def run_source(model: SheetClassifier, images: GrayBatch, batch: int = 32) -> Outputs:
    """The model's own outputs, in float32 torch: logits, Grad-CAM of all classes, mean features, places."""
    logits, maps, embedding, places = [], [], [], []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            inputs = to_input(torch.from_numpy(np.ascontiguousarray(images[start : start + batch])))
            features, evidence = model.features_and_places(inputs)
            outputs = class_maps(model.head, features)
            logits.append(outputs.logits.numpy())
            maps.append(outputs.maps.numpy())
            embedding.append(features.mean((2, 3)).numpy())
            if evidence is not None:
                places.append(evidence.numpy())
    parts = (np.concatenate(each) for each in (logits, maps, embedding, places) if each)
    return Outputs(*parts)


def evaluate_precision(
    bundle: Bundle, sheets: ParitySheets, source: Outputs, card: Card, seed: int
) -> PrecisionTrial:
    """Compare a bundle at its card's precision with the model's outputs, in every engine that runs it.

    card  of the run
    """
    precision = bundle.card.precision
    engines = ("openvino",) if precision == "bf16" else ("openvino", "onnxruntime")
    parities = []
    for name in engines:
        engine = open_engine(bundle, name)
        setup = ParitySetup(card.task, card.temperature or 1.0, engine.about, precision)
        parities.append(
            compare(
                source,
                engine(sheets.images),
                setup,
                labels=sheets.labels,
                groups=sheets.groups,
                rng=stream(seed, "export-calibration"),
            )
        )
    # INT8 rounds elsewhere in each engine: OpenVINO runs it, ONNX Runtime's figures are only reported.
    binding = parities if precision == "f32" else parities[:1]
    broken = [f"{each.engine}: {words}" for each in binding for words in failures(each)]
    return PrecisionTrial(precision, tuple(parities), tuple(broken), None)


def time_precisions(
    trials: Sequence[PrecisionTrial],
    passed: Sequence[PrecisionTrial],
    bundle: Bundle,
    images: GrayBatch,
) -> list[PrecisionTrial]:
    """The trials with the milliseconds a sheet of those that passed: one thread, in turns, the median.

    bundle  with the graphs of all precisions
    """
    engines: dict[Precision, Engine] = {
        each.precision: open_engine(
            replace(bundle, card=at_precision(bundle.card, each.precision)), threads=1
        )
        for each in passed
    }
    spent: dict[Precision, list[float]] = {precision: [] for precision in engines}
    for turn in range(ROUNDS + WARM_UP):
        for precision, engine in engines.items():
            some = images[: engine.batch]
            start = time.perf_counter()
            engine(some)
            if turn >= WARM_UP:
                spent[precision].append((time.perf_counter() - start) * 1e3 / len(some))
    medians = {precision: float(np.median(times)) for precision, times in spent.items()}
    return [replace(trial, ms_a_sheet=medians.get(trial.precision)) for trial in trials]
