"""Describes networks layer by layer, as numbers and as figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from steelsight.errors import BadRecipe
from steelsight.models.catalog import BACKBONES, MODELS, ModelSpec, find_model, structure
from steelsight.models.summary import LayerRow, summarise
from steelsight.reports.figures.architecture import draw_architecture
from steelsight.reports.figures.style import save_figure
from steelsight.runs.options import ModelOptions

__all__ = ["Architecture", "describe_models"]


@dataclass(frozen=True)
class Architecture:
    """One network layer by layer."""

    name: str
    head: str
    rows: tuple[LayerRow, ...]
    figure: Path | None  # None = not drawn

    @property
    def title(self) -> str:
        """The network's name as reports print it, with its head."""
        return f"{find_model(self.name).title}, {self.head} head"

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(row.parameters for row in self.rows)

    @property
    def macs(self) -> int:
        """Multiply-accumulates an image."""
        return sum(row.macs for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "title": find_model(self.name).title,
            "parameters": self.parameters,
            "macs": self.macs,
            "layers": [vars(row) for row in self.rows],
        }


def describe_models(
    names: Sequence[str], options: ModelOptions, *, out: Path | None = None
) -> list[Architecture]:
    """Describe networks for one size of input.

    names   as models.catalog.find_model takes them; empty = all that have a name here
    out     folder for one figure a network; None = none is drawn
    raises  BadRecipe for a network, head or size that does not exist
    """
    found = []
    for name in names or [*MODELS, *BACKBONES]:
        facts = {"name": name, **vars(options)}
        try:
            spec = ModelSpec.model_validate(facts)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(f"{part}: " for part in first["loc"])
            raise BadRecipe(f"{where}{first['msg'].removeprefix('Value error, ')}") from error
        rows = summarise(structure(spec), options.height, options.width, whole_fires=True)
        title = f"{find_model(name).title}, {options.head} head"
        figure = None
        if out is not None:
            drawn = draw_architecture(rows, title, size=(options.height, options.width))
            figure = save_figure(drawn, out / f"{name.replace(':', '_')}.png")
        found.append(Architecture(name, options.head, tuple(rows), figure))
    return found
