"""The card of a bundle. A card that contradicts itself is never written and never read."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from steelsight.runtime.bundle.card_values import (
    LONGEST_SIDE,
    CardPart,
    Cells,
    Difference,
    Distance,
    Gray,
    Name,
    Share,
    Words,
    in_order,
)
from steelsight.runtime.bundle.gate_record import MOST_GATES, GateRecord
from steelsight.types import InputSpec, Task
from steelsight.version import __version__

__all__ = [
    "BUNDLE_FORMAT",
    "BUNDLE_FORMATS",
    "QUANTILES",
    "BundleCard",
    "CertificationSheets",
    "Familiarity",
    "FeatureScale",
    "FileFact",
    "GraphFacts",
    "LabelSets",
    "Precision",
    "ShortcutStamp",
    "ThresholdBy",
    "TrainingStatistics",
]

BUNDLE_FORMAT: Final = 2  # of what is written: model_id is a hash over the whole bundle
BUNDLE_FORMATS: Final = (1, 2)  # that are read; in 1, model_id is the start of the graph's SHA-256
QUANTILES: Final = 51  # of each property in TrainingStatistics
MOST_CLASSES: Final = 10_000
MOST_RANKS: Final = 64  # order statistics of a property of the certification sheets
MOST_FILES: Final = 64  # of a bundle
MOST_BYTES: Final = 2**30  # of all files of a bundle together
RESERVED: Final = ("card.json", "card.json.sig")  # files of a bundle that its card does not list


def _rising(values: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles: none, or QUANTILES in order."""
    if len(values) not in (0, QUANTILES):
        raise ValueError(f"expected {QUANTILES} quantiles, got {len(values)}")
    if any(later < earlier - 1e-6 for earlier, later in pairwise(values)):
        raise ValueError("expected quantiles in order")
    return values


Precision = Literal["f32", "bf16", "int8"]
FeatureScale = Literal["linear", "cube root"]
ThresholdBy = Literal["certificate", "cost", "cross-validation", "none"]


