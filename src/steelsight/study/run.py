"""Run the study on a DATA folder and write one report, HTML and JSON."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from steelsight.errors import BadInput
from steelsight.executor import Executor
from steelsight.models.checkpoint import load_checkpoint
from steelsight.reports.document import Document
from steelsight.runs.opening.open import OpenRun
from steelsight.runs.transplant import page as inspection_transplant
from steelsight.study.chapters import binary as binary_chapters
from steelsight.study.chapters import data as data_chapters
from steelsight.study.chapters import explanations as explanation_chapters
from steelsight.study.chapters import layers as layer_chapters
from steelsight.study.chapters import multiclass as multiclass_chapters
from steelsight.study.chapters import stains as stain_chapters
from steelsight.study.chapters import trust as trust_chapters
from steelsight.study.chapters.closing import write_claims, write_contents, write_summary
from steelsight.study.chapters.neurons import write_multiclass_neurons, write_neurons
from steelsight.study.chapters.sheet_ends import write_type_two
from steelsight.study.claims.binary import evaluate_claims
from steelsight.study.contents import load_contents, load_published
from steelsight.study.data import open_study_data
from steelsight.study.measures.costs import measure_costs
from steelsight.study.measures.layers import probe_study_layers
from steelsight.study.measures.league import compare_explanations
from steelsight.study.measures.neurons import make_study_atlas
from steelsight.study.measures.stains import measure_stains
from steelsight.study.multiclass import MulticlassResults, run_multiclass
from steelsight.study.options import StudyOptions
from steelsight.study.report import StudyReport
from steelsight.study.results import StudyResults
from steelsight.study.train import Trainer, train_models
from steelsight.study.trainings import ClusterTrainer, independent_trainings
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.records import split_names, split_rows
from steelsight.training.run import train_data
from steelsight.training.several import LOCAL
from steelsight.version import __version__

__all__ = ["CHAPTERS", "MULTICLASS_CHAPTERS", "run_study"]

REPORT = "report.html"

Chapter = Callable[[Document, StudyResults], dict[str, str]]
MulticlassChapter = Callable[[Document, MulticlassResults, StudyResults], dict[str, str]]

# In the order of the report, between the summary and the closing chapters (contents, claims).
CHAPTERS: dict[str, Chapter] = {
    "data": data_chapters.write_data,
    "architectures": data_chapters.write_architectures,
    "binary": binary_chapters.write_models,
    "confusion": binary_chapters.write_confusion,
    "roc": binary_chapters.write_roc,
    "layers": layer_chapters.write_layers,
    "explanations": explanation_chapters.write_explanations,
    "gradcam": binary_chapters.write_gradcam,
    "mistakes": explanation_chapters.write_mistakes_chapter,
    "stains": lambda document, binary: stain_chapters.write_binary_stains(document, binary.stains),
    "neurons": write_neurons,
}
# Chapters of the multi-class models, which follow.
MULTICLASS_CHAPTERS: dict[str, MulticlassChapter] = {
    "augmentation": lambda document, own, _: multiclass_chapters.write_augmentation(document, own.study),
    "multiclass": lambda document, own, binary: multiclass_chapters.write_results(
        document, own.study, binary
    ),
    "evaluation": lambda document, own, _: multiclass_chapters.write_evaluation(document, own.study),
    "abstention": lambda document, own, _: trust_chapters.write_abstention(document, own.confidence),
    "robustness": lambda document, own, _: trust_chapters.write_robustness(document, own.robustness),
    "multiclass-layers": lambda document, own, _: layer_chapters.write_multiclass_layers(document, own.study),
    "transplant": lambda document, own, _: inspection_transplant.write_transplant(document, own.transplant),
    "multiclass-explanations": lambda document, own, _: explanation_chapters.write_multiclass(
        document, own.study
    ),
    "shortcuts": lambda document, own, _: write_type_two(document, own.study),
    "multiclass-stains": lambda document, own, _: stain_chapters.write_multiclass_stains(
        document, own.study.stains
    ),
    "multiclass-neurons": lambda document, own, binary: write_multiclass_neurons(document, own.study, binary),
}


def run_study(
    data: Path,
    out: Path,
    options: StudyOptions | None = None,
    *,
    train: Trainer = train_data,
    watcher: TrainingProgress | None = None,
    executor: Executor = LOCAL,
) -> StudyReport:
    """Train the study's models, or reuse those in OUT/runs, and write OUT/report.html and OUT/report.json.

    train     the training function; takes the arguments of training.run.train_data
    executor  does the trainings; a concurrent one does those that are independent before anything is measured
    raises    BadInput of any kind: unusable data, options that do not exist, OUT that cannot be written
    """
    options = options or StudyOptions()
    if options.quick:
        options = options.quickened()
    _refuse_unwritable(out)
    study_data = open_study_data(data, options)
    options = study_data.options
    if executor.concurrent:
        reads = [data, *([] if options.test is None else [options.test])]
        trainer = ClusterTrainer(train, executor, reads, watcher or NoProgress())
        trainer.train_ahead(independent_trainings(study_data, out), fresh=options.fresh)
        train = trainer
    results, skipped = train_models(study_data, options, out, train=train, watcher=watcher)
    if not results:
        raise BadInput(f"study: expected at least one model to train, got {skipped}; see --models and --vgg")
    binary = StudyResults(
        options=options,
        sheets=study_data.sheets,
        data=study_data.data,
        sizes=study_data.sizes,
        split=study_data.split,
        leaks=study_data.leaks,
        results=results,
        skipped=skipped,
        costs=measure_costs(options),
        published=load_published(),
        weights=study_data.weights,
    )
    binary = _inspect_chosen(binary)
    multiclass = run_multiclass(
        study_data, binary, out, _inspect_chosen, train=train, watcher=watcher or NoProgress()
    )
    return _write(binary, multiclass, out)


def _inspect_chosen(study: StudyResults) -> StudyResults:
    """Add the measurements on the chosen model: explanations, neurons, stains, layers."""
    result = study.chosen
    if result is None:
        return study
    model, card = load_checkpoint(result.folder)
    parts = split_names(study.split, len(study.data.items))
    shown = OpenRun(result.folder, model, card, study.data, tuple(split_rows(study.data, parts)))
    study = replace(
        study,
        shown=shown,
        league_result=compare_explanations(shown, study.options),
        neurons=make_study_atlas(shown, study.options, grown=study.data.task == "multiclass"),
        stains=measure_stains(shown, study.options, root=study.sheets.root),
    )
    return replace(study, layers=probe_study_layers(study))


def _write(binary: StudyResults, multiclass: MulticlassResults | str, out: Path) -> StudyReport:
    document = Document("The study, repeated", subtitle=_subtitle(binary))
    verdicts = evaluate_claims(binary, multiclass)
    write_summary(document, binary, verdicts)
    omitted = _write_chapters(document, binary, multiclass)
    write_contents(document, omitted)
    write_claims(document, binary, verdicts)
    document.footer(_provenance(binary))
    report = StudyReport(out / REPORT, document, binary, multiclass, tuple(verdicts), omitted)
    document.save(report.path, study=report.as_dict())
    return report


def _write_chapters(
    document: Document, binary: StudyResults, multiclass: MulticlassResults | str
) -> dict[str, str]:
    """All chapters between summary and contents; returns the ids of omitted items with the reason."""
    omitted: dict[str, str] = {}
    for write in CHAPTERS.values():
        omitted |= write(document, binary)
    if isinstance(multiclass, MulticlassResults):
        for write_multiclass in MULTICLASS_CHAPTERS.values():
            omitted |= write_multiclass(document, multiclass, binary)
    else:
        document.chapter("Multi-class models", id="multiclass", status="not possible")
        document.text(f"There are no multi-class models: {multiclass}.")
        omitted |= {item.id: multiclass for item in load_contents() if item.chapter in MULTICLASS_CHAPTERS}
    present = {block.as_dict().get("id") for chapter in document.chapters for block in chapter.blocks}
    for item in load_contents():
        if item.kind != "claim" and item.status == "done" and item.id not in present:
            omitted.setdefault(item.id, "these data do not give it")
    return omitted


def _subtitle(binary: StudyResults) -> str:
    names = ", ".join(result.title for result in binary.results.values())
    quick = " · quick run" if binary.options.quick else ""
    return f"{binary.data.name} · {len(binary.data.items):,} sheets · {names}{quick}"


def _provenance(binary: StudyResults) -> dict[str, Any]:
    requested = {
        name: value for name, value in asdict(binary.options).items() if value not in (None, (), False)
    }
    return {
        "Steelsight": __version__,
        "Python": platform.python_version(),
        "PyTorch": str(torch.__version__),
        "NumPy": np.__version__,
        "Matplotlib": matplotlib.__version__,
        "Machine": f"{platform.system()} {platform.machine()}",
        "Threads": torch.get_num_threads(),
        "Seed": binary.options.seed,
        "Resamples": binary.options.resamples,
        "Options": ", ".join(f"{name}={_short(value)}" for name, value in requested.items()),
        "Data": binary.data.name,
        "Data hash": binary.data.data_hash,
    }


def _short(value: object) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)


def _refuse_unwritable(out: Path) -> None:
    """Check that OUT can be written, before hours of training."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"{out}: the report cannot be written there ({error.strerror}); choose another --out"
        ) from error
