"""What results have in common whose command writes a folder with a page and a JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult

__all__ = ["Reported", "ReportedResult"]


class Reported(Protocol):
    """A report that was written."""

    @property
    def folder(self) -> Path:
        """The folder it was written to."""

    @property
    def page(self) -> Path:
        """Its HTML page."""

    @property
    def numbers(self) -> Mapping[str, Any]:
        """The content of its JSON file."""


@dataclass(frozen=True, eq=False, repr=False)
class ReportedResult(NotebookResult):
    """A result with a page and a JSON file in one folder."""

    if TYPE_CHECKING:  # each result has the field with the type of its own report

        @property
        def report(self) -> Reported:
            """All of the result; its fields are not part of the API's promise."""

    @property
    def page(self) -> Path:
        """The HTML page."""
        return self.report.page

    def as_dict(self) -> dict[str, Any]:
        """The content of the JSON file, and its folder as `out`."""
        values: dict[str, Any] = plain({"out": str(self.report.folder), **self.report.numbers})
        return values
