"""`ss.list_models` and `ss.list_recipes`: networks that have a name here, and recipes that come along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import path_or_none
from steelsight.api.lab.settings import ModelSettings
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.catalog import ModelList, RecipeList
    from steelsight.runs.options import ModelOptions

__all__ = ["list_models", "list_recipes"]


@checked
def list_models(
    *names: str,
    out: Path | str | None = None,
    options: ModelOptions | None = None,
    **settings: Unpack[ModelSettings],
) -> ModelList:
    """Networks layer by layer: output shape, parameters, multiply-accumulates an image.

    No weights are loaded.

    names   as `model__name` of `train` takes them; none = all that have a name here
    out     folder for one figure a network; None = none is written
    raises  BadRecipe for a network, head or size that does not exist
    """
    from steelsight.api.results.catalog import ModelList
    from steelsight.runs.architectures import describe_models
    from steelsight.runs.options import ModelOptions

    chosen = choose(ModelOptions, options, settings)
    return ModelList(tuple(describe_models(names, chosen, out=path_or_none(out))), chosen)


@checked
def list_recipes(*names: str) -> RecipeList:
    """Recipes as TOML texts, with the reasons of their values as comments: templates for one's own file.

    names   of recipes; none = all that come along
    raises  BadRecipe for another name
    """
    from steelsight.api.results.catalog import RecipeList
    from steelsight.training.recipe_files import RECIPES, recipe_text

    return RecipeList({name: recipe_text(name) for name in names or RECIPES})