class FileFact(CardPart):
    """A file of the bundle."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")  # of the bytes, hexadecimal
    size: int = Field(ge=1, le=MOST_BYTES)  # bytes


class GraphFacts(CardPart):
    """The graph: gray uint8 (n, h, w) to logits (n, c), maps (n, c, gh, gw) and embedding (n, k).

    With a place head also to places (n, c, ph, pw): log odds of each class against no defect at a place.
    """

    opset: int = Field(ge=13, le=21)  # of ONNX
    grid: tuple[Cells, Cells]  # of the maps
    embedding: Cells  # k, its length
    places: tuple[Cells, Cells] | None = None  # grid of the place head; None = there is none


class Familiarity(CardPart):
    """How far from the training sheets an input may lie; statistics are in `file`."""

    file: str = "familiarity.npz"  # means (c, k) and whitening (k, r), float32
    limit: float = Field(gt=0, le=1e12, allow_inf_nan=False)  # distance above it: unknown input
    # Share of further sheets within the limit, where they are drawn as the calibration sheets were.
    kept: float = Field(gt=0, lt=1)
    scale: FeatureScale = "linear"  # of the features that distances are measured in


class TrainingStatistics(CardPart):
    """Statistics of the calibration sheets, with which `runtime.drift` compares a scan."""

    sheets: int = Field(ge=1)  # how many were measured
    groups: int | None = Field(default=None, ge=1)  # independent groups they are of; None = unknown
    gray_mean: Annotated[
        tuple[Gray, ...], AfterValidator(_rising)
    ]  # quantiles at runtime.drift.LEVELS of each sheet's mean gray level
    gray_spread: Annotated[tuple[Gray, ...], AfterValidator(_rising)]  # of its standard deviation
    confidence: Annotated[
        tuple[Share, ...], AfterValidator(_rising)
    ]  # quantiles of the calibrated confidence
    distance: Annotated[
        tuple[Distance, ...], AfterValidator(_rising)
    ]  # quantiles of the distance from the training sheets
    shares: tuple[Share, ...]  # of the sheets, for each class named in a verdict

    @property
    def independent(self) -> int:
        """How many independent units they are: groups where known, else sheets."""
        return self.sheets if self.groups is None else min(self.sheets, self.groups)


class LabelSets(CardPart):
    """From which probability on each class is in the label set of a sheet.

    Of the familiar sheets of each class at least the share `coverage` have it in their set, where they are
    drawn as the certification sheets were; of sheets of several types nothing is promised.

    See evaluation.abstention.label_sets.
    """

    coverage: float = Field(gt=0, lt=1)  # at least, in the mean over calibrations
    least: tuple[Share, ...] = Field(max_length=MOST_CLASSES)  # of each class; 0 = always in the set
    # Certification sheets of each class, one a group.
    sheets: tuple[Annotated[int, Field(ge=0)], ...] = Field(max_length=MOST_CLASSES)
    # How many more of each class it takes to leave it out of a set.
    needed: tuple[Annotated[int, Field(ge=0)], ...] = Field(max_length=MOST_CLASSES)

    @model_validator(mode="after")
    def _agrees(self) -> LabelSets:
        if not len(self.least) == len(self.sheets) == len(self.needed):
            raise ValueError(
                f"expected least, sheets and needed of equal length, got {len(self.least)}, "
                f"{len(self.sheets)} and {len(self.needed)}"
            )
        if any(more and least for more, least in zip(self.needed, self.least, strict=True)):
            raise ValueError("least: expected 0 for a class of which more sheets are needed")
        return self


class CertificationSheets(CardPart):
    """Order statistics of the certification sheets, by which `runtime.certificate` tests scanned sheets."""

    sheets: int = Field(ge=1)  # one a group
    ranks: tuple[Annotated[int, Field(ge=1)], ...] = Field(min_length=1, max_length=MOST_RANKS)  # from below
    confidence: Annotated[
        tuple[Share, ...], AfterValidator(in_order)
    ] = ()  # at these ranks; none = not known
    distance: Annotated[
        tuple[Distance, ...], AfterValidator(in_order)
    ] = ()  # likewise, from the training sheets

    @model_validator(mode="after")
    def _agrees(self) -> CertificationSheets:
        if any(later <= earlier for earlier, later in pairwise(self.ranks)) or self.ranks[-1] > self.sheets:
            raise ValueError(f"ranks: expected rising ones up to {self.sheets}, got {list(self.ranks)}")
        for name in ("confidence", "distance"):
            if len(getattr(self, name)) not in (0, len(self.ranks)):
                raise ValueError(f"{name}: expected {len(self.ranks)} values, one a rank")
        return self


class ShortcutStamp(CardPart):
    """What `steelsight shortcuts prove` found for this model and one nuisance."""

    nuisance: Name  # stain, end, or the name of a table
    suspect: Name  # the class it may be evidence for
    verdict: Literal["proven", "not found at this power", "inconclusive"]  # see counterfactuals.decision
    because: Words  # the rule that gave the verdict, in words with numbers
    excess: (
        tuple[Difference, Difference, Difference] | None
    )  # verdicts that flip beyond the control: estimate, 95 % bounds
    pasted: int = Field(ge=0)  # sheets it was pasted on
    data: Words  # name of the DATA folder
    data_hash: Words  # see sheets.cache


class BundleCard(CardPart):
    """The JSON card of a BUNDLE."""

    format: Literal[1, 2] = BUNDLE_FORMAT  # of this file
    steelsight_version: Name = __version__  # that wrote it
    # Hash over everything else in this card but `gates`, which hold it. The card holds the hash of every
    # other file. "" = not yet written.
    model_id: str = Field(default="", pattern="^([0-9a-f]{12}|[0-9a-f]{32}|)$")
    task: Task  # binary, multiclass or multilabel
    class_names: tuple[Name, ...] = Field(
        min_length=1, max_length=MOST_CLASSES
    )  # multilabel: defect types alone
    defect_free_class: Name | None = "none"  # its name; None = no output is for defect-free sheets
    model: Name  # the network, e.g. squeezenet_reduced
    head: Name  # its last layers
    input: InputSpec  # size, fit and decoder
    graph: GraphFacts  # shapes of inputs and outputs
    precision: Precision  # the fastest one within the bounds of parity
    files: dict[Name, FileFact] = Field(max_length=MOST_FILES)  # every file but this card
    temperature: float = Field(
        default=1.0, ge=0.01, le=100, allow_inf_nan=False
    )  # divides the logits before the softmax
    threshold: Share | None = None  # see evaluation.abstention.thresholds
    threshold_by: ThresholdBy = "none"  # how the threshold was chosen
    threshold_statement: Words = ""  # what is certified of it, in words
    familiarity: Familiarity | None = None  # None = no input is called unknown
    usual: TrainingStatistics | None = None  # None = drift is not measured
    label_sets: LabelSets | None = None  # None = verdicts have no label sets
    certification: CertificationSheets | None = None  # None = a scan cannot refute what was certified
    parity: dict[str, JsonValue] = Field(default_factory=dict)  # by precision, see deploy.parity_trials
    shortcuts: tuple[ShortcutStamp, ...] = ()  # none = no shortcut was tested
    shortcut_search: Words = ""  # outcome of `steelsight shortcuts find`, in words; "" = not searched
    source: dict[str, JsonValue] = Field(default_factory=dict)  # run, data and its hash, seed, recipe
    gates: tuple[GateRecord, ...] = Field(
        default=(), max_length=MOST_GATES
    )  # the oldest first; not in model_id

    @property
    def clean(self) -> int | None:
        """The output for defect-free sheets; None = no output is for them, as in every multilabel model."""
        return None if self.task == "multilabel" or self.defect_free_class is None else 0

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each output of the graph for one sheet, in the order in which engines give them."""
        facts, classes = self.graph, len(self.class_names)
        shapes = {"logits": (classes,), "maps": (classes, *facts.grid), "embedding": (facts.embedding,)}
        return shapes if facts.places is None else shapes | {"places": (classes, *facts.places)}

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
            raise ValueError(f"class_names: expected distinct names, got {list(self.class_names)!s:.200}")
        if self.threshold is None and self.threshold_by != "none":
            raise ValueError(f"threshold: expected a number, because of threshold_by {self.threshold_by}")
        if self.threshold_by == "certificate" and not self.threshold_statement:
            raise ValueError("threshold_statement: expected what is certified, got nothing")
        if self.usual is not None and len(self.usual.shares) != len(self.class_names):
            raise ValueError(f"usual.shares: expected {len(self.class_names)}, got {len(self.usual.shares)}")
        if self.label_sets is not None and len(self.label_sets.least) != len(self.class_names):
            raise ValueError(
                f"label_sets: expected {len(self.class_names)} classes, got {len(self.label_sets.least)}"
            )
        if self.label_sets is not None and self.task == "multilabel":
            raise ValueError("label_sets: expected none in a multilabel task, which names every type")
        return self

    @model_validator(mode="after")
    def _fits_the_input(self) -> BundleCard:
        height, width = self.input.height, self.input.width
        if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
            raise ValueError(f"input: expected sides of 1 to {LONGEST_SIDE} px, got {height} x {width}")
        if self.graph.grid[0] > height or self.graph.grid[1] > width:
            raise ValueError(f"graph.grid: expected at most the input's size, got {list(self.graph.grid)}")
        return self

    @model_validator(mode="after")
    def _names_its_files(self) -> BundleCard:
        if self.graph_file not in self.files:
            raise ValueError(f"files: expected {self.graph_file} for precision {self.precision}, found none")
        if self.familiarity is not None and self.familiarity.file not in self.files:
            raise ValueError(f"files: expected {self.familiarity.file}, found none")
        for name in self.files:
            if "/" in name or "\\" in name or name.startswith(".") or name in RESERVED:
                raise ValueError(f"files: expected plain names inside the bundle, got {name!r}")
        if (total := sum(fact.size for fact in self.files.values())) > MOST_BYTES:
            raise ValueError(f"files: {total} bytes together, more than the {MOST_BYTES} allowed")
        return self
