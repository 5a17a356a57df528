"""Everything the audit draws of a period say, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from steelsight.errors import BadInput
from steelsight.quality.agreement import Agreement, agreements
from steelsight.quality.certificate import CertificateState, Certified, certificate_state
from steelsight.quality.confusion import Confusion, confusion_of
from steelsight.quality.escape import Escape, escape_of, escape_of_type
from steelsight.quality.notes import QualityNote, quality_notes
from steelsight.quality.records import AuditData, parts_of
from steelsight.quality.reviewers import (
    FollowedVerdicts,
    ReviewerRecord,
    followed_verdicts,
    reviewer_records,
)

__all__ = ["QualityReport", "quality_report"]

MOST_GROUPS: Final = 500  # types, stations and weeks together


@dataclass(frozen=True)
class QualityReport:
    """Estimates of a period, all with 95 % bounds."""

    whole: Escape
    by_type: Mapping[str, Escape]
    by_station: Mapping[str, Escape]
    by_week: Mapping[str, Escape]
    reviewers: tuple[ReviewerRecord, ...]
    followed: FollowedVerdicts
    agreement: Agreement  # of any two reviewers
    agreement_of_two: Mapping[tuple[str, str], Agreement]
    certificate: CertificateState | None  # None where nothing was certified
    confusion: Confusion
    notes: tuple[QualityNote, ...]  # what limits the estimates

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        groups = ("by_type", "by_station", "by_week")
        return {
            "whole": self.whole.as_dict(),
            **{name: {key: each.as_dict() for key, each in getattr(self, name).items()} for name in groups},
            "reviewers": [each.as_dict() for each in self.reviewers],
            "followed": self.followed.as_dict(),
            "agreement": self.agreement.as_dict(),
            "agreement_of_two": [
                {"people": list(people), **each.as_dict()} for people, each in self.agreement_of_two.items()
            ],
            "certificate": None if self.certificate is None else self.certificate.as_dict(),
            "confusion": self.confusion.as_dict(),
            "notes": list(map(str, self.notes)),
        }


def quality_report(
    data: AuditData, rng: np.random.Generator, *, certified: Certified | None = None
) -> QualityReport:
    """All estimates of a period.

    rng        draws from confidence distributions
    certified  what was certified of the bundle's threshold; None = nothing
    raises     BadInput for more than 500 types, stations and weeks
    """
    labels = {part for each in data.audited for part in parts_of(each.answer, data.clean)}
    stations = {group.station for group, _coil in data.sheets}
    weeks = {group.week for group, _coil in data.sheets}
    if (number := len(labels) + len(stations) + len(weeks)) > MOST_GROUPS:
        raise BadInput(
            f"period: expected at most {MOST_GROUPS} types, stations and weeks together, got {number}; "
            "choose a shorter period or one station"
        )
    together, of_two = agreements(data)
    return QualityReport(
        escape_of(data, rng),
        {label: escape_of_type(data, label, rng) for label in sorted(labels)},
        {name: escape_of(data.of_station(name), rng) for name in sorted(stations)},
        {name: escape_of(data.of_week(name), rng) for name in sorted(weeks)},
        reviewer_records(data),
        followed_verdicts(data),
        together,
        of_two,
        None if certified is None else certificate_state(data, certified),
        confusion_of(data),
        quality_notes(data),
    )
