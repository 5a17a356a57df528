"""Results with metrics: evaluation, cross-validation, curve over labels, calibration, comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.runs.abstention.calibrate import CalibrationReport
    from steelsight.runs.compare import RunComparison

__all__ = [
    "CalibrationResult",
    "ComparisonResult",
    "CrossValidationResult",
    "EvaluationResult",
    "LabelCurveResult",
    "confusion_figure",
    "metric_table",
]

Report = Mapping[str, Any]


@dataclass(frozen=True, eq=False, repr=False)
class EvaluationResult(NotebookResult):
    """Metrics of a run on sheets of a DATA folder."""

    folder: Path  # with report.html, metrics.json and predictions.parquet
    metrics: dict[str, Any]  # metrics.json

    @property
    def title(self) -> str:
        """Which sheets of which folder."""
        return f"{self.metrics['part']} sheets of {self.metrics['data']['name']}"

    @property
    def predictions(self) -> Path:
        """The Parquet file with one row a sheet: class, verdict, probabilities and logits."""
        return self.folder / "predictions.parquet"

    @property
    def report(self) -> Path:
        """The HTML page."""
        return self.folder / "report.html"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes, in the order of probabilities and of the confusion matrix."""
        return tuple(self.metrics["class_names"])

    @property
    def confusion(self) -> Int[np.ndarray, "k k"] | None:
        """Counts, one row a true class and one column a verdict; None where classes exclude no other."""
        counts = (self.metrics["report"] or {}).get("confusion")
        return None if counts is None else np.array(counts, dtype=np.int64)

    def as_dict(self) -> dict[str, Any]:
        """The content of metrics.json, and its folder as `out`."""
        values: dict[str, Any] = plain({"out": str(self.folder), **self.metrics})
        return values

    def table(self) -> ResultTable:
        """One row a metric, with its 95 % interval by group."""
        return metric_table(self.metrics["report"])

    def figures(self) -> dict[str, Figure]:
        """`confusion` and, where a class has sheets on both sides, `roc` and `precision_recall`."""
        if self.confusion is None:
            return {}
        return confusion_figure(self.metrics["report"], self.class_names) | self._curves()

    def _curves(self) -> dict[str, Figure]:
        import pyarrow.parquet as pq

        from steelsight.evaluation.curves.precision_recall import pr_curves
        from steelsight.evaluation.measures import roc_curves
        from steelsight.reports.figures import draw_precision_recall, draw_roc

        rows = pq.read_table(self.predictions, columns=["split", "label", "probabilities"]).to_pylist()
        names = self.class_names
        kept = [row for row in rows if row["split"] == self.metrics["part"] and row["label"] in names]
        labels = np.array([names.index(row["label"]) for row in kept], dtype=np.int64)
        probabilities = np.array([row["probabilities"] for row in kept], dtype=np.float64)
        drawn: dict[str, Figure] = {}
        if roc := roc_curves(labels, probabilities, names):
            drawn["roc"] = draw_roc(roc)
        if pairs := pr_curves(labels, probabilities, names):
            drawn["precision_recall"] = draw_precision_recall(pairs)
        return drawn


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidationResult(NotebookResult):
    """Metrics of out-of-fold sheets, pooled over all folds."""

    folder: Path  # with one RUN a fold
    metrics: dict[str, Any]

    @property
    def title(self) -> str:
        """How many folds, how often."""
        return f"{self.metrics['folds']} folds, {self.metrics['repeats']} times"

    def as_dict(self) -> dict[str, Any]:
        """The content of metrics.json, and its folder as `out`."""
        values: dict[str, Any] = plain({"out": str(self.folder), **self.metrics})
        return values

    def table(self) -> ResultTable:
        """One row a metric of the out-of-fold sheets, with its 95 % interval by group."""
        return metric_table(self.metrics["pooled"])


