"""Results at the line: an exported bundle, and a scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steelsight.errors import BadInput
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable, data_frame

if TYPE_CHECKING:
    import pandas as pd

    from steelsight.deploy.export import Exported
    from steelsight.runtime.engine.inspector import Inspector
    from steelsight.runtime.scan.run import ScanReport

__all__ = ["ExportResult", "ScanResult"]


@dataclass(frozen=True, eq=False, repr=False)
class ExportResult(NotebookResult):
    """A bundle that was written, and the precisions it was chosen from."""

    exported: Exported  # all of it; its fields are not part of the API's promise

    @property
    def bundle(self) -> Path:
        """The BUNDLE folder."""
        return self.exported.folder

    @property
    def model_id(self) -> str:
        """Identifies the bundle in verdicts."""
        return self.exported.card.model_id

    @property
    def title(self) -> str:
        """The bundle, its precision and its threshold."""
        card = self.exported.card
        return f"{self.bundle.name}: {card.precision}; {card.threshold_statement}"

    def load(self) -> Inspector:
        """Open the bundle for inspection."""
        from steelsight.runtime.engine.inspector import load

        return load(self.bundle)

    def as_dict(self) -> dict[str, Any]:
        """The folder, and the whole card."""
        card = self.exported.card.model_dump(mode="json")
        values: dict[str, Any] = plain({"bundle": str(self.bundle), "card": card})
        return values

    def table(self) -> ResultTable:
        """One row a precision: its parity with the trained model, its speed, and whether it may be used."""
        rows = (
            (
                trial.precision,
                trial.parities[0].p99,
                trial.parities[0].agreement,
                trial.parities[0].cosine_p5,
                trial.ms_a_sheet,
                "passed" if not trial.broken else "; ".join(trial.broken),
            )
            for trial in self.exported.trials
        )
        titles = ("precision", "|Δp| 99 %", "same verdicts", "map cosine 5 %", "ms a sheet", "parity")
        return ResultTable(titles, tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class ScanResult(NotebookResult):
    """A scan that was written to a folder."""

    report: ScanReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """How many sheets, and where the rows are."""
        return f"{self.report.summary.sheets:,} sheets, in {self.report.out}"

    @property
    def verdicts(self) -> Path:
        """The folder of Parquet files with one row a sheet.

        raises  BadInput for a scan whose results are in object storage
        """
        from steelsight.runtime.scan.parts import VERDICTS

        if not isinstance(self.report.out, Path):
            raise BadInput(
                f"{self.report.out}: expected a folder of this computer, got object storage; "
                "read its Parquet files with pyarrow or DuckDB"
            )
        return self.report.out / VERDICTS

    @property
    def drift(self) -> tuple[str, ...]:
        """What differs from the calibration sheets, and of what too few sheets were scanned, in words."""
        from steelsight.runtime.drift import AS_USUAL, UNDECIDED

        lines: list[str] = []
        undecided: dict[str, list[str]] = {}
        for each in self.report.summary.drift:
            if each.level == UNDECIDED:
                undecided.setdefault(each.reading, []).append(each.title)
            elif each.level != AS_USUAL:
                lines.append(f"{each.title}: {each.reading} ({each.level})")
        return (
            *lines,
            *(f"undecided for {', '.join(titles)}: {reading}" for reading, titles in undecided.items()),
        )

    def as_dict(self) -> dict[str, Any]:
        """Counts, reasons and drift."""
        return self.report.as_dict()

    def table(self) -> ResultTable:
        """Sheets by label and state."""
        rows = (
            (label, state, count)
            for label, states in self.report.as_dict()["labels"].items()
            for state, count in states.items()
        )
        return ResultTable(("label", "state", "sheets"), tuple(rows))

    def to_pandas(self) -> pd.DataFrame:
        """One row a sheet, with the columns of docs/line.md; raises as `NotebookResult.to_pandas`."""
        import pyarrow.parquet as pq

        return data_frame(pq.read_table(self.verdicts).to_pydict())
