"""Explainable inspection of sheet steel: verdicts with regions, heatmaps, and calibrated abstention.

    import steelsight as ss

The names below are the Python API, documented in docs/api.md. Each is imported when it is first used, so that
importing the package costs little, and what runs beside the line needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from steelsight.version import __version__

if TYPE_CHECKING:
    from steelsight.api.adaptation import adapt as adapt
    from steelsight.api.adaptation import gate_bundle as gate_bundle
    from steelsight.api.bundles import show_bundle as show_bundle
    from steelsight.api.bundles import sign_bundle as sign_bundle
    from steelsight.api.bundles import verify_bundle as verify_bundle
    from steelsight.api.capacity import bench as bench
    from steelsight.api.catalog import list_models as list_models
    from steelsight.api.catalog import list_recipes as list_recipes
    from steelsight.api.data import Data as Data
    from steelsight.api.data import open_data as open_data
    from steelsight.api.estimator import SheetEstimator as SheetEstimator
    from steelsight.api.explanation import explain as explain
    from steelsight.api.plant import LedgerView as LedgerView
    from steelsight.api.plant import open_ledger as open_ledger
    from steelsight.api.plant import scan as scan
    from steelsight.api.plant import watch as watch
    from steelsight.api.progress import ProgressEvent as ProgressEvent
    from steelsight.api.run import Run as Run
    from steelsight.api.run import open_run as open_run
    from steelsight.api.stored_runs import list_runs as list_runs
    from steelsight.api.stored_runs import remove_run as remove_run
    from steelsight.api.stored_runs import show_run as show_run
    from steelsight.api.study import repeat_study as repeat_study
    from steelsight.api.synthetic import synth as synth
    from steelsight.api.training import compare as compare
    from steelsight.api.training import cross_validate as cross_validate
    from steelsight.api.training import label_curve as label_curve
    from steelsight.api.training import train as train
    from steelsight.api.training import train_and_test as train_and_test
    from steelsight.api.training import train_on_all as train_on_all
    from steelsight.runtime.engine.inspector import load as load

__all__ = [
    "Data",
    "LedgerView",
    "ProgressEvent",
    "Run",
    "SheetEstimator",
    "__version__",
    "adapt",
    "bench",
    "compare",
    "cross_validate",
    "explain",
    "gate_bundle",
    "label_curve",
    "list_models",
    "list_recipes",
    "list_runs",
    "load",
    "open_data",
    "open_ledger",
    "open_run",
    "remove_run",
    "repeat_study",
    "scan",
    "show_bundle",
    "show_run",
    "sign_bundle",
    "synth",
    "train",
    "train_and_test",
    "train_on_all",
    "verify_bundle",
    "watch",
]

_MODULES: Final = {  # of every name
    "Data": "steelsight.api.data",
    "LedgerView": "steelsight.api.plant",
    "ProgressEvent": "steelsight.api.progress",
    "Run": "steelsight.api.run",
    "SheetEstimator": "steelsight.api.estimator",
    "adapt": "steelsight.api.adaptation",
    "bench": "steelsight.api.capacity",
    "compare": "steelsight.api.training",
    "cross_validate": "steelsight.api.training",
    "explain": "steelsight.api.explanation",
    "gate_bundle": "steelsight.api.adaptation",
    "label_curve": "steelsight.api.training",
    "list_models": "steelsight.api.catalog",
    "list_recipes": "steelsight.api.catalog",
    "list_runs": "steelsight.api.stored_runs",
    "load": "steelsight.runtime.engine.inspector",
    "open_data": "steelsight.api.data",
    "open_ledger": "steelsight.api.plant",
    "open_run": "steelsight.api.run",
    "remove_run": "steelsight.api.stored_runs",
    "repeat_study": "steelsight.api.study",
    "scan": "steelsight.api.plant",
    "show_bundle": "steelsight.api.bundles",
    "show_run": "steelsight.api.stored_runs",
    "sign_bundle": "steelsight.api.bundles",
    "synth": "steelsight.api.synthetic",
    "train": "steelsight.api.training",
    "train_and_test": "steelsight.api.training",
    "train_on_all": "steelsight.api.training",
    "verify_bundle": "steelsight.api.bundles",
    "watch": "steelsight.api.plant",
}


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'steelsight' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Every name, also those that were not used yet."""
    return sorted({*globals(), *__all__})
