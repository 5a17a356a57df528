"""Results of looking into a network: layers, neurons, exchanged weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steelsight.api.results.reported import ReportedResult
from steelsight.reports.notebook import ResultTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.runs.inspection.layers import LayerReport
    from steelsight.runs.inspection.neurons import NeuronReport
    from steelsight.runs.transplant.report import TransplantReport

__all__ = ["LayersResult", "NeuronsResult", "TransplantOutcome"]


@dataclass(frozen=True, eq=False, repr=False)
class LayersResult(ReportedResult):
    """What each layer separates, beside control networks; as_dict is layers.json."""

    report: LayerReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """How separability grows with depth, in words."""
        from steelsight.inspection.probes.report import describe_layers

        return describe_layers(self.report.found)

    def table(self) -> ResultTable:
        """One row a layer, network and input of the probes: averages over places, or a random projection."""
        rows = (
            (layer.title, net, kind, curve.accuracy[number])
            for (net, kind), curve in self.report.found.curves.items()
            for number, layer in enumerate(self.report.found.layers)
        )
        return ResultTable(("layer", "network", "probe", "accuracy"), tuple(rows))

    def figures(self) -> dict[str, Figure]:
        """`layers`: accuracy of the probes over depth."""
        from steelsight.inspection.probes.report import probes_figure

        return {"layers": probes_figure(self.report.found)}


@dataclass(frozen=True, eq=False, repr=False)
class NeuronsResult(ReportedResult):
    """An atlas of what drives single neurons; as_dict is neurons.json."""

    report: NeuronReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """How many neurons of how many layers."""
        layers = self.report.atlas.layers
        return f"{sum(len(page.profiles) for page in layers)} neurons of {len(layers)} layers"

    def table(self) -> ResultTable:
        """One row a layer: channels, those that never respond, those shown."""
        rows = (
            (page.layer, page.channels, len(page.dead), len(page.profiles))
            for page in self.report.atlas.layers
        )
        return ResultTable(("layer", "channels", "dead", "shown"), tuple(rows))


@dataclass(frozen=True, eq=False, repr=False)
class TransplantOutcome(ReportedResult):
    """A run with the weights of another, part by part; as_dict is transplant.json."""

    report: TransplantReport  # all of it; its fields are not part of the API's promise

    @property
    def title(self) -> str:
        """The first result in words."""
        return self.report.lines[0] if self.report.lines else "transplanted weights"

    @property
    def lines(self) -> tuple[str, ...]:
        """The results in sentences."""
        return self.report.lines

    def table(self) -> ResultTable:
        """The results in sentences, one a row."""
        return ResultTable(("result",), tuple((line,) for line in self.lines))
