"""Options of a study. This module does not import torch, so the command line can read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from steelsight.errors import BadRecipe
from steelsight.options import check_options, option
from steelsight.sheets.options import DataOptions

__all__ = ["SLIDE_ORDER", "VGG", "StudyOptions"]

VGG = "vgg16_bn"
SLIDE_ORDER = ("adhoc", "vgg16_bn", "squeezenet", "squeezenet_reduced")
QUICK_SHEETS, QUICK_EPOCHS, QUICK_RESAMPLES, QUICK_REPEATS = 240, 2, 200, 7
QUICK_EXPLAINED, QUICK_PROBED = 6, 120
QUICK_NEURONS, QUICK_STEPS = 2, 48


@dataclass(frozen=True)
class StudyOptions(DataOptions):
    """Options of a study; the defaults are the study's own protocol, except that VGG16 is left out."""

    models: tuple[str, ...] = option(SLIDE_ORDER, help="Networks to train, joined by commas.", joined=True)
    vgg: Literal["skip", "subset", "full"] = option(
        "skip",
        help="VGG16: skip it, train it on a subset of sheets from a random start, or train it in full "
        "like the other networks, which takes about twelve times as long as each of them.",
    )
    vgg_sheets: int = option(400, help="Number of training sheets for --vgg subset.", min=1)
    vgg_epochs: int = option(3, help="Maximum number of epochs for --vgg subset.", min=1)
    epochs: int | None = option(
        None, help="Maximum number of epochs; default: the study's 60 with early stopping.", min=1
    )
    sheets: int | None = option(
        None, help="Use this many sheets of DATA, drawn at random; default: all.", min=1
    )
    test: Path | None = option(
        None,
        help="Another DATA folder for testing; the first one is then used for training and validation only.",
        metavar="DATA",
    )
    multiclass: bool = option(True, help="Also train and measure the multi-class models of the defect types.")
    techniques: Literal["none", "study", "all"] = option(
        "study",
        help="Techniques against class imbalance to compare: none, those of the study, or all that exist.",
    )
    controls: Literal["free", "trained"] = option(
        "free",
        help="Controls of the transplant: free uses untrained weights only; trained adds two trainings, with "
        "another seed and with shuffled labels.",
    )
    pretrained: Literal["auto", "none"] = option(
        "auto",
        help="Starting weights: auto uses ImageNet weights where the network has them, none random weights.",
    )
    settings: tuple[str, ...] = option(
        (), help="Further recipe keys, key=value; may be repeated.", flag="--set", metavar="KEY=VALUE"
    )
    explained: int = option(
        200,
        help="Maximum number of sheets with masks that choose a mask rule, and as many again that "
        "explanation methods are compared on.",
        min=1,
    )
    probed: int = option(
        800,
        help="Maximum number of sheets that the probes of the layers are fitted on, and as many again that "
        "they are tested on.",
        min=1,
    )
    neurons: int = option(
        4,
        help="Number of neurons per layer that images are made for, in each of the two models shown.",
        min=1,
    )
    quick: bool = option(
        False,
        help="Few sheets and epochs: minutes instead of hours, and no claim is decided.",
        flag="--quick",
    )
    fresh: bool = option(False, help="Repeat trainings that are already finished.", flag="--fresh")
    seed: int = option(0, help="Seed of split, training, noise and resampling.", min=0)
    stratify: bool = option(
        False,
        help="Give every part of the split its share of every class; the study did not.",
        command_line=False,
    )
    resamples: int = option(1000, help="Bootstrap resamples of each interval.", min=1, command_line=False)
    repeats: int = option(40, help="Rounds of each time measurement.", min=1, command_line=False)
    neuron_steps: int = option(
        256, help="Optimisation steps of each neuron's image.", min=1, command_line=False
    )

    def __post_init__(self) -> None:
        unknown = [name for name in self.models if name not in SLIDE_ORDER]
        if unknown or not self.models:
            raise BadRecipe(
                f"--models: expected some of {', '.join(SLIDE_ORDER)}, got {', '.join(unknown) or 'none'}"
            )
        check_options(self)

    def quickened(self) -> StudyOptions:
        """The same study in minutes: few sheets, few epochs. It shows the report; no claim is decided."""
        return replace(
            self,
            quick=True,
            sheets=self.sheets or QUICK_SHEETS,
            epochs=self.epochs or QUICK_EPOCHS,
            vgg_sheets=min(self.vgg_sheets, 60),
            vgg_epochs=1,
            resamples=min(self.resamples, QUICK_RESAMPLES),
            repeats=min(self.repeats, QUICK_REPEATS),
            explained=min(self.explained, QUICK_EXPLAINED),
            probed=min(self.probed, QUICK_PROBED),
            neurons=min(self.neurons, QUICK_NEURONS),
            neuron_steps=min(self.neuron_steps, QUICK_STEPS),
        )
