"""The figures as CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from steelsight.csv_text import csv_text
from steelsight.quality.correction import CorrectedShare
from steelsight.service.pages.quality.computing import SHARES, QualityFigures
from steelsight.service.pages.quality.query import QualityQuery

__all__ = ["figures_csv", "figures_json"]

COLUMNS: Final = (
    *("group", "name", "share", "estimate", "low", "high", "known", "lack", "more_draws", "corrected"),
    *("found", "draws", "sheets_passed", "sheets_rejected", "sheets_referred"),
    *("reviewed_passed", "reviewed_rejected", "reviewed_referred"),
)


def figures_csv(figures: QualityFigures) -> str:
    """One line for each share of each group; shares from 0 to 1."""
    rows: list[list[object]] = [list(COLUMNS)]
    for kind, groups in figures.groups().items():
        for name, escape in groups.items():
            for share in SHARES:
                found = getattr(escape, share)
                if found is None:
                    continue
                need = figures.needs[kind, name][share]
                sample = found.observed if isinstance(found, CorrectedShare) else None
                rows.append(
                    [
                        *(kind, name, share, found.estimate, found.low, found.high),
                        *(need.known, need.lack.value, need.draws),
                        *(
                            (found.corrected, sample.found, sample.draws)
                            if isinstance(found, CorrectedShare) and sample is not None
                            else (None, None, None)
                        ),
                        *escape.sheets.values(),
                        *escape.reviewed.values(),
                    ]
                )
    return csv_text(rows)


def figures_json(query: QualityQuery, figures: QualityFigures, names: Mapping[str, str] | None) -> str:
    """Everything that was computed.

    names  what people are called instead of their random ids; None = the ids
    """
    values: dict[str, Any] = figures.as_dict()
    if names is not None:
        for each in values["reviewers"]:
            each["person"] = names[each["person"]]
        for each in values["agreement_of_two"]:
            each["people"] = [names[person] for person in each["people"]]
    chosen = {
        "since": str(query.since),
        "until": str(query.until),
        "station": query.station,
        "bundle": query.bundle,
    }
    return json.dumps({"query": chosen, **values}, ensure_ascii=False, allow_nan=False, indent=1)
