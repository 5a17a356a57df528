"""The verdict on one sheet: label, state, reason, regions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from steelsight.plain import plain

__all__ = ["Reason", "Region", "State", "Verdict"]


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


@dataclass(frozen=True, eq=False)
class Verdict:
    """The result of inspecting one sheet."""

    label: str  # class name; multilabel: names joined by " + "; "" for a bad image
    probability: float  # of the label, after the bundle's temperature; NaN for a bad image
    state: State
    reason: Reason
    detail: str  # of a bad image: what was expected, what came, what to do; else ""
    regions: tuple[Region, ...]  # strongest first; none for a sheet without defect
    probabilities: Float64[np.ndarray, _]  # of all classes; empty for a bad image
    distance: float  # from the training sheets; NaN where the bundle has no statistics of them
    heatmap: Float32[np.ndarray, "h w"] | None  # signed evidence for the label, at model size
    model_id: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values without the heatmap, for JSON."""
        values: dict[str, Any] = plain(
            {
                "label": self.label,
                "probability": self.probability,
                "state": self.state.value,
                "reason": self.reason.value,
                "detail": self.detail,
                "regions": [
                    {"box": list(region.box), "area_px": region.area_px, "score": region.score}
                    for region in self.regions
                ],
                "probabilities": self.probabilities,
                "distance": self.distance,
                "model_id": self.model_id,
            }
        )
        return values
