"""What a run's layers, neurons and weights can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import DataLike, as_data, path_or_none
from steelsight.api.lab.explained_run import ExplainedRun
from steelsight.api.lab.run_folder import OpenedRun
from steelsight.api.lab.settings import LayerSettings, NeuronSettings, TransplantSettings
from steelsight.api.progress import Progress, stage_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.inspection import LayersResult, NeuronsResult, TransplantOutcome
    from steelsight.runs.inspection.options import LayerOptions, NeuronOptions
    from steelsight.runs.transplant.options import TransplantOptions

__all__ = ["InspectedRun"]


@dataclass(frozen=True)
class InspectedRun(ExplainedRun):
    """The calls of a run that look into its network."""

    @checked
    def layers(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: LayerOptions | None = None,
        **settings: Unpack[LayerSettings],
    ) -> LayersResult:
        """Probe every layer with a logistic regression, beside control networks, and map it by t-SNE.

        out      folder to write; None = RUN/layers-SPLIT
        raises   UnknownLayer, listing the layers that exist; BadInput for controls or parts; BadData
        """
        from steelsight.api.results.inspection import LayersResult
        from steelsight.runs.inspection.layers import inspect_run_layers
        from steelsight.runs.inspection.options import LayerOptions

        where, folder = as_data(data), path_or_none(out)
        chosen = choose(LayerOptions, options, settings, where.options)
        shown = stage_progress(progress)
        return LayersResult(inspect_run_layers(self.folder, where.path, chosen, out=folder, say=shown))

    @checked
    def neurons(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: NeuronOptions | None = None,
        **settings: Unpack[NeuronSettings],
    ) -> NeuronsResult:
        """Draw the image and the real crops that drive each neuron, and its response to each class.

        out      folder to write; None = RUN/neurons
        raises   UnknownLayer; BadRecipe for a neuron that does not exist; BadData
        """
        from steelsight.api.results.inspection import NeuronsResult
        from steelsight.runs.inspection.neurons import inspect_neurons
        from steelsight.runs.inspection.options import NeuronOptions

        where, folder = as_data(data), path_or_none(out)
        chosen = choose(NeuronOptions, options, settings, where.options)
        shown = stage_progress(progress)
        return NeuronsResult(inspect_neurons(self.folder, where.path, chosen, out=folder, say=shown))

    @checked
    def transplant(
        self,
        donor: OpenedRun | Path | str,
        data: DataLike,
        *,
        out: Path | str | None = None,
        options: TransplantOptions | None = None,
        **settings: Unpack[TransplantSettings],
    ) -> TransplantOutcome:
        """Replace the weights by those of another run part by part, and evaluate each mixture.

        donor    run of the same network
        out      folder to write; None = RUN/transplant
        raises   BadInput for another network, BadData, BadCheckpoint
        """
        from steelsight.api.results.inspection import TransplantOutcome
        from steelsight.runs.transplant.options import TransplantOptions
        from steelsight.runs.transplant.report import report_transplant

        where, folder = as_data(data), path_or_none(out)
        giver = donor.folder if isinstance(donor, OpenedRun) else Path(donor)
        chosen = choose(TransplantOptions, options, settings)
        return TransplantOutcome(
            report_transplant(self.folder, giver, where.path, chosen, where.options, out=folder)
        )
