"""What a run of the study is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from steelsight.errors import BadRecipe
from steelsight.models.catalog import MODELS
from steelsight.training.recipe import Recipe
from steelsight.training.recipe_files import load_recipe, override

__all__ = [
    "TECHNIQUES",
    "VGG",
    "ControlChoice",
    "StudyOptions",
    "Technique",
    "TechniqueChoice",
    "VggChoice",
    "recipe_for",
    "slide_recipe",
    "technique_recipe",
]

VggChoice = Literal["skip", "subset", "full"]
TechniqueChoice = Literal["none", "study", "all"]
ControlChoice = Literal["free", "trained"]

VGG = "vgg16_bn"
SLIDE_ORDER = ("adhoc", "vgg16_bn", "squeezenet", "squeezenet_reduced")
QUICK_SHEETS, QUICK_EPOCHS, QUICK_RESAMPLES, QUICK_REPEATS = 240, 2, 200, 7
QUICK_EXPLAINED, QUICK_PROBED = 6, 120
QUICK_NEURONS, QUICK_STEPS = 2, 48


@dataclass(frozen=True)
class Technique:
    """One thing to do about rare classes."""

    title: str
    settings: Mapping[str, Any]
    study: bool = False  # the study compared it


TECHNIQUES: dict[str, Technique] = {
    "none": Technique("nothing", {}, study=True),
    "patches": Technique("six patches a sheet", {"patches.count": 6}, study=True),
    "weighted": Technique("loss by inverse frequency", {"balance.method": "loss"}, study=True),
    "flips": Technique("flipped copies of rare types", {"balance.method": "flips"}, study=True),
    "exact_flips": Technique("the same, each flip once", {"balance.method": "flips", "flips.exact": True}),
    "effective": Technique(
        "loss by effective number", {"balance.method": "loss", "balance.weighting": "effective"}
    ),
    "sampling": Technique(
        "drawn by the root of inverse frequency", {"balance.method": "sampling", "balance.power": 0.5}
    ),
    "focal": Technique("focal loss, gamma 2", {"loss.focal": 2.0}),
    "logit_adjust": Technique("logits adjusted by the classes' shares", {"loss.logit_adjust": 1.0}),
    "paste": Technique("masked defects pasted, to a tenth each", {"paste.to_share": 0.1}),
}


@dataclass(frozen=True)
class StudyOptions:
    """A run of the study; the defaults are the study's own protocol, except that VGG16 is left out."""

    models: tuple[str, ...] = SLIDE_ORDER
    vgg: VggChoice = "skip"  # subset: few sheets and epochs from a random start; full: as the others
    vgg_sheets: int = 400  # of the training part, for subset
    vgg_epochs: int = 3  # at most, for subset
    epochs: int | None = None  # at most; None = the study's 60 with early stopping
    sheets: int | None = None  # at most, drawn from the folder; None = all
    groups: str | None = None  # rule that keeps sheets together; None = the study's split, sheet by sheet
    stratify: bool = False  # every part gets every class by its share; the study did not
    allow_bad: int = 0
    seed: int = 0
    pretrained: Literal["auto", "none"] = "auto"  # auto: ImageNet start where the network has one
    settings: tuple[str, ...] = ()  # further `key=value` for the recipe
    resamples: int = 1000
    repeats: int = 40  # timing rounds
    multiclass: bool = True  # the study's second half, where the data have several types
    techniques: TechniqueChoice = "study"  # what is compared about rare types: the study's, all, none
    controls: ControlChoice = "free"  # of the transplant; trained: another seed and shuffled labels as well
    test: Path | None = None  # another DATA folder to test on; the first then only trains and validates
    explained: int = 200  # sheets with masks, at most, that choose a mask rule, and that judge
    probed: int = 800  # sheets, at most, that the layers' probes are fitted on and judged by
    neurons: int = 4  # a layer, whose images are made
    neuron_steps: int = 256  # of each image
    fresh: bool = False  # train again what is trained already
    quick: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.models if name not in MODELS]
        if unknown or not self.models:
            raise BadRecipe(
                f"--models: expected some of {', '.join(MODELS)}, got {', '.join(unknown) or 'none'}"
            )
        for name in (
            "vgg_sheets",
            "vgg_epochs",
            "epochs",
            "sheets",
            "resamples",
            "repeats",
            "explained",
            "probed",
            "neurons",
            "neuron_steps",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadRecipe(f"--{name.replace('_', '-')}: expected at least 1, got {value}")

    def quickened(self) -> StudyOptions:
        """The same run in minutes: few sheets, few epochs. It shows the report; it proves nothing."""
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


def recipe_for(name: str, options: StudyOptions) -> Recipe:
    """The study's recipe for one network of its binary half under these options."""
    return _adapt(load_recipe("study", options.settings), options, {"task": "binary", "model.name": name})


def slide_recipe(key: str, options: StudyOptions) -> Recipe:
    """The recipe of one row of the study's multi-class table; keys as in recipe_files.SLIDE_MODELS."""
    return _adapt(load_recipe(key, options.settings), options, {})


def technique_recipe(key: str, options: StudyOptions) -> Recipe:
    """The study's chosen network under one technique against imbalance."""
    base = slide_recipe("aug_reduced_squeeze", options)
    return override(base, {"balance.method": "none", **TECHNIQUES[key].settings})


def _adapt(recipe: Recipe, options: StudyOptions, changes: dict[str, Any]) -> Recipe:
    changes |= {"model.pretrained": options.pretrained}
    if options.groups is not None:
        changes["split.method"] = "groups"
    elif options.stratify:
        changes["split.method"] = "stratified"
    if options.test is not None:
        whole = recipe.split.train + recipe.split.validation
        parts = {"train": recipe.split.train / whole, "validation": recipe.split.validation / whole}
        changes |= {f"split.{part}": share for part, share in (parts | {"test": 0.0}).items()}
    changes |= _epochs(changes.get("model.name", recipe.model.name), options)
    return override(recipe, changes)


def _epochs(name: str, options: StudyOptions) -> Mapping[str, Any]:
    if name == VGG and options.vgg == "subset":
        return {"stop.max_epochs": options.vgg_epochs, "model.pretrained": "none"}
    return {} if options.epochs is None else {"stop.max_epochs": options.epochs}
