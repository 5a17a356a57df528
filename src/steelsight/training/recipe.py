"""The recipe of a training as one validated object; values and their reasons are in recipes/*.toml.

The sections below define the keys and their legal values. No key has a default here, so that a recipe is
complete and the TOML files are the one place for defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)

from steelsight.models.catalog import HeadName, ModelSpec, find_model
from steelsight.models.heads import PoolingName
from steelsight.sheets.images.augment import AugmentSpec
from steelsight.types import Fit, InputSpec, Task

__all__ = [
    "BalanceRecipe",
    "ComputeRecipe",
    "FlipsRecipe",
    "GeneratedRecipe",
    "LossRecipe",
    "NoiseRecipe",
    "OptimiserRecipe",
    "PasteRecipe",
    "PatchesRecipe",
    "PlacesRecipe",
    "ProbeRecipe",
    "Recipe",
    "SplitRecipe",
    "StopRecipe",
]


MOST_SIDE: Final = 2**14  # px
MOST_PIXELS: Final = 2**24  # of one sheet at model size; the study's have 25,600
MOST: Final = 2**20  # of anything that is counted, such as epochs


_Counts = Annotated[tuple[int, ...], Field(strict=False)]  # a TOML file has lists


class _RecipeSection(BaseModel):
    """Strict: true is no number, "3" is none either, and no number is infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class ModelRecipe(_RecipeSection):
    """The network; see models.catalog."""

    name: str  # as `steelsight models` lists them, timm:NAME, torchvision:NAME, module:callable
    head: HeadName  # study or direct; see models.heads
    pooling: PoolingName  # of the direct head: average, lse or top
    sharpness: float = Field(gt=0)  # of lse pooling; larger = closer to the maximum
    top_share: float = Field(gt=0, le=1)  # of top pooling: share of the grid that is averaged
    # steel: of generated sheets, see models.starts; auto: ImageNet's where the network has such weights
    pretrained: Literal["imagenet", "steel", "none", "auto"]
    dropout: float | Literal["study"]  # study: what the study used for this network


class InputRecipe(_RecipeSection):
    """The size images are brought to, and how."""

    height: int = Field(ge=1, le=MOST_SIDE)  # px
    width: int = Field(ge=1, le=MOST_SIDE)  # px
    fit: Fit  # how an image of another shape is brought to this size; see types.Fit

    @model_validator(mode="after")
    def _small_enough(self) -> InputRecipe:
        if self.height * self.width > MOST_PIXELS:
            raise ValueError(
                f"expected at most {MOST_PIXELS} pixels, got {self.height}x{self.width}; "
                "choose a smaller input"
            )
        return self


