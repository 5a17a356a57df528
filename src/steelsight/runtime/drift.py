"""Compare scanned sheets with the calibration sheets of the bundle. Drift is reported; no verdict changes.

A level is given only where the sheets can carry it. The calibration sheets count by their independent
groups, the scanned ones singly, because a scan knows no groups. A difference that chance gives between so
many is not a drift; where even a clear one could be chance, the level is "undecided".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32, UInt8

from steelsight.evaluation.intervals.bootstrap import wilson
from steelsight.evaluation.intervals.bounds import FEWEST_GROUPS
from steelsight.runtime.bundle.card import QUANTILES, TrainingStatistics

__all__ = [
    "AS_USUAL",
    "LEVELS",
    "SURE",
    "UNDECIDED",
    "Drift",
    "chi_square",
    "class_shares",
    "compare_statistics",
    "gray_statistics",
    "training_statistics",
]

LEVELS: Final = tuple(np.linspace(0, 1, QUANTILES).tolist())  # of the quantiles a card keeps
SLIGHT, CLEAR = 0.1, 0.2  # distance between two distributions, 0..1
SLIGHT_SHARES, CLEAR_SHARES = 0.1, 0.25  # population stability index, by the common rule of thumb
AS_USUAL, UNDECIDED = "as usual", "undecided"  # levels without a drift
SURE: Final = 0.01  # probability of a difference at least as large between samples of one distribution
_WORDS: Final = {  # name: (title, when higher, when lower)
    "gray_mean": ("mean gray level", "brighter", "darker"),
    "gray_spread": ("contrast", "of more contrast", "of less contrast"),
    "confidence": ("confidence", "of higher confidence", "of lower confidence"),
    "distance": (
        "distance from training sheets",
        "farther from the training sheets",
        "closer to the training sheets",
    ),
}


@dataclass(frozen=True)
class Drift:
    """One property of the scanned sheets and of the calibration sheets."""

    name: str
    title: str
    usual: float | None  # median of the calibration sheets; None for class shares
    found: float | None  # median of the scan
    difference: float  # Kolmogorov-Smirnov distance 0..1; of class shares the population stability index
    level: str  # as usual, slight, clear, undecided
    reading: str
    by_chance: float  # the difference that samples of one distribution exceed with probability SURE

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def gray_statistics(
    images: UInt8[np.ndarray, "n h w"],
) -> tuple[Float32[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Mean and standard deviation of each sheet's gray levels at model size, both (n,), 0..255."""
    levels = images.reshape(len(images), -1).astype(np.float32)
    means = levels.mean(axis=1)
    levels -= means[:, None]
    spreads = np.sqrt(np.einsum("ij,ij->i", levels, levels) / levels.shape[1])
    return means, spreads


def class_shares(labels: Sequence[str], class_names: Sequence[str]) -> tuple[float, ...]:
    """Share of the labels that name each class; a label may name several, joined by " + ", as may a class."""
    single = set(class_names)
    kinds, counts = np.unique(np.array(labels, dtype=str), return_counts=True)
    named = [
        ({kind} if kind in single else set(kind.split(" + ")), int(count))
        for kind, count in zip(kinds, counts, strict=True)
    ]
    total = max(1, len(labels))
    return tuple(sum(count for names, count in named if name in names) / total for name in class_names)


def training_statistics(
    gray_mean: Float[np.ndarray, " n"],
    gray_spread: Float[np.ndarray, " n"],
    confidence: Float[np.ndarray, " n"],
    distance: Float[np.ndarray, " n"],
    labels: Sequence[str],
    class_names: Sequence[str],
    *,
    groups: int | None = None,
) -> TrainingStatistics:
    """The statistics of calibration sheets that a card holds.

    gray_mean, gray_spread, confidence, distance  (n,) one value a sheet; NaN is left out
    labels  (n) verdicts of the engine, not the truth, because a scan has verdicts alone
    groups  how many independent groups the sheets are of; None = unknown, every sheet counts
    """
    columns = [_quantiles(values) for values in (gray_mean, gray_spread, confidence, distance)]
    return TrainingStatistics.model_validate(
        {
            "sheets": len(labels),
            "groups": groups,
            **dict(zip(_WORDS, columns, strict=True)),
            "shares": class_shares(labels, class_names),
        }
    )


