"""The card of a bundle. A card that contradicts itself is never written and never read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from steelsight.types import InputSpec, Task
from steelsight.version import __version__

__all__ = [
    "BUNDLE_FORMAT",
    "BundleCard",
    "Familiarity",
    "FileFact",
    "GraphFacts",
    "Precision",
    "ShortcutStamp",
    "ThresholdBy",
    "TrainingStatistics",
]

BUNDLE_FORMAT: Literal[1] = 1  # increased whenever an older reader would misread a newer card

Precision = Literal["f32", "bf16", "int8"]
ThresholdBy = Literal["certificate", "cost", "none"]


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileFact(_CardPart):
    """A file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # of the bytes, hexadecimal
    size: int = Field(ge=1)  # bytes


class GraphFacts(_CardPart):
    """The graph: gray uint8 (n, h, w) to logits (n, c), maps (n, c, gh, gw) and embedding (n, k)."""

    opset: int = Field(ge=13, le=21)  # of ONNX
    grid: tuple[int, int]  # of the maps
    embedding: int = Field(ge=1)  # k, its length


class Familiarity(_CardPart):
    """How far from the training sheets an input may lie; statistics are in `file`."""

    file: str = "familiarity.npz"  # means (c, k) and whitening (k, r), float32
    limit: float = Field(gt=0)  # distance above it: unknown input
    kept: float = Field(gt=0, lt=1)  # share of calibration sheets within the limit


class TrainingStatistics(_CardPart):
    """Statistics of the calibration sheets, with which `runtime.drift` compares a scan."""

    sheets: int = Field(ge=1)  # how many were measured
    gray_mean: tuple[float, ...]  # quantiles at runtime.drift.LEVELS of each sheet's mean gray level
    gray_spread: tuple[float, ...]  # of its standard deviation
    confidence: tuple[float, ...]  # quantiles of the calibrated confidence
    distance: tuple[float, ...]  # quantiles of the distance from the training sheets
    shares: tuple[float, ...]  # of the sheets, for each class named in a verdict


class ShortcutStamp(_CardPart):
    """What `steelsight shortcuts prove` found for this model and one nuisance."""

    nuisance: str  # stain, end, or the name of a table
    suspect: str  # the class it may be evidence for
    verdict: Literal["proven", "not found at this power", "inconclusive"]  # see shortcuts.prove.decision
    because: str  # the rule that gave the verdict, in words with numbers
    excess: tuple[float, float, float] | None  # verdicts that flip beyond the control: estimate, 95 % bounds
    pasted: int = Field(ge=0)  # sheets it was pasted on
    data: str  # name of the DATA folder
    data_hash: str  # see sheets.cache


class BundleCard(_CardPart):
    """The JSON card of a BUNDLE."""

    format: Literal[1] = BUNDLE_FORMAT  # of this file
    steelsight_version: str = __version__  # that wrote it
    model_id: str = Field(pattern="^[0-9a-f]{12}$")  # start of the graph's SHA-256; every verdict carries it
    task: Task  # binary, multiclass or multilabel
    class_names: tuple[str, ...] = Field(min_length=1)  # multilabel: defect types alone
    defect_free_class: str | None = "none"  # its name; None = no output is for defect-free sheets
    model: str  # the network, e.g. squeezenet_reduced
    head: str  # its last layers
    input: InputSpec  # size, fit and decoder
    graph: GraphFacts  # shapes of inputs and outputs
    precision: Precision  # the fastest one within the bounds of parity
    files: dict[str, FileFact]  # every file but this card
    temperature: float = Field(default=1.0, gt=0)  # divides the logits before the softmax
    threshold: float | None = Field(default=None, ge=0, le=1)  # see evaluation.abstention.thresholds
    threshold_by: ThresholdBy = "none"  # how the threshold was chosen
    threshold_statement: str = ""  # what is certified of it, in words
    familiarity: Familiarity | None = None  # None = no input is called unknown
    usual: TrainingStatistics | None = None  # None = drift is not measured
    parity: dict[str, JsonValue] = Field(default_factory=dict)  # by precision, see deploy.parity_trials
    shortcuts: tuple[ShortcutStamp, ...] = ()  # none = no shortcut was tested
    shortcut_search: str = ""  # outcome of `steelsight shortcuts find`, in words; "" = not searched
    source: dict[str, JsonValue] = Field(default_factory=dict)  # run, data and its hash, seed, recipe

    @property
    def clean(self) -> int | None:
        """The output for defect-free sheets; None = no output is for them, as in every multilabel model."""
        return None if self.task == "multilabel" or self.defect_free_class is None else 0

    @property
    def no_defect(self) -> str:
        """What a multilabel verdict without any type is called."""
        return self.defect_free_class or "none"

    @property
    def graph_file(self) -> str:
        """The graph of the chosen precision."""
        return "model.int8.onnx" if self.precision == "int8" else "model.onnx"

    @model_validator(mode="after")
    def _agrees(self) -> BundleCard:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"class_names: expected distinct names, got {list(self.class_names)}")
        if self.graph_file not in self.files:
            raise ValueError(f"files: expected {self.graph_file} for precision {self.precision}, found none")
        if self.familiarity is not None and self.familiarity.file not in self.files:
            raise ValueError(f"files: expected {self.familiarity.file}, found none")
        for name in self.files:
            if "/" in name or "\\" in name or name.startswith(".") or not name:
                raise ValueError(f"files: expected plain names inside the bundle, got {name!r}")
        return self
