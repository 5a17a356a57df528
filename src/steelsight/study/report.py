"""The written report of a study, and its figures as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from steelsight.explanations.benchmark.numbers import league_json
from steelsight.inspection.probes.report import layers_json
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.runs.transplant.reading import transplant_json
from steelsight.study.claims.binary import Verdicts
from steelsight.study.contents import published_rows
from steelsight.study.multiclass import MulticlassResults
from steelsight.study.results import ModelResult, StudyResults

__all__ = ["StudyReport"]


@dataclass(frozen=True)
class StudyReport:
    """The report of one run of the study."""

    path: Path  # report.html; report.json lies beside it
    document: Document
    binary: StudyResults
    multiclass: MulticlassResults | str  # or why there are no multi-class models
    verdicts: Verdicts
    omitted: dict[str, str]  # ids of tables and figures these data could not give, with the reason

    def as_dict(self) -> dict[str, Any]:
        """The figures for `--json` and for report.json."""
        study = self.binary
        figures: dict[str, Any] = plain(
            {
                "report": str(self.path),
                "data": study.data.name,
                "data_hash": study.data.data_hash,
                "seed": study.options.seed,
                "models": {
                    name: _model_json(study, result, "binary", result.name)
                    for name, result in study.results.items()
                },
                "skipped": dict(study.skipped),
                "times_ms": {name: cost.timing.median_ms for name, cost in study.costs.items()},
                "explanations": _league_or_none(study),
                "layers": _layers_or_reason(study),
                "stains": _stains_or_reason(study),
                "multiclass": self.multiclass
                if isinstance(self.multiclass, str)
                else _multiclass_json(self.multiclass),
                "claims": [
                    {"id": item.id, "slide": item.slide, "claim": item.what, "tested": item.status == "done"}
                    | {"verdict": verdict.answer, "because": verdict.reason}
                    | {"interval": None if verdict.interval is None else asdict(verdict.interval)}
                    for item, verdict in self.verdicts
                ],
                "omitted": self.omitted,
            }
        )
        return figures


def _multiclass_json(multiclass: MulticlassResults) -> dict[str, Any]:
    study, transplant = multiclass.study, multiclass.transplant
    return {
        "models": {
            name: _model_json(study, result, "multiclass", result.title)
            for name, result in study.results.items()
        },
        "techniques": {
            name: {"clean": result.clean_report.as_dict(), "noisy": result.noisy_report.as_dict()}
            for name, result in study.techniques.items()
        },
        "skipped": dict(study.skipped),
        "layers": _layers_or_reason(study),
        "stains": _stains_or_reason(study),
        "transplant": transplant if isinstance(transplant, str) else transplant_json(transplant),
    }


def _model_json(study: StudyResults, result: ModelResult, table: str, row: str) -> dict[str, Any]:
    """One model's figures beside those of a row of a published table."""
    printed = study.published[table]
    balance = {} if table == "binary" else {"balance": dict(result.balance)}
    return {
        "run": str(result.folder),
        "remark": result.remark,
        **balance,
        "clean": result.clean_report.as_dict(),
        "noisy": result.noisy_report.as_dict(),
        "the_study": {column: printed.figure(row, column) for column in printed.columns},
    }


def _league_or_none(study: StudyResults) -> dict[str, Any] | None:
    if study.league_result is None:
        return None
    return league_json(study.league_result.league, published_rows(study.published["binary_segmentation"]))


def _layers_or_reason(study: StudyResults) -> dict[str, Any] | str:
    return study.layers if isinstance(study.layers, str) else layers_json(study.layers)


def _stains_or_reason(study: StudyResults) -> dict[str, Any] | str:
    return study.stains if isinstance(study.stains, str) else study.stains.as_dict()