def compare_statistics(
    training: TrainingStatistics,
    found: dict[str, Float[np.ndarray, " n"]],
    shares: Sequence[float],
    class_names: Sequence[str],
) -> list[Drift]:
    """Compare each property of the scan with the card's.

    training  statistics of the calibration sheets
    found     gray_mean, gray_spread, confidence, distance of the scanned sheets, (n,) each; NaN is left out
    shares    share of their labels that name each class
    """
    drift = []
    sheets = 0
    for name in _WORDS:
        values = found[name][np.isfinite(found[name])].astype(np.float64)
        sheets = max(sheets, len(values))
        quantiles = np.array(getattr(training, name), dtype=np.float64)
        if len(values) and len(quantiles) == len(LEVELS):
            drift.append(_compare(name, quantiles, np.sort(values), training))
    if sheets and len(training.shares) == len(shares):
        drift.append(_compare_shares(training, np.array(shares, dtype=np.float64), sheets, class_names))
    return drift


def _compare(
    name: str,
    quantiles: Float[np.ndarray, " q"],
    values: Float[np.ndarray, " n"],
    training: TrainingStatistics,
) -> Drift:
    title, higher, lower = _WORDS[name]
    distance = _distance(quantiles, values)
    before, now = float(np.interp(0.5, LEVELS, quantiles)), float(np.median(values))
    by_chance = float(np.sqrt(-np.log(SURE / 2) / 2) * np.sqrt(1 / len(values) + 1 / training.independent))
    level = _level(distance, (SLIGHT, CLEAR, by_chance), len(values), training)
    if abs(now - before) < 1e-3 * max(abs(before), abs(now)):
        reading = "spread differently than the calibration sheets"
    else:
        slightly = "" if level == "clear" else "slightly "
        reading = f"{slightly}{higher if now > before else lower} than the calibration sheets"
    reading = _reading(level, reading, len(values), training)
    return Drift(name, title, before, now, distance, level, reading, by_chance)


def _reading(level: str, difference: str, scanned: int, training: TrainingStatistics) -> str:
    """The words for a level; `difference` is told only where it is beyond chance."""
    if level == AS_USUAL:
        return "like the calibration sheets"
    if level != UNDECIDED:
        return difference
    units = f"{training.sheets:,} calibration sheets"
    units += f" of {training.groups:,} groups" if training.groups is not None else ""
    if min(scanned, training.independent) < FEWEST_GROUPS:
        needed = f"{FEWEST_GROUPS} {'groups' if training.groups is not None else 'calibration sheets'}"
        return (
            f"{scanned:,} scanned and {units} are too few: "
            f"at least {FEWEST_GROUPS} sheets and {needed} are needed"
        )
    return f"{scanned:,} scanned and {units} are too few to tell a clear difference from chance"


def _distance(quantiles: Float[np.ndarray, " q"], values: Float[np.ndarray, " n"]) -> float:
    """Kolmogorov-Smirnov distance: the largest gap between the two distribution functions.

    The stored one is linear between its quantiles. Equal quantiles are a jump, at which both sides count.

    values  sorted
    """
    points = np.concatenate([values, quantiles])
    above = _share_below(quantiles, points, "right") - np.searchsorted(values, points, "right") / len(values)
    below = _share_below(quantiles, points, "left") - np.searchsorted(values, points, "left") / len(values)
    return float(min(1.0, max(np.abs(above).max(), np.abs(below).max())))


