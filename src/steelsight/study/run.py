"""Runs the study on a DATA folder and writes one report, HTML and JSON."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from steelsight.errors import BadInput
from steelsight.explanations.benchmark.numbers import league_json
from steelsight.models.checkpoint import load_checkpoint
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.runs.open import OpenRun
from steelsight.runs.transplant import page as inspection_transplant
from steelsight.runs.transplant.reading import transplant_json
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
from steelsight.study.claims.binary import Verdicts, judge_all
from steelsight.study.contents import load_contents, load_published
from steelsight.study.data import open_study_data
from steelsight.study.layers import probe_study_layers
from steelsight.study.league import judge_explanations
from steelsight.study.measures.numbers import layers_or_reason, model_json, stains_or_reason
from steelsight.study.multiclass_results import MulticlassResults, run_multiclass_half
from steelsight.study.neurons import make_study_atlas
from steelsight.study.options import StudyOptions
from steelsight.study.results import StudyResults
from steelsight.study.stains import measure_stains
from steelsight.study.train import Trainer, measure_costs, train_models
from steelsight.training.loop.progress import NoProgress, TrainingProgress
from steelsight.training.records import split_names, split_rows
from steelsight.training.run import train_data
from steelsight.version import __version__

__all__ = ["CHAPTERS", "StudyReport", "run_study"]

REPORT = "report.html"

Chapter = Callable[[Document, StudyResults], dict[str, str]]
SecondChapter = Callable[[Document, MulticlassResults, StudyResults], dict[str, str]]

# In the order of the report, between the summary and what closes it: contents and claims.
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
    "stains": lambda document, found: stain_chapters.write_binary_stains(document, found.stains),
    "neurons": write_neurons,
}
# The second half, of the multi-class models.
SECOND: dict[str, SecondChapter] = {
    "augmentation": lambda document, half, _: multiclass_chapters.write_augmentation(document, half.found),
    "multiclass": lambda document, half, binary: multiclass_chapters.write_results(
        document, half.found, binary
    ),
    "evaluation": lambda document, half, _: multiclass_chapters.write_evaluation(document, half.found),
    "abstention": lambda document, half, _: trust_chapters.write_abstention(document, half.scrutiny),
    "robustness": lambda document, half, _: trust_chapters.write_robustness(document, half.robustness),
    "multiclass-layers": lambda document, half, _: layer_chapters.write_multiclass_layers(
        document, half.found
    ),
    "transplant": lambda document, half, _: inspection_transplant.write_transplant(document, half.transplant),
    "multiclass-explanations": lambda document, half, _: explanation_chapters.write_multiclass(
        document, half.found
    ),
    "shortcuts": lambda document, half, _: write_type_two(document, half.found),
    "multiclass-stains": lambda document, half, _: stain_chapters.write_multiclass_stains(
        document, half.found.stains
    ),
    "multiclass-neurons": lambda document, half, binary: write_multiclass_neurons(
        document, half.found, binary
    ),
}


@dataclass(frozen=True)
class StudyReport:
    """What a run of the study wrote."""

    path: Path  # report.html; report.json lies beside it
    document: Document
    findings: StudyResults
    second: MulticlassResults | str  # the multi-class half, or why there is none
    verdicts: Verdicts
    omitted: dict[str, str]  # ids of tables and figures these data could not give, with the reason

    def as_dict(self) -> dict[str, Any]:
        """The figures for `--json`."""
        found = self.findings
        answer: dict[str, Any] = plain(
            {
                "report": str(self.path),
                "data": found.data.name,
                "data_hash": found.data.data_hash,
                "seed": found.options.seed,
                "models": {
                    name: model_json(found, result, "binary", result.name)
                    for name, result in found.results.items()
                },
                "skipped": dict(found.skipped),
                "times_ms": {name: cost.timing.median_ms for name, cost in found.costs.items()},
                "explanations": None
                if found.judgement is None
                else league_json(
                    found.judgement.league,
                    explanation_chapters.published_rows(found.published["binary_segmentation"]),
                ),
                "layers": layers_or_reason(found),
                "stains": stains_or_reason(found),
                "multiclass": self.second
                if isinstance(self.second, str)
                else {
                    "models": {
                        name: model_json(self.second.found, result, "multiclass", result.title)
                        for name, result in self.second.found.results.items()
                    },
                    "techniques": {
                        name: {"clean": r.clean_report.as_dict(), "noisy": r.noisy_report.as_dict()}
                        for name, r in self.second.found.techniques.items()
                    },
                    "skipped": dict(self.second.found.skipped),
                    "layers": layers_or_reason(self.second.found),
                    "stains": stains_or_reason(self.second.found),
                    "transplant": self.second.transplant
                    if isinstance(self.second.transplant, str)
                    else transplant_json(self.second.transplant),
                },
                "claims": [
                    {"id": item.id, "slide": item.slide, "claim": item.what, "tested": item.status == "done"}
                    | {"verdict": verdict.answer, "because": verdict.because}
                    | {"interval": None if verdict.interval is None else asdict(verdict.interval)}
                    for item, verdict in self.verdicts
                ],
                "omitted": self.omitted,
            }
        )
        return answer


def run_study(
    data: Path,
    out: Path,
    options: StudyOptions | None = None,
    *,
    train: Trainer = train_data,
    watcher: TrainingProgress | None = None,
) -> StudyReport:
    """Train the study's models, or take those in OUT/runs, and write OUT/report.html and OUT/report.json.

    train   stands in for training.run.train_data, with its arguments
    raises  BadInput of any kind: unusable data, options that do not exist, OUT that cannot be written
    """
    options = options or StudyOptions()
    if options.quick:
        options = options.quickened()
    _refuse_unwritable(out)
    material = open_study_data(data, options)
    options = material.options
    results, skipped = train_models(material, options, out, train=train, watcher=watcher)
    if not results:
        raise BadInput(f"study: expected at least one model to train, got {skipped}; see --models and --vgg")
    found = StudyResults(
        options=options,
        sheets=material.sheets,
        data=material.data,
        sizes=material.sizes,
        split=material.split,
        leaks=material.leaks,
        results=results,
        skipped=skipped,
        costs=measure_costs(options),
        published=load_published(),
        weights=material.weights,
    )
    found = _look_inside(found)
    second = run_multiclass_half(
        material, found, out, _look_inside, train=train, watcher=watcher or NoProgress()
    )
    return _write(found, second, out)


def _look_inside(found: StudyResults) -> StudyResults:
    """The same with the chosen model's explanations, layers, neurons and answers to stains looked at."""
    result = found.chosen
    if result is None:
        return found
    model, card = load_checkpoint(result.folder)
    parts = split_names(found.split, len(found.data.items))
    shown = OpenRun(result.folder, model, card, found.data, tuple(split_rows(found.data, parts)))
    found = replace(
        found,
        shown=shown,
        judgement=judge_explanations(shown, found.options),
        neurons=make_study_atlas(shown, found.options, second=found.data.task == "multiclass"),
        stains=measure_stains(shown, found.options, root=found.sheets.root),
    )
    return replace(found, layers=probe_study_layers(found))


