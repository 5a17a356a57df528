"""A network of the user's own: `module:callable` gives it.

A RUN names its network, and opening it calls that callable. So that a RUN from elsewhere cannot choose the
code that runs, only modules that STEELSIGHT_MODULES lists are imported.
"""

from __future__ import annotations

import importlib
import os
from typing import Final

from torch import nn

from steelsight.errors import BadRecipe
from steelsight.models.backbones.sequence import as_features
from steelsight.models.inputs import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["MODULES_VARIABLE", "own_features"]

MODULES_VARIABLE: Final = "STEELSIGHT_MODULES"  # names of modules joined by commas


def own_features(module: str, attribute: str) -> nn.Module:
    """The network that a callable of a module gives, its input normalised by ImageNet's mean and deviation.

    module     name of a module that STEELSIGHT_MODULES lists
    attribute  of a callable there that takes nothing and gives an nn.Module, (n, 3, h, w) → (n, k, gh, gw)
    raises     BadRecipe for a module that is not listed or cannot be imported, and for anything else given
    """
    name = f"{module}:{attribute}"
    allowed = [each.strip() for each in os.environ.get(MODULES_VARIABLE, "").split(",") if each.strip()]
    if module not in allowed:
        raise BadRecipe(
            f"model {name}: opening it runs code of module {module!r}, which {MODULES_VARIABLE} does not "
            f"list (it lists {', '.join(allowed) or 'none'}); add it there if you trust it"
        )
    try:
        build = getattr(importlib.import_module(module), attribute, None)
    except ImportError as error:
        raise BadRecipe(
            f"model {name}: expected a module that can be imported, got {error}; check PYTHONPATH"
        ) from error
    if not callable(build):
        raise BadRecipe(f"model {name}: expected a callable {attribute} in {module}, found {build!r:.80}")
    net = build()
    if not isinstance(net, nn.Module):
        raise BadRecipe(f"model {name}: expected a torch.nn.Module from calling it, got {type(net).__name__}")
    return as_features(net, IMAGENET_MEAN, IMAGENET_STD, name)
