"""The ranking on models with known class evidence: used properties are findings, others are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.counterfactuals.conftest import Draw

from steelsight.counterfactuals.nuisances.properties import Property, measure_pixels
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadData, BadInput
from steelsight.shortcuts.find.ranking import Candidate, ModelEvidence, rank_candidates
from steelsight.shortcuts.find.stamp_changes import stamp_changes
from steelsight.types import GrayBatch, Logits

Model = Callable[[GrayBatch], Logits]


def model_of(*, stain: float = 0.0, end: float = 0.0) -> Model:
    """A model of none and defect; dark pixels are evidence for a defect.

    stain, end  logits that a stain or an end adds to the margin of none
    """

    def predict(images: GrayBatch) -> Logits:
        level = images.astype(np.float64)
        dark = ((level > 20) & (level < 75)).sum((1, 2)) / 60
        white = ((level >= 250).sum((1, 2)) > 20).astype(float)
        black = ((level < 20).all(1).sum(1) > 5).astype(float)
        grain = level[:, ::3, ::5].mean((1, 2)) % 1  # differs between all sheets
        margin = 2.0 - dark + stain * white + end * black + 0.8 * grain
        return np.stack([margin / 2, -margin / 2], axis=1).astype(np.float32)

    return predict


def _rank(
    sheets: ProofSheets, model: Model, *extra: Property, pasted: bool = True, seed: int = 0
) -> dict[str, Candidate]:
    rng = np.random.default_rng(seed)
    properties = [*measure_pixels(sheets.images, sheets.defects()), *extra]
    changes = stamp_changes(sheets, properties, rng=rng) if pasted else {}
    evidence = ModelEvidence(sheets, model(sheets.images))
    found = rank_candidates(evidence, properties, model, changes, rng=rng, permutations=999)
    return {each.property.key: each for each in found}


def test_a_shortcut_is_ranked_first_with_its_numbers(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.05))
    found = _rank(sheets, model_of(stain=3.0))
    first = next(iter(found.values()))
    assert (first.property.key, first.status, first.more) == ("stain", "finding", True)
    assert sheets.class_names[first.association.target] == "none"
    assert first.association.q_value <= 0.05
    assert 0.8 < first.association.effect.estimate <= 1
    assert first.check is not None
    assert first.check.moves
    assert first.check.shift.estimate == pytest.approx(3 / first.check.gap, abs=0.1)
    assert first.check.flips.estimate >= first.check.control_flips.estimate
    example = first.check.examples[0]
    assert example.margins[1] - example.margins[2] == pytest.approx(3.0, abs=0.9)
    # Both margins of a binary model are one test, reported twice with opposite signs.
    assert [each.effect.estimate for each in first.by_class] == [
        first.association.effect.estimate,
        -first.association.effect.estimate,
    ]


def test_an_unused_property_has_status_nothing(draw: Draw) -> None:
    found = _rank(draw(500, stain=(0.6, 0.3)), model_of())
    assert not any(each.status == "finding" for each in found.values())
    assert found["stain"].status == "nothing"
    assert found["stain"].association.class_q < 0.05  # although it is associated with the class


def test_a_property_of_few_sheets_is_undecided(draw: Draw) -> None:
    stain = _rank(draw(200, stain=(0.03, 0.0)), model_of())["stain"]
    assert stain.association.effect.high > 0.2
    assert stain.status == "undecided"


def test_a_property_independent_of_the_class_is_a_reaction(draw: Draw) -> None:
    found = _rank(draw(200, stain=(0.4, 0.4)), model_of(stain=3.0))
    assert found["stain"].status == "reaction"
    assert found["stain"].check is not None


def test_a_property_without_an_effect_when_pasted_is_refuted(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.05))
    stained = (sheets.images >= 250).sum((1, 2)) > 20
    truth = model_of()(sheets.images)
    truth[stained] += np.array([1.5, -1.5], np.float32)  # by something that is not in the pixels
    rng = np.random.default_rng(0)
    properties = measure_pixels(sheets.images, sheets.defects())
    changes = stamp_changes(sheets, properties, rng=rng)
    found = rank_candidates(
        ModelEvidence(sheets, truth), properties, model_of(), changes, rng=rng, permutations=999
    )
    assert {each.property.key: each.status for each in found}["stain"] == "refuted"


def test_a_property_that_cannot_be_pasted_is_untested(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.05))
    stained = ((sheets.images >= 250).sum((1, 2)) > 20).astype(float)
    folder = Property("folder:a", "in folder a", stained, presence=False)
    found = _rank(sheets, model_of(stain=3.0), folder, pasted=False)
    assert found["folder:a"].status == "untested"
    assert found["folder:a"].check is None


def test_a_property_correlated_with_a_finding_follows_it(draw: Draw) -> None:
    sheets = draw(300, stain=(0.5, 0.05))
    stained = (sheets.images >= 250).sum((1, 2)) > 20
    also = np.random.default_rng(5).random(300) < 0.1
    values = (stained ^ also).astype(float)
    folder = Property("folder:a", "in folder a", values, presence=False)
    found = _rank(sheets, model_of(stain=3.0), folder)
    assert found["stain"].status == "finding"
    assert found["folder:a"].status == "follows"
    assert found["folder:a"].follows == found["stain"].property.title


def test_two_independent_shortcuts_are_both_findings(draw: Draw) -> None:
    found = _rank(draw(300, stain=(0.5, 0.05), end=(0.05, 0.5)), model_of(stain=2.0, end=-2.0))
    assert found["stain"].status == found["end"].status == "finding"
    assert (found["stain"].association.target, found["end"].association.target) == (0, 1)


def test_groups_are_the_units_of_the_effect(draw: Draw) -> None:
    groups = tuple(f"coil {number // 4}" for number in range(200))
    single, grouped = (
        _rank(draw(200, stain=(0.5, 0.05), groups=names), model_of(stain=3.0))["stain"].association.effect
        for names in (None, groups)
    )
    assert grouped.estimate == pytest.approx(single.estimate, abs=0.1)
    assert grouped != single


def test_sheets_without_a_mask_are_not_pasted_on(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.05))
    blind = replace(sheets, located=sheets.labels == 0)
    found = _rank(blind, model_of(stain=3.0))["stain"]
    assert found.check is not None
    assert found.check.sheets == 0
    assert found.status == "untested"


def test_too_few_classes_logits_or_groups_are_refused(draw: Draw) -> None:
    sheets = draw(4)
    with pytest.raises(BadInput, match="expected a model of two classes or more, got 1"):
        ModelEvidence(replace(sheets, class_names=("none",)), np.zeros((4, 1), np.float32))
    with pytest.raises(BadInput, match="3 for 4 sheets"):
        ModelEvidence(sheets, np.zeros((3, 2), np.float32))
    one = replace(sheets, groups=("a", "b", "a", "b"))
    with pytest.raises(BadData, match="got groups: 1 none, 1 defect"):
        _rank(one, model_of(), pasted=False)


def test_identical_sheets_have_no_candidates(draw: Draw) -> None:
    sheets = draw(6)
    images = np.repeat(sheets.images[:1], 6, axis=0)
    same = replace(sheets, images=images, defect=lambda _row: np.zeros(images.shape[1:], dtype=bool))
    assert _rank(same, model_of(), pasted=False) == {}


def test_sheets_of_one_class_give_no_finding(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.5))
    flawless = sheets.take(np.flatnonzero(sheets.labels == 0))
    found = _rank(flawless, model_of(stain=3.0))["stain"]
    assert found.association.effect.low > 0.5
    assert found.association.with_class.p_value == 1
    assert found.status == "untested"  # nothing to paste on, and no other class to compare with


def test_a_class_without_sheets_leaves_the_others_to_compare(draw: Draw) -> None:
    sheets = draw(200, stain=(0.5, 0.05))
    wider = replace(sheets, class_names=("none", "defect", "dent"))

    def model(images: GrayBatch) -> Logits:
        two = model_of(stain=3.0)(images)
        return np.concatenate([two, np.full((len(two), 1), -4.0, np.float32)], axis=1)

    found = _rank(wider, model)["stain"]
    assert (found.status, found.association.target) == ("finding", 0)
