"""The record of a release gate in a bundle's card: what was tested on what, by which policy, and the outcome.

A record holds the id of the bundle it is about, and a hash over itself. The id of a bundle does not depend on
its records, so that a bundle keeps its id when it passes a gate.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from steelsight.runtime.bundle.card_values import CardPart, Difference, Name, Share, Words
from steelsight.version import __version__

__all__ = [
    "MOST_GATES",
    "GateRecord",
    "GatedMetric",
    "GatedShortcut",
    "record_hash",
    "seal_record",
]

MOST_GATES: Final = 32  # records of one card; the oldest are dropped
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Bounds = tuple[Difference | None, Difference | None, Difference | None]  # estimate, 95 % bounds; None = none


class GatedShortcut(CardPart):
    """The decision on one nuisance of the policy."""

    nuisance: Name  # stain, end, or the path of a table as the policy names it
    suspect: Name  # the class that verdicts flip to
    most_flipped: Share | None  # limit of the policy on the upper bound of `flipped`
    most_excess: Share | None  # likewise of `excess`
    flipped: Bounds | None  # share of right verdicts that the paste flips; None = nothing was pasted
    excess: Bounds | None  # the same minus the control's share
    pasted: int = Field(ge=0)  # sheets pasted on
    groups: int = Field(ge=0)  # independent groups they are of
    outcome: Literal["passed", "exceeded", "inconclusive", "underpowered"]  # see adaptation.gate.decide
    why: Words  # the figures and the limits, in words


class GatedMetric(CardPart):
    """The decision on one limit of the policy on quality."""

    metric: Literal["accuracy", "balanced accuracy", "sheets"]  # sheets: how many there are
    least: float = Field(
        ge=0, allow_inf_nan=False
    )  # limit of the policy on the lower bound; a count for sheets
    value: Bounds | None  # None for a count
    outcome: Literal["passed", "below", "inconclusive", "underpowered"]  # see adaptation.gate.decide
    why: Words  # the figure and the limit, in words


class GateRecord(CardPart):
    """One gate that a bundle passed or did not pass."""

    steelsight_version: Name = __version__  # that ran the gate
    made: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")  # UTC
    model_id: str = Field(pattern="^[0-9a-f]{32}$")  # of the bundle that was tested
    engine: Name  # its version and precision
    policy: Name  # name of the policy file
    policy_sha256: Sha256  # of its bytes
    lists: dict[Name, Sha256]  # of the tables of sheets that it names, by their paths as the policy has them
    data: Words  # name of the DATA folder
    data_hash: Words  # see sheets.cache
    sheets: int = Field(ge=1)  # of DATA that the bundle was tested on
    groups: int = Field(ge=1)  # independent groups they are of
    limit: int = Field(ge=1)  # sheets pasted on, at most
    seed: int = Field(ge=0)  # of stamps, places and the bootstrap
    # One decision for each nuisance of the policy.
    shortcuts: tuple[GatedShortcut, ...] = Field(min_length=1, max_length=1000)
    metrics: tuple[GatedMetric, ...] = Field(default=(), max_length=10)  # one for each limit on quality
    passed: bool  # every decision is "passed"
    sha256: str = Field(default="", pattern="^([0-9a-f]{64}|)$")  # over everything else in the record

    @model_validator(mode="after")
    def _agrees(self) -> GateRecord:
        outcomes = [part.outcome for part in self.shortcuts] + [part.outcome for part in self.metrics]
        if self.passed is not all(outcome == "passed" for outcome in outcomes):
            raise ValueError(f"passed: expected what its {len(outcomes)} decisions say, got {self.passed}")
        return self


def record_hash(record: Mapping[str, Any]) -> str:
    """SHA-256 over a record as JSON with sorted keys, without its own field `sha256`."""
    rest = {key: value for key, value in record.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seal_record(record: GateRecord) -> GateRecord:
    """The record with its hash."""
    return record.model_copy(update={"sha256": record_hash(json.loads(record.model_dump_json()))})
