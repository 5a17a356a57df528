"""What the reasons of a run's verdicts can be asked: explanations, methods against masks, shortcuts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from steelsight.api.data import DataLike, as_data, path_or_none
from steelsight.api.lab.run_folder import OpenedRun
from steelsight.api.lab.settings import (
    ExplainSettings,
    GateSettings,
    LeagueSettings,
    MistakesSettings,
    ProveSettings,
    RepairSettings,
    SearchSettings,
)
from steelsight.api.lab.study import published_segmentation
from steelsight.api.progress import (
    Progress,
    counted_progress,
    stage_progress,
    training_progress,
)
from steelsight.api.settings import choose
from steelsight.argument_types import checked
from steelsight.sheets.options import AUTOMATIC

if TYPE_CHECKING:
    from steelsight.api.results.explanations import ExplanationFiles, MethodRanking, MistakesResult
    from steelsight.api.results.shortcuts import GateOutcome, ProofResult, RepairResult, ShortcutsResult
    from steelsight.executor import Executor
    from steelsight.explanations.benchmark.report import Published
    from steelsight.runs.options import ExplainOptions, LeagueOptions
    from steelsight.shortcuts.find.options import SearchOptions
    from steelsight.shortcuts.prove.options import GateOptions, ProofOptions
    from steelsight.shortcuts.repair.options import RepairOptions

__all__ = ["ExplainedRun"]


@dataclass(frozen=True)
class ExplainedRun(OpenedRun):
    """The calls of a run that explain its verdicts, or test what they are based on."""

    @checked
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
            explain_files(self.folder, paths, chosen, out=path_or_none(out), progress=shown)
        )

    @checked
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
        return MistakesResult(
            explain_errors(self.folder, where.path, chosen, out=path_or_none(out), say=shown)
        )

    @checked
    def league(
        self,
        data: DataLike,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        published: Callable[[str], Published] = published_segmentation,
        options: LeagueOptions | None = None,
        **settings: Unpack[LeagueSettings],
    ) -> MethodRanking:
        """Compare explanation methods against masks; finished methods are kept, and used by the next call.

        out        folder to write; None = RUN/league-SPLIT
        published  from a task to figures that are shown beside; those of the study, where nothing is given
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
            out=path_or_none(out),
            say=stage_progress(progress),
            note=stage_progress(progress, "note"),
        )
        return MethodRanking(report, published)

    @checked
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
            report_shortcuts(self.folder, where.path, chosen, out=path_or_none(out), say=shown)
        )

    @checked
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
        return ProofResult(prove_run(self.folder, where.path, nuisance, chosen, out=path_or_none(out)))

    @checked
    def gate(
        self,
        data: DataLike,
        policy: Path | str,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        options: GateOptions | None = None,
        **settings: Unpack[GateSettings],
    ) -> GateOutcome:
        """Prove every shortcut that a policy names, and say whether the run may be released.

        policy   TOML file
        out      folder to write; None = RUN/shortcuts
        raises   BadRecipe for an invalid policy; BadInput, BadData
        """
        from steelsight.api.results.shortcuts import GateOutcome
        from steelsight.shortcuts.gate import gate_run
        from steelsight.shortcuts.prove.options import GateOptions

        where = as_data(data)
        chosen = choose(GateOptions, options, settings, where.options)
        shown = stage_progress(progress)
        folder = path_or_none(out)
        decided = gate_run(self.folder, where.path, Path(policy), chosen, out=folder, say=shown)
        return GateOutcome(self.folder, decided)

    @checked
    def repair(
        self,
        data: DataLike,
        nuisance: str,
        *,
        out: Path | str | None = None,
        progress: Progress = None,
        executor: Executor | None = None,
        options: RepairOptions | None = None,
        **settings: Unpack[RepairSettings],
    ) -> RepairResult:
        """Retrain by every repair method, choose one on validation sheets, and prove again on others.

        data      the folder the run was trained on
        nuisance  stain, end, or the path of a CSV file of the sheets that have it
        out       folder to write, with a RUN for each method; None = RUN/shortcuts/repair-NAME
        executor  where the trainings are done; None = here
        raises    BadInput, BadData
        """
        from steelsight.api.results.shortcuts import RepairResult
        from steelsight.shortcuts.repair.options import RepairOptions
        from steelsight.shortcuts.repair.run import repair_run
        from steelsight.training.several import LOCAL

        where, folder = as_data(data), path_or_none(out)
        chosen = choose(RepairOptions, options, settings, where.options)
        with training_progress(progress) as shown:
            report = repair_run(
                self.folder,
                where.path,
                nuisance,
                chosen,
                out=folder,
                watcher=shown,
                say=shown.note,
                executor=executor or LOCAL,
            )
        return RepairResult(report)
