"""Whether what was certified of a threshold still holds at the line: wrong answers, and coverage.

A certificate says that with 1 - δ at most the share r of the answers is wrong, every coil counted equally.
The audit draws of decided sheets say how many are, as seen by reviewers who err themselves: an answer seems
wrong at a rate of at most r + (1 - r) x η, where η is how often a reviewer's label of a known case is not the
right one. Half of the alarm's false rate goes to the upper bound of η, half to the lower one of the answers
that seem wrong; both are confidence sequences (`quality.sequence`), so they hold however often one looks.
Coverage needs no draws: it is counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from steelsight.errors import BadInput
from steelsight.quality.records import AuditData, AuditedSheet, Outcome, parts_of
from steelsight.quality.reviewers import wrong_answers
from steelsight.quality.sequence import CoilDraws, lower_bound, upper_bound

__all__ = ["ALPHA", "CertificateState", "Certified", "certificate_state"]

ALPHA: Final = 0.05  # false alarms for ever, of all looks together


@dataclass(frozen=True)
class Certified:
    """What was certified; raises BadInput for shares out of range."""

    risk: float  # largest share of wrong answers
    coverage: float | None = None  # share of answered sheets in the calibration; None = not compared

    def __post_init__(self) -> None:
        if not 0 < self.risk < 1:
            raise BadInput(f"certified risk: expected above 0 and below 1, got {self.risk}")
        if self.coverage is not None and not 0 <= self.coverage <= 1:
            raise BadInput(f"certified coverage: expected 0 to 1, got {self.coverage}")


@dataclass(frozen=True)
class CertificateState:
    """The decided sheets beside the certificate; every bound holds at all looks together."""

    certified: Certified
    coils: int  # with reviewed draws of decided sheets
    draws: int  # of decided sheets, reviewed
    wrong: int  # of them, by the reviewers
    wrong_share: float | None  # mean over coils; None without draws
    wrong_bounds: tuple[float, float]  # of the share that seems wrong to reviewers
    limit: float  # of the share that seems wrong: the risk and what the reviewers' errors add
    reviewer_error: float | None  # upper bound of η; None without known cases, then nothing is added
    coverage: float | None  # share of decided sheets, mean over coils; None without sheets
    coverage_bounds: tuple[float, float]
    void: bool  # the certificate no longer holds
    coverage_changed: bool  # the coverage lies outside the bounds

    @property
    def right_share(self) -> float | None:
        """The rate of answers that reviewers call right."""
        return None if self.wrong_share is None else 1 - self.wrong_share

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "certified": vars(self.certified), "right_share": self.right_share}


def certificate_state(data: AuditData, certified: Certified, *, alpha: float = ALPHA) -> CertificateState:
    """Compare a period with a certificate.

    data   from the certificate's first sheet on: the bounds hold for looks at one growing period
    alpha  false alarms of all looks together
    """
    decided = [each for each in data.audited if each.group.outcome is not Outcome.REFERRED]
    coils = _by_coil(decided, data.clean)
    known_wrong = [CoilDraws(np.array([each]), np.ones(1)) for each in wrong_answers(data)]
    error = upper_bound(known_wrong, alpha=alpha / 2) if known_wrong else None
    limit = certified.risk + (1 - certified.risk) * (error or 0.0)
    bounds = lower_bound(coils, alpha=alpha / 2), upper_bound(coils, alpha=alpha / 2) if coils else 1.0
    shares = _decided_shares(data)
    covered = [CoilDraws(np.array([share]), np.ones(1)) for share in shares]
    coverage = (
        lower_bound(covered, alpha=alpha / 2),
        upper_bound(covered, alpha=alpha / 2) if covered else 1.0,
    )
    known = certified.coverage
    return CertificateState(
        certified,
        len(coils),
        len(decided),
        int(sum(coil.values.sum() for coil in coils)),
        float(np.mean([_mean(coil) for coil in coils])) if coils else None,
        bounds,
        limit,
        error,
        float(np.mean(shares)) if shares else None,
        coverage,
        bounds[0] > limit,
        known is not None and not coverage[0] <= known <= coverage[1],
    )


def _mean(coil: CoilDraws) -> float:
    weights = 1 / coil.probabilities
    return float(weights @ coil.values / weights.sum())


def _by_coil(draws: list[AuditedSheet], clean: str) -> list[CoilDraws]:
    """Whether each draw's answer is wrong, by coil, in the order of each coil's last review."""
    groups: dict[str, list[AuditedSheet]] = defaultdict(list)
    for each in draws:
        groups[f"coil {each.coil}" if each.coil is not None else f"sheet {each.sheet}"].append(each)
    ordered = sorted(groups.values(), key=lambda group: max((each.reviewed_us, each.sheet) for each in group))
    return [
        CoilDraws(
            np.array([parts_of(each.verdict, clean) != parts_of(each.answer, clean) for each in group]),
            np.array([each.probability for each in group]),
        )
        for group in ordered
    ]


def _decided_shares(data: AuditData) -> list[float]:
    """The share of decided sheets of each coil, in the order of their names' first week."""
    sheets: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    order: dict[str, str] = {}
    for (group, coil), (number, _draws) in data.sheets.items():
        name = str(coil)
        order[name] = min(order.get(name, group.week), group.week)
        sheets[name][0] += number
        sheets[name][1] += number * (group.outcome is not Outcome.REFERRED)
    names = sorted(sheets, key=lambda name: (order[name], name))
    return [sheets[name][1] / sheets[name][0] for name in names if sheets[name][0]]
