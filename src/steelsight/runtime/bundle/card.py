"""What a bundle says of itself. A card that contradicts itself is never written and never read."""

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

BUNDLE_FORMAT: Literal[1] = 1  # raised whenever an older reader would misread a newer card

Precision = Literal["f32", "bf16", "int8"]
ThresholdBy = Literal["certificate", "cost", "none"]


class _CardPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileFact(_CardPart):
    """A file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # of the bytes, hexadecimal
    size: int = Field(ge=1)  # bytes


class GraphFacts(_CardPart):
    """The graph: uint8 gray (n, h, w) in; logits (n, c), maps (n, c, gh, gw) and embedding (n, k) out."""

    opset: int = Field(ge=13, le=21)  # of ONNX
    grid: tuple[int, int]  # of the maps
    embedding: int = Field(ge=1)  # k, its length


class Familiarity(_CardPart):
    """How far from the training sheets an input may lie; statistics are in `file`."""

    file: str = "familiarity.npz"  # means (c, k) and whitening (k, r), float32
    limit: float = Field(gt=0)  # distance above it: unknown input
    kept: float = Field(gt=0, lt=1)  # share of calibration sheets within the limit


class TrainingStatistics(_CardPart):
    """What the calibration sheets looked like, to tell drift from."""

    sheets: int = Field(ge=1)  # how many were measured
    gray_mean: tuple[float, ...]  # quantiles at runtime.drift.LEVELS of each sheet's mean gray level
    gray_spread: tuple[float, ...]  # of its standard deviation
    confidence: tuple[float, ...]  # quantiles of the calibrated confidence
    distance: tuple[float, ...]  # quantiles of the distance to the training sheets
    shares: tuple[float, ...]  # of each class among the verdicts


class ShortcutStamp(_CardPart):
    """What `steelsight shortcuts prove` said of this model and one harmless thing."""

    nuisance: str  # stain, end, or the name of a table
    suspect: str  # the class it may speak for
    verdict: Literal["proven", "not found at this power", "inconclusive"]  # see shortcuts.prove.decision
    because: str  # the rule that gave it, in words with numbers
    excess: tuple[float, float, float] | None  # verdicts that flip beyond the control: estimate, 95 % bounds
    pasted: int = Field(ge=0)  # sheets it was pasted on
    data: str  # name of the DATA folder
    data_hash: str  # see sheets.cache


class BundleCard(_CardPart):
    """The JSON card of a BUNDLE."""

    format: Literal[1] = BUNDLE_FORMAT  # of this file
    steelsight_version: str = __version__  # that wrote it
    model_id: str = Field(pattern="^[0-9a-f]{12}$")  # start of the graph's SHA-256: which model said it
    task: Task  # binary, multiclass or multilabel
    class_names: tuple[str, ...] = Field(min_length=1)  # multilabel: defect types alone
    model: str  # the network, e.g. squeezenet_reduced
    head: str  # and what it ends in
    input: InputSpec  # size, fit and decoder
    graph: GraphFacts  # shapes of inputs and outputs
    precision: Precision  # the fastest that passed parity
    files: dict[str, FileFact]  # every file but this card
    temperature: float = Field(default=1.0, gt=0)  # divides the logits before the softmax
    threshold: float | None = Field(default=None, ge=0, le=1)  # confidence below it: doubtful
    threshold_by: ThresholdBy = "none"  # how the threshold was chosen
    threshold_statement: str = ""  # what is promised of it, in words
    familiarity: Familiarity | None = None  # None = no input is called unknown
    usual: TrainingStatistics | None = None  # None = drift is not measured
    parity: dict[str, JsonValue] = Field(default_factory=dict)  # the certificate; see deploy.parity
    shortcuts: tuple[ShortcutStamp, ...] = ()  # none: nobody looked
    source: dict[str, JsonValue] = Field(default_factory=dict)  # run, data and its hash, seed, recipe

    @property
    def graph_file(self) -> str:
        """The file the chosen precision runs."""
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
