"""A network of the user's own: `module:callable` gives it.

A RUN names its network, and opening it calls that callable. So that a RUN from elsewhere cannot choose the
code that runs, only modules that STEELSIGHT_MODULES lists are imported.
"""

from __future__ import annotations

import copy
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
    returns    a copy of its own where the callable gives the same network again
    raises     BadRecipe for a module that is not listed or cannot be imported, for a callable that fails, and
               for anything else given
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
    except Exception as error:  # whatever code of the user's raises
        raise BadRecipe(
            f"model {name}: expected a module that can be imported, got {_told(error)}; check PYTHONPATH, or "
            "mend the module"
        ) from error
    if not callable(build):
        raise BadRecipe(f"model {name}: expected a callable {attribute} in {module}, found {build!r:.80}")
    try:
        net = copy.deepcopy(build())
    except Exception as error:  # whatever code of the user's raises
        raise BadRecipe(
            f"model {name}: expected a callable that gives a network when called with nothing, got "
            f"{_told(error)}; mend it"
        ) from error
    if not isinstance(net, nn.Module):
        raise BadRecipe(f"model {name}: expected a torch.nn.Module from calling it, got {type(net).__name__}")
    return as_features(net, IMAGENET_MEAN, IMAGENET_STD, name)


def _told(error: Exception) -> str:
    """Kind and words of an error, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
