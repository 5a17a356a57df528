"""Named streams of random numbers, so that the draws of one purpose do not depend on those of another.

Two purposes with equal numbers would get equal draws if one verb used both; the table shows which numbers are
taken. The numbers are part of every published figure and never change. A new purpose gets a new name and a
number that its verb does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

__all__ = ["STREAMS", "indexed_stream", "stream"]

STREAMS: Final[Mapping[str, int]] = {
    "adapt-answers": 131,
    "adapt-certificate": 41,
    "adapt-intervals": 42,
    "adapt-label-sets": 118,
    "adapt-parity": 43,
    "balance": 2,
    "calibrate": 13,
    "calibrate-page": 14,
    "claim-differences": 5,
    "claim-explanations": 8,
    "claim-fine-share": 24,
    "claim-hierarchy": 23,
    "claim-multiclass": 12,
    "claim-times": 6,
    "compare-metrics": 0,
    "compare-paired": 1,
    "confidence-scores": 17,
    "export-calibration": 23,
    "export-sheets": 19,
    "gate-accuracy": 119,
    "gate-balanced": 120,
    "head-fit": 0,
    "intervention": 83,
    "label-curve": 3,
    "label-gain": 37,
    "league-faithfulness": 1,
    "league-intervals": 0,
    "map-intervals": 34,
    "map-sheets": 33,
    "neuron-atlas": 21,
    "neuron-pairs": 22,
    "neuron-sheets": 20,
    "operating-intervals": 3,
    "probe-folds": 30,
    "probe-intervals": 31,
    "probe-sheets": 35,
    "probe-sketch": 32,
    "proof": 71,
    "repair-dice": 79,
    "repair-intervals": 97,
    "repair-method": 101,
    "repair-stamps": 89,
    "report-areas": 2,
    "report-confidence": 1,
    "report-intervals": 0,
    "robustness-sheets": 0,
    "search": 1,
    "search-sheets": 0,
    "shuffled-labels": 43,
    "split": 1,
    "study-confidence": 9,
    "study-differences": 10,
    "study-halves": 14,
    "study-intervals": 4,
    "study-league": 7,
    "study-noise": 3,
    "study-robustness": 11,
    "study-sheets": 2,
    "study-stains": 11,
    "study-transplant": 21,
    "sweep-intervals": 1,
    "transplant-cka": 29,
    "transplant-intervals": 23,
    "transplant-sheets": 0,
    "place-fit": 119,
}


def stream(seed: int, name: str) -> np.random.Generator:
    """The random generator of one purpose.

    seed     of the run, at least 0
    name     a key of STREAMS
    returns  a new generator from [seed, number]
    raises   KeyError for a name that is not in the table

    >>> stream(0, "split").random() == np.random.default_rng([0, 1]).random()
    True
    """
    return np.random.default_rng([seed, STREAMS[name]])


def indexed_stream(seed: int, *index: int) -> np.random.Generator:
    """The random generator of one of many like items: an epoch, a fold, a sheet.

    index  numbers of at least 0 that identify the item
    """
    return np.random.default_rng([seed, *index])
