"""`ss.synth`: generated sheets with defects, masks and known nuisances. It needs the extra `[synth]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from steelsight.api.data import Data
from steelsight.api.lab.settings import SynthSettings
from steelsight.api.progress import Progress, counted_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runs.data.options import SynthOptions

__all__ = ["SynthResult", "synth"]


@dataclass(frozen=True, eq=False, repr=False)
class SynthResult(NotebookResult):
    """A DATA folder of generated sheets."""

    report: dict[str, Any]  # how many, in which time, and the whole specification

    @property
    def data(self) -> Data:
        """The folder, opened."""
        return Data(Path(self.report["out"]))

    @property
    def title(self) -> str:
        """How many sheets, and where."""
        return f"{self.report['sheets']:,} generated sheets in {self.report['out']}"

    def as_dict(self) -> dict[str, Any]:
        """How many, in which time, and the whole specification."""
        values: dict[str, Any] = plain(self.report)
        return values

    def table(self) -> ResultTable:
        """One row a sheet, as of `Data`."""
        return self.data.table()

    def summary(self) -> ResultTable:
        """Sheets by class."""
        return self.data.summary()


@checked
def synth(
    out: Path | str,
    *,
    progress: Progress = None,
    options: SynthOptions | None = None,
    **settings: Unpack[SynthSettings],
) -> SynthResult:
    """Draw sheets into a folder in Kaggle's Severstal layout, with the truth about stains, ends and light.

    out       folder for the images, train.csv and the truth
    settings  how many, of which size and classes, and how often with which nuisance
    raises    BadRecipe for a value that cannot be met, or where `out` holds files and `force` is not set
    """
    from steelsight.runs.data.options import SynthOptions
    from steelsight.runs.data.synth import write_synthetic

    chosen = choose(SynthOptions, options, settings)
    return SynthResult(write_synthetic(Path(out), chosen, progress=counted_progress(progress)))