def _write(found: StudyResults, second: MulticlassResults | str, out: Path) -> StudyReport:
    document = Document("The study, repeated", subtitle=_subtitle(found))
    verdicts = judge_all(found, second)
    write_summary(document, found, verdicts)
    omitted: dict[str, str] = {}
    for write in CHAPTERS.values():
        omitted |= write(document, found)
    if isinstance(second, MulticlassResults):
        for tell in SECOND.values():
            omitted |= tell(document, second, found)
    else:
        document.chapter("Multi-class models", id="multiclass", status="not possible")
        document.text(f"There is no multi-class half: {second}.")
        omitted |= {item.id: second for item in load_contents() if item.chapter in SECOND}
    present = {block.as_dict().get("id") for chapter in document.chapters for block in chapter.blocks}
    for item in load_contents():
        if item.kind != "claim" and item.status == "done" and item.id not in present:
            omitted.setdefault(item.id, "these data do not give it")
    write_contents(document, omitted)
    write_claims(document, found, verdicts)
    document.footer(_provenance(found))
    report = StudyReport(out / REPORT, document, found, second, tuple(verdicts), omitted)
    document.save(report.path, study=report.as_dict())
    return report


def _subtitle(found: StudyResults) -> str:
    names = ", ".join(result.title for result in found.results.values())
    quick = " · a quick look" if found.options.quick else ""
    return f"{found.data.name} · {len(found.data.items):,} sheets · {names}{quick}"


def _provenance(found: StudyResults) -> dict[str, Any]:
    asked = {name: value for name, value in asdict(found.options).items() if value not in (None, (), False)}
    return {
        "Steelsight": __version__,
        "Python": platform.python_version(),
        "PyTorch": str(torch.__version__),
        "NumPy": np.__version__,
        "Matplotlib": matplotlib.__version__,
        "Machine": f"{platform.system()} {platform.machine()}",
        "Threads": torch.get_num_threads(),
        "Seed": found.options.seed,
        "Resamples": found.options.resamples,
        "Options": ", ".join(f"{name}={_short(value)}" for name, value in asked.items()),
        "Data": found.data.name,
        "Data hash": found.data.data_hash,
    }


def _short(value: object) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)


def _refuse_unwritable(out: Path) -> None:
    """Before hours of training, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"{out}: the report cannot be written there ({error.strerror}); choose another --out"
        ) from error
