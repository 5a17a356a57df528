"""Removing stains: the margin falls where stains are evidence for a class, and only there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.counterfactuals.proof_cases import Network, make_sheets, network, nuisance_of

from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.pasting.counterfactual import ModelUnderTest
from steelsight.counterfactuals.pasting.removal import RemovalEffect, measure_removal

SHEETS = make_sheets(60)
NUISANCE = nuisance_of(SHEETS)


def _remove(reads: Network, nuisance: Nuisance = NUISANCE, limit: int = 100) -> RemovalEffect | None:
    model = ModelUnderTest(reads, reads(SHEETS.images).astype(np.float64), 0)
    return measure_removal(SHEETS, nuisance, model, limit=limit, rng=np.random.default_rng(0))


def test_removing_a_stain_that_is_evidence_for_none_lowers_its_margin() -> None:
    found = _remove(network(white=9))
    assert found is not None
    assert (found.sheets, found.not_found, found.verdicts) == (15, 0, 15)
    assert found.excess_shift.high < -8
    assert abs(found.control_shift.estimate) < 0.1
    assert found.leave.estimate == 0  # they are labelled none and have no bar


def test_removing_an_unused_stain_has_no_effect() -> None:
    found = _remove(network(white=0))
    assert found is not None
    assert abs(found.excess_shift.estimate) < 0.1


def test_verdicts_that_depend_on_the_stain_change() -> None:
    reads = network(white=9)
    found = _remove(lambda images: reads(images) + np.array([-8, 0], np.float32))
    assert found is not None
    assert found.verdicts == 15
    assert found.leave.estimate == 1


def test_listed_sheets_without_a_stain_are_counted() -> None:
    wrong = NUISANCE.present.copy()
    wrong[[-1, -3]] = True
    found = _remove(network(white=9), replace(NUISANCE, present=wrong))
    assert found is not None
    assert (found.sheets, found.not_found) == (15, 2)
    assert _remove(network(white=9), replace(NUISANCE, present=wrong & ~NUISANCE.present), limit=9) is None


def test_the_number_of_sheets_is_limited() -> None:
    found = _remove(network(white=9), limit=4)
    assert found is not None
    assert found.sheets == 4
