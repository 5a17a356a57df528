"""`ss.Run`: what a trained model can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import DataLike, as_data, path_or_none
from steelsight.api.lab.inspected_run import InspectedRun
from steelsight.api.lab.settings import (
    CalibrateSettings,
    ConfidenceSettings,
    EvaluateSettings,
    ExportSettings,
    RobustnessSettings,
)
from steelsight.api.progress import Progress, counted_progress, stage_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked
from steelsight.reports.notebook import NotebookResult

if TYPE_CHECKING:
    from steelsight.api.results.bundles import ExportResult
    from steelsight.api.results.evaluation import CalibrationResult, EvaluationResult
    from steelsight.api.results.trust import ConfidenceResult, RobustnessResult
    from steelsight.deploy.options import ExportOptions
    from steelsight.runs.abstention.options import CalibrationOptions
    from steelsight.runs.options import ConfidenceOptions, EvaluateOptions, RobustnessOptions

__all__ = ["Run", "open_run"]


@dataclass(frozen=True)
class Run(InspectedRun):
    """A trained model in its RUN folder, and what it can be asked. Made by `train` or `open_run`.

    Every call takes DATA as a path or as `open_data` gives it, settings by name, and returns a result that is
    written to a folder too. `options` takes a whole option class in place of settings.
    """

    _repr_pretty_ = NotebookResult._repr_pretty_  # IPython would take the dataclass's own text before it

    @checked
    def evaluate(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        options: EvaluateOptions | None = None,
        **settings: Unpack[EvaluateSettings],
    ) -> EvaluationResult:
        """Metrics on sheets that the model was not trained on, recognised by their pixels.

        out      folder to write; None = RUN/evaluations/NAME-SPLIT
        raises   BadData where no sheet is left or classes differ, BadCheckpoint, BadInput
        """
        from steelsight.api.results.evaluation import EvaluationResult
        from steelsight.runs.evaluate import evaluate_run
        from steelsight.runs.options import EvaluateOptions

        chosen, where = choose(EvaluateOptions, options, settings), as_data(data)
        done = evaluate_run(
            self.folder,
            where.path,
            where.options,
            part=chosen.split,
            noise_sigma=chosen.noise,
            prevalence=chosen.prevalence,
            seed=chosen.seed,
            out=path_or_none(out),
        )
        return EvaluationResult(done.folder, done.metrics)

    @checked
    def calibrate(
        self,
        data: DataLike,
        *,
        options: CalibrationOptions | None = None,
        **settings: Unpack[CalibrateSettings],
    ) -> CalibrationResult:
        """Fit the temperature and certify the threshold below which the model answers "I don't know".

        The card of the run changes: later calls and exports use both.

        raises   BadInput for a multilabel run or an impossible setting, BadData, BadCheckpoint
        """
        from steelsight.api.results.evaluation import CalibrationResult
        from steelsight.runs.abstention.calibrate import calibrate_run
        from steelsight.runs.abstention.options import CalibrationOptions

        chosen, where = choose(CalibrationOptions, options, settings), as_data(data)
        return CalibrationResult(calibrate_run(self.folder, where.path, chosen, where.options))

    @checked
    def confidence(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        options: ConfidenceOptions | None = None,
        **settings: Unpack[ConfidenceSettings],
    ) -> ConfidenceResult:
        """Compare confidence scores by how well they rank errors; of a cross-validation too.

        out      folder to write; None = RUN
        raises   BadInput for a multilabel run; BadData where no sheet is left or classes differ
        """
        from steelsight.api.results.trust import ConfidenceResult
        from steelsight.runs.abstention.confidence_scores import compare_confidence_scores
        from steelsight.runs.options import ConfidenceOptions

        chosen, where = choose(ConfidenceOptions, options, settings), as_data(data)
        scored = compare_confidence_scores(
            self.folder,
            where.path,
            where.options,
            part=chosen.split,
            on=chosen.on,
            seed=chosen.seed,
            out=path_or_none(out),
        )
        return ConfidenceResult(self.folder if out is None else Path(out), scored)

    @checked
    def robustness(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: RobustnessOptions | None = None,
        **settings: Unpack[RobustnessSettings],
    ) -> RobustnessResult:
        """Accuracy over growing noise, blur, exposure, compression, dead columns and vibration.

        out      folder to write; None = RUN/robustness-SPLIT
        raises   BadInput for a multilabel run; BadData where the part holds no sheet
        """
        from steelsight.api.results.trust import RobustnessResult
        from steelsight.runs.options import RobustnessOptions
        from steelsight.runs.robustness import measure_robustness

        where = as_data(data)
        chosen = choose(RobustnessOptions, options, settings, where.options)
        shown = counted_progress(progress)
        return RobustnessResult(
            measure_robustness(self.folder, where.path, chosen, out=path_or_none(out), progress=shown)
        )

    @checked
    def export(
        self,
        data: DataLike,
        out: Path | str,
        *,
        progress: Progress = None,
        options: ExportOptions | None = None,
        **settings: Unpack[ExportSettings],
    ) -> ExportResult:
        """Write a bundle: one graph that classifies and explains, verified against this model.

        data     the folder the run was trained on
        out      BUNDLE folder; must not exist, or be a bundle, which is replaced
        raises   ParityRefused where the graph does not agree with the model; BadData, BadOutput, BadRecipe
        """
        from steelsight.api.results.bundles import ExportResult
        from steelsight.deploy.export import export_run
        from steelsight.deploy.options import ExportOptions

        where = as_data(data)
        chosen = choose(ExportOptions, options, settings, where.options)
        shown = stage_progress(progress)
        return ExportResult(export_run(self.folder, where.path, Path(out), chosen, note=shown))


@checked
def open_run(folder: Path | str) -> Run:
    """A finished RUN folder; raises BadCheckpoint where it is incomplete, altered or of another version."""
    run = Run(Path(folder))
    _ = run.metrics
    return run
