"""Repeat distances on generated coils: how often a roll mark is found, and how often one is a mistake.

    python benchmarks/repeats.py [--coils 200] [--json FILE]

A coil of 300 m by 1.5 m with 100 random defects of three types. With a roll mark: a period of 1 to 5 m,
30 % of the marks missing, 5 mm of jitter along (standard deviation), places within 10 mm across. Found means
that the first candidate has the period within 1 %; a multiple or a part of it is wrong. Further rows change
one thing each. Coils without a roll mark: random defects alone, and with what is easily taken for one.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from steelsight.coils.points import StripPoints
from steelsight.coils.repeats import find_repeats
from steelsight.evaluation.intervals.bootstrap import wilson

LENGTH_M: Final = 300.0
WIDTH_MM: Final = 1500.0
TYPES: Final = ("crack", "roll mark", "scale")


@dataclass(frozen=True)
class Marks:
    """How the marks of a roll are drawn."""

    missing: float = 0.3
    jitter_m: float = 0.005  # standard deviation
    lateral_mm: float = 10.0
    noise: int = 100  # random defects
    slipping: bool = False  # the jitter adds up from turn to turn
    mixed: bool = False  # each mark is called one of the types
    share: float = 1.0  # of the coil's length that has marks
    normal: bool = False  # places across: lateral_mm is their standard deviation


Places = tuple[np.ndarray, np.ndarray, list[str]]


def random_defects(rng: np.random.Generator, count: int) -> Places:
    """Evenly over the coil."""
    labels = [TYPES[kind] for kind in rng.integers(0, len(TYPES), count)]
    return rng.uniform(0, LENGTH_M, count), rng.uniform(0, WIDTH_MM, count), labels


def roll_mark(rng: np.random.Generator, period: float, marks: Marks) -> Places:
    """The marks of one roll."""
    turns = int(LENGTH_M / period) + 1
    steps = rng.normal(0, marks.jitter_m, turns)
    along = (
        rng.uniform(0, period) + np.arange(turns) * period + (np.cumsum(steps) if marks.slipping else steps)
    )
    start = rng.uniform(0, LENGTH_M * (1 - marks.share))
    end = start + LENGTH_M * marks.share
    along = along[(rng.random(turns) >= marks.missing) & (along >= max(start, 0)) & (along <= end)]
    even = rng.uniform(-marks.lateral_mm, marks.lateral_mm, along.size)
    spread = rng.normal(0, marks.lateral_mm, along.size) if marks.normal else even
    across = rng.uniform(50, WIDTH_MM - 50) + spread
    kinds = rng.integers(0, len(TYPES), along.size) if marks.mixed else np.ones(along.size, dtype=int)
    return along, across, [TYPES[kind] for kind in kinds]


def scratch(rng: np.random.Generator) -> Places:
    """A scratch that is broken into 20 to 300 parts, with gaps that differ by a factor of up to 20."""
    gaps = rng.uniform(0.05, 1.0, rng.integers(20, 300))
    return _line(rng, np.cumsum(gaps))


def even_scratch(rng: np.random.Generator) -> Places:
    """A scratch whose parts follow each other at about even distances, 30 % apart."""
    distance = rng.uniform(0.3, 3)
    return _line(rng, np.cumsum(distance * rng.normal(1, 0.3, 100).clip(0.1)))


def dense_line(rng: np.random.Generator) -> Places:
    """1,000 defects at one place across, anywhere along the coil."""
    return _line(rng, np.sort(rng.uniform(0, LENGTH_M, 1000)))


def cluster(rng: np.random.Generator) -> Places:
    """60 defects in one place."""
    return _line(rng, rng.uniform(0, LENGTH_M) + rng.normal(0, 0.3, 60))


def clusters(rng: np.random.Generator) -> Places:
    """Eight clusters of 5 to 30 defects at one place across."""
    parts = [rng.uniform(0, LENGTH_M) + rng.normal(0, 0.2, rng.integers(5, 30)) for _ in range(8)]
    return _line(rng, np.concatenate(parts))


def head_and_tail(rng: np.random.Generator) -> Places:
    """200 defects within the first and the last 15 m."""
    along = np.r_[rng.uniform(0, 15, 100), rng.uniform(LENGTH_M - 15, LENGTH_M, 100)]
    return along, rng.uniform(0, WIDTH_MM, 200), [TYPES[0]] * 200


def edge(rng: np.random.Generator) -> Places:
    """300 defects within 25 mm of the strip's edge."""
    return rng.uniform(0, LENGTH_M, 300), rng.uniform(0, 25, 300), [TYPES[2]] * 300


