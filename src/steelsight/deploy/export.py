"""From a RUN to a BUNDLE: graph, parity, the fastest precision that passes, calibration on what will run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.deploy.calibrate import BundleCalibration, calibrate
from steelsight.deploy.export_data import ExportData, open_export_data
from steelsight.deploy.graph import OPSET, build_graph
from steelsight.deploy.options import ExportOptions
from steelsight.deploy.parity_trials import (
    ParitySheets,
    PrecisionTrial,
    at_precision,
    evaluate_precision,
    gather_sheets,
    run_source,
    time_precisions,
)
from steelsight.deploy.quantise import SHEETS, quantise
from steelsight.deploy.run_figures import figures_of_run
from steelsight.deploy.shortcut_stamps import read_search, read_stamps
from steelsight.errors import BadRecipe, ParityRefused
from steelsight.files import pack_arrays
from steelsight.models.card import Card, temperature_source
from steelsight.models.catalog import SheetClassifier
from steelsight.runtime.bundle.card import BundleCard, GraphFacts, Precision, TrainingStatistics
from steelsight.runtime.bundle.open import PROBES_FILE, Bundle
from steelsight.runtime.bundle.readme import README_FILE, bundle_readme
from steelsight.runtime.bundle.seen import SEEN_FILE, pack_marks
from steelsight.runtime.bundle.writer import describe_files, refuse_replacing, write_bundle
from steelsight.runtime.drift import gray_statistics, training_statistics
from steelsight.runtime.engine.engine import Engine, Outputs, decide, open_engine
from steelsight.runtime.parity.compare import parity_entry
from steelsight.runtime.parity.verify import in_turns, pack_probes
from steelsight.streams import stream

__all__ = ["PRECISIONS", "Exported", "export_run"]

PRECISIONS: Final[tuple[Precision, ...]] = ("f32", "bf16", "int8")
_DEFAULTS: Final = ExportOptions()


@dataclass(frozen=True)
class Exported:
    """A written bundle, and the precisions it was chosen from."""

    folder: Path
    card: BundleCard
    trials: tuple[PrecisionTrial, ...]


def export_run(
    run: Path,
    data: Path,
    out: Path,
    options: ExportOptions = _DEFAULTS,
    *,
    note: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a bundle whose outputs are those of the run, or none.

    data    the folder the run was trained on: training sheets set INT8's ranges and the limit of
            familiarity; parity is measured, and thresholds are calibrated, on validation and unseen sheets
    out     BUNDLE folder; must not exist, or be a bundle
    note    called with the name of each stage
    raises  ParityRefused where the float32 graph differs; BadRecipe for precisions that do not exist;
            BadInput for a run with shuffled labels; BadData, BadCheckpoint, BadOutput
    """
    unknown = [name for name in options.precision if name not in PRECISIONS]
    if unknown or not options.precision:
        raise BadRecipe(
            f"precision: expected some of {', '.join(PRECISIONS)}, got {', '.join(unknown) or 'none'}"
        )
    refuse_replacing(out)  # before minutes of parity and calibration
    sheets = open_export_data(run, data, options)
    model, card = sheets.run.model, sheets.run.card
    rng = stream(options.seed, "export-sheets")
    note("writing the graph")
    files = _write_graphs(model, sheets, options.precision, rng)
    bundle = Bundle(out, _draft(card, model, files), files, None)
    note("parity")
    parity_sheets = gather_sheets(sheets)
    source = run_source(model, parity_sheets.images)
    trials = _compare_precisions(run, bundle, parity_sheets, source, card, options)
    timed = [trial for trial in trials if trial.ms_a_sheet is not None]
    best = min(timed, key=lambda trial: trial.ms_a_sheet or np.inf).precision
    note(f"calibrating on {best}")
    engine = open_engine(replace(bundle, card=at_precision(bundle.card, best)))
    calibration = calibrate(engine, sheets, card.task, risk=options.risk, delta=options.delta, rng=rng)
    files |= _statistics(calibration)
    files[SEEN_FILE] = pack_marks(sheets.images(np.union1d(sheets.train, sheets.validation)))
    if options.probes:
        files[PROBES_FILE] = _probes(parity_sheets, source, engine, options.probes)
    files = {name: content for name, content in files.items() if best == "int8" or name != "model.int8.onnx"}
    draft = bundle.card.model_copy(update=_calibrated(calibration) | {"files": describe_files(files)})
    draft = at_precision(draft, best)
    origin = _source(run, card, sheets) | figures_of_run(run) | {"license": options.license}
    facts = {"parity": _certificate(trials), "source": origin}
    finished = _finish(draft, calibration, facts, run, card)
    files[README_FILE] = bundle_readme(finished).encode()
    finished = finished.model_copy(update={"files": describe_files(files)})
    return Exported(out, write_bundle(out, finished, files), tuple(trials))


