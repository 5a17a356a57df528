"""From a RUN to a BUNDLE: graph, parity, the fastest precision that passes, calibration on what will run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Int

from steelsight.deploy.calibrate import KEPT, BundleCalibration, calibrate
from steelsight.deploy.export_data import ExportData, open_export_data
from steelsight.deploy.graph import OPSET, build_graph
from steelsight.deploy.quantise import SHEETS, quantise
from steelsight.deploy.readme import README_FILE, bundle_readme
from steelsight.deploy.shortcut_stamps import read_stamps
from steelsight.deploy.writer import describe_files, pack_arrays, write_bundle
from steelsight.errors import BadRecipe, ParityRefused
from steelsight.explanations.gradcam import class_maps
from steelsight.models.card import Card
from steelsight.models.catalog import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.runtime.bundle.card import BundleCard, Familiarity, GraphFacts, Precision, TrainingStatistics
from steelsight.runtime.bundle.open import PROBES_FILE, Bundle
from steelsight.runtime.drift import gray_statistics, training_statistics
from steelsight.runtime.engine.engine import Engine, Outputs, decide, open_engine
from steelsight.runtime.parity.compare import FEWEST, Parity, compare, draw_edge_sheets, failures
from steelsight.streams import stream
from steelsight.types import GrayBatch

__all__ = ["PRECISIONS", "Exported", "PrecisionTrial", "export_run"]

PRECISIONS: Final[tuple[Precision, ...]] = ("f32", "bf16", "int8")
MOST: Final = 4000  # sheets parity is judged on
PROBES: Final = 24
TURNS: Final = 12  # of the timing that chooses between precisions
FLIPS: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps along rows and columns: other views of a sheet


@dataclass(frozen=True)
class PrecisionTrial:
    """One precision, measured."""

    precision: Precision
    parities: tuple[Parity, ...]  # OpenVINO first
    broken: tuple[str, ...]  # bounds, in words; none = it may run
    ms_a_sheet: float | None  # OpenVINO, one thread, where it passed


@dataclass(frozen=True)
class Exported:
    """What was written, and why it is what it is."""

    folder: Path
    card: BundleCard
    judged: tuple[PrecisionTrial, ...]


def export_run(
    run: Path,
    data: Path,
    out: Path,
    *,
    precisions: Sequence[str] = PRECISIONS,
    risk: float = 0.05,
    delta: float = 0.1,
    groups: str | None = None,
    allow_bad: int = 0,
    probes: int = PROBES,
    seed: int = 0,
    note: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a bundle whose answers are those of the run, or none.

    data        the folder the run was trained on: training sheets set INT8's ranges and what is familiar,
                validation and unseen sheets judge parity and calibrate
    precisions  allowed; f32 is always judged, and refused answers there end the export
    risk        share of wrong answers the threshold is certified for, at 1 - delta
    probes      sheets carried along for `bundle verify`; 0 = none
    note        told what is being done
    raises      ParityRefused where the float32 graph differs; BadRecipe for precisions that do not exist;
                BadInput for a control of drawn labels; BadData, BadCheckpoint, BadOutput
    """
    unknown = [name for name in precisions if name not in PRECISIONS]
    if unknown or not precisions:
        raise BadRecipe(
            f"precision: expected some of {', '.join(PRECISIONS)}, got {', '.join(unknown) or 'none'}"
        )
    material = open_export_data(run, data, groups=groups, allow_bad=allow_bad)
    model, card = material.run.model, material.run.card
    rng = stream(seed, "export-sheets")
    note("writing the graph")
    files = _write_graphs(model, material, precisions, rng)
    draft = _draft(card, model, files)
    note("parity")
    trial = _gather(material)
    source = _ask_source(model, trial.images)
    judged = [
        _judge(precision, Bundle(out, _at(draft, precision), files, None), trial, source, card, seed)
        for precision in PRECISIONS
        if precision == "f32" or precision in precisions
    ]
    if judged[0].broken:
        raise ParityRefused(
            f"{run}: the exported float32 graph does not answer as the model: {'; '.join(judged[0].broken)}; "
            "nothing was written; report it with the model's card"
        )
    passed = [each for each in judged if not each.broken and each.precision in precisions] or judged[:1]
    judged = _time(judged, passed, out, draft, files, trial.images)
    best = min(
        (each for each in judged if each.ms_a_sheet is not None), key=lambda each: each.ms_a_sheet or np.inf
    ).precision
    note(f"calibrating on {best}")
    accepted = open_engine(Bundle(out, _at(draft, best), files, None))
    calibration = calibrate(accepted, material, card.task, risk=risk, delta=delta, rng=rng)
    files |= _statistics(calibration)
    draft = draft.model_copy(update=_calibrated(calibration))
    if probes:
        files[PROBES_FILE] = _probes(trial, source, accepted, probes)
    files = {name: content for name, content in files.items() if best == "int8" or name != "model.int8.onnx"}
    finished = _finish(_at(draft, best), card, calibration, judged, files, run, material)
    files[README_FILE] = bundle_readme(finished).encode()
    finished = finished.model_copy(update={"files": describe_files(files)})
    write_bundle(out, finished, files)
    return Exported(out, finished, tuple(judged))


