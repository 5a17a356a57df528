"""`ss.open_data`: a DATA folder, and how it is read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from steelsight.api.progress import Progress, counted_progress
from steelsight.api.settings import ReadingSettings, read_options
from steelsight.argument_types import check_path, checked, fits, got
from steelsight.errors import BadInput
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.sheets.options import AUTOMATIC, DataOptions

if TYPE_CHECKING:
    from steelsight.api.results.sheets import DataReport
    from steelsight.types import Rejection, SheetItem, SheetSet

__all__ = ["Data", "DataLike", "as_data", "open_data", "path_or_none"]


@dataclass(frozen=True)
class Data(NotebookResult):
    """A DATA folder; it is opened when its sheets are first asked for. Made by `open_data`."""

    path: Path
    options: DataOptions = AUTOMATIC

    _repr_pretty_ = NotebookResult._repr_pretty_  # IPython would take the dataclass's own text before it

    @cached_property
    def sheets(self) -> SheetSet:
        """The sheets with their labels; no image is decoded unless groups are found by pixels."""
        from steelsight.sheets.catalog import open_data

        return open_data(self.path, groups=self.options.groups, options=self.options)

    @property
    def layout(self) -> str:
        """The layout that the folder has."""
        return self.sheets.layout

    @property
    def class_names(self) -> tuple[str, ...]:
        """The defect-free class, then the defect types."""
        return (self.sheets.clean_name, *self.sheets.type_names[1:])

    @property
    def rejections(self) -> tuple[Rejection, ...]:
        """Images and rows that cannot be used, each with a reason."""
        return self.sheets.rejections

    @property
    def counts(self) -> dict[str, int]:
        """Sheets by class; a sheet of several types counts under all of them, joined by +."""
        return dict(sorted(Counter(self._label(item) for item in self.sheets.items).items()))

    @property
    def title(self) -> str:
        """The folder, its layout and its size."""
        return f"{self.path.name}: {len(self.sheets.items):,} sheets, layout {self.layout}"

    def as_dict(self) -> dict[str, Any]:
        """Path, layout, classes, counts and rejections."""
        values: dict[str, Any] = plain(
            {
                "path": str(self.path),
                "layout": self.layout,
                "class_names": self.class_names,
                "sheets": len(self.sheets.items),
                "counts": self.counts,
                "rejections": [vars(each) for each in self.rejections],
            }
        )
        return values

    def table(self) -> ResultTable:
        """One row a sheet: id, path, class, evidence, group and given part."""
        rows = (
            (item.id, str(item.path), self._label(item), item.evidence, item.group, item.part)
            for item in self.sheets.items
        )
        return ResultTable(("id", "path", "class", "evidence", "group", "part"), tuple(rows))

    def summary(self) -> ResultTable:
        """Sheets by class, and what cannot be used."""
        rejected = (("cannot be used", len(self.rejections)),) if self.rejections else ()
        return ResultTable(("class", "sheets"), (*self.counts.items(), *rejected))

    @checked
    def describe(
        self, *, out: Path | str | None = None, workers: int = 2, progress: Progress = None
    ) -> DataReport:
        """Read every sheet: sizes, near-duplicates, contradictory labels, and what cannot be used.

        out      folder for data.html, data.json and the figures; None = nothing is written
        workers  threads that decode
        raises   BadData where the folder cannot be opened
        """
        from steelsight.api.results.sheets import DataReport
        from steelsight.runs.data.describe import PAGE, describe_folder

        folder, shown = path_or_none(out), counted_progress(progress)
        report = describe_folder(self.path, self.options, workers=workers, out=folder, progress=shown)
        return DataReport(report, self.options, None if folder is None else folder / PAGE)

    def _label(self, item: SheetItem) -> str:
        return " + ".join(self.class_names[index] for index in item.types or (0,))


DataLike = Data | Path | str


@checked
def open_data(path: Path | str, **reading: Unpack[ReadingSettings]) -> Data:
    """Open a DATA folder.

    path     Kaggle's Severstal layout, class folders, or what other tools write
    reading  groups, allow_bad, layout, masks, defect_free, bits: what the caller says where the structure of
             the folder leaves a choice, as the options of `steelsight data`
    returns  with one item a sheet; every call that takes DATA takes this, or a path
    raises   BadData where the folder cannot be used, BadRecipe for an unknown rule or layout
    """
    data = Data(Path(path), read_options(reading))
    _ = data.sheets
    return data


def as_data(data: DataLike) -> Data:
    """DATA as given, or a path to be read as recognised; raises BadInput for anything else."""
    if isinstance(data, Data):
        return data
    if not fits(data, Path | str):
        raise BadInput(f"data: expected what open_data returns, or a path, got {got(data)}")
    check_path("data", data)
    return Data(Path(data))


def path_or_none(path: Path | str | None) -> Path | None:
    """A path given as text or not at all."""
    return None if path is None else Path(path)
