"""`ss.repeat_study`: the published study on these data, its tables and figures in one report.

This module and its result are all of the API that knows the study.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from steelsight.api.data import DataLike, as_data
from steelsight.api.progress import Progress, training_progress
from steelsight.api.settings import choose
from steelsight.argument_types import checked

if TYPE_CHECKING:
    from steelsight.api.results.study import StudyResult
    from steelsight.executor import Executor
    from steelsight.study.options import StudyOptions

__all__ = ["StudySettings", "published_segmentation", "repeat_study"]


class StudySettings(TypedDict, total=False):
    """Settings of `repeat_study`: `study.options.StudyOptions`."""

    models: Sequence[str]
    vgg: Literal["skip", "subset", "full"]
    vgg_sheets: int
    vgg_epochs: int
    epochs: int | None
    sheets: int | None
    test: Path | None
    multiclass: bool
    techniques: Literal["none", "study", "all"]
    controls: Literal["free", "trained"]
    pretrained: Literal["auto", "none"]
    settings: Sequence[str]
    explained: int
    probed: int
    neurons: int
    quick: bool
    fresh: bool
    seed: int


@checked
def repeat_study(
    data: DataLike,
    out: Path | str,
    *,
    progress: Progress = None,
    executor: Executor | None = None,
    options: StudyOptions | None = None,
    **settings: Unpack[StudySettings],
) -> StudyResult:
    """Train the study's models, and write its tables and figures beside the published ones.

    It takes hours; `quick=True` shows the report in minutes and decides no claim. Called again, finished
    trainings are used.

    out       folder for report.html, report.json and the runs
    executor  where the trainings are done; None = here
    raises    BadData, BadRecipe; BadInput where `out` cannot be written or no model is left to train
    """
    from steelsight.api.results.study import StudyResult
    from steelsight.study.options import StudyOptions
    from steelsight.study.run import run_study
    from steelsight.training.several import LOCAL

    where = as_data(data)
    chosen = choose(StudyOptions, options, settings, where.options)
    with training_progress(progress) as shown:
        report = run_study(where.path, Path(out), chosen, watcher=shown, executor=executor or LOCAL)
    return StudyResult(report)


def published_segmentation(task: str) -> Mapping[str, Mapping[str, float]]:
    """The study's segmentation scores of explanation methods: by method, then by score.

    task  binary, or else multi-class
    """
    from steelsight.study.contents import published_segmentation as read_published

    return read_published(task)
