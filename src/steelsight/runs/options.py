"""Options of what is done with a RUN and a DATA folder. Free of torch, so that `--help` stays fast."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steelsight.errors import BadRecipe
from steelsight.options import check_options, option

__all__ = ["METHODS", "ExplainOptions", "ModelOptions", "RobustnessOptions"]

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
class ExplainOptions:
    """Which method explains which classes of which sheets."""

    method: str = option(METHODS[0], help=f"One of: {', '.join(METHODS)}.")
    data: Path | None = option(None, help="DATA folder of the images: gives masks and true classes.")
    target: tuple[str, ...] = option(
        (), help="Class to explain, by name or number; repeatable. Default: all classes."
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


@dataclass(frozen=True)
class RobustnessOptions:
    """Which sheets are disturbed."""

    split: str = option(
        "unseen",
        help="Sheets to use: unseen = all the run was not trained on; test, validation or train.",
    )
    limit: int = option(500, help="Maximum number of sheets, drawn at random.", min=1)
    allow_bad: int = option(0, help="Tolerate up to N unusable items.", metavar="N", min=0)
    seed: int = option(0, help="Seed of the drawn sheets and of the noise.", min=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class ModelOptions:
    """Which form of the networks is described."""

    head: str = option("study", help="study or direct.")
    outputs: int = option(2, help="Number of classes.")
    height: int = option(64, help="Input height, px.")
    width: int = option(400, help="Input width, px.")