@dataclass(frozen=True, eq=False, repr=False)
class LabelCurveResult(NotebookResult):
    """Balanced accuracy over the number of labels, and what twice as many would give."""

    folder: Path  # with curve.html, curve.json and one RUN a share
    numbers: dict[str, Any]  # curve.json

    @property
    def title(self) -> str:
        """What follows, in words."""
        return " ".join(self.lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """What follows, sentence by sentence."""
        return tuple(self.numbers["in_words"])

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.folder / "curve.html"

    def as_dict(self) -> dict[str, Any]:
        """The content of curve.json."""
        values: dict[str, Any] = plain(self.numbers)
        return values

    def table(self) -> ResultTable:
        """One row a share of the labels."""
        from steelsight.training.report.pages import stored_interval

        rows = (
            (
                row["share"],
                row["sheets"],
                stored_interval(row["balanced_accuracy"]),
                stored_interval(row["auc"]),
            )
            for row in self.as_dict()["rows"]
        )
        return ResultTable(("share", "sheets", "balanced accuracy", "AUC"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class CalibrationResult(NotebookResult):
    """The temperature and the threshold that the card of a run now has."""

    report: CalibrationReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """Of which run."""
        return f"calibration of {self.report.numbers['run']}"

    @property
    def threshold(self) -> float | None:
        """Below this confidence the model answers "I don't know"; None = it always answers."""
        value = self.report.numbers["threshold"]
        return None if value is None else float(value)

    @property
    def temperature(self) -> float | None:
        """Divides the logits before the softmax; None = 1."""
        value = self.report.numbers["card_temperature"]
        return None if value is None else float(value)

    @property
    def statement(self) -> str:
        """What is certified, or what is missing for it, in words."""
        return self.report.certificate.statement

    @property
    def temperature_statement(self) -> str:
        """Which temperature was fitted, and whether it is better on other sheets, in words."""
        from steelsight.runs.abstention.calibration_page import temperature_outcome

        return temperature_outcome(self.report.numbers)

    @property
    def keeps_earlier(self) -> bool:
        """Whether the card keeps the threshold of an earlier calibration."""
        from steelsight.runs.abstention.calibrate import EARLIER

        return bool(self.report.numbers["threshold_by"] == EARLIER)

    @property
    def page(self) -> Path:
        """The HTML page."""
        from steelsight.runs.abstention.calibrate import PAGE

        return self.report.folder / PAGE

    def as_dict(self) -> dict[str, Any]:
        """The content of calibration.json."""
        values: dict[str, Any] = plain(self.report.numbers)
        return values

    def table(self) -> ResultTable:
        """One row a threshold that was tested, from the strictest on."""
        rows = (
            (step.threshold, step.answered, step.wrong, step.bound, step.passed)
            for step in self.report.certificate.tested
        )
        return ResultTable(("threshold", "groups answered", "wrong", "risk at most", "passed"), tuple(rows))

    def summary(self) -> ResultTable:
        """What the card has, and what is certified."""
        return ResultTable(
            ("", "value"),
            (
                ("threshold", self.threshold),
                ("temperature", self.temperature),
                ("certificate", self.statement),
            ),
        )


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult(NotebookResult):
    """Runs on common sheets, each against the first."""

    runs: tuple[RunComparison, ...]
    folder: Path | None  # with compare.html and compare.json; None = nothing was written

    @property
    def title(self) -> str:
        """The runs."""
        return f"{', '.join(each.name for each in self.runs[1:])} against {self.runs[0].name}"

    @property
    def metric_titles(self) -> dict[str, str]:
        """The metrics by key, with their titles."""
        from steelsight.runs.compare import METRICS

        return dict(METRICS)

    def as_dict(self) -> dict[str, Any]:
        """Metrics and differences of every run."""
        values: dict[str, Any] = {"runs": plain([asdict(each) for each in self.runs])}
        return values

    def table(self) -> ResultTable:
        """One row a run and metric: its value, its difference to the first run, and McNemar's p."""
        rows = (
            (
                each.name,
                title,
                each.metrics[key],
                each.against_first[key].difference if key in each.against_first else None,
                None if each.mcnemar is None else each.mcnemar.p_value,
            )
            for each in self.runs
            for key, title in self.metric_titles.items()
        )
        return ResultTable(("run", "metric", "value", "difference", "McNemar p"), tuple(rows))

    def figures(self) -> dict[str, Figure]:
        """`metrics`: the intervals of all runs."""
        from steelsight.reports.figures import MeasuredRow, draw_intervals

        titles = self.metric_titles
        rows = [
            MeasuredRow(titles[key], {each.name: each.metrics[key] for each in self.runs}) for key in titles
        ]
        return {"metrics": draw_intervals({"value": rows})}


def metric_table(report: Report | None) -> ResultTable:
    """The metrics of a report of metrics.json with their intervals; no rows where nothing was evaluated."""
    from steelsight.training.report.pages import stored_interval
    from steelsight.training.report.scores import HEADLINES

    if report is None:
        return ResultTable(("metric", "value", "sheets"), ())
    if "types" in report:
        rows = [
            (f"{name}: {title}", stored_interval(found[key]), report["sheets"])
            for name, found in report["types"].items()
            for key, title in HEADLINES.items()
            if key in found
        ]
    else:
        rows = [
            (title, stored_interval(report[key]), report["sheets"])
            for key, title in HEADLINES.items()
            if report.get(key) is not None
        ]
    return ResultTable(("metric", "value", "sheets"), tuple(rows))


def confusion_figure(report: Report | None, class_names: tuple[str, ...]) -> dict[str, Figure]:
    """The confusion matrix of a report as `confusion`; nothing where it has none."""
    from steelsight.reports.figures import draw_confusion

    if report is None or "confusion" not in report:
        return {}
    return {"confusion": draw_confusion(np.array(report["confusion"], dtype=np.int64), class_names)}
