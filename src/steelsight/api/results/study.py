"""The study, repeated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.study.report import StudyReport

__all__ = ["StudyResult"]


@dataclass(frozen=True, eq=False, repr=False)
class StudyResult(NotebookResult):
    """The written report of a study."""

    report: StudyReport  # all of it; its fields are not part of the API's promise

    @property
    def page(self) -> Path:
        """The HTML page, with every table and figure; report.json lies beside it."""
        return self.report.path

    @property
    def title(self) -> str:
        """The data, and how many networks were trained."""
        study = self.report.binary
        return f"the study on {study.data.name}: {len(study.results)} networks"

    def as_dict(self) -> dict[str, Any]:
        """The figures of report.json under `study`: models, claims, and what these data could not give."""
        return self.report.as_dict()

    def table(self) -> ResultTable:
        """One row a model: accuracy on test sheets, and accuracy, balanced accuracy and AUC with noise."""
        multiclass = self.report.multiclass
        several = {} if isinstance(multiclass, str) else multiclass.study.results
        rows = (
            (
                result.title,
                task,
                result.clean_report.accuracy,
                result.noisy_report.accuracy,
                result.noisy_report.balanced_accuracy,
                result.noisy_report.auc,
            )
            for task, results in (("binary", self.report.binary.results), ("multiclass", several))
            for result in results.values()
        )
        noisy = ("accuracy at X + 0.15 Z", "balanced there", "AUC there")
        return ResultTable(("network", "task", "accuracy", *noisy), tuple(rows))
