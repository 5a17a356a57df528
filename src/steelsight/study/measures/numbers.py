"""Parts of the study's JSON: a model's figures beside the slides', what was looked at inside it."""

from __future__ import annotations

from typing import Any

from steelsight.inspection.probes.report import layers_json
from steelsight.study.results import ModelResult, StudyResults

__all__ = ["layers_or_reason", "model_json", "stains_or_reason"]


def model_json(found: StudyResults, result: ModelResult, table: str, row: str) -> dict[str, Any]:
    """One model's figures beside those of a row of a published table."""
    printed = found.published[table]
    balance = {} if table == "binary" else {"balance": dict(result.balance)}
    return {
        "run": str(result.folder),
        "remark": result.remark,
        **balance,
        "clean": result.clean_report.as_dict(),
        "noisy": result.noisy_report.as_dict(),
        "the_study": {column: printed.figure(row, column) for column in printed.columns},
    }


def layers_or_reason(found: StudyResults) -> dict[str, Any] | str:
    """What the chosen model's layers separate, or why nobody knows."""
    return found.layers if isinstance(found.layers, str) else layers_json(found.layers)


def stains_or_reason(found: StudyResults) -> dict[str, Any] | str:
    """What white stains do to the chosen model, or why nobody knows."""
    return found.stains if isinstance(found.stains, str) else found.stains.as_dict()
