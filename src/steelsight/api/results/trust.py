"""Results on how far a model can be trusted: confidence scores, and robustness."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runs.abstention.confidence_scores import ScoredSheets
    from steelsight.runs.robustness import RobustnessReport

__all__ = ["ConfidenceResult", "RobustnessResult"]


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceResult(NotebookResult):
    """Confidence scores compared on sheets that the model was not trained on."""

    folder: Path  # with confidence.html and confidence.json
    scored: ScoredSheets  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """On how many sheets."""
        return f"confidence scores on {self.scored.right.size:,} sheets of {self.scored.data}"

    @property
    def page(self) -> Path:
        """The HTML page."""
        from steelsight.runs.abstention.confidence_scores import PAGE

        return self.folder / PAGE

    @property
    def certificates(self) -> dict[str, tuple[str, ...]]:
        """What is certified at several risks, in words, by the title of the score."""
        from steelsight.runs.abstention.confidence import SCORE_TITLES

        return {
            SCORE_TITLES[name]: tuple(each.statement for each in several)
            for name, several in self.scored.certificates.items()
        }

    def as_dict(self) -> dict[str, Any]:
        """The content of confidence.json."""
        from steelsight.reading import parse_object, read_regular
        from steelsight.runs.abstention.confidence_scores import NUMBERS

        values: dict[str, Any] = plain(parse_object(read_regular(self.folder / NUMBERS)))
        return values

    def table(self) -> ResultTable:
        """One row a score: area under the risk-coverage curve, and coverage at an accuracy."""
        from steelsight.runs.abstention.confidence import SCORE_TITLES

        rows = (
            (SCORE_TITLES[row.name], row.aurc, row.coverage_99, row.coverage_95) for row in self.scored.scores
        )
        return ResultTable(("confidence", "AURC", "coverage at 99 %", "at 95 %"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class RobustnessResult(NotebookResult):
    """Accuracy over the level of each disturbance."""

    report: RobustnessReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """On how many sheets."""
        return f"robustness on {self.report.numbers['sheets']:,} {self.report.numbers['split']} sheets"

    @property
    def lines(self) -> tuple[str, ...]:
        """One sentence a disturbance."""
        return self.report.lines

    @property
    def page(self) -> Path:
        """The HTML page, with a figure for each disturbance."""
        return self.report.page

    def as_dict(self) -> dict[str, Any]:
        """The content of report.json."""
        values: dict[str, Any] = plain(self.report.numbers)
        return values

    def table(self) -> ResultTable:
        """One row a disturbance and level."""
        from steelsight.training.report.pages import stored_interval

        rows = (
            (
                kind,
                curve["unit"],
                point["level"],
                stored_interval(point["accuracy"]),
                point["balanced_accuracy"],
            )
            for kind, curve in self.as_dict()["curves"].items()
            for point in curve["points"]
        )
        return ResultTable(("disturbance", "unit", "level", "accuracy", "balanced accuracy"), tuple(rows))

    def summary(self) -> ResultTable:
        """One sentence a disturbance."""
        return ResultTable(("disturbance",), tuple((line,) for line in self.lines))
