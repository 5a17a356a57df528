"""`ss.Run`: a trained model in its RUN folder, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from steelsight.api.data import Data, as_data
from steelsight.api.progress import Progress, counted_progress, stage_progress
from steelsight.api.settings import (
    CalibrateSettings,
    EvaluateSettings,
    ExplainSettings,
    ExportSettings,
    LeagueSettings,
    MistakesSettings,
    ProveSettings,
    SearchSettings,
    choose,
)
from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.sheets.options import AUTOMATIC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from steelsight.api.results.bundles import ExportResult
    from steelsight.api.results.evaluation import CalibrationResult, EvaluationResult
    from steelsight.api.results.explanations import ExplanationFiles, MethodRanking, MistakesResult
    from steelsight.api.results.shortcuts import ProofResult, ShortcutsResult
    from steelsight.deploy.options import ExportOptions
    from steelsight.explanations.benchmark.report import Published
    from steelsight.models.card import Card
    from steelsight.models.classifier import SheetClassifier
    from steelsight.runs.abstention.options import CalibrationOptions
    from steelsight.runs.options import EvaluateOptions, ExplainOptions, LeagueOptions
    from steelsight.shortcuts.find.options import SearchOptions
    from steelsight.shortcuts.prove.options import ProofOptions
    from steelsight.training.run import RunResult

__all__ = ["Run", "nothing_published", "open_run"]

DataLike = Data | Path | str


def nothing_published(_task: str) -> Published:
    """No published figures beside those of a league."""
    return {}


@dataclass(frozen=True)
class Run(NotebookResult):
    """A RUN folder; nothing of it is read before it is asked for. Made by `train` or `open_run`.

    Every call takes DATA as a path or as `open_data` gives it, settings by name, and returns a result that is
    written to a folder too. `options` takes a whole option class in place of settings.
    """

    folder: Path

    @cached_property
    def _finished(self) -> RunResult:
        from steelsight.training.run import load_run

        return load_run(self.folder)

    @property
    def card(self) -> Card:
        """The model's card: task, classes, input, threshold; raises BadCheckpoint where it cannot be read."""
        from steelsight.models.checkpoint import load_checkpoint

        return load_checkpoint(self.folder)[1]  # not kept: `calibrate` changes it

    @property
    def model(self) -> SheetClassifier:
        """The network in evaluation mode; it takes (n, 3, h, w) as `models.inputs.to_input` makes them."""
        from steelsight.models.checkpoint import load_checkpoint

        return load_checkpoint(self.folder)[0]

    @property
    def metrics(self) -> dict[str, Any]:
        """The figures of the training: the content of metrics.json."""
        return self._finished.metrics

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes in the order of its outputs."""
        return self._finished.card.class_names

    @property
    def report(self) -> Path:
        """The HTML page of the training."""
        return self.folder / "report.html"

    @property
    def title(self) -> str:
        """Network, task and DATA."""
        card = self._finished.card
        return f"{self.folder.name}: {card.model.name}, {card.task}, trained on {card.data_name}"

    def as_dict(self) -> dict[str, Any]:
        """The content of metrics.json, and the folder as `run`."""
        supervised = self._finished.card.mask_supervised
        values: dict[str, Any] = plain(
            {"run": str(self.folder), "mask_supervised": supervised, **self.metrics}
        )
        return values

    def table(self) -> ResultTable:
        """One row a metric of the test sheets, with its 95 % interval by group."""
        from steelsight.api.results.evaluation import metric_table

        return metric_table(self.metrics["test"])

    def figures(self) -> dict[str, Figure]:
        """`learning_curves`, and `confusion` where there are test sheets of one class each."""
        from steelsight.api.results.evaluation import confusion_figure
        from steelsight.reports.figures import draw_learning_curves

        training = self.metrics["training"]
        curves = draw_learning_curves(training["history"], best_epoch=training["best_epoch"])
        return {"learning_curves": curves} | confusion_figure(self.metrics["test"], self.class_names)

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
            out=_path(out),
        )
        return EvaluationResult(done.folder, done.metrics)

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

    def explain(
        self,
        images: Sequence[Path | str] | Path | str,
        *,
        data: DataLike | None = None,
        out: Path | str | None = None,
        progress: Progress = None,
        options: ExplainOptions | None = None,
        **settings: Unpack[ExplainSettings],
    ) -> ExplanationFiles:
        """Draw what the verdicts on image files are based on; `ss.explain` gives maps as arrays.

        images   image files, or folders of them
        data     DATA folder that gives masks and true classes
        out      folder to write; None = RUN/explanations
        raises   BadInput where no image can be read; BadRecipe for a class or method that does not exist
        """
        from steelsight.api.results.explanations import ExplanationFiles
        from steelsight.runs.explain import explain_files
        from steelsight.runs.options import ExplainOptions

        where = None if data is None else as_data(data)
        reading = AUTOMATIC if where is None else where.options
        path = None if where is None else where.path
        chosen = choose(ExplainOptions, options, settings, reading, data=path, errors=False)
        paths = [Path(images)] if isinstance(images, str | Path) else [Path(each) for each in images]
        shown = counted_progress(progress)
        return ExplanationFiles(
            explain_files(self.folder, paths, chosen, out=_path(out), progress=shown)
        )

    def mistakes(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: ExplainOptions | None = None,
        **settings: Unpack[MistakesSettings],
    ) -> MistakesResult:
        """The wrong verdicts on DATA, explained on one page, the most confident first.

        out      folder to write; None = RUN/explanations
        raises   BadData where the part holds no sheet
        """
        from steelsight.api.results.explanations import MistakesResult
        from steelsight.runs.explain import explain_errors
        from steelsight.runs.options import ExplainOptions

        where = as_data(data)
        chosen = choose(ExplainOptions, options, settings, where.options, errors=True)
        shown = stage_progress(progress)
        return MistakesResult(explain_errors(self.folder, where.path, chosen, out=_path(out), say=shown))

    def league(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        published: Callable[[str], Published] = nothing_published,
        options: LeagueOptions | None = None,
        **settings: Unpack[LeagueSettings],
    ) -> MethodRanking:
        """Compare explanation methods against masks; finished methods are kept, and used by the next call.

        out        folder to write; None = RUN/league-SPLIT
        published  from a task to figures that are shown beside
        raises     BadRecipe for a method that does not exist; BadData where no sheet has a mask
        """
        from steelsight.api.results.explanations import MethodRanking
        from steelsight.runs.league import compare_explanations
        from steelsight.runs.options import LeagueOptions

        where = as_data(data)
        report = compare_explanations(
            self.folder,
            where.path,
            choose(LeagueOptions, options, settings, where.options),
            published,
            out=_path(out),
            say=stage_progress(progress),
            note=stage_progress(progress, "note"),
        )
        return MethodRanking(report, published)

    def shortcuts(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: SearchOptions | None = None,
        **settings: Unpack[SearchSettings],
    ) -> ShortcutsResult:
        """Search for properties that the model may use in place of the defect, and check them by pasting.

        out      folder to write; None = RUN/shortcuts
        raises   BadInput for a multilabel run; BadData where no sheet is left or classes differ
        """
        from steelsight.api.results.shortcuts import ShortcutsResult
        from steelsight.shortcuts.find.options import SearchOptions
        from steelsight.shortcuts.find.search_report import report_shortcuts

        where = as_data(data)
        chosen = choose(SearchOptions, options, settings, where.options)
        shown = stage_progress(progress)
        return ShortcutsResult(
            report_shortcuts(self.folder, where.path, chosen, out=_path(out), say=shown)
        )

    def prove(
        self,
        data: DataLike,
        nuisance: str,
        *,
        out: Path | str | None = None,
        options: ProofOptions | None = None,
        **settings: Unpack[ProveSettings],
    ) -> ProofResult:
        """Test one suspected shortcut: two groups, pasting with a control, a verdict by rule.

        nuisance  stain, end, or the path of a CSV file of the sheets that have it
        out       folder to write; None = RUN/shortcuts/prove-NAME
        raises    BadInput, BadData
        """
        from steelsight.api.results.shortcuts import ProofResult
        from steelsight.shortcuts.prove.options import ProofOptions
        from steelsight.shortcuts.prove.run import prove_run

        where = as_data(data)
        chosen = choose(ProofOptions, options, settings, where.options)
        return ProofResult(prove_run(self.folder, where.path, nuisance, chosen, out=_path(out)))

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


def open_run(folder: Path | str) -> Run:
    """A finished RUN folder; raises BadCheckpoint where it is incomplete, altered or of another version."""
    run = Run(Path(folder))
    _ = run.metrics
    return run


def _path(out: Path | str | None) -> Path | None:
    return None if out is None else Path(out)