@dataclass(frozen=True, eq=False)
class _Trial:
    """Sheets parity is judged on: labelled ones first, then edge cases."""

    images: GrayBatch
    labels: Int[np.ndarray, " m"]
    groups: list[str]
    views: int  # of each labelled sheet at most
    trained: int  # of the labelled sheets that trained the model, where others were too few


def _gather(material: ExportData) -> _Trial:
    """Sheets the run did not learn from, then their flips, then training sheets, until there are enough."""
    own = np.union1d(material.unseen, material.validation)
    images: list[GrayBatch] = []
    labels: list[Int[np.ndarray, " r"]] = []
    groups: list[str] = []
    views = trained = 0
    size = material.data.images.shape[1:]
    for rows in (own, material.train):
        for step_y, step_x in FLIPS:
            left = (FEWEST if images else MOST) - sum(len(some) for some in images)
            if left <= 0 or not rows.size:
                break
            some = rows[:left]
            images.append(material.images(some)[:, ::step_y, ::step_x])
            labels.append(material.labels(some))
            groups += material.groups(some)
            views += rows is own
            trained += len(some) * (rows is not own)
    edges = draw_edge_sheets(*size)
    return _Trial(np.concatenate([*images, edges]), np.concatenate(labels), groups, views, trained)


def _write_graphs(
    model: SheetClassifier, material: ExportData, precisions: Sequence[str], rng: np.random.Generator
) -> dict[str, bytes]:
    graph = build_graph(model)
    files = {"model.onnx": graph.SerializeToString(deterministic=True)}
    if "int8" in precisions:
        some = np.sort(rng.permutation(material.train)[:SHEETS])
        quantised = quantise(graph, material.images(some))
        files["model.int8.onnx"] = quantised.SerializeToString(deterministic=True)
    return files


def _draft(card: Card, model: SheetClassifier, files: dict[str, bytes]) -> BundleCard:
    """The card before anything is calibrated."""
    with torch.inference_mode():
        shape = model.features(torch.zeros(1, 3, *model.size)).shape
    return BundleCard(
        model_id=hashlib.sha256(files["model.onnx"]).hexdigest()[:12],
        task=card.task,
        class_names=card.class_names,
        model=card.model.name,
        head=card.model.head if card.model.head == "study" else f"direct, {card.model.pooling}",
        input=card.input,
        graph=GraphFacts(opset=OPSET, grid=(shape[2], shape[3]), embedding=shape[1]),
        precision="f32",
        files=describe_files(files),
        temperature=card.temperature or 1.0,
    )


def _at(card: BundleCard, precision: Precision) -> BundleCard:
    """The same bundle at another precision; its graph's checksum names the model."""
    graph = "model.int8.onnx" if precision == "int8" else "model.onnx"
    return card.model_copy(update={"precision": precision, "model_id": card.files[graph].sha256[:12]})


def _ask_source(model: SheetClassifier, images: GrayBatch, batch: int = 32) -> Outputs:
    """What the model itself says, in float32 torch: logits, Grad-CAM of all classes, mean features."""
    logits, maps, embedding = [], [], []
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            inputs = to_input(torch.from_numpy(np.ascontiguousarray(images[start : start + batch])))
            features = model.features(inputs)
            told = class_maps(model.head, features)
            logits.append(told.logits.numpy())
            maps.append(told.maps.numpy())
            embedding.append(features.mean((2, 3)).numpy())
    return Outputs(np.concatenate(logits), np.concatenate(maps), np.concatenate(embedding))


def _judge(
    precision: Precision, bundle: Bundle, trial: _Trial, source: Outputs, card: Card, seed: int
) -> PrecisionTrial:
    engines = ("openvino",) if precision == "bf16" else ("openvino", "onnxruntime")
    parities = []
    for name in engines:
        engine = open_engine(bundle, name)
        parities.append(
            compare(
                source,
                engine(trial.images),
                task=card.task,
                temperature=card.temperature or 1.0,
                engine=engine.about,
                precision=precision,
                labels=trial.labels,
                groups=trial.groups,
                rng=stream(seed, "export-calibration"),
            )
        )
    # INT8 rounds elsewhere in each engine: OpenVINO runs it, ONNX Runtime's figures are told beside.
    binding = parities if precision == "f32" else parities[:1]
    broken = [f"{each.engine}: {words}" for each in binding for words in failures(each)]
    return PrecisionTrial(precision, tuple(parities), tuple(broken), None)


