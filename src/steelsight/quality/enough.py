"""Whether an estimate is known well enough to be told as a number, and how many draws are needed where not.

An estimate is told where its 95 % interval is at most so wide; else the answer is about how many more
reviewed draws bring it there, if they find what was found so far. The width that comes from reviewers' errors
does not shrink with draws: where it is too large by itself, known cases are needed. Nothing is promised: it
is a rule for what people read, and the bounds themselves are those of the estimate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from steelsight.evaluation.intervals.exact import clopper_pearson
from steelsight.quality.agreement import Agreement
from steelsight.quality.certificate import CertificateState
from steelsight.quality.correction import CorrectedShare
from steelsight.quality.escape import Ratio
from steelsight.quality.records import Outcome
from steelsight.quality.shares import SampleShare

__all__ = [
    "WIDEST_KAPPA",
    "WIDEST_RATIO",
    "WIDEST_SHARE",
    "Lack",
    "Need",
    "need_of_agreement",
    "need_of_certificate",
    "need_of_ratio",
    "need_of_share",
]

WIDEST_SHARE: Final = 0.10  # of an interval, for a share of one outcome
WIDEST_RATIO: Final = 0.30  # for a share over several outcomes
WIDEST_KAPPA: Final = 0.40
MOST: Final = 100_000  # draws; more are told as so many
FIRST_PAIRS: Final = 30  # sheets reviewed by two people, where there are none yet


class Lack(StrEnum):
    """What is missing."""

    NOTHING = "nothing"  # the number can be told
    DRAWS = "draws"  # more reviewed audit draws
    CASES = "cases"  # more known cases of the reviewers: their errors alone leave too much open
    SHEETS = "sheets"  # the period has too few sheets to draw as many as are needed
    NO_SHEETS = "no_sheets"  # there are none of the kind
    NONE_FOUND = "none_found"  # the audit found nothing of which this is a share
    ALIKE = "alike"  # all answers are one and the same
    COILS = "coils"  # draws of further coils


@dataclass(frozen=True)
class Need:
    """What an estimate lacks."""

    lack: Lack
    draws: int = 0  # about so many more, at least 1 where draws are missing, at most MOST

    @property
    def known(self) -> bool:
        """Whether the number can be told."""
        return self.lack is Lack.NOTHING

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"lack": self.lack.value, "more_draws": self.draws}


KNOWN: Final = Need(Lack.NOTHING)


def need_of_share(share: CorrectedShare, sheets: int, *, spread: float = 1.0) -> Need:
    """What a share of one outcome lacks.

    sheets  with that outcome in the period
    spread  how much more often reviewers see the property where it is than where it is not, in (0, 1]
    """
    if not sheets:
        return Need(Lack.NO_SHEETS)
    sample, width = share.observed, share.high - share.low
    if share.estimate is None or not sample.draws:
        return _more(_fewest(0.0, 1.0, WIDEST_SHARE, spread), 0, sheets)
    if width <= WIDEST_SHARE:
        return KNOWN
    if sample.draws >= sheets:
        return Need(Lack.SHEETS)
    left = WIDEST_SHARE - max(0.0, width - _sampling(sample, sample.draws, spread))
    if left <= 0.1 * WIDEST_SHARE:
        return Need(Lack.CASES)
    each = sample.effective / sample.draws
    return _more(_fewest(sample.estimate, each, left, spread), sample.draws, sheets)


def need_of_ratio(ratio: Ratio, sheets: Mapping[str, int], reviewed: Mapping[str, int]) -> Need:
    """What a share over several outcomes lacks.

    sheets, reviewed  by outcome
    """
    total, drawn = sum(sheets.values()), sum(reviewed.values())
    if not total:
        return Need(Lack.NO_SHEETS)
    empty = [each for each in Outcome if sheets[each.value] and not reviewed[each.value]]
    if empty:
        wanted = sum(min(sheets[each.value], _fewest(0.0, 1.0, WIDEST_SHARE, 1.0)) for each in empty)
        return Need(Lack.DRAWS, wanted)
    if ratio.estimate is None:
        return Need(Lack.NONE_FOUND)
    return _by_root(ratio.high - ratio.low, WIDEST_RATIO, drawn, total)


def need_of_agreement(found: Agreement) -> Need:
    """What the reviewers' agreement lacks; its draws are sheets that two people review."""
    if not found.pairs:
        return Need(Lack.DRAWS, FIRST_PAIRS)
    if found.kappa is None:
        return Need(Lack.ALIKE)
    if found.low is None or found.high is None:
        return Need(Lack.COILS)
    return _by_root(found.high - found.low, WIDEST_KAPPA, found.pairs, None)


def need_of_certificate(state: CertificateState, sheets: int) -> Need:
    """What the share of wrong answers lacks; a certificate that no longer holds is always told.

    sheets  decided since the bundle began
    """
    if state.void:
        return KNOWN
    if not sheets:
        return Need(Lack.NO_SHEETS)
    if state.wrong_share is None:
        return _more(_fewest(0.0, 1.0, WIDEST_SHARE, 1.0), 0, sheets)
    low, high = state.wrong_bounds
    return _by_root(high - low, WIDEST_SHARE, state.draws, sheets)


def _by_root(width: float, widest: float, drawn: int, total: int | None) -> Need:
    """By the root law: four times as many draws halve the width.

    total  draws that there can be; None = any number
    """
    if width <= widest:
        return KNOWN
    if total is not None and drawn >= total:
        return Need(Lack.SHEETS)
    return _more(math.ceil(max(drawn, 1) * (width / widest) ** 2 - 1e-6), drawn, total)


def _more(wanted: int, drawn: int, total: int | None) -> Need:
    """How many more than `drawn`, where there are `total` at all."""
    if total is not None and wanted > total:
        return Need(Lack.SHEETS)
    return Need(Lack.DRAWS, min(MOST, max(1, wanted - drawn)))


def _sampling(sample: SampleShare, draws: int, spread: float) -> float:
    """The width that so many draws leave, if they find what was found so far."""
    return _width(sample.estimate, sample.effective / sample.draws * draws, spread)


def _width(share: float, effective: float, spread: float) -> float:
    low, high = clopper_pearson(min(effective, share * effective), effective)
    return (high - low) / spread


def _fewest(share: float, each: float, widest: float, spread: float) -> int:
    """The fewest draws, of which each is worth `each` effective ones, that leave at most this width."""
    few, many = 1, 2
    while many < 2 * MOST and _width(share, each * many, spread) > widest:
        few, many = many, 2 * many
    while many - few > max(1, few // 100):
        middle = (few + many) // 2
        few, many = (middle, many) if _width(share, each * middle, spread) > widest else (few, middle)
    return many