def _compare_precisions(
    run: Path,
    bundle: Bundle,
    sheets: ParitySheets,
    source: Outputs,
    card: Card,
    options: ExportOptions,
) -> list[PrecisionTrial]:
    """float32 and the precisions allowed, each compared, those that passed timed; raises ParityRefused."""
    trials = [
        evaluate_precision(
            replace(bundle, card=at_precision(bundle.card, precision)), sheets, source, card, options.seed
        )
        for precision in PRECISIONS
        if precision == "f32" or precision in options.precision
    ]
    if trials[0].broken:
        raise ParityRefused(
            f"{run}: the exported float32 graph does not agree with the model: "
            f"{'; '.join(trials[0].broken)}; nothing was written; report it with the model's card"
        )
    passed = [trial for trial in trials if not trial.broken and trial.precision in options.precision]
    return time_precisions(trials, passed or trials[:1], bundle, sheets.images)


def _write_graphs(
    model: SheetClassifier, sheets: ExportData, precisions: Sequence[str], rng: np.random.Generator
) -> dict[str, bytes]:
    graph = build_graph(model)
    files = {"model.onnx": graph.SerializeToString(deterministic=True)}
    if "int8" in precisions:
        some = np.sort(rng.permutation(sheets.train)[:SHEETS])
        quantised = quantise(graph, sheets.images(some))
        files["model.int8.onnx"] = quantised.SerializeToString(deterministic=True)
    return files


def _draft(card: Card, model: SheetClassifier, files: dict[str, bytes]) -> BundleCard:
    """The card before anything is calibrated."""
    shapes = model.map_shapes()
    return BundleCard(
        task=card.task,
        class_names=card.class_names,
        defect_free_class=card.defect_free_class,
        model=card.model.name,
        head=card.model.head if card.model.head == "study" else f"direct, {card.model.pooling}",
        input=card.input,
        graph=GraphFacts(opset=OPSET, grid=shapes.grid, embedding=shapes.channels, places=shapes.places),
        precision="f32",
        files=describe_files(files),
        temperature=card.temperature or 1.0,
    )


def _statistics(calibration: BundleCalibration) -> dict[str, bytes]:
    statistics = calibration.statistics
    arrays = {"means": statistics.means, "whitening": statistics.whitening}
    return {"familiarity.npz": pack_arrays(arrays)}


def _calibrated(calibration: BundleCalibration) -> dict[str, Any]:
    """The card's thresholds, and what it keeps of the certification sheets."""
    return {
        "temperature": calibration.temperature,
        "threshold": calibration.threshold,
        "threshold_by": "none" if calibration.threshold is None else "certificate",
        "threshold_statement": calibration.statement,
        "familiarity": calibration.familiarity,
        "label_sets": calibration.label_sets,
        "certification": calibration.certification,
    }


def _training_statistics(card: BundleCard, calibration: BundleCalibration) -> TrainingStatistics:
    """Statistics of the calibration sheets, as a scan of them would give."""
    decisions = decide(calibration.outputs, card, calibration.statistics)
    mean, spread = gray_statistics(calibration.images)
    return training_statistics(
        mean,
        spread,
        decisions.confidence,
        decisions.distance,
        decisions.labels,
        card.class_names,
        groups=calibration.groups,
    )


def _probes(sheets: ParitySheets, source: Outputs, engine: Engine, count: int) -> bytes:
    """Labelled sheets of every class in turn, among the 95 % whose logits are nearest to the model's."""
    outputs = engine(sheets.images[: sheets.labels.size])
    apart = np.abs(outputs.logits - source.logits[: sheets.labels.size]).max(1)
    order = np.argsort(apart, kind="stable")
    nearest = order[: max(count, order.size * 19 // 20)]
    rows = np.sort(nearest)
    chosen = rows[in_turns(sheets.labels[rows], count)]
    return pack_probes(sheets.images[chosen], source.only(chosen))


def _certificate(trials: Sequence[PrecisionTrial]) -> dict[str, Any]:
    """The card's record of parity."""
    return {
        trial.precision: parity_entry(trial.parities, trial.broken, ms_a_sheet=trial.ms_a_sheet)
        for trial in trials
    }


def _source(run: Path, card: Card, sheets: ExportData) -> dict[str, Any]:
    """The card's record of what the bundle was made from."""
    return {
        "run": run.name,
        "data": sheets.data.name,
        "data_hash": sheets.data.data_hash,
        "reading": sheets.data.reading,
        "seed": card.seed,
        "weights_sha256": card.weights_sha256,
        "temperature": card.temperature or 1.0,
        "temperature_from": temperature_source(card),
        "mask_supervised": card.mask_supervised,
        "recipe": card.recipe,
        **({"started_from": list(card.history)} if card.history else {}),
    }


def _finish(
    draft: BundleCard, calibration: BundleCalibration, facts: dict[str, Any], run: Path, card: Card
) -> BundleCard:
    """The whole card, checked."""
    return BundleCard.model_validate(
        draft.model_dump()
        | facts
        | {
            "usual": _training_statistics(draft, calibration).model_dump(),
            "shortcuts": [stamp.model_dump() for stamp in read_stamps(run, card.weights_sha256)],
            "shortcut_search": read_search(run, card.weights_sha256),
        }
    )
