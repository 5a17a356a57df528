"""Test whether the certificate of a bundle can hold for scanned sheets: refuted or not, never confirmed.

A certificate, and the promise of label sets, hold for sheets drawn as the certification sheets were. The card
keeps some order statistics of their confidences and of their distances from the training sheets. For further
sheets of the same distribution, the number that lie below the r-th of n values has an exact distribution,
whatever that distribution is: the beta-binomial one of Beta(r, n + 1 - r). Each order statistic is tested on
both sides at its part of FALSE_ALARM, so that sheets drawn alike are called different with at most this
probability. With equal values only those strictly below, or above, are counted, which keeps the bound.

Where the sheets come in without an end, looking at every moment would raise false alarms. The repeated
check looks at 64, 128, 256, ... sheets, at a share of the bound that falls with each look; what was refuted
stays refuted. Sheets of one coil resemble each other: the bound is for sheets that were drawn one by one.
source  Wilks 1941, for the distribution; Bonferroni for the number of tests
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int

from steelsight.evaluation.intervals.bounds import FEWEST_GROUPS
from steelsight.runtime.bundle.card import BundleCard, CertificationSheets

__all__ = [
    "FALSE_ALARM",
    "FIRST_LOOK",
    "CertificateFinding",
    "CertificateMonitor",
    "in_single_precision",
    "log_tail",
    "open_monitor",
]

FALSE_ALARM: Final = 0.01  # chance that sheets drawn as the certification sheets were are called different
FIRST_LOOK: Final = 64  # sheets at the first look of a repeated check; each further one is at twice as many
_WORDS: Final = {  # (above, below)
    "confidence": ("have a confidence above {:.3g}", "have a confidence below {:.3g}"),
    "distance": (
        "are farther than {:.3g} from the training sheets",
        "are closer than {:.3g} to the training sheets",
    ),
}


@dataclass(frozen=True)
class CertificateFinding:
    """What a scan says of the certificate."""

    void: bool  # True = it does not hold for these sheets; False confirms nothing
    reason: str  # void: how the sheets differ; else, where nothing could be tested, why; else ""
    sheets: int  # that were compared
    promise: str  # what does not hold where it is void

    @property
    def statement(self) -> str:
        """For reports; "" unless it is void."""
        return f"{self.promise} not hold for these sheets: {self.reason}" if self.void else ""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = asdict(self) | {"statement": self.statement, "false_alarm": FALSE_ALARM}
        del values["promise"]
        return values


def open_monitor(card: BundleCard, *, repeated: bool) -> CertificateMonitor | None:
    """A monitor of what the card promises; None = nothing, or an older card without the order statistics.

    repeated  see `CertificateMonitor`
    """
    certified = card.threshold_by == "certificate"
    if card.certification is None or not (certified or card.label_sets):
        return None
    names = ["the certificate"] * certified + ["the coverage of the label sets"] * bool(card.label_sets)
    promise = f"{' and '.join(names)} {'do' if len(names) > 1 else 'does'}"
    return CertificateMonitor(card.certification, promise, repeated=repeated)


@dataclass
class _Counts:
    """How many sheets lie strictly below and above each order statistic."""

    values: Float[np.ndarray, " r"]
    below: Int[np.ndarray, " r"] = field(init=False)
    above: Int[np.ndarray, " r"] = field(init=False)
    sheets: int = 0

    def __post_init__(self) -> None:
        self.below = np.zeros(len(self.values), dtype=np.int64)
        self.above = np.zeros(len(self.values), dtype=np.int64)

    def add(self, found: Float[np.ndarray, " m"]) -> None:
        found = np.sort(found[np.isfinite(found)])
        self.below += np.searchsorted(found, self.values, "left")
        self.above += len(found) - np.searchsorted(found, self.values, "right")
        self.sheets += len(found)


class CertificateMonitor:
    """Counts sheets as they come, and tests the certificate.

    certified order statistics of the certification sheets
    promise   what does not hold where they differ, with its verb: "the certificate does"
    repeated  True = the result may be asked for at any time, and its false alarms over all times are
              bounded; False = it is asked for once
    """

    def __init__(self, certified: CertificationSheets, promise: str, *, repeated: bool) -> None:
        self._certified = certified
        self._promise = promise
        self._counts = {
            name: _Counts(in_single_precision(np.array(values)))
            for name in _WORDS
            if (values := getattr(certified, name))
        }
        self._repeated = repeated
        self._sheets = 0
        self._look = 0
        self._void: CertificateFinding | None = None

    def add(self, confidence: Float[np.ndarray, " m"], distance: Float[np.ndarray, " m"]) -> None:
        """Count further sheets, in the order in which they came."""
        start = 0
        while start < len(confidence):
            end = len(confidence)
            if self._repeated:
                end = min(end, start + (FIRST_LOOK << self._look) - self._sheets)
            for name, found in (("confidence", confidence), ("distance", distance)):
                if name in self._counts:
                    self._counts[name].add(in_single_precision(found[start:end]))
            self._sheets += end - start
            start = end
            if self._repeated and self._sheets == FIRST_LOOK << self._look:
                # 1/2 + 1/6 + 1/12 + ... = 1
                self._void = self._void or self._test(FALSE_ALARM / ((self._look + 1) * (self._look + 2)))
                self._look += 1

    def result(self) -> CertificateFinding:
        """What the sheets so far say."""
        fewest = FIRST_LOOK if self._repeated else FEWEST_GROUPS
        if self._certified.sheets < FEWEST_GROUPS or self._sheets < fewest:
            reason = (
                f"not tested: {self._sheets:,} sheets and {self._certified.sheets:,} certification sheets, "
                f"at least {fewest} and {FEWEST_GROUPS} are needed"
            )
            return CertificateFinding(False, reason, self._sheets, self._promise)
        found = self._void if self._repeated else self._test(FALSE_ALARM)
        return found or CertificateFinding(False, "", self._sheets, self._promise)

    def _test(self, level: float) -> CertificateFinding | None:
        """The clearest difference of each property that is beyond chance; None = there is none."""
        units, ranks = self._certified.sheets, self._certified.ranks
        if units < FEWEST_GROUPS:
            return None
        bound = math.log(level / (2 * len(ranks) * len(self._counts)))
        differences = []
        for name, counts in self._counts.items():
            tested = []
            for place, rank in enumerate(ranks):
                below, above = int(counts.below[place]), int(counts.above[place])
                rarer = units + 1 - rank  # its rank from above
                tested.append((log_tail(above, counts.sheets, rarer, units), place, "above"))
                tested.append((log_tail(below, counts.sheets, rank, units), place, "below"))
            chance, place, side = min(tested)
            if chance <= bound:
                differences.append(self._difference(name, counts, place, side))
        if not differences:
            return None
        return CertificateFinding(True, "; ".join(differences), self._sheets, self._promise)

    def _difference(self, name: str, counts: _Counts, place: int, side: str) -> str:
        units, rank = self._certified.sheets, self._certified.ranks[place]
        above = side == "above"
        beyond = int((counts.above if above else counts.below)[place])
        words = _WORDS[name][not above].format(counts.values[place])
        usual = (units - rank if above else rank - 1) / units
        return (
            f"{beyond / counts.sheets:.0%} of {counts.sheets:,} sheets {words}, "
            f"against {usual:.0%} of the {units:,} certification sheets"
        )


def log_tail(count: int, sheets: int, rank: int, units: int) -> float:
    """Logarithm of the chance that at least `count` of `sheets` further values lie below an order statistic.

        P(X >= x), X ~ beta-binomial(m, r, n + 1 - r)

    They do where, of the x + r - 1 smallest of all n + m values, at most r - 1 are of the first sample: a
    hypergeometric probability, summed in logarithms.

    count   x, 0..m
    sheets  m
    rank    r of the order statistic, 1..n
    units   n, the size of the first sample

    >>> round(math.exp(log_tail(1, 1, 1, 3)), 12)
    0.25
    """
    if count <= 0:
        return 0.0
    drawn = count + rank - 1
    # Hypergeometric: h of the first sample among the drawn, from its top h = r - 1 down.
    top, low = min(rank - 1, drawn, units), max(0, drawn - sheets)
    steps: Float[np.ndarray, " h"] = np.arange(top, low, -1, dtype=np.float64)  # from h to h - 1
    ratios = np.log(steps) + np.log(sheets - drawn + steps)
    ratios -= np.log(units - steps + 1) + np.log(drawn - steps + 1)
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    first = _log_choose(units, top) + _log_choose(sheets, drawn - top) - _log_choose(units + sheets, drawn)
    highest = float(logs.max())
    return min(0.0, first + highest + math.log(float(np.exp(logs - highest).sum())))


def in_single_precision(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Rounded as both samples are, so that values that are equal but for rounding stay equal."""
    return np.asarray(values, dtype=np.float32).astype(np.float64)


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
