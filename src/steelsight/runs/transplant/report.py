"""Writes the report of a transplant between two runs: page, numbers and figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelsight.files import keep_earlier, replace_file, write_json
from steelsight.reports.document import Document
from steelsight.runs.settings import result_settings
from steelsight.runs.transplant.options import TransplantOptions
from steelsight.runs.transplant.page import write_transplant_results
from steelsight.runs.transplant.reading import describe_sheets, describe_transplant, transplant_json
from steelsight.runs.transplant.run import open_transplant
from steelsight.sheets.options import DataOptions
from steelsight.training.conclude import environment

__all__ = ["TransplantReport", "report_transplant"]

REPORT, NUMBERS = "report.html", "transplant.json"


@dataclass(frozen=True)
class TransplantReport:
    """A transplant that was written to a folder."""

    folder: Path
    lines: tuple[str, ...]  # the results in sentences
    numbers: dict[str, Any]  # of transplant.json

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / REPORT


def report_transplant(
    run: Path,
    donor: Path,
    data: Path,
    options: TransplantOptions,
    sheets: DataOptions,
    *,
    out: Path | None = None,
) -> TransplantReport:
    """Transplant one run's weights into another, and write page, numbers and figures.

    run, donor  the receiver's RUN folder and the donor's
    out         folder to write; None = RUN/transplant
    raises      as `open_transplant`
    """
    result, opened = open_transplant(run, donor, data, options, sheets)
    folder = out if out is not None else run / "transplant"
    page = Document(
        "Transplanted weights", subtitle=f"{donor.name} into {run.name}, {opened.name}, {options.split}"
    )
    page.chapter("Weights exchanged")
    write_transplant_results(page, result)
    page.footer(
        {
            "data": f"{opened.name} ({opened.data_hash})",
            "groups": opened.grouping,
            "read as": opened.reading,
            "seed": options.seed,
            **environment(),
        }
    )
    numbers = {
        "run": str(run),
        "donor": str(donor),
        "data": opened.name,
        "data_hash": opened.data_hash,
        "groups": opened.grouping,
        "reading": opened.reading,
        "split": options.split,
        "seed": options.seed,
        "resamples": options.resamples,
        **transplant_json(result),
        "environment": environment(),
    }
    settings = result_settings(
        "inspect transplant", options, sheets, data_hash=opened.data_hash, receiver=str(run), donor=str(donor)
    )
    pictures = {f"figures/{name}.png": png for name, png in page.pictures()}
    files = [REPORT, "report.json", *pictures, *page.figure_files()]
    numbers |= keep_earlier(folder, NUMBERS, settings, files)
    page.save(folder / REPORT)
    for name, png in pictures.items():
        replace_file(folder / name, png)
    write_json(folder / NUMBERS, numbers)
    lines = (describe_sheets(result), *describe_transplant(result), *result.notes)
    return TransplantReport(folder, lines, numbers)