def nothing(_rng: np.random.Generator) -> Places:
    """No further defects."""
    return np.zeros(0), np.zeros(0), []


def many(rng: np.random.Generator) -> Places:
    """4,900 more random defects."""
    return random_defects(rng, 4900)


def _line(rng: np.random.Generator, steps: np.ndarray) -> Places:
    along = steps if steps.max() > LENGTH_M / 2 else rng.uniform(0, LENGTH_M / 2) + steps
    along = along[(along >= 0) & (along <= LENGTH_M)]
    place = rng.uniform(50, WIDTH_MM - 50)
    return along, place + rng.uniform(-10, 10, along.size), [TYPES[0]] * along.size


def points(*parts: Places) -> StripPoints:
    """Parts of a coil as one."""
    along, across = (np.concatenate([part[axis] for part in parts]) for axis in (0, 1))
    labels = tuple(label for part in parts for label in part[2])
    return StripPoints(along, across, labels, ("top",) * len(labels))


SLOW: Final = {"1,000 random defects": 40, "5,000 random defects": 40}  # coils at most: seconds each
WITH: Final = {
    "as aimed at": Marks(),
    "half of the marks missing": Marks(missing=0.5),
    "each mark called one of three types": Marks(mixed=True),
    "marks on a third of the coil": Marks(share=1 / 3),
    "jitter that adds up (the roll slips)": Marks(slipping=True),
    "places across normal, 10 mm of standard deviation": Marks(normal=True),
    "1,000 random defects": Marks(noise=1000),
}
WITHOUT: Final[dict[str, Callable[[np.random.Generator], Places]]] = {
    "random defects alone": nothing,
    "a broken scratch": scratch,
    "a scratch of about even parts": even_scratch,
    "1,000 defects in a line": dense_line,
    "60 defects in one place": cluster,
    "eight clusters in a line": clusters,
    "head and tail full of defects": head_and_tail,
    "an edge full of defects": edge,
    "5,000 random defects": many,
}


def found_rate(marks: Marks, coils: int, seed: int) -> dict[str, Any]:
    """How many of the coils with a roll mark show it first, and whether anything else is reported."""
    found = harmonics = nothing_found = further = 0
    errors, began = [], time.perf_counter()
    for number in range(coils):
        rng = np.random.default_rng((seed, number))
        period = rng.uniform(1, 5)
        coil = points(random_defects(rng, marks.noise), roll_mark(rng, period, marks))
        candidates = find_repeats(coil).candidates
        right = bool(candidates) and abs(candidates[0].period_m / period - 1) <= 0.01
        found += right
        nothing_found += not candidates
        harmonics += bool(candidates) and not right
        further += len(candidates) > 1
        errors += [abs(candidates[0].period_m / period - 1)] if right else []
    return {
        "coils": coils,
        "found": found,
        "wrong_period": harmonics,
        "nothing_found": nothing_found,
        "with_further_candidates": further,
        "largest_relative_error": max(errors, default=math.nan),
        "lower_bound": wilson(found, coils).low,
        "seconds_a_coil": (time.perf_counter() - began) / coils,
    }


def alarm_rate(more: Callable[[np.random.Generator], Places], coils: int, seed: int) -> dict[str, Any]:
    """How many of the coils without a roll mark show a candidate."""
    alarms, began = 0, time.perf_counter()
    for number in range(coils):
        rng = np.random.default_rng((seed, number))
        alarms += bool(find_repeats(points(random_defects(rng, 100), more(rng))).candidates)
    return {
        "coils": coils,
        "alarms": alarms,
        "upper_bound": wilson(alarms, coils).high,
        "seconds_a_coil": (time.perf_counter() - began) / coils,
    }


def main() -> None:
    """Print a row for each kind of coils."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coils", type=int, default=200, help="of each kind")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {"with": {}, "without": {}}
    for seed, (name, marks) in enumerate(WITH.items()):
        row = result["with"][name] = found_rate(
            marks, min(options.coils, SLOW.get(name, options.coils)), seed
        )
        print(
            f"{name}: {row['found']} of {row['coils']} found, {row['wrong_period']} wrong, {row}", flush=True
        )
    for seed, (name, more) in enumerate(WITHOUT.items(), 100):
        row = result["without"][name] = alarm_rate(
            more, min(options.coils, SLOW.get(name, options.coils)), seed
        )
        print(f"{name}: {row['alarms']} alarms on {row['coils']}, {row['seconds_a_coil']:.2f} s", flush=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
