"""Stains taken off: the margin falls back where they spoke for a class, and only there."""

from __future__ import annotations

import numpy as np
from tests.shortcuts.proof_cases import make_sheets, network, nuisance_of

from steelsight.shortcuts.pasting.reverse import measure_removal

SHEETS = make_sheets(60)
NUISANCE = nuisance_of(SHEETS)


def _take_off(white: float, limit: int = 100):
    reads = network(white=white)
    logits = reads(SHEETS.images).astype(np.float64)
    return measure_removal(SHEETS, NUISANCE, reads, 0, logits, limit=limit, rng=np.random.default_rng(0))


def test_a_stain_that_spoke_for_none_is_missed() -> None:
    found = _take_off(9)
    assert (found.sheets, found.not_found, found.verdicts) == (15, 0, 15)
    assert found.excess_shift.high < -8
    assert abs(found.control_shift.estimate) < 0.1
    assert found.leave.estimate == 0  # they are none, after all


def test_a_stain_that_said_nothing_is_not() -> None:
    assert abs(_take_off(0).excess_shift.estimate) < 0.1


def test_verdicts_that_hang_on_the_stain_are_lost() -> None:
    reads = network(white=9)
    biased = lambda images: reads(images) + np.array([-8, 0], np.float32)  # noqa: E731
    logits = biased(SHEETS.images).astype(np.float64)
    found = measure_removal(SHEETS, NUISANCE, biased, 0, logits, limit=100, rng=np.random.default_rng(0))
    assert found.verdicts == 15
    assert found.leave.estimate == 1


def test_sheets_said_to_have_one_that_is_not_there_are_counted() -> None:
    wrong = NUISANCE.present.copy()
    wrong[[-1, -3]] = True
    nuisance = nuisance_of(SHEETS)
    reads = network(white=9)
    logits = reads(SHEETS.images).astype(np.float64)
    told = type(nuisance)("stain", "stain", "list", wrong, np.ones(60, bool))
    found = measure_removal(SHEETS, told, reads, 0, logits, limit=100, rng=np.random.default_rng(0))
    assert (found.sheets, found.not_found) == (15, 2)
    none = type(nuisance)("stain", "stain", "list", wrong & ~NUISANCE.present, np.ones(60, bool))
    assert measure_removal(SHEETS, none, reads, 0, logits, limit=9, rng=np.random.default_rng(0)) is None


def test_at_most_so_many() -> None:
    assert _take_off(9, limit=4).sheets == 4
