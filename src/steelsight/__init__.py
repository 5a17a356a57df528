"""Explainable inspection of sheet steel: verdicts with regions, heatmaps, and calibrated abstention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from steelsight.version import __version__

if TYPE_CHECKING:
    from steelsight.runtime.engine.inspector import load as load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import `load` when it is first used, because it imports the engine."""
    if name == "load":
        from steelsight.runtime.engine.inspector import load

        return load
    raise AttributeError(f"module 'steelsight' has no attribute {name!r}")
