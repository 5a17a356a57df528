"""Escape from audit draws: how often 95 % intervals cover the truth, and how wide they are.

    python benchmarks/quality.py [--months 500] [--json FILE]

A simulated month has 30,000 sheets on 100 coils: of them 88 % pass, 10 % are rejected, 2 % are referred. A
draw falls on a passed sheet with .9 %, on a rejected one with 1.1 %, on a referred one with 5 %: 300 draws.
Defects among the passed come by a rate that differs between coils (beta distribution, intra-coil correlation
.02). Reviewers see 90 % of the defects and call .5 % of the good sheets defective; what is known of this is
from 200 known cases with and 600 without a defect. The interval that knows the reviewers' errors is computed
by the same method from the same draws. Further rows change one thing each.

A second part looks 52 times at a confidence sequence, once a week, and counts alarms.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.quality.correction import ReviewerErrors, correct_share
from steelsight.quality.escape import escape_of
from steelsight.quality.records import AuditData, AuditedSheet, KnownAnswer, Outcome, SheetGroup
from steelsight.quality.sequence import CoilDraws, lower_bound

TRUTHS: Final = (0.002, 0.01, 0.05)
GROUPS: Final = {each: SheetGroup("line-1", "2026-W48", each) for each in Outcome}


@dataclass(frozen=True)
class Plant:
    """How a month is drawn."""

    coils: int = 100
    sheets: int = 30_000
    shares: tuple[float, float, float] = (0.88, 0.10, 0.02)  # passed, rejected, referred
    drawn: tuple[float, float, float] = (0.009, 0.011, 0.05)
    defective: tuple[float, float] = (0.85, 0.4)  # of the rejected and the referred
    correlation: float = 0.02  # within a coil, of defects among the passed
    seen: float = 0.9
    alarms: float = 0.005
    known: tuple[int, int] = (200, 600)  # cases with and without a defect


PLANTS: Final = {
    "as described": Plant(),
    "100 and 300 known cases": Plant(known=(100, 300)),
    "2 % false alarms of the reviewers, 70 % seen": Plant(seen=0.7, alarms=0.02),
    "correlation .1 within coils": Plant(correlation=0.1),
    "20 coils": Plant(coils=20, correlation=0.02),
    "perfect reviewers": Plant(seen=1.0, alarms=0.0),
}


def month(plant: Plant, truth: float, rng: np.random.Generator) -> AuditData:
    """The draws of a month and the answers to known cases."""
    spread = 1 / plant.correlation - 1
    rates = rng.beta(truth * spread, (1 - truth) * spread, plant.coils)
    sheets, audited = {}, []
    for coil in range(plant.coils):
        numbers = rng.multinomial(plant.sheets // plant.coils, plant.shares)
        for outcome, number, drawn, defective in zip(
            Outcome, numbers, plant.drawn, (rates[coil], *plant.defective), strict=True
        ):
            draws = int(rng.binomial(number, drawn))
            sheets[GROUPS[outcome], str(coil)] = (int(number), draws)
            bad = rng.random(draws) < defective
            called = rng.random(draws) < np.where(bad, plant.seen, plant.alarms)
            audited += [_audited(outcome, coil, drawn, bool(each)) for each in called]
    return AuditData(sheets, tuple(audited), known_answers(plant, rng))


def known_answers(plant: Plant, rng: np.random.Generator) -> tuple[KnownAnswer, ...]:
    """What the reviewers say of known cases."""
    called = [
        ("crack", rng.random(plant.known[0]) < plant.seen),
        ("none", rng.random(plant.known[1]) < plant.alarms),
    ]
    return tuple(
        KnownAnswer(f"{truth}{number}", None, "a", "crack" if each else "none", truth, None, False)
        for truth, answers in called
        for number, each in enumerate(answers)
    )


def _audited(outcome: Outcome, coil: int, probability: float, called: bool) -> AuditedSheet:
    answer = "crack" if called else "none"
    verdict = "none" if outcome is Outcome.PASSED else "crack"
    return AuditedSheet(
        "s", GROUPS[outcome], str(coil), probability, verdict, answer, "a", 0, (("a", answer),)
    )


def cover(plant: Plant, truth: float, months: int, seed: int) -> dict[str, Any]:
    """Coverage and width over simulated months."""
    known = ReviewerErrors.known(plant.seen, plant.alarms)
    inside, known_inside, missed_inside, widths, known_widths, draws = 0, 0, 0, [], [], []
    share = truth * plant.shares[0]
    missed = share / (share + plant.defective[0] * plant.shares[1] + plant.defective[1] * plant.shares[2])
    for number in range(months):
        rng = np.random.default_rng((seed, number))
        data = month(plant, truth, rng)
        found = escape_of(data, rng)
        passed = found.defective_among_passed
        alike = correct_share(passed.observed, known, rng)
        inside += passed.low <= truth <= passed.high
        known_inside += alike.low <= truth <= alike.high
        missed_inside += found.missed_among_defective.low <= missed <= found.missed_among_defective.high
        widths.append(passed.high - passed.low)
        known_widths.append(alike.high - alike.low)
        draws.append(len(data.audited))
    return {
        "months": months,
        "covered": inside / months,
        "covered_knowing_the_errors": known_inside / months,
        "width_ratio": float(np.mean(widths) / np.mean(known_widths)),
        "largest_ratio_of_a_month": float(np.max(np.array(widths) / np.array(known_widths))),
        "mean_width": float(np.mean(widths)),
        "missed_among_defective_covered": missed_inside / months,
        "draws": float(np.mean(draws)),
    }


def weekly_looks(wrong: float, limit: float, years: int, seed: int) -> dict[str, Any]:
    """Alarms of a sequence looked at each week of a year, with 25 coils of three draws a week."""
    alarms, weeks = 0, []
    for number in range(years):
        rng = np.random.default_rng((seed, number))
        coils = [CoilDraws(rng.random(3) < wrong, np.full(3, 0.01)) for _ in range(52 * 25)]
        looks = (look for look in range(1, 53) if lower_bound(coils[: 25 * look]) > limit)
        first = next(looks, None)
        alarms += first is not None
        weeks += [] if first is None else [first]
    return {
        "years": years,
        "wrong": wrong,
        "limit": limit,
        "alarms": alarms,
        "median_week_of_alarm": float(np.median(weeks)) if weeks else math.nan,
    }


def main() -> None:
    """Print one row for each kind of month and each truth."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=500)
    parser.add_argument("--years", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"escape": {}, "sequence": []}
    for name, plant in PLANTS.items():
        for truth in TRUTHS:
            began = time.perf_counter()
            row = cover(plant, truth, options.months, int(truth * 1000))
            result["escape"].setdefault(name, {})[str(truth)] = row
            words = ", ".join(f"{key} {value:.3f}" for key, value in row.items())
            print(f"{name}, truth {truth}: {words}; {time.perf_counter() - began:.0f} s", flush=True)
    for wrong in (0.05, 0.06, 0.08, 0.12):
        row = weekly_looks(wrong, 0.05, options.years, 7)
        result["sequence"].append(row)
        print(row, flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
