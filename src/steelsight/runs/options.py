"""Options of what is done with a RUN and a DATA folder. Free of torch, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.errors import BadRecipe
from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = [
    "METHODS",
    "CompareOptions",
    "ConfidenceOptions",
    "EvaluateOptions",
    "ExplainOptions",
    "LeagueOptions",
    "ModelOptions",
    "RobustnessOptions",
]

METHODS = (  # the keys of explanations.catalog, written out because the catalog needs torch
    "gradcam",
    "guided_gradcam",
    "guided_backprop",
    "integrated_gradients",
    "deeplift",
    "deepshap",
    "lime",
    "gradient",
)


@dataclass(frozen=True)
class ExplainOptions(DataOptions):
    """Which method explains which classes of which sheets."""

    method: str = option(METHODS[0], help=f"One of: {', '.join(METHODS)}.")
    data: Path | None = option(None, help="DATA folder of the images: gives masks and true classes.")
    target: tuple[str, ...] = option(
        (), help="Class to explain, by name or number; repeatable. Default: all classes."
    )
    arrays: bool = option(
        False, help="Write the maps as numbers too: one .npz file beside each figure.", flag="--arrays"
    )
    errors: bool = option(
        False, help="Write one page of all wrong verdicts on DATA, the most confident first.", flag="--errors"
    )
    split: str = option("test", help="With --errors, sheets to use: test, validation, train, or unseen.")
    most: int = option(40, help="With --errors, maximum number of figures for each kind of error.", min=1)

    def __post_init__(self) -> None:
        check_options(self)
        if self.method not in METHODS:
            raise BadRecipe(f"method: expected one of {', '.join(METHODS)}, got {self.method!r}")
        if self.arrays and self.errors:
            raise BadRecipe(
                "--arrays: expected without --errors; name the images themselves, errors.json lists them"
            )


@dataclass(frozen=True)
class RobustnessOptions(DataOptions):
    """Which sheets are disturbed."""

    split: str = option(
        "unseen",
        help="Sheets to use: unseen = all the run was not trained on; test, validation or train.",
    )
    limit: int = option(500, help="Maximum number of sheets, drawn at random.", min=1)
    seed: int = option(0, help="Seed of the drawn sheets and of the noise.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ModelOptions:
    """Which form of the networks is described."""

    head: str = option("study", help="study or direct.")
    outputs: int = option(2, help="Number of classes.", min=1, max=2**16)
    height: int = option(64, help="Input height, px.", min=1, max=2**16)
    width: int = option(400, help="Input width, px.", min=1, max=2**16)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class EvaluateOptions:
    """Which sheets a run is evaluated on, and how they are disturbed."""

    split: str = option(
        "unseen",
        help="unseen: all sheets that the run was not trained on; test, validation, train: that part of "
        "its own split; all: refused where the run was trained on any of it.",
    )
    noise: float = option(
        0.0, help="Evaluate on X + sigma Z in normalised units; the study's sigma is 0.15.", min=0
    )
    prevalence: float | None = option(
        None, help="Share of defective sheets on the line, for escapes per thousand sheets."
    )
    seed: int = option(0, help="Seed of the noise and of the bootstrap.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class CompareOptions:
    """Which sheets several runs are compared on."""

    data: Path | None = option(
        None,
        help="DATA folder to compare on; not for cross-validations, which have their own predictions.",
        metavar="DATA",
    )
    split: str = option(
        "unseen", help="unseen: sheets no run was trained on; or test, validation, train in all of them."
    )
    noise: float = option(0.0, help="Evaluate on X + sigma Z; the study's sigma is 0.15.", min=0)
    shares: str | None = option(
        None, help="Class shares the sheets are weighted to: 'study', or numbers such as .6,.1,.3."
    )
    seed: int = option(0, help="Seed of the noise and of the bootstrap.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ConfidenceOptions:
    """Which sheets confidence scores are compared on."""

    split: str = option("test", help="Sheets to use: test or unseen.")
    on: Path | None = option(
        None, help="Another DATA folder, whose unseen sheets are used instead.", metavar="DATA"
    )
    seed: int = option(0, help="Seed of the bootstrap and of the sheet drawn from each group.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class LeagueOptions(DataOptions):
    """Which explanation methods are compared, on which sheets, by which recipe."""

    split: str = option("test", help="Part to evaluate on: test, validation, train, or unseen.")
    methods: tuple[str, ...] | None = option(
        None, help="Method names, joined by commas; default all. A wrong name lists them.", joined=True
    )
    choose_on: Path | None = option(
        None,
        help="Another DATA folder whose sheets method and rule are chosen on, and none of whose images is in "
        "DATA. Default: the run's validation sheets; where it has none, some of its training groups.",
        metavar="DATA2",
    )
    limit: int | None = option(
        None,
        help="Maximum number of sheets to choose rules on, and to evaluate on, for each model.",
        min=1,
    )
    setting: tuple[str, ...] = option(
        (),
        help="Value of a key of the league's recipe, such as study.sigma=1; repeatable.",
        metavar="KEY=VALUE",
        flag="--set",
    )
    fresh: bool = option(
        False,
        help="Evaluate every method again, or use the results of finished methods.",
        flag="--fresh/--resume",
    )
    seed: int = option(0, help="Seed of samples, noise and the bootstrap.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
