"""Result of exporting reviews: a DATA folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from steelsight.api.data import Data
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.sheets.options import DataOptions

if TYPE_CHECKING:
    from steelsight.adaptation.reviews.export import ReviewExport

__all__ = ["ReviewExportResult"]

GROUPS: Final = "column:coil"


@dataclass(frozen=True, eq=False, repr=False)
class ReviewExportResult(NotebookResult):
    """A DATA folder of reviewed sheets, with lists of nuisances."""

    export: ReviewExport  # all of it; its fields are not part of the API's promise

    @property
    def data(self) -> Data:
        """The folder, grouped by coil, for every call that takes DATA."""
        return Data(self.export.out, DataOptions(groups=GROUPS))

    @property
    def title(self) -> str:
        """How many sheets of how many coils, and where."""
        done = self.export
        return f"{done.sheets:,} reviewed sheets of {done.coils:,} coils in {done.out}"

    def as_dict(self) -> dict[str, Any]:
        """The folder, counts by class and part, lists of nuisances, and what was left out by reason."""
        return self.export.as_dict()

    def table(self) -> ResultTable:
        """One row a sheet, as of `Data`."""
        return self.data.table()

    def summary(self) -> ResultTable:
        """Sheets by class, then the reviewed sheets that were left out, by reason."""
        left_out = ((f"left out: {reason}", count) for reason, count in self.export.left_out.items())
        return ResultTable(("class", "sheets"), (*self.export.classes.items(), *left_out))
