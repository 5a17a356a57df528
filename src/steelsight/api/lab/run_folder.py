"""A RUN folder: its card, its model, and the figures of its training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.models.card import Card
    from steelsight.models.classifier import SheetClassifier
    from steelsight.training.run import RunResult

__all__ = ["OpenedRun"]


@dataclass(frozen=True)
class OpenedRun(NotebookResult):
    """A RUN folder; nothing of it is read before it is asked for."""

    folder: Path

    @cached_property
    def _finished(self) -> RunResult:
        from steelsight.training.run import load_run

        return load_run(self.folder)

    @property
    def card(self) -> Card:
        """The model's card: task, classes, input, threshold; raises BadCheckpoint where it cannot be read."""
        from steelsight.models.checkpoint import load_checkpoint

        return load_checkpoint(self.folder)[1]  # not kept: `calibrate` changes it

    @property
    def model(self) -> SheetClassifier:
        """The network in evaluation mode; it takes (n, 3, h, w) as `models.inputs.to_input` makes them."""
        from steelsight.models.checkpoint import load_checkpoint

        return load_checkpoint(self.folder)[0]

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the training: the content of metrics.json."""
        return self._finished.metrics

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes in the order of its outputs."""
        return self._finished.card.class_names

    @property
    def report(self) -> Path:
        """The HTML page of the training."""
        return self.folder / "report.html"

    @property
    def title(self) -> str:
        """Network, task and DATA."""
        card = self._finished.card
        return f"{self.folder.name}: {card.model.name}, {card.task}, trained on {card.data_name}"

    def as_dict(self) -> dict[str, Any]:
        """The content of metrics.json, and the folder as `run`."""
        supervised = self._finished.card.mask_supervised
        values: dict[str, Any] = plain(
            {"run": str(self.folder), "mask_supervised": supervised, **self.metrics}
        )
        return values

    def table(self) -> ResultTable:
        """One row a metric of the test sheets, with its 95 % interval by group."""
        from steelsight.api.results.evaluation import metric_table

        return metric_table(self.metrics["test"])

    def figures(self) -> dict[str, Figure]:
        """`learning_curves`, and `confusion` where there are test sheets of one class each."""
        from steelsight.api.results.evaluation import confusion_figure
        from steelsight.reports.figures import draw_learning_curves

        training = self.metrics["training"]
        curves = draw_learning_curves(training["history"], best_epoch=training["best_epoch"])
        return {"learning_curves": curves} | confusion_figure(self.metrics["test"], self.class_names)
