"""Chapters on what each layer separates, of both models."""

from __future__ import annotations

from steelsight.inspection.probes.report import (
    write_maps,
    write_probes,
)
from steelsight.reports.document import Document
from steelsight.runs.inspection.layers import title_of
from steelsight.study.results import StudyResults

__all__ = ["write_layers", "write_multiclass_layers"]

Omitted = dict[str, str]


def write_layers(document: Document, found: StudyResults) -> Omitted:
    """The binary model's layers: t-SNE and probes."""
    document.chapter("Layers", id="layers", status="done")
    return _write(document, found, "binary")


def write_multiclass_layers(document: Document, found: StudyResults) -> Omitted:
    """The same of the multi-class model."""
    document.chapter("Layers of the multi-class model", id="multiclass-layers", status="done")
    return _write(document, found, "multiclass")


def _write(document: Document, found: StudyResults, half: str) -> Omitted:
    looked = found.layers
    if isinstance(looked, str) or found.shown is None:
        reason = looked if isinstance(looked, str) else "no model was trained"
        document.text(f"Layers were not looked at: {reason}.")
        return {f"{half}-tsne": reason, f"{half}-probes": reason}
    write_maps(document, looked, id=f"{half}-tsne")
    write_probes(document, looked, title=title_of(found.shown), id=f"{half}-probes")
    return {}
