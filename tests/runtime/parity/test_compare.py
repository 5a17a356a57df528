"""Parity: each difference is measured, and each bound can be broken alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from steelsight.errors import BadInput
from steelsight.runtime.engine.engine import Outputs
from steelsight.runtime.parity.compare import (
    FEWEST,
    Parity,
    ParitySetup,
    compare,
    draw_edge_sheets,
    failures,
    map_cosines,
)
from steelsight.types import Interval

GOOD = Parity("engine", "int8", FEWEST, 0.05, 0.03, 0.995, Interval(0.001, -0.001, 0.005), 0.98)


def _outputs(rng: np.random.Generator, sheets: int = 40) -> Outputs:
    return Outputs(
        rng.normal(0, 2, (sheets, 3)).astype(np.float32),
        rng.normal(0, 1, (sheets, 3, 2, 4)).astype(np.float32),
        rng.normal(0, 1, (sheets, 5)).astype(np.float32),
    )


def _compare(first: Outputs, second: Outputs, **more: Any) -> Parity:
    setup = ParitySetup(more.pop("task", "multiclass"), more.pop("temperature", 1.0), "e", "int8")
    return compare(first, second, setup, rng=np.random.default_rng(0), **more)


def test_equal_outputs_have_no_difference(rng: np.random.Generator) -> None:
    one = _outputs(rng)
    found = _compare(one, one, labels=rng.integers(0, 3, 40))
    assert (found.largest, found.p99, found.agreement, found.cosine_p5) == (0, 0, 1, pytest.approx(1))
    assert found.loss == Interval(0.0, 0.0, 0.0)
    assert failures(found, fewest=1) == []


def test_differences_are_those_of_the_outputs(rng: np.random.Generator) -> None:
    one, labels = _outputs(rng), rng.integers(0, 3, 30)
    other = replace(one, logits=one.logits + rng.normal(0, 1, (40, 3)).astype(np.float32))
    found = _compare(one, other, labels=labels, temperature=2.0)
    before, after = softmax(one.logits / 2, axis=1), softmax(other.logits / 2, axis=1)
    assert found.largest == pytest.approx(np.abs(before - after).max(), abs=1e-6)
    assert found.agreement == (before.argmax(1) == after.argmax(1)).mean()

    def balanced(answers: np.ndarray) -> float:
        return float(np.mean([(answers[labels == kind] == kind).mean() for kind in range(3)]))

    lost = balanced(before[:30].argmax(1)) - balanced(after[:30].argmax(1))
    assert found.loss is not None
    assert found.loss.estimate == pytest.approx(lost)
    assert found.loss.low < lost < found.loss.high
    with pytest.raises(BadInput, match="expected answers to the same sheets"):
        _compare(one, _outputs(rng, 5))


def test_cosines_of_equal_opposite_and_zero_maps() -> None:
    one = np.zeros((1, 4, 1, 2), np.float32)
    other = np.zeros((1, 4, 1, 2), np.float32)
    one[0, 1, 0], other[0, 1, 0] = [3, 4], [6, 8]
    one[0, 2, 0], other[0, 2, 0] = [1, 0], [-1, 0]
    one[0, 3, 0] = [1, 1]
    assert map_cosines(one, other) == pytest.approx([1, 1, -1, 0])  # both zero, along, against, one zero


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sheets": FEWEST - 1}, "compared on 1999 sheets, needed 2000"),
        ({"p99": 0.031}, "99th percentile of the differences 0.031"),
        ({"agreement": 0.9949}, "of the verdicts agree, needed 99.5%"),
        ({"loss": Interval(0.001, 0.0, 0.0051)}, "balanced accuracy may fall by 0.0051"),
        ({"cosine_p5": 0.979}, "maps' cosines 0.9790, needed 0.98"),
        ({"p99": float("nan")}, "99th percentile"),
        ({"precision": "f32", "largest": 2e-4, "agreement": 1.0}, "a probability differs by 0.0002"),
        ({"precision": "f32", "largest": 0.0, "agreement": 0.999}, "0.10% of the verdicts differ, none may"),
    ],
)
def test_each_bound_breaks_by_itself(change: dict[str, Any], words: str) -> None:
    assert failures(GOOD) == []
    (broken,) = failures(replace(GOOD, **change))
    assert words in broken


def test_edge_sheets_are_all_different() -> None:
    sheets = draw_edge_sheets(64, 96)
    assert sheets.dtype == np.uint8
    assert len({sheet.tobytes() for sheet in sheets}) == len(sheets)
    assert (draw_edge_sheets(64, 96) == sheets).all()
