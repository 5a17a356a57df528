"""A certificate comes only from sheets that were never fitted on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from steelsight.adaptation.calibrate import HeadCalibration, calibrate_head
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import SheetLabels
from steelsight.errors import BadData
from steelsight.evaluation.abstention.guarantee import sheets_needed, upper_bound
from steelsight.evaluation.probabilities import softmax

COUNTS = {"none": 14, "bar": 12, "block": 10}
SAMPLE = {"none": 25, "bar": 15, "block": 15}
QUICK = AdaptOptions(folds=3, repeats=1, risk=0.1)
Make = Callable[..., Path]


def test_a_random_sample_certifies(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    sample = make_data(SAMPLE, "SAMPLE", seed=5)
    options = replace(QUICK, certify=sample)
    card = adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", options).card
    assert card.threshold_by == "certificate"
    assert card.threshold_statement.startswith("with 90 % confidence at most 0.1 of the answers are wrong")
    assert card.threshold_statement.endswith("on 55 sheets drawn at random or by audit")
    assert card.usual is not None
    assert card.usual.sheets == 55
    assert card.label_sets is not None
    familiar = [count / most for count, most in zip(card.label_sets.sheets, (25, 15, 15), strict=True)]
    assert 0.8 <= min(familiar) <= max(familiar) <= 1  # the limit keeps 95 %
    assert card.label_sets.needed == (0, 0, 0)
    assert min(card.label_sets.least) > 0
    assert card.certification is not None
    assert card.certification.sheets == 55
    assert card.source["adapted"][0]["certified_on"][0]["name"] == "SAMPLE"


def test_classes_that_the_head_lacks_count_as_wrong(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    """Sheets that look like bars, of a class nobody fitted: leaving them out would certify too much."""
    looks = {"rust": "bar"}
    sample = make_data(SAMPLE | {"rust": 40}, "SAMPLE", seed=5, looks=looks)
    options = replace(QUICK, certify=sample)
    card = adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", options).card
    assert card.threshold_by == "cross-validation"
    assert card.threshold_statement.startswith("not certified: no threshold can be certified")
    assert card.usual is not None
    assert card.usual.sheets == 95
    assert card.label_sets is not None
    sets = card.label_sets.sheets  # no sheet of the class that the head lacks, which a set cannot name
    assert all(0 < count <= most for count, most in zip(sets, (25, 15, 15), strict=True))
    assert card.certification is not None
    assert card.certification.sheets == 95


def test_without_a_sample_nothing_is_promised(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    card = adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", QUICK).card
    assert card.label_sets is None
    assert card.certification is None
    assert "Label sets" not in (tmp_path / "new/README.md").read_text()


def test_the_card_says_how_many_sheets_a_class_lacks(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    options = replace(QUICK, certify=make_data({"none": 25, "bar": 4}, "SAMPLE", seed=5))
    card = adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", options).card
    assert card.label_sets is not None
    assert card.label_sets.needed == (0, 5, 9)
    assert card.label_sets.least[1:] == (0, 0)
    text = (tmp_path / "new/README.md").read_text()
    assert "| bar | 4 | always named; 5 more sheets needed |" in text
    assert "| block | 0 | always named; 9 more sheets needed |" in text


def test_too_small_a_sample_says_how_many_more(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    sample = make_data({"none": 6, "bar": 2}, "SAMPLE", seed=5)
    options = replace(QUICK, certify=sample)
    card = adapt_bundle(make_bundle(), make_data(COUNTS), tmp_path / "new", options).card
    assert card.threshold_by == "cross-validation"
    assert card.threshold_statement.startswith(
        "not certified: no threshold can be certified for a risk of 0.1"
    )
    assert "more groups of sheets are needed" in card.threshold_statement
    assert card.usual is not None
    assert card.usual.sheets == 8


def test_a_sample_that_was_fitted_on(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data, sample = make_data(COUNTS), make_data(SAMPLE, "SAMPLE", seed=5)
    shutil.copy(data / "bar" / "0_4.png", sample / "bar" / "known.png")
    with pytest.raises(BadData, match=r"SAMPLE: 1 of 56 sheets were fitted on, .* such as \S*known.png"):
        adapt_bundle(make_bundle(), data, tmp_path / "new", replace(QUICK, certify=sample))
    assert not (tmp_path / "new").exists()


def test_a_sample_of_a_fitted_coil(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data, sample = make_data(COUNTS), make_data(SAMPLE, "SAMPLE", seed=5)
    for folder, first in ((data, 0), (sample, 17)):
        paths = sorted(folder.rglob("*.png"))
        rows = [f"{path.relative_to(folder)},coil {first + row // 2}" for row, path in enumerate(paths)]
        (folder / "groups.csv").write_text("image,coil\n" + "\n".join(rows) + "\n")
    options = replace(QUICK, certify=sample, groups="column:coil")
    with pytest.raises(BadData, match=r"SAMPLE: 2 of 55 sheets were fitted on, or are of a group"):
        adapt_bundle(make_bundle(), data, tmp_path / "new", options)


@pytest.mark.parametrize("wrong", [0, 2])
def test_the_number_needed_is_the_fewest_that_prove_it(wrong: int) -> None:
    """At a coverage of one half and this share of errors, one sheet less would not do."""
    right = np.arange(400) >= 2 * wrong
    scores = np.where(np.arange(400) % 2 == 0, 0.9, 0.1)
    needed = sheets_needed(right, scores, [0.5], risk=0.05, delta=0.1)
    answers = needed // 2
    if wrong == 0:
        assert upper_bound(0, answers, 0.1) <= 0.05 < upper_bound(0, answers - 1, 0.1)
    else:
        assert needed > 90
    assert sheets_needed(~right, scores, [0.5], risk=0.05, delta=0.1) is None


def test_temperature_and_threshold_of_known_logits(rng: np.random.Generator) -> None:
    """Labels drawn from the softmax of the logits at temperature 2."""
    logits = 4 * rng.normal(size=(2, 4000, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits[0], temperature=2.0)])
    logits[1] = logits[0]
    answers = SheetLabels(tuple((label,) for label in labels.tolist()), labels)
    found = calibrate_head(NestedScores(logits, (), ()), answers, risk=0.05, delta=0.1)
    assert found.temperature == pytest.approx(2, rel=0.1)
    confidence = softmax(logits[0], temperature=found.temperature).max(1)
    kept = confidence >= found.threshold
    assert found.answered == pytest.approx(kept.mean())
    assert (logits[0].argmax(1) != labels)[kept].mean() == pytest.approx(found.wrong)
    assert found.wrong <= 0.05
    assert found.needed is not None


def test_the_words_of_what_is_not_certified() -> None:
    nothing = HeadCalibration(1.0, 1.0, 0.0, float("nan"), None)
    assert nothing.statement(0.05, 0.1) == (
        "not certified, at the errors seen no number of further sheets certifies it: label more sheets to "
        "fit; at no threshold at most 0.05 of the answers are wrong on sheets left out of the fit, so no "
        "sheet is answered without a person"
    )
    some = HeadCalibration(1.0, 0.8, 0.5, 0.02, 130)
    assert some.statement(0.05, 0.1).startswith(
        "not certified, about 130 more needed: sheets drawn at random"
    )