def _time(
    judged: Sequence[PrecisionTrial],
    passed: Sequence[PrecisionTrial],
    out: Path,
    draft: BundleCard,
    files: dict[str, bytes],
    images: GrayBatch,
) -> list[PrecisionTrial]:
    """Milliseconds a sheet of those that passed, one thread, in turns, the median."""
    engines: dict[Precision, Engine] = {
        each.precision: open_engine(Bundle(out, _at(draft, each.precision), files, None), threads=1)
        for each in passed
    }
    spent: dict[Precision, list[float]] = {precision: [] for precision in engines}
    for turn in range(TURNS + 2):
        for precision, engine in engines.items():
            some = images[: engine.batch]
            start = time.perf_counter()
            engine(some)
            if turn >= 2:  # the first two warm up
                spent[precision].append((time.perf_counter() - start) * 1e3 / len(some))
    medians = {precision: float(np.median(times)) for precision, times in spent.items()}
    return [
        PrecisionTrial(each.precision, each.parities, each.broken, medians.get(each.precision))
        for each in judged
    ]


def _statistics(calibration: BundleCalibration) -> dict[str, bytes]:
    found = calibration.statistics
    return {"familiarity.npz": pack_arrays({"means": found.means, "whitening": found.whitening})}


def _calibrated(calibration: BundleCalibration) -> dict[str, Any]:
    """The card's thresholds."""
    return {
        "temperature": calibration.temperature,
        "threshold": calibration.threshold,
        "threshold_by": "none" if calibration.threshold is None else "certificate",
        "threshold_statement": calibration.statement,
        "familiarity": Familiarity(limit=calibration.limit, kept=KEPT),
    }


def _usual(card: BundleCard, calibration: BundleCalibration) -> TrainingStatistics:
    """What the engine itself says of the calibration sheets, as a scan would."""
    told = decide(calibration.outputs, card, calibration.statistics)
    mean, spread = gray_statistics(calibration.images)
    return training_statistics(mean, spread, told.confidence, told.distance, told.labels, card.class_names)


def _probes(trial: _Trial, source: Outputs, engine: Engine, count: int) -> bytes:
    """Labelled sheets of every class in turn, among those read most like the source."""
    told = engine(trial.images[: trial.labels.size])
    apart = np.abs(told.logits - source.logits[: trial.labels.size]).max(1)
    order = np.argsort(apart, kind="stable")
    order = order[: max(count, order.size * 19 // 20)]
    rank = {row: position for position, row in enumerate(order.tolist())}
    turns: list[tuple[int, int, int]] = []
    seen: dict[int, int] = {}
    for row in sorted(rank):
        kind = int(trial.labels[row])
        turns.append((seen.setdefault(kind, 0), kind, row))
        seen[kind] += 1
    chosen = np.array(sorted(row for _, _, row in sorted(turns)[:count]))
    return pack_arrays(
        {
            "images": trial.images[chosen],
            "logits": source.logits[chosen],
            "maps": source.maps[chosen],
            "embedding": source.embedding[chosen],
        }
    )


def _finish(
    draft: BundleCard,
    card: Card,
    calibration: BundleCalibration,
    judged: Sequence[PrecisionTrial],
    files: dict[str, bytes],
    run: Path,
    material: ExportData,
) -> BundleCard:
    certificate: dict[str, Any] = {
        each.precision: {
            "passed": not each.broken,
            "broken": list(each.broken),
            "ms_a_sheet": each.ms_a_sheet,
            "engines": [parity.as_dict() for parity in each.parities],
        }
        for each in judged
    }
    return BundleCard.model_validate(
        draft.model_dump()
        | {
            "files": {name: fact.model_dump() for name, fact in describe_files(files).items()},
            "usual": _usual(draft, calibration).model_dump(),
            "parity": certificate,
            "shortcuts": [each.model_dump() for each in read_stamps(run, card.weights_sha256)],
            "source": {
                "run": run.name,
                "data": material.data.name,
                "data_hash": material.data.data_hash,
                "seed": card.seed,
                "weights_sha256": card.weights_sha256,
                "mask_supervised": card.mask_supervised,
                "recipe": card.recipe,
            },
        }
    )
