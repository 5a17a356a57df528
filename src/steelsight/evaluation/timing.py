"""Time candidates in turns and compare medians, so that the machine's load affects all equally."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import bootstrap
from steelsight.types import Interval

__all__ = ["STUDY_BATCH", "Timing", "time_interleaved", "time_ratio"]

STUDY_BATCH = 5  # images; the study's tables give ms for a batch of five


@dataclass(frozen=True)
class Timing:
    """Times of one candidate over its repeats."""

    median_ms: float
    rounds_ms: tuple[float, ...]  # in the order taken; one round of all candidates has one index


def time_interleaved(
    candidates: Mapping[str, Callable[[], object]],
    repeats: int = 30,
    *,
    warm_up: int = 3,
    settle: int = 0,
    pause: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Time each candidate once a round; each round starts with the next candidate.

    warm_up  untimed calls of each candidate at the beginning
    settle   untimed calls before each timed one
    pause    idle seconds before each candidate: threads of an engine stay busy for a while after a call,
             and would slow down the next candidate
    clock    returns seconds; replaced in tests
    raises   BadInput for no candidates and for fewer than one repeat

    >>> sorted(time_interleaved({"nothing": lambda: None}, 3))
    ['nothing']
    """
    if not candidates or repeats < 1:
        raise BadInput(f"timing: expected candidates and repeats, got {len(candidates)} and {repeats}")
    names = list(candidates)
    for name in names * warm_up:
        candidates[name]()
    taken: dict[str, list[float]] = {name: [] for name in names}
    for round_number in range(repeats):
        first = round_number % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)
            for _ in range(settle):
                candidates[name]()
            start = clock()
            candidates[name]()
            taken[name].append(clock() - start)
    return {name: _summary(seconds) for name, seconds in taken.items()}


def time_ratio(first: Timing, second: Timing, *, rng: np.random.Generator, resamples: int = 1000) -> Interval:
    """Ratio of the first median to the second, with bounds by resampling whole rounds.

    raises  BadInput for timings with different numbers of rounds
    """
    a, b = np.array(first.rounds_ms), np.array(second.rounds_ms)
    if a.size != b.size:
        raise BadInput(f"timing: expected the same rounds for both, got {a.size} and {b.size}")
    return bootstrap(
        lambda rounds: float(np.median(a[rounds]) / np.median(b[rounds])),
        a.size,
        rng=rng,
        resamples=resamples,
    )


def _summary(seconds: list[float]) -> Timing:
    rounds = tuple(1e3 * each for each in seconds)
    return Timing(float(np.quantile(rounds, 0.5)), rounds)
