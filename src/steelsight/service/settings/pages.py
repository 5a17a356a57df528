"""Settings of the console's pages: costs that order the review queue, limits of alarms, coils."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

__all__ = ["PageSettings"]

Cost = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Metres = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class PageSettings(BaseModel):
    """The pages Line, Review, Coils and Models."""

    cost_escape: Cost = Field(
        10.0, description="Cost of a defect that passes, in any unit; orders the review queue."
    )
    cost_overkill: Cost = Field(1.0, description="Cost of a good sheet that is refused, in the same unit.")
    alarms: bool = Field(True, description="Watch the line and raise alarms from this process.")
    alarm_check_s: Seconds = Field(5.0, description="Conditions of alarms are looked at so often.")
    alarm_silent_s: Seconds = Field(
        300.0, description="A station that judged within the last hour and is silent for so long is an alarm."
    )
    alarm_defects: Share = Field(
        0.3, description="Share of defects among the last 200 sheets of a station that is an alarm."
    )
    alarm_undecided: Share = Field(
        0.4, description="Share of sheets that were not decided among them that is an alarm."
    )
    alarm_bad_images: Share = Field(0.1, description="Share of unreadable images among them, likewise.")
    certificate_check_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = Field(
        600.0, description="Certificates are compared with new reviews so often; 0 = never."
    )
    coil_ends_m: Metres = Field(
        10.0, description="Metres at each end of a coil that are marked as its head and its tail; 0 = none."
    )
    coil_rolls: Path | None = Field(
        None,
        description="CSV table of rolls (name, diameter_mm, tolerance_mm, stretch); names repeat distances.",
    )
    known_cases: Annotated[float, Field(ge=0, le=0.25)] = Field(
        0.0,
        description="Share of a reviewer's sheets that are known cases, which measure reviewers; 0 = none.",
    )
    known_cases_shown: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Share of the known cases that are shown with the verdict; tells how often people follow "
        "a wrong one.",
    )
    second_review_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Share of the reviewed sheets that a second person reviews too; tells how people agree.",
    )
    recommendation_policy: Path | None = Field(
        None,
        description="TOML file of rules that recommend an action for each reviewed sheet; none = no "
        "recommendation. See [console.md](console.md#recommendation).",
    )
    gate_policy: Path | None = Field(
        None, description="Policy of `steelsight gate` that a bundle must have passed to be promoted."
    )
    candidates: Path | None = Field(
        None,
        description="Folder of BUNDLEs that may be promoted; learning writes there, and promoted ones are "
        "kept in it. None = a folder beside a ledger in a file.",
    )
