"""The card of a checkpoint: task, classes, model, input, origin and thresholds, checked for consistency."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from steelsight.models.catalog import ModelSpec
from steelsight.models.starts import HeadFacts
from steelsight.types import InputSpec, Task
from steelsight.version import __version__

__all__ = ["CARD_FORMAT", "Card", "temperature_source"]

CARD_FORMAT: Literal[1] = 1  # raised whenever an older reader would misread a newer card


class Card(BaseModel):
    """The JSON card beside a model's weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = CARD_FORMAT  # of this file
    steelsight_version: str = __version__  # that wrote it
    task: Task  # binary, multiclass or multilabel
    class_names: tuple[str, ...] = Field(min_length=1)  # one an output of the model
    defect_free_class: str | None = "none"  # its name; None = no output is for defect-free sheets
    model: ModelSpec  # structure of the network
    input: InputSpec  # size, fit and decoder
    recipe: dict[str, JsonValue] = Field(default_factory=dict)  # of the training, complete
    data_hash: str  # of the DATA folder it was trained on; see sheets.cache
    data_name: str = ""  # name of the DATA folder
    groups: str | None = None  # the rule that grouped its sheets, as --groups takes it; None = none
    layout: str | None = None  # of the DATA folder, as --layout took it; None = recognised
    masks: str | None = None  # which files are masks, as --masks took it; None = by their values
    defect_free: tuple[str, ...] = ()  # defect-free classes, as --defect-free took them; () = by name
    seed: int  # of split, start and batches
    mask_supervised: bool = False  # trained with masks as well as classes
    shuffled_labels: bool = False  # a control trained on shuffled labels: its verdicts mean nothing
    threshold: float | None = Field(
        default=None, ge=0, le=1
    )  # a verdict of lower confidence is "I don't know"; at 1 every one
    temperature: float | None = Field(default=None, gt=0)  # divides the logits before the softmax
    repair: dict[str, JsonValue] = Field(default_factory=dict)  # the intervention against a shortcut, if any
    # the runs whose weights it started from, each from the one before; see training.start
    history: tuple[dict[str, JsonValue], ...] = ()
    weights_sha256: str = ""  # of names, types, shapes and bytes; save_checkpoint fills it

    @field_validator("input", mode="before")
    @classmethod
    def _known_keys(cls, came: Any) -> Any:
        """Refuse unknown keys, which a dataclass would ignore."""
        known = {field.name for field in fields(InputSpec)}
        if isinstance(came, dict) and set(came) != known:
            raise ValueError(f"input: expected the keys {sorted(known)}, got {sorted(came)}")
        return came

    @property
    def clean(self) -> int | None:
        """The output for defect-free sheets; None = no output is for them, as in every multilabel model."""
        return None if self.task == "multilabel" or self.defect_free_class is None else 0

    @property
    def head_facts(self) -> HeadFacts:
        """What the head of its weights answers."""
        model = self.model
        return HeadFacts(model.head, model.pooling, self.task, self.class_names, self.defect_free_class)

    @property
    def no_defect(self) -> str:
        """What a multilabel verdict without any type is called."""
        return self.defect_free_class or "none"

    @model_validator(mode="after")
    def _agrees(self) -> Card:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"class_names: expected distinct names, got {list(self.class_names)}")
        if len(self.class_names) != self.model.outputs:
            raise ValueError(
                f"class_names: expected {self.model.outputs}, one an output of the model, "
                f"got {len(self.class_names)}"
            )
        if self.task == "binary" and self.model.outputs != 2:
            raise ValueError(f"task binary: expected 2 outputs, got {self.model.outputs}")
        if (self.input.height, self.input.width) != (self.model.height, self.model.width):
            raise ValueError(
                f"input {self.input.height}x{self.input.width}: expected the model's own size "
                f"{self.model.height}x{self.model.width}"
            )
        return self


def temperature_source(card: Card) -> str:
    """Where the temperature of a run's probabilities comes from, in words."""
    if card.temperature == 1.0:
        return "kept by calibrate, whose fitted one was worse on other sheets"
    return "as trained, not calibrated" if card.temperature is None else "of the run, fitted by calibrate"
