"""The study's trainings on a cluster: those that need no result of another are done at the same time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from steelsight.executor import Executor
from steelsight.sheets.grouping.splits import Split
from steelsight.study.data import StudyData, multiclass_data
from steelsight.study.train import Trainer, TrainingJob, binary_jobs, job_data
from steelsight.study.train_multiclass import CHOSEN, slide_jobs, technique_jobs
from steelsight.training.dataset import SheetData
from steelsight.training.loop.progress import TrainingProgress
from steelsight.training.recipe import Recipe
from steelsight.training.run import RunResult
from steelsight.training.several import Training, train_each

__all__ = ["ClusterTrainer", "independent_trainings"]


class ClusterTrainer:
    """A Trainer that does its trainings by an executor; several can be done ahead, at the same time."""

    def __init__(
        self, train: Trainer, executor: Executor, reads: Sequence[Path], watcher: TrainingProgress
    ) -> None:
        """Make a trainer.

        train  the training function, of a module
        reads  folders of the sheets
        """
        self.train, self.executor, self.reads, self.watcher = train, executor, reads, watcher
        self.done: dict[Path, RunResult] = {}

    def train_ahead(self, trainings: Sequence[Training], *, fresh: bool) -> None:
        """Do trainings at the same time, for later calls with their folders; raises as `train_each`."""
        runs = train_each(
            trainings,
            reads=self.reads,
            fresh=fresh,
            progress=self.watcher,
            executor=self.executor,
            train=self.train,
        )
        for index, run in runs:
            self.done[trainings[index].folder] = run

    def __call__(
        self,
        data: SheetData,
        split: Split,
        recipe: Recipe,
        folder: Path,
        *,
        seed: int,
        fresh: bool,
        progress: TrainingProgress,  # noqa: ARG002 - that of all trainings is given already
    ) -> RunResult:
        """As run.train_data: the run of a training that was done ahead, or of one that is done now."""
        if folder not in self.done:
            self.train_ahead([Training(folder.name, data, split, recipe, folder, seed)], fresh=fresh)
        return self.done[folder]


def independent_trainings(study_data: StudyData, out: Path) -> list[Training]:
    """The binary models, the rows of the study's multi-class table, and the techniques for rare types."""
    options = study_data.options
    trainings = list(_trainings(binary_jobs(options, out)[0], study_data, "binary "))
    own = multiclass_data(study_data) if trainings and options.multiclass else ""
    if isinstance(own, str):
        return trainings
    slides = slide_jobs(own.options, out)[0]
    trainings += _trainings(slides, own, "")
    if any(job.key == CHOSEN for job in slides):
        techniques = technique_jobs(own, out)[0].values()
        trainings += _trainings(filter(None, techniques), own, "technique: ")
    return trainings


def _trainings(jobs: Iterable[TrainingJob], study_data: StudyData, kind: str) -> Iterable[Training]:
    for job in jobs:
        data, split = job_data(job, study_data)
        name = f"{kind}{job.title}"
        yield Training(name, data, split, job.recipe, job.folder, study_data.options.seed)
