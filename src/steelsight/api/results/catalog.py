"""Lists of what has a name here: networks and recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable

if TYPE_CHECKING:
    from steelsight.runs.architectures import Architecture
    from steelsight.runs.options import ModelOptions

__all__ = ["ModelList", "RecipeList"]


@dataclass(frozen=True, eq=False, repr=False)
class ModelList(NotebookResult):
    """Networks layer by layer, for one size of input."""

    architectures: tuple[Architecture, ...]  # their fields are not part of the API's promise
    options: ModelOptions

    @property
    def names(self) -> tuple[str, ...]:
        """The names, as `model__name` of `train` takes them."""
        return tuple(each.name for each in self.architectures)

    @property
    def title(self) -> str:
        """How many, and for which input."""
        networks = "1 network" if len(self.architectures) == 1 else f"{len(self.architectures)} networks"
        return f"{networks}, input {self.options.height}x{self.options.width}"

    def as_dict(self) -> dict[str, Any]:
        """Head and input, and every layer of each network under `models`."""
        models = {each.name: each.as_dict() for each in self.architectures}
        chosen = self.options
        facts = {"head": chosen.head, "height": chosen.height, "width": chosen.width, "models": models}
        values: dict[str, Any] = plain(facts)
        return values

    def table(self) -> ResultTable:
        """One row a layer: network, layer, kind, output shape, parameters, multiply-accumulates an image."""
        rows = (
            (each.name, row.name, row.kind, _shape(row.output_shape), row.parameters, row.macs)
            for each in self.architectures
            for row in each.rows
        )
        return ResultTable(("network", "layer", "kind", "output", "parameters", "MAC"), tuple(rows))

    def summary(self) -> ResultTable:
        """One row a network: parameters, and multiply-accumulates an image."""
        rows = ((each.name, each.title, each.parameters, each.macs) for each in self.architectures)
        return ResultTable(("network", "title", "parameters", "MAC"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class RecipeList(NotebookResult):
    """Recipes by name."""

    texts: Mapping[str, str]  # TOML by name

    @property
    def title(self) -> str:
        """How many."""
        return f"{len(self.texts)} recipes"

    def as_dict(self) -> dict[str, Any]:
        """The texts by name, as `recipes`."""
        values: dict[str, Any] = plain({"recipes": self.texts})
        return values

    def table(self) -> ResultTable:
        """One row a recipe: its name, and the first line of its text."""
        rows = ((name, text.splitlines()[0].removeprefix("# ")) for name, text in self.texts.items())
        return ResultTable(("recipe", "what it is"), tuple(rows))


def _shape(lengths: tuple[int, ...]) -> str:
    return "x".join(map(str, lengths))
