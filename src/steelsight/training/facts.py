"""What the figures of a training depend on beside its inputs: versions of software, and the accelerator."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from steelsight.executor import Facts

__all__ = ["accelerator_kind", "facts_of", "software_facts"]

_ALWAYS: Final = ("numpy", "scipy", "scikit-learn", "pillow", "torch", "torchvision")


def facts_of(models: Iterable[str]) -> Facts:
    """The facts of trainings of some models, by their names in a recipe."""
    from steelsight.models.catalog import MODELS  # torch; a node that only compares may lack it

    timm = any(name not in MODELS and not name.startswith("torchvision:") for name in models)
    return partial(software_facts, (*_ALWAYS, "timm") if timm else _ALWAYS)


def software_facts(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of packages, none for one that is missing, and the kind of accelerator."""
    return {name: _version(name) for name in packages} | {"accelerator": accelerator_kind()}


def accelerator_kind() -> str:
    """The model of the GPU, the type of another accelerator, or none."""
    if importlib.util.find_spec("torch") is None:
        return "none"
    import torch

    device = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        return "none"
    return torch.cuda.get_device_name() if device.type == "cuda" else device.type


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
