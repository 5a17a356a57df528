"""Array aliases and frozen dataclasses that all packages share; they only say what their fields hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8

__all__ = [
    "AreaFractions",
    "Evidence",
    "Fit",
    "GrayBatch",
    "GrayImage",
    "Heatmaps",
    "InputSpec",
    "Interval",
    "Labels",
    "Logits",
    "Mask",
    "MaskSource",
    "Part",
    "Probabilities",
    "Reason",
    "Region",
    "Rejection",
    "SheetItem",
    "SheetSet",
    "State",
    "Task",
]

GrayImage = UInt8[np.ndarray, "h w"]
GrayBatch = UInt8[np.ndarray, "n h w"]
Mask = Bool[np.ndarray, "h w"]
AreaFractions = Float32[np.ndarray, "h w"]  # share of each model pixel that is covered by the mask, 0..1
Heatmaps = Float32[np.ndarray, "n h w"]
Labels = Int[np.ndarray, "n"]
Logits = Float[np.ndarray, "n c"]
Probabilities = Float[np.ndarray, "n c"]

Fit = Literal["stretch", "letterbox", "crop"]
Task = Literal["binary", "multiclass", "multilabel"]
Part = Literal["", "train", "validation", "test"]  # of the data set's own split; "" = it has none
Evidence = Literal["mask", "class"]  # the labels of a sheet: complete masks, or its classes alone
_BITS: Final = re.compile(r" bits=(8|9|1[0-6])\Z")  # end of a decoder's name


@dataclass(frozen=True)
class InputSpec:
    """How an image file becomes model input: part of every card and every cache key."""

    height: int = 64
    width: int = 400
    fit: Fit = "stretch"
    decoder: str = "pillow-dct-area/1"  # changes whenever a file may decode to other bytes

    @property
    def bits(self) -> int | None:
        """Full scale of files of more than 8 bits whose header states none; None = not known."""
        found = _BITS.search(self.decoder)
        return int(found[1]) if found else None

    def at_bits(self, bits: int | None) -> InputSpec:
        """The same input with files of more than 8 bits read at `bits`, which the decoder's name holds."""
        plain = _BITS.sub("", self.decoder)
        return replace(self, decoder=plain if bits is None else f"{plain} bits={bits}")


@dataclass(frozen=True)
class MaskSource:
    """Where one defect type's mask of one sheet comes from: run lengths or a mask file, never both."""

    defect_type: int  # 1-based; 0 = the mask of a defect-free sheet, which must be empty
    runs: str | None = None  # Kaggle run lengths: 1-based, column-major
    path: Path | None = None
    where: str = ""  # table and row, for messages
    value: int | None = None  # the value in the mask file that marks this type; None = every marked pixel


@dataclass(frozen=True)
class SheetItem:
    """One sheet of a DATA folder with its labels."""

    id: str  # unique in its SheetSet: the image's path relative to the image root, POSIX form
    path: Path
    types: tuple[int, ...]  # defect types present, 1-based, ascending; empty = defect-free
    evidence: Evidence
    masks: tuple[MaskSource, ...] = ()
    group: str = ""  # sheets of one group (same tile, same coil) stay in one split; "" = its own group
    part: Part = ""  # of the data set's own split


@dataclass(frozen=True)
class Rejection:
    """One image or row that is not used, with a reason that says what to do."""

    id: str
    reason: str


@dataclass(frozen=True)
class SheetSet:
    """An opened DATA folder: its sheets in a stable order, and the rejected images and rows."""

    root: Path
    layout: str  # a name of sheets.catalog.LAYOUTS
    type_names: tuple[str, ...]  # index 0 = "none", then the defect types
    items: tuple[SheetItem, ...]
    rejections: tuple[Rejection, ...] = ()
    passed_over: tuple[Rejection, ...] = ()  # what is on the disk and is not data, with reasons; not faults
    clean_name: str = "none"  # what the folder calls its defect-free class
    counts: tuple[tuple[str, int], ...] = ()  # what was read: images, masks, polygons, rows


@dataclass(frozen=True)
class Interval:
    """An estimate with the bounds of its confidence interval; NaN where they are undefined."""

    estimate: float
    low: float
    high: float
    level: float = 0.95


class State(StrEnum):
    """What is to be done with a sheet."""

    DECIDED = "decided"  # the label stands
    DOUBTFUL = "doubtful"  # a person should decide; the label is uncertain
    UNKNOWN_INPUT = "unknown_input"  # unlike every training sheet; the label is not valid
    BAD_IMAGE = "bad_image"  # no image could be read


class Reason(StrEnum):
    """Why a sheet has its state."""

    CONFIDENT = "confident"  # decided: the confidence reaches the bundle's threshold
    NO_THRESHOLD = "no_threshold"  # decided: the bundle has no threshold
    LOW_CONFIDENCE = "low_confidence"  # doubtful: the confidence is below the threshold
    UNFAMILIAR = "unfamiliar"  # unknown input: too far from the training sheets
    MISSING = "missing"  # bad image: no such file, no permission, or the system cannot read it now
    NOT_AN_IMAGE = "not_an_image"  # bad image: another kind of file
    TOO_LARGE = "too_large"  # bad image: more bytes, pixels or decoding time than allowed
    DAMAGED = "damaged"  # bad image: cut off, empty, or contradicting its header
    CHANGED = "changed"  # bad image: changed while it was read
    OUT_OF_MEMORY = "out_of_memory"  # bad image: this computer had too little memory when it was read
    UNSAFE = "unsafe"  # bad image: an archive's entry that is a link, locked, or outside the archive

    @property
    def transient(self) -> bool:
        """Whether the reason is of that moment and not of the image: a scan tries again when it is rerun."""
        return self in (Reason.MISSING, Reason.CHANGED, Reason.OUT_OF_MEMORY)


@dataclass(frozen=True)
class Region:
    """A place with evidence for the label."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels of the original image, edges
    area_px: int  # pixels of the original inside the region itself
    score: float  # its strongest evidence divided by the sheet's strongest, 0..1
