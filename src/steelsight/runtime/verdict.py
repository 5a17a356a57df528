"""The verdict on one sheet: label, state, reason, regions; and the verdicts of several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from steelsight.plain import plain
from steelsight.reports.notebook import NotebookResult, ResultTable
from steelsight.types import Reason, Region, State

__all__ = ["Verdict", "VerdictBatch"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """The result of inspecting one sheet."""

    label: str  # class name; multilabel: names joined by " + "; "" for a bad image
    probability: float  # of the label, after the bundle's temperature; NaN for a bad image
    state: State
    reason: Reason
    detail: str  # of a bad image: what was expected, what came, what to do; else ""
    regions: tuple[Region, ...]  # strongest first; none for a sheet without defect
    probabilities: Float64[np.ndarray, " c"]  # of all classes; empty for a bad image
    distance: float  # from the training sheets; NaN where the bundle has no statistics of them
    heatmap: Float32[np.ndarray, "h w"] | None  # signed evidence for the label, at model size
    model_id: str
    # Names of the classes that the sheet may be; empty for one that is bad or unfamiliar, and without them
    # in the bundle.
    label_set: tuple[str, ...] = ()

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
                "label_set": list(self.label_set),
                "distance": self.distance,
                "model_id": self.model_id,
            }
        )
        return values

    def __str__(self) -> str:
        return str(VerdictBatch((self,)))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        VerdictBatch((self,))._repr_pretty_(printer, cycle)

    def _repr_html_(self) -> str:
        return VerdictBatch((self,))._repr_html_()


@dataclass(frozen=True, eq=False, repr=False)
class VerdictBatch(NotebookResult):
    """The verdicts of several sheets in their order."""

    verdicts: tuple[Verdict, ...]

    def __len__(self) -> int:
        return len(self.verdicts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __getitem__(self, index: int) -> Verdict:
        return self.verdicts[index]

    @property
    def title(self) -> str:
        """How many."""
        return f"{len(self.verdicts)} verdict{'s' * (len(self.verdicts) != 1)}"

    def as_dict(self) -> dict[str, Any]:
        """Every verdict as `Verdict.as_dict` gives it."""
        return {"verdicts": [each.as_dict() for each in self.verdicts]}

    def table(self) -> ResultTable:
        """One row a sheet."""
        titles = ("label", "probability", "state", "reason", "regions", "label set", "distance", "detail")
        rows = (
            (
                each.label,
                each.probability,
                each.state.value,
                each.reason.value,
                len(each.regions),
                " + ".join(each.label_set),
                each.distance,
                each.detail,
            )
            for each in self.verdicts
        )
        return ResultTable(titles, tuple(rows))