class LabelsRecipe(_RecipeSection):
    """How classes are read from the annotations of a sheet."""

    multi_type: Literal["drop", "first"]  # multiclass: drop sheets of several types, or keep the first type
    shuffle_seed: int = Field(default=0, ge=0, lt=2**63)  # above 0: a control with shuffled labels

    @model_serializer(mode="wrap")
    def _without_zero(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        """Leave the key out at 0, so that the fingerprints of runs from before it existed stay valid."""
        values: dict[str, Any] = write(self)
        return values if self.shuffle_seed else {key: values[key] for key in values if key != "shuffle_seed"}


class SplitRecipe(_RecipeSection):
    """Shares of the training, validation and test sheets, and how they are drawn."""

    method: Literal["random", "stratified", "groups", "given"]  # groups: related sheets stay in one part
    train: float = Field(gt=0, le=1)  # share of the sheets
    validation: float = Field(ge=0, lt=1)  # 0: the last epoch is kept
    test: float = Field(ge=0, lt=1)  # share of the sheets

    @model_validator(mode="after")
    def _whole(self) -> SplitRecipe:
        if abs(self.train + self.validation + self.test - 1) > 1e-6:
            raise ValueError(
                f"expected shares that sum to 1, got {self.train}, {self.validation}, {self.test}"
            )
        return self


class ProbeRecipe(_RecipeSection):
    """A head fitted on frozen features before the first epoch; see training.loop.probe."""

    enabled: bool  # whether the head is fitted before the first epoch
    copies: int = Field(ge=0, le=MOST)  # augmented copies of each sheet in the fit
    penalty: float = Field(gt=0)  # of the squared weights of standardised features
    steps: int = Field(ge=1, le=MOST)  # of gradient descent, for nonlinear poolings and for masks


class OptimiserRecipe(_RecipeSection):
    """The optimiser and its schedule."""

    method: Literal["adam", "adamw"]  # adamw decays weights apart from the gradient
    learning_rate: float = Field(gt=0)  # the largest of the schedule
    weight_decay: float = Field(ge=0)  # 0 = none
    schedule: Literal["constant", "cosine"]  # cosine: falls to 0 at the last step
    warm_up: float = Field(ge=0, lt=1)  # share of all steps over which the rate rises from 0
    clip: float = Field(ge=0)  # largest gradient norm; 0 = none
    ema: float = Field(ge=0, lt=1)  # decay of the averaged weights; 0 = none


class StopRecipe(_RecipeSection):
    """How long to train."""

    max_epochs: int = Field(ge=0, le=MOST)  # 0: the probe alone
    patience: int = Field(ge=0, le=MOST)  # epochs without improvement on validation; 0 = no early stopping
    monitor: Literal["loss", "balanced_accuracy"]  # validation metric that chooses the epoch that is kept


class NoiseRecipe(_RecipeSection):
    """The study's noisy copy, X' = X + sigma Z, Z ~ N(0, I) in normalised units."""

    sigma: float = Field(ge=0)  # in normalised units; 0 = no noise
    double: bool  # True: the batch and its noisy copy; False: the noisy batch alone


class BalanceRecipe(_RecipeSection):
    """Measures against class imbalance."""

    method: Literal["none", "loss", "sampling", "flips"]  # what is changed: weights, draws or copies
    weighting: Literal["power", "effective"]  # class weight as a function of the class count
    power: float = Field(ge=0, le=1)  # power: count^-power; 0 = unweighted, 1 = fully balanced
    beta: float = Field(ge=0, lt=1)  # effective: (1 - beta) / (1 - beta^count)
    group_power: float = Field(ge=0, le=1)  # the same for the groups within a class


class FlipsRecipe(_RecipeSection):
    """Flipped copies of rare classes, for balance.method = flips."""

    added: Literal["auto"] | _Counts  # copies a sheet of each class; auto: see imbalance.copies
    chance: float = Field(ge=0, le=1)  # of each flip
    exact: bool  # True: each flip once before any repeats; False: drawn independently

    @field_validator("added")
    @classmethod
    def _counts(cls, added: str | tuple[int, ...]) -> str | tuple[int, ...]:
        if not isinstance(added, str) and not all(0 <= count <= MOST for count in added):
            raise ValueError(f"expected numbers of copies, from 0 to {MOST}, got {list(added)}")
        return added


class PatchesRecipe(_RecipeSection):
    """Training on parts of sheets."""

    count: int = Field(ge=1, le=MOST_SIDE)  # 1 = whole sheets
    black_level: int = Field(ge=0, le=255)  # gray levels above it are metal
    least_metal: float = Field(ge=0, le=1)  # share of metal; a patch with less is dropped
    least_mask: float = Field(gt=0, le=1)  # a patch is defective from this masked share on


class PasteRecipe(_RecipeSection):
    """Masked defects pasted on defect-free sheets."""

    to_share: float = Field(ge=0, lt=1)  # of the training sheets, for every defect class; 0 = none


class GeneratedRecipe(_RecipeSection):
    """Sheets of the generator beside the real training sheets; see training.generated."""

    sheets: int = Field(default=0, ge=0, le=MOST)  # that join the training part; 0 = none
    share: float = Field(default=0.5, gt=0, lt=1)  # of the training loss that they have together


class PlacesRecipe(_RecipeSection):
    """The place head, which is fitted to masks after the last epoch; see models.places."""

    hidden: int = Field(default=0, ge=0, le=2**12)  # channels between its layers; 0 = no place head
    # Training sheets that it is fitted to, at most: up to 200 places of each are kept, 2 bytes a channel.
    sheets: int = Field(default=2000, ge=1, le=MOST)
    epochs: int = Field(default=4, ge=1, le=MOST)  # of its fit


class LossRecipe(_RecipeSection):
    """The training loss."""

    label_smoothing: float = Field(ge=0, lt=1)  # share of the target spread over all classes
    focal: float = Field(ge=0)  # sheets predicted with probability p weigh (1 - p)^focal
    logit_adjust: float = Field(ge=0)  # factor of the log class share, added to the logits in training
    masks: float = Field(ge=0)  # weight of the per-position loss against defect masks; direct head only
    mask_share: float = Field(gt=0, le=1)  # a position is defective if masks cover more than this
    mask_emphasis: float = Field(ge=0)  # extra weight of defective positions


class ComputeRecipe(_RecipeSection):
    """Precision and threads; they change speed and the last digits only."""

    precision: Literal["auto", "fp32", "bf16"]  # auto: bf16 where the processor computes it fast
    threads: int = Field(ge=0, le=2**12)  # 0 = torch's own choice


class Recipe(_RecipeSection):
    """Everything that fixes a training apart from its data and its seed."""

    task: Task  # binary, multiclass or multilabel
    batch_size: int = Field(ge=1, le=MOST)  # sheets a step
    model: ModelRecipe  # [model]
    input: InputRecipe  # [input]
    labels: LabelsRecipe  # [labels]
    split: SplitRecipe  # [split]
    probe: ProbeRecipe  # [probe]
    optimiser: OptimiserRecipe  # [optimiser]
    stop: StopRecipe  # [stop]
    noise: NoiseRecipe  # [noise]
    balance: BalanceRecipe  # [balance]
    flips: FlipsRecipe  # [flips]
    patches: PatchesRecipe  # [patches]
    paste: PasteRecipe  # [paste]
    generated: GeneratedRecipe = GeneratedRecipe()  # [generated]; older recipes have none
    places: PlacesRecipe = PlacesRecipe()  # [places]; older recipes have none
    loss: LossRecipe  # [loss]
    augment: AugmentSpec  # [augment]
    compute: ComputeRecipe  # [compute]

    @model_serializer(mode="wrap")
    def _without_unused(self, write: Callable[[Any], Any]) -> dict[str, Any]:
        """Leave sections of later versions out where unused, so that earlier fingerprints stay valid."""
        values: dict[str, Any] = write(self)
        if not self.generated.sheets:
            values.pop("generated", None)
        if not self.places.hidden:
            values.pop("places", None)
        return values

    @model_validator(mode="after")
    def _agrees(self) -> Recipe:
        if self.loss.masks and self.model.head != "direct":
            raise ValueError(
                "loss.masks: masks train the direct head's class map; "
                "set model.head = direct or loss.masks = 0"
            )
        if self.augment.transpose and self.input.height != self.input.width:
            raise ValueError(
                f"augment.transpose: expected a square input, "
                f"got {self.input.height}x{self.input.width}; set it to 0"
            )
        if self.balance.group_power and self.balance.method == "loss":
            raise ValueError(
                "balance.group_power: loss weights are one a class; set balance.method = sampling or "
                "balance.group_power = 0"
            )
        if self.labels.shuffle_seed and self.needs_masks:
            raise ValueError(
                "labels.shuffle_seed: masks would reveal the true labels to the control; "
                "set loss.masks = 0, patches.count = 1, paste.to_share = 0 and places.hidden = 0"
            )
        if self.generated.sheets and (self.patches.count > 1 or self.labels.shuffle_seed):
            came = "patches.count above 1" if self.patches.count > 1 else "labels.shuffle_seed above 0"
            raise ValueError(
                f"generated.sheets: expected whole sheets with their own labels, got {came}; set it to 0"
            )
        self._refuse_for_multilabel()
        if self.stop.max_epochs == 0 and not self.probe.enabled and not self.places.hidden:
            raise ValueError(
                "stop.max_epochs = 0: nothing would be trained; set probe.enabled = true, or places.hidden "
                "above 0 for a place head on the weights of --from RUN"
            )
        if self.probe.enabled and self.model.head != "direct":
            raise ValueError(
                "probe.enabled: only the direct head can be fitted on its own; "
                "set model.head = direct or probe.enabled = false"
            )
        self.model_spec(2)  # refuses impossible sizes and heads before the data are read
        return self

    def _refuse_for_multilabel(self) -> None:
        asked = {
            "loss.logit_adjust": self.loss.logit_adjust > 0,
            "patches.count": self.patches.count > 1,
            "paste.to_share": self.paste.to_share > 0,
        }
        several = [name for name, on in asked.items() if on]
        if several and self.task == "multilabel":
            raise ValueError(f"{several[0]}: expected a task of one class a sheet, got multilabel")

    @property
    def needs_masks(self) -> bool:
        """Whether masks are read: for features and head, or for the place head."""
        return self.uses_masks or self.places.hidden > 0

    @property
    def uses_masks(self) -> bool:
        """Whether features and head learn with masks: by the per-position loss, patches, or pasting."""
        return self.loss.masks > 0 or self.patches.count > 1 or self.paste.to_share > 0

    @property
    def learns_masks(self) -> bool:
        """Whether head or place head are trained on masks as well as classes."""
        return self.loss.masks > 0 or self.places.hidden > 0

    def model_spec(self, outputs: int) -> ModelSpec:
        """The network of this recipe with the given number of outputs."""
        asked = self.model.pretrained
        if asked == "auto":
            asked = "imagenet" if find_model(self.model.name).pretrained else "none"
        return ModelSpec(
            name=self.model.name,
            outputs=outputs,
            head=self.model.head,
            pooling=self.model.pooling,
            sharpness=self.model.sharpness,
            top_share=self.model.top_share,
            pretrained=asked,
            height=self.input.height,
            width=self.input.width,
            dropout=None if self.model.dropout == "study" else self.model.dropout,
            patches=self.patches.count,
            places=self.places.hidden,
        )

    def input_spec(self, bits: int | None = None) -> InputSpec:
        """The input of this recipe, with this version's decoder.

        bits  full scale of files of more than 8 bits that state none; None = not known
        """
        return InputSpec(self.input.height, self.input.width, self.input.fit).at_bits(bits)
