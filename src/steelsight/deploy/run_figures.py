"""The figures of a run on its test sheets, as a bundle's card keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from steelsight.errors import BadCheckpoint
from steelsight.reports.hub_card import HUB_METRICS
from steelsight.training.records import METRICS_FILE, read_metrics

__all__ = ["figures_of_run"]

_WITHOUT_INTERVAL: Final = {"low": None, "high": None}


def figures_of_run(run: Path) -> dict[str, Any]:
    """{"tested": {"sheets", "groups", "figures"}} with estimate and bounds of each figure by name.

    returns  {} for a run without test sheets or without metrics.json
    raises   BadCheckpoint where metrics.json was altered or cannot be read as an object
    """
    try:
        test = read_metrics(run).get("test")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadCheckpoint(
            f"{run / METRICS_FILE}: expected the figures of the run, got {error}; restore the file"
        ) from error
    if not isinstance(test, dict):
        return {}
    figures = {key: _bounds(test[key]) for key in HUB_METRICS if test.get(key) is not None}
    known = {key: each for key, each in figures.items() if each["estimate"] is not None}
    parts = list(test.get("types", {}).values()) or [test]
    counts = {key: max(int(part[key]) for part in parts) for key in ("sheets", "groups")}
    return {"tested": {**counts, "figures": known}} if known else {}


def _bounds(figure: Any) -> dict[str, float | None]:
    """Estimate, low and high of an interval, or of a number without one."""
    if isinstance(figure, dict):
        return {key: figure[key] for key in ("estimate", "low", "high")}
    return {"estimate": float(figure), **_WITHOUT_INTERVAL}
