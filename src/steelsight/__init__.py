"""Explainable inspection of sheet steel: verdicts with regions, heatmaps, and calibrated abstention.

    import steelsight as ss

The names below are the Python API, documented in docs/api.md. Each is imported when it is first used, so that
importing the package costs little, and what runs beside the line needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from steelsight.version import __version__

if TYPE_CHECKING:
    from steelsight.api.data import Data as Data
    from steelsight.api.data import open_data as open_data
    from steelsight.api.lab.catalog import list_models as list_models
    from steelsight.api.lab.catalog import list_recipes as list_recipes
    from steelsight.api.lab.estimator import SheetEstimator as SheetEstimator
    from steelsight.api.lab.explanation import explain as explain
    from steelsight.api.lab.run import Run as Run
    from steelsight.api.lab.run import open_run as open_run
    from steelsight.api.lab.stored_runs import list_runs as list_runs
    from steelsight.api.lab.stored_runs import remove_run as remove_run
    from steelsight.api.lab.stored_runs import show_run as show_run
    from steelsight.api.lab.study import repeat_study as repeat_study
    from steelsight.api.lab.synthetic import synth as synth
    from steelsight.api.lab.training import compare as compare
    from steelsight.api.lab.training import cross_validate as cross_validate
    from steelsight.api.lab.training import label_curve as label_curve
    from steelsight.api.lab.training import train as train
    from steelsight.api.lab.training import train_and_test as train_and_test
    from steelsight.api.lab.training import train_on_all as train_on_all
    from steelsight.api.ledger.view import LedgerView as LedgerView
    from steelsight.api.ledger.view import open_ledger as open_ledger
    from steelsight.api.plant.adaptation import adapt as adapt
    from steelsight.api.plant.adaptation import gate_bundle as gate_bundle
    from steelsight.api.plant.bundles import show_bundle as show_bundle
    from steelsight.api.plant.bundles import sign_bundle as sign_bundle
    from steelsight.api.plant.bundles import verify_bundle as verify_bundle
    from steelsight.api.plant.capacity import bench as bench
    from steelsight.api.plant.scanning import scan as scan
    from steelsight.api.plant.scanning import watch as watch
    from steelsight.api.progress import ProgressEvent as ProgressEvent
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
    "LedgerView": "steelsight.api.ledger.view",
    "ProgressEvent": "steelsight.api.progress",
    "Run": "steelsight.api.lab.run",
    "SheetEstimator": "steelsight.api.lab.estimator",
    "adapt": "steelsight.api.plant.adaptation",
    "bench": "steelsight.api.plant.capacity",
    "compare": "steelsight.api.lab.training",
    "cross_validate": "steelsight.api.lab.training",
    "explain": "steelsight.api.lab.explanation",
    "gate_bundle": "steelsight.api.plant.adaptation",
    "label_curve": "steelsight.api.lab.training",
    "list_models": "steelsight.api.lab.catalog",
    "list_recipes": "steelsight.api.lab.catalog",
    "list_runs": "steelsight.api.lab.stored_runs",
    "load": "steelsight.runtime.engine.inspector",
    "open_data": "steelsight.api.data",
    "open_ledger": "steelsight.api.ledger.view",
    "open_run": "steelsight.api.lab.run",
    "remove_run": "steelsight.api.lab.stored_runs",
    "repeat_study": "steelsight.api.lab.study",
    "scan": "steelsight.api.plant.scanning",
    "show_bundle": "steelsight.api.plant.bundles",
    "show_run": "steelsight.api.lab.stored_runs",
    "sign_bundle": "steelsight.api.plant.bundles",
    "synth": "steelsight.api.lab.synthetic",
    "train": "steelsight.api.lab.training",
    "train_and_test": "steelsight.api.lab.training",
    "train_on_all": "steelsight.api.lab.training",
    "verify_bundle": "steelsight.api.plant.bundles",
    "watch": "steelsight.api.plant.scanning",
}


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'steelsight' has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names of the API, also those that were not used yet, and the modules that are imported."""
    special = (name for name in globals() if name.startswith("__"))
    modules = (name for name, value in globals().items() if isinstance(value, ModuleType))
    return sorted({*__all__, *special, *modules})