def _share_below(
    quantiles: Float[np.ndarray, " q"], points: Float[np.ndarray, " p"], side: str
) -> Float[np.ndarray, " p"]:
    levels = np.array(LEVELS)
    at = np.searchsorted(quantiles, points, side)  # type: ignore[call-overload]
    low, high = np.clip(at - 1, 0, len(levels) - 1), np.clip(at, 0, len(levels) - 1)
    width = quantiles[high] - quantiles[low]
    part = np.divide(points - quantiles[low], width, out=np.zeros(len(points)), where=width > 0)
    share: Float[np.ndarray, " p"] = levels[low] + np.clip(part, 0, 1) * (levels[high] - levels[low])
    return np.where(at == 0, 0.0, np.where(at == len(levels), 1.0, share))


def _compare_shares(
    training: TrainingStatistics, shares: Float[np.ndarray, " c"], sheets: int, class_names: Sequence[str]
) -> Drift:
    expected = np.array(training.shares, dtype=np.float64)
    units = training.independent
    exclusive = abs(expected.sum() - 1) < 1e-6 and abs(shares.sum() - 1) < 1e-6
    if exclusive:
        gains = _stability(expected, shares, units, sheets)
        index, degrees = float(gains.sum()), max(1, len(shares) - 1)
    else:  # a sheet may have several types or none: each type against the rest, and the largest
        pairs = [(np.array([1 - e, e]), np.array([1 - f, f])) for e, f in zip(expected, shares, strict=True)]
        gains = np.array([_stability(*pair, units, sheets).sum() for pair in pairs])
        index, degrees = float(gains.max()), 1
    by_chance = chi_square(degrees, SURE if exclusive else SURE / len(shares)) * (1 / sheets + 1 / units)
    level = _level(index, (SLIGHT_SHARES, CLEAR_SHARES, by_chance), sheets, training)
    most = int(gains.argmax())
    change = (
        f"{class_names[most]}: {_share(shares[most], sheets)} of the scanned sheets, "
        f"{_share(expected[most], units)} of the calibration sheets"
    )
    reading = _reading(level, change, sheets, training)
    return Drift("shares", "class shares", None, None, index, level, reading, by_chance)


def _share(share: float, units: int) -> str:
    """A share in words, with its 95 % interval by as many independent units."""
    interval = wilson(share * units, units)
    return f"{share:.0%} [{interval.low:.0%}, {interval.high:.0%}]"


def _stability(
    expected: Float[np.ndarray, " c"], shares: Float[np.ndarray, " c"], sheets: int, scanned: int
) -> Float[np.ndarray, " c"]:
    """Each class's term of the population stability index, (f - e) ln(f / e), with half a sheet added."""
    e = (expected * sheets + 0.5) / (sheets + 0.5 * len(expected))
    f = (shares * scanned + 0.5) / (scanned + 0.5 * len(shares))
    gains: Float[np.ndarray, " c"] = (f - e) * np.log(f / e)
    return gains


def _level(
    difference: float, bounds: tuple[float, float, float], scanned: int, training: TrainingStatistics
) -> str:
    """The level of a difference.

    bounds  least slight difference, least clear one, and the one that chance gives
    """
    slight, clear, by_chance = bounds
    if min(scanned, training.independent) < FEWEST_GROUPS:
        return UNDECIDED
    if difference >= max(slight, by_chance):
        return "clear" if difference >= clear else "slight"
    return UNDECIDED if by_chance > clear else AS_USUAL


def _quantiles(values: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    finite = values[np.isfinite(values)]
    return tuple(np.quantile(finite.astype(np.float64), LEVELS).tolist()) if len(finite) else ()


def chi_square(degrees: int, chance: float) -> float:
    """The value that a chi-square variable exceeds with a probability; within 1 % at .01.

    degrees  of freedom, at least 1
    chance   the probability, above 0 and below 1

    source   Wilson and Hilferty 1931
    """
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + NormalDist().inv_cdf(1 - chance) * spread**0.5) ** 3)
