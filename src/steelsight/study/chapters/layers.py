"""Chapters on the linear separability of each layer, for both models."""

from __future__ import annotations

from steelsight.inspection.probes.report import write_maps, write_probes
from steelsight.reports.document import Document
from steelsight.runs.inspection.layers import title_of
from steelsight.study.results import NO_MODEL, StudyResults

__all__ = ["write_layers", "write_multiclass_layers"]

Omitted = dict[str, str]


def write_layers(document: Document, study: StudyResults) -> Omitted:
    """t-SNE maps and probes of the binary model's layers."""
    document.chapter("Layers", id="layers", status="done")
    return _write(document, study, "binary")


def write_multiclass_layers(document: Document, study: StudyResults) -> Omitted:
    """The same for the multi-class model."""
    document.chapter("Layers of the multi-class model", id="multiclass-layers", status="done")
    return _write(document, study, "multiclass")


def _write(document: Document, study: StudyResults, task: str) -> Omitted:
    separability = study.layers
    if isinstance(separability, str) or study.shown is None:
        reason = separability if isinstance(separability, str) else NO_MODEL
        document.text(f"Layers were not measured: {reason}.")
        return {f"{task}-tsne": reason, f"{task}-probes": reason}
    write_maps(document, separability, id=f"{task}-tsne")
    write_probes(document, separability, title=title_of(study.shown), id=f"{task}-probes")
    return {}
