"""Searches a run for shortcuts and writes the page with its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steelsight.files import keep_earlier
from steelsight.models.card import Card
from steelsight.runs.settings import result_settings
from steelsight.shortcuts.find.numbers import find_json
from steelsight.shortcuts.find.options import SearchOptions
from steelsight.shortcuts.find.report import headline, write_find_page
from steelsight.shortcuts.find.run import SearchResult, find_shortcuts

__all__ = ["SearchReport", "report_shortcuts"]

PAGE = "shortcuts.html"


@dataclass(frozen=True)
class SearchReport:
    """A search for shortcuts that was written to a folder."""

    folder: Path
    result: SearchResult
    card: Card  # of the run
    numbers: dict[str, Any]

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / PAGE


def report_shortcuts(
    run: Path,
    data: Path,
    options: SearchOptions,
    *,
    out: Path | None = None,
    say: Callable[[str], None] = lambda _text: None,
) -> SearchReport:
    """Search as `find_shortcuts`, and write shortcuts.html and shortcuts.json.

    out     folder to write; None = RUN/shortcuts
    say     called with a description of each step
    raises  as `find_shortcuts`
    """
    folder = out if out is not None else run / "shortcuts"
    result, card = find_shortcuts(run, data, options, say=say)
    settings = result_settings(
        "shortcuts find",
        options,
        cards=[card],
        data=str(data.resolve()),
        sheets=len(result.evidence.sheets),
    )
    kept = keep_earlier(folder, "shortcuts.json", settings, [PAGE])
    say("drawing")
    write_find_page(
        folder / PAGE,
        result,
        title=run.name,
        seed=options.seed,
        model=card.model.name,
        search={
            "weights_sha256": card.weights_sha256,
            "data": data.resolve().name,
            "split": options.split,
            "outcome": headline(result),
        },
        kept=kept,
    )
    facts = {"run": str(run), "out": str(folder), "split": options.split, "seed": options.seed}
    return SearchReport(folder, result, card, {**facts, **find_json(result), **kept})
