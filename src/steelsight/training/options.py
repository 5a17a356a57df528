"""Options of a training and of a cross-validation. Free of torch, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from steelsight.errors import BadRecipe
from steelsight.options import check_options, option

__all__ = ["FoldOptions", "LabelCurveOptions", "TrainOptions"]


@dataclass(frozen=True)
class FoldOptions:
    """How often the sheets are divided, and into how many folds; raises BadRecipe for too few."""

    folds: int = 5
    repeats: int = 1

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise BadRecipe(f"folds: expected at least 2, got {self.folds}")
        if self.repeats < 1:
            raise BadRecipe(f"repeats: expected at least 1, got {self.repeats}")


@dataclass(frozen=True)
class TrainOptions:
    """What is trained, by which recipe, and how often."""

    task: str | None = option(
        None, help="binary, multiclass or multilabel. Default: the recipe's, which is binary."
    )
    model: str | None = option(
        None,
        help="Network: a name that `steelsight models` lists, timm:NAME, torchvision:NAME, or "
        "module:callable for one of your own. Default: the recipe's.",
    )
    recipe: str | None = option(
        None,
        help="default, accurate, parts, study, aug_cnn and its like, or a TOML file. Default: default; with "
        "--from, that of the run.",
    )
    start: Path | None = option(
        None,
        help="Finished RUN whose weights the training starts from; its network and input are kept, its head "
        "where the classes are the same.",
        metavar="RUN",
        flag="--from",
    )
    setting: tuple[str, ...] = option(
        (),
        help="Value of a recipe key, such as learning_rate=1e-3; repeatable.",
        metavar="KEY=VALUE",
        flag="--set",
    )
    epochs: int | None = option(None, help="Maximum number of epochs. Default: the recipe's.")
    split: Literal["random", "stratified", "groups", "given"] | None = option(
        None,
        help="How sheets are divided into training, validation and test: sheet by sheet, by class, by whole "
        "groups, or as the data set's own folders, annotation files or split.csv say. Default: the recipe's.",
    )
    seed: int = option(0, help="Seed: the same seed and data give the same figures.", min=0)
    folds: int | None = option(
        None, help="Number of folds of a cross-validation; RUN then holds one run for each."
    )
    repeats: int = option(1, help="Number of repetitions of the cross-validation.")
    test: Path | None = option(
        None,
        help="Another DATA folder to test on; the test share of DATA goes to training.",
        metavar="OTHER",
    )
    every_sheet: bool = option(
        False,
        help="Train on every sheet; the figures are those of a cross-validation of --folds folds, 5 by "
        "default, in RUN/folds.",
        flag="--all",
    )
    with_generated: int | None = option(
        None,
        help="Number of sheets of the generator that join the training part, never validation or test; they "
        "have generated.share of the loss, .5 by default.",
        min=1,
        metavar="N",
    )
    fresh: bool = option(False, help="Start over, or continue with what RUN holds.", flag="--fresh/--resume")

    def __post_init__(self) -> None:
        check_options(self)
        if self.test is not None and (self.every_sheet or self.folds is not None):
            flag = "--all" if self.every_sheet else "--folds"
            raise BadRecipe(f"--test: expected one way to test, got {flag} too; leave one of them out")

    @property
    def settings(self) -> list[str]:
        """The recipe keys that these options set, as `key=value`; --set comes last."""
        flags = {
            "task": self.task,
            "model.name": self.model,
            "stop.max_epochs": self.epochs,
            "split.method": self.split,
            "generated.sheets": self.with_generated,
        }
        given = [f"{key}={value}" for key, value in flags.items() if value is not None]
        return [*given, *self.setting]


@dataclass(frozen=True)
class LabelCurveOptions:
    """Which shares of the labels are trained on, and by which recipe."""

    task: str | None = option(None, help="binary or multiclass. Default: the recipe's.")
    recipe: str = option("default", help="Name of a recipe or a TOML file, as for train.")
    setting: tuple[str, ...] = option(
        (), help="Value of a recipe key; repeatable.", metavar="KEY=VALUE", flag="--set"
    )
    shares: str = option("0.1,0.2,0.4,0.7,1", help="Shares of the training sheets, joined by commas.")
    seed: int = option(0, help="Seed: the same seed and data give the same figures.", min=0)
    fresh: bool = option(False, help="Train again where a run exists.", flag="--fresh")

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def settings(self) -> list[str]:
        """The recipe keys that these options set, as `key=value`; --set comes last."""
        return [*([] if self.task is None else [f"task={self.task}"]), *self.setting]

    @property
    def share_values(self) -> tuple[float, ...]:
        """The shares as numbers; raises BadRecipe for anything else."""
        try:
            return tuple(float(part) for part in self.shares.split(","))
        except ValueError as error:
            raise BadRecipe(f"--shares: expected numbers joined by commas, got {self.shares!r}") from error
