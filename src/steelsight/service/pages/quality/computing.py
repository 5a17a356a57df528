"""All figures of the page, computed in one go from one state of the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection

from steelsight.errors import BadInput
from steelsight.ledger.writing.writer import now_us
from steelsight.quality.agreement import Agreement, agreement
from steelsight.quality.certificate import CertificateState, certificate_state
from steelsight.quality.correction import ReviewerErrors
from steelsight.quality.enough import (
    Need,
    need_of_agreement,
    need_of_certificate,
    need_of_ratio,
    need_of_share,
)
from steelsight.quality.escape import Escape
from steelsight.quality.ledger import Period, read_audit
from steelsight.quality.recommendations import RuleCount, read_rule_counts
from steelsight.quality.records import AuditData, Outcome
from steelsight.quality.report import QualityReport, quality_report
from steelsight.quality.reviewers import defect_errors, type_errors
from steelsight.quality.second import second_pairs
from steelsight.service.certificates import (
    MOST_VERDICTS,
    certified_of,
    has_too_many,
    live_bundles,
    read_since_certified,
)
from steelsight.service.context import Service
from steelsight.service.pages.quality.query import QualityQuery

__all__ = ["SHARES", "EscapeNeeds", "QualityFigures", "compute_figures", "find_needs"]

SEED: Final = 0  # the same ledger gives the same figures
SHARES: Final = (
    "defective_among_passed",
    "missed_among_defective",
    "good_among_rejected",
    "rejected_among_good",
)
EscapeNeeds = Mapping[str, Need]  # by name of the share; one type of defect has two


@dataclass(frozen=True)
class QualityFigures:
    """What the page shows."""

    report: QualityReport
    needs: Mapping[tuple[str, str], EscapeNeeds]  # by kind and name of the group; ("whole", "")
    agreement_need: Need
    bundle: str | None  # the one that is compared with its certificate
    bundles: tuple[str, ...]  # model ids in the period
    certificate: CertificateState | None
    certificate_need: Need | None
    certificate_note: str  # why there is none: "", "several", "absent", "closed", "long"
    coverage: Mapping[str, tuple[int, int]]  # by week: decided sheets, all sheets
    waiting: int  # draws without a review that counts
    rules: tuple[RuleCount, ...]  # recommended and chosen actions
    shown_agreement: Agreement  # of two people who both had seen the verdict
    computed_us: int

    def groups(self) -> dict[str, Mapping[str, Escape]]:
        """Escape by kind of group."""
        return {
            "whole": {"": self.report.whole},
            "type": self.report.by_type,
            "station": self.report.by_station,
            "week": self.report.by_week,
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the people are their random ids."""
        certificate = None if self.certificate is None else self.certificate.as_dict()
        return {
            **self.report.as_dict(),
            "certificate": certificate,
            "certificate_of": self.bundle,
            "needs": [
                {"group": kind, "name": name, "share": share, **need.as_dict()}
                for (kind, name), each in self.needs.items()
                for share, need in each.items()
            ],
            "agreement_needs": self.agreement_need.as_dict(),
            "agreement_with_verdict": self.shown_agreement.as_dict(),
            "recommendations": [each.as_dict() for each in self.rules],
            "coverage_by_week": {
                week: {"decided": decided, "sheets": sheets}
                for week, (decided, sheets) in self.coverage.items()
            },
        }


def compute_figures(service: Service, query: QualityQuery) -> QualityFigures:
    """Read and estimate; takes seconds to minutes.

    raises  BadInput for a period with too many sheets, types, stations or weeks; BadLedger
    """
    opened = service.bundles.find(query.bundle) or service.bundles.default
    clean = opened.bundle.card.no_defect
    with service.ledger.read() as connection:
        _check_size(connection, query.period)
        data = read_audit(connection, query.period, clean=clean)
        rules = read_rule_counts(connection, query.period)
        pairs = second_pairs(connection, query.period)
        bundles = _bundles(connection, query.period)
        chosen = query.bundle or (bundles[0] if len(bundles) == 1 else None)
        watched, note = read_since_certified(connection, service.bundles, chosen)
    report = quality_report(data, np.random.default_rng(SEED))
    certificate, need = _certificate(service, chosen, watched)
    return QualityFigures(
        report,
        find_needs(data, report),
        need_of_agreement(report.agreement),
        chosen,
        bundles,
        certificate,
        need,
        note,
        _coverage(data),
        sum(draws for _, draws in data.sheets.values()) - len(data.audited) - data.unsure,
        rules,
        agreement(pairs, interchangeable=True),
        now_us(),
    )


def _check_size(connection: Connection, period: Period) -> None:
    if has_too_many(connection, period):
        raise BadInput(
            f"period: expected at most {MOST_VERDICTS} verdicts, got more; choose a shorter period or one "
            "station"
        )


def _bundles(connection: Connection, period: Period) -> tuple[str, ...]:
    """Model ids of the live verdicts of a period."""
    return tuple(sorted(connection.execute(live_bundles(period).distinct()).scalars()))


def _certificate(
    service: Service, bundle: str | None, data: AuditData | None
) -> tuple[CertificateState | None, Need | None]:
    inspector = service.bundles.find(bundle)
    certified = None if inspector is None else certified_of(inspector.bundle.card)
    if data is None or certified is None:
        return None, None
    state = certificate_state(data, certified)
    return state, need_of_certificate(state, data.count(Outcome.PASSED) + data.count(Outcome.REJECTED))


def find_needs(data: AuditData, report: QualityReport) -> dict[tuple[str, str], EscapeNeeds]:
    """What each share of each group lacks, by kind and name of the group."""
    spread = _spread(defect_errors(data))
    found = {("whole", ""): _needs_of(report.whole, spread)}
    for label, each in report.by_type.items():
        found["type", label] = _needs_of(each, _spread(type_errors(data, label)))
    for name, each in report.by_station.items():
        found["station", name] = _needs_of(each, spread)
    for name, each in report.by_week.items():
        found["week", name] = _needs_of(each, spread)
    return found


def _spread(errors: ReviewerErrors) -> float:
    return errors.seen.estimate - errors.alarms.estimate if errors.measured else 1.0


def _needs_of(escape: Escape, spread: float) -> EscapeNeeds:
    sheets, reviewed = escape.sheets, escape.reviewed
    found = {
        "defective_among_passed": need_of_share(
            escape.defective_among_passed, sheets[Outcome.PASSED], spread=spread
        ),
        "missed_among_defective": need_of_ratio(escape.missed_among_defective, sheets, reviewed),
    }
    if escape.good_among_rejected is not None:
        found["good_among_rejected"] = need_of_share(
            escape.good_among_rejected, sheets[Outcome.REJECTED], spread=spread
        )
    if escape.rejected_among_good is not None:
        found["rejected_among_good"] = need_of_ratio(escape.rejected_among_good, sheets, reviewed)
    return found


def _coverage(data: AuditData) -> dict[str, tuple[int, int]]:
    """Decided and all sheets of each week."""
    found: dict[str, tuple[int, int]] = {}
    for (group, _coil), (number, _draws) in data.sheets.items():
        decided, total = found.get(group.week, (0, 0))
        found[group.week] = (decided + number * (group.outcome is not Outcome.REFERRED), total + number)
    return dict(sorted(found.items()))
