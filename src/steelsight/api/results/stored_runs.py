"""RUN folders as their small files describe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runs.folders.find import RunFolders
    from steelsight.runs.folders.read import RunFolder
    from steelsight.types import Interval

__all__ = ["RunList", "StoredRun"]


@dataclass(frozen=True, eq=False, repr=False)
class RunList(NotebookResult):
    """The RUN folders below a folder, the newest first."""

    found: RunFolders  # all of it; its fields are not part of the API's promise

    @property
    def folders(self) -> tuple[Path, ...]:
        """Their paths."""
        return tuple(each.folder for each in self.found.runs)

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Folders that could not be looked into, with the reason."""
        return self.found.unreadable

    @property
    def title(self) -> str:
        """How many, and where."""
        count = len(self.found.runs)
        return f"{count} RUN folder{'s' * (count != 1)} in {self.found.root}"

    def as_dict(self) -> dict[str, Any]:
        """Every run as `StoredRun.as_dict`, and what could not be looked into."""
        values: dict[str, Any] = plain(self.found.as_dict())
        return values

    def table(self) -> ResultTable:
        """One row a run: folder, state, time of change (UTC), task, data, network, accuracy and AUC."""
        titles = ("folder", "state", "changed", "task", "data", "network", "accuracy", "AUC")
        rows = (
            (
                str(run.folder),
                run.state,
                f"{run.changed:%Y-%m-%d %H:%M}",
                run.task,
                run.data,
                run.network,
                _first(run.figures, "accuracy", "all_types_right"),
                _first(run.figures, "auc", "mean_auc"),
            )
            for run in self.found.runs
        )
        return ResultTable(titles, tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class StoredRun(NotebookResult):
    """A RUN folder, or the folder of a cross-validation."""

    run: RunFolder  # all of it; its fields are not part of the API's promise

    @property
    def state(self) -> str:
        """Finished, resumable or incomplete."""
        return self.run.state

    @property
    def title(self) -> str:
        """The folder, and the state of its training."""
        return f"{self.run.folder.name}: {self.run.state}"

    def as_dict(self) -> dict[str, Any]:
        """What is known of the run: training, data, classes and figures."""
        values: dict[str, Any] = plain(self.run.as_dict())
        return values

    def table(self) -> ResultTable:
        """One row a figure of the test sheets, with its 95 % interval."""
        return ResultTable(("figure", "value"), tuple(self.run.figures.items()))


def _first(figures: Mapping[str, Interval], *names: str) -> Interval | None:
    """The first of these figures that a run has."""
    return next((figures[name] for name in names if name in figures), None)
