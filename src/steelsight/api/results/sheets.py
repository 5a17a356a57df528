"""Results on a DATA folder: what it holds, and its sheets written anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.api.progress import Progress, counted_progress
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runs.data.describe import FolderReport
    from steelsight.sheets.convert import Conversion
    from steelsight.sheets.options import DataOptions
    from steelsight.types import Rejection

__all__ = ["ConvertedData", "DataReport"]


@dataclass(frozen=True, eq=False, repr=False)
class ConvertedData(NotebookResult):
    """Sheets that were written as class folders, or as COCO where a sheet has several types."""

    conversion: Conversion  # all of it; its fields are not part of the API's promise

    @property
    def out(self) -> Path:
        """The folder; `open_data` reads it."""
        return self.conversion.out

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why sheets were left out, equal reasons once, each with the first sheet."""
        return _reasons(self.conversion.left_out)

    @property
    def title(self) -> str:
        """The folder, and how many masks."""
        return (
            f"{self.out}: {sum(self.conversion.classes.values()):,} sheets, {self.conversion.masks:,} masks"
        )

    def as_dict(self) -> dict[str, Any]:
        """Folder, sheets by class, masks, parts, groups, and every sheet left out with its reason."""
        values: dict[str, Any] = plain(self.conversion)
        return values

    def table(self) -> ResultTable:
        """Sheets by class folder."""
        return ResultTable(("class", "sheets"), tuple(self.conversion.classes.items()))


@dataclass(frozen=True, eq=False, repr=False)
class DataReport(NotebookResult):
    """What a DATA folder holds, with every sheet read."""

    report: FolderReport  # all of it; its fields are not part of the API's promise
    options: DataOptions
    page: Path | None  # the HTML page; None = nothing was written

    @property
    def set_aside(self) -> tuple[str, ...]:
        """Why images and rows cannot be used, equal reasons once, each with the first of them."""
        return _reasons(self.report.description.set_aside)

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Why files were passed over, equal reasons once, each with the first of them."""
        return _reasons(self.report.description.passed_over)

    @property
    def bad(self) -> int:
        """Items set aside, and sheets with the pixels of another sheet and a different class."""
        return self.report.description.bad

    @property
    def title(self) -> str:
        """The folder, its layout and its size."""
        description = self.report.description
        return f"{self.report.sheets.root.name}: {description.sheets:,} sheets, layout {description.layout}"

    def as_dict(self) -> dict[str, Any]:
        """The content of data.json."""
        values: dict[str, Any] = plain(self.report.numbers)
        return values

    def table(self) -> ResultTable:
        """One row a class: sheets, those of this type alone, those with masks, and groups."""
        description = self.report.description
        rows = (
            (description.shown_name(each.name), each.sheets, each.alone, each.with_masks, each.groups)
            for each in description.classes
        )
        return ResultTable(("class", "sheets", "only this type", "with mask", "groups"), tuple(rows))

    def convert(self, out: Path | str, *, progress: Progress = None) -> ConvertedData:
        """Write the usable sheets as class folders, or as COCO where a sheet has several types.

        out     folder; must not exist, or be empty
        raises  BadOutput where it holds something, cannot be written, or reads back otherwise
        """
        from steelsight.sheets.convert import convert_sheets

        chosen, shown = self.options, counted_progress(progress)
        sheets = self.report.sheets
        return ConvertedData(
            convert_sheets(sheets, Path(out), groups=chosen.groups, bits=chosen.bits, progress=shown)
        )


def _reasons(rejections: tuple[Rejection, ...]) -> tuple[str, ...]:
    from steelsight.sheets.examine import group_reasons

    return tuple(map(str, group_reasons(rejections)))
