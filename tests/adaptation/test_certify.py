"""A certificate comes only from sheets that were never fitted on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from steelsight.adaptation import certify as module
from steelsight.adaptation import sheets as folders
from steelsight.adaptation.calibrate import HeadCalibration, HeadFamiliarity, calibrate_head
from steelsight.adaptation.nested import NestedScores
from steelsight.adaptation.options import AdaptOptions
from steelsight.adaptation.run import adapt_bundle
from steelsight.adaptation.sheets import SheetLabels
from steelsight.errors import BadData, SharedBackground
from steelsight.evaluation.abstention.guarantee import answers_needed, groups_needed, upper_bound
from steelsight.evaluation.probabilities import softmax
from steelsight.runtime.bundle.card import Familiarity
from steelsight.runtime.bundle.open import FeatureStatistics, open_bundle
from steelsight.runtime.engine.engine import Outputs
from steelsight.types import Interval

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


def shared_background(images: np.ndarray) -> list[str]:
    raise SharedBackground("near-duplicates: the pictures share a fixture or background")


def test_a_copy_is_found_where_near_duplicates_cannot_be(
    make_bundle: Make, make_data: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "duplicate_groups", shared_background)
    data, sample = make_data(COUNTS), make_data(SAMPLE, "SAMPLE", seed=5)
    options = replace(QUICK, certify=sample)
    adapted = adapt_bundle(make_bundle(), data, tmp_path / "new", options)
    note = "SAMPLE: near-duplicates of fitted sheets were not looked for: near-duplicates: the pictures share"
    assert any(each.startswith(note) for each in adapted.notes)
    assert any(each.startswith(note) for each in adapted.card.source["adapted"][0]["notes"])
    assert adapted.card.threshold_statement.endswith(
        "on 55 sheets drawn at random or by audit; near-duplicates were not looked for, see the notes"
    )
    shutil.copy(data / "bar" / "0_4.png", sample / "bar" / "known.png")
    with pytest.raises(BadData, match="SAMPLE: 1 of 56 sheets were fitted on"):
        adapt_bundle(make_bundle(), data, tmp_path / "new", options)


def test_near_duplicates_among_the_sample_that_cannot_be_found_are_noted(
    make_bundle: Make, make_data: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, sample = make_data(COUNTS), make_data({"none": 6, "bar": 2}, "SAMPLE", seed=5)
    find = folders.duplicate_groups

    def of_data(images: np.ndarray) -> list[str]:
        return shared_background(images) if len(images) == 8 else find(images)

    monkeypatch.setattr(folders, "duplicate_groups", of_data)
    adapted = adapt_bundle(make_bundle(), data, tmp_path / "new", replace(QUICK, certify=sample))
    assert any(note.startswith("SAMPLE: near-duplicates were not looked for") for note in adapted.notes)
    assert "on the 8 sheets of --certify; near-duplicates were not looked for" in (
        adapted.card.threshold_statement
    )


def test_a_sample_with_another_exposure_of_a_fitted_sheet(
    make_bundle: Make, make_data: Make, tmp_path: Path
) -> None:
    data, sample = make_data(COUNTS), make_data(SAMPLE, "SAMPLE", seed=5)
    with Image.open(data / "none" / "0_4.png") as image:
        Image.fromarray(np.asarray(image) + np.uint8(3)).save(sample / "none" / "brighter.png")
    with pytest.raises(BadData, match=r"SAMPLE: 1 of 56 sheets .* such as none/brighter.png"):
        adapt_bundle(make_bundle(), data, tmp_path / "new", replace(QUICK, certify=sample))


def test_a_sample_of_a_fitted_coil(make_bundle: Make, make_data: Make, tmp_path: Path) -> None:
    data, sample = make_data(COUNTS), make_data(SAMPLE, "SAMPLE", seed=5)
    for folder, first in ((data, 0), (sample, 17)):
        paths = sorted(folder.rglob("*.png"))
        rows = [f"{path.relative_to(folder)},coil {first + row // 2}" for row, path in enumerate(paths)]
        (folder / "groups.csv").write_text("image,coil\n" + "\n".join(rows) + "\n")
    options = replace(QUICK, certify=sample, groups="column:coil")
    with pytest.raises(BadData, match=r"SAMPLE: 2 of 55 sheets were fitted on, or are of a group"):
        adapt_bundle(make_bundle(), data, tmp_path / "new", options)


@pytest.mark.parametrize(("share", "wrong"), [(1.0, 0.0), (0.5, 0.0), (0.5, 0.01), (0.9, 0.02)])
def test_the_number_needed_certifies_in_four_of_five_samples(
    share: float, wrong: float, rng: np.random.Generator
) -> None:
    """Drawn samples of so many groups, each tested as a certificate is; a quarter fewer do not suffice."""
    needed = groups_needed(share, wrong, risk=0.05, delta=0.1)
    assert needed is not None
    passed = []
    for count in (needed, needed * 3 // 4):
        answers = rng.binomial(count, share, 4000)
        errors = rng.binomial(answers, wrong)
        pairs, times = np.unique(np.stack([errors, answers]), axis=1, return_counts=True)
        bounds = [upper_bound(int(bad), int(all_), 0.1) <= 0.05 for bad, all_ in pairs.T]
        passed.append(float(times @ bounds / 4000))
    assert passed[0] > 0.78
    assert passed[1] < 0.75


def test_the_number_needed_of_no_errors_or_too_many() -> None:
    assert groups_needed(1.0, 0.0, risk=0.05, delta=0.1) == answers_needed(0.05, 0.1) == 45
    for answered, wrong in ((1.0, 0.05), (1.0, 0.0499), (0.0, float("nan")), (0.0, 0.0)):
        assert groups_needed(answered, wrong, risk=0.05, delta=0.1) is None


def by_group(labels: np.ndarray, folds: int, size: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Folds of whole groups of so many sheets: fit, test."""
    fold = np.arange(labels.size) // size % folds
    return tuple((np.flatnonzero(fold != each), np.flatnonzero(fold == each)) for each in range(folds))


def test_temperature_and_threshold_of_known_logits(rng: np.random.Generator) -> None:
    """Labels drawn from the softmax of the logits at temperature 2."""
    logits = 4 * rng.normal(size=(2, 4000, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits[0], temperature=2.0)])
    logits[1] = logits[0]
    answers = SheetLabels(tuple((label,) for label in labels.tolist()), labels)
    scores = NestedScores(logits, (), by_group(labels, 5, 4))
    groups = [f"coil {row // 4}" for row in range(4000)]
    found = calibrate_head(scores, answers, groups, risk=0.05, delta=0.1, seed=0)
    assert found.temperature == pytest.approx(2, rel=0.1)
    confidence = softmax(logits[0], temperature=found.temperature).max(1)
    kept = confidence >= found.threshold
    assert (logits[0].argmax(1) != labels)[kept].mean() <= 0.05
    assert found.answered == pytest.approx(kept.mean(), abs=0.1)
    assert found.wrong == pytest.approx(0.05, abs=0.015)
    assert found.right.low < found.right.estimate < found.right.high
    assert found.groups_answered > found.answered  # four sheets a group
    assert found.needed is None or found.needed > 45


def test_errors_are_counted_on_folds_that_chose_nothing(rng: np.random.Generator) -> None:
    """Confidence without meaning: the loosest of many thresholds looks right where it was chosen."""
    told, real = [], []
    for _ in range(40):
        labels = np.arange(60) % 2
        right = rng.random(60) < 0.85
        margins = rng.uniform(0.1, 6, 60)
        logits = np.zeros((1, 60, 2))
        logits[0, np.arange(60), np.where(right, labels, 1 - labels)] = margins
        answers = SheetLabels(tuple((label,) for label in labels.tolist()), labels)
        scores = NestedScores(logits, (), by_group(labels, 5, 1))
        found = calibrate_head(scores, answers, [""] * 60, risk=0.05, delta=0.1, seed=0)
        if not found.answered:
            continue
        kept = softmax(logits[0], temperature=found.temperature).max(1) >= found.threshold
        real.append((~right)[kept].mean())
        told.append(found.wrong)
    assert len(told) > 5
    assert max(real) <= 0.05  # on the sheets of the choice
    assert np.mean(told) > 0.07  # in truth .15


def test_the_unit_of_the_number_needed_is_a_group() -> None:
    """Fifty groups of four equal sheets: as many groups as fifty groups of one sheet take."""
    found = []
    for size in (1, 4):
        labels = np.repeat(np.arange(50) % 2, size)
        answers = SheetLabels(tuple((label,) for label in labels.tolist()), labels)
        logits = 8 * np.eye(2)[labels][None]
        groups = [f"coil {row // size}" for row in range(labels.size)]
        scores = NestedScores(logits, (), by_group(labels, 5, size))
        found.append(calibrate_head(scores, answers, groups, risk=0.05, delta=0.1, seed=0))
    assert found[0].needed == found[1].needed == 45
    assert found[0].right.low == pytest.approx(found[1].right.low)  # Wilson's, of fifty groups
    assert 0.9 < found[1].right.low < 1


def test_the_words_of_what_is_not_certified() -> None:
    unknown = Interval(float("nan"), float("nan"), float("nan"))
    nothing = HeadCalibration(1.0, 1.0, 0.0, unknown, 0.0, float("nan"), None)
    assert nothing.statement(0.05, 0.1) == (
        "not certified, at the errors seen no number of sheets certifies this threshold: label more sheets "
        "to fit, or give a sample with --certify, by which stricter thresholds are tested too; at no "
        "threshold at most 0.05 of the answers are wrong on sheets left out of the fit, so no sheet is "
        "answered without a person"
    )
    some = HeadCalibration(1.0, 0.8, 0.5, Interval(0.98, 0.9, 1.0), 0.5, 0.02, 130)
    assert some.statement(0.05, 0.1) == (
        "not certified, about 130 more needed: sheets of different groups, drawn at random or by audit and "
        "never fitted on, given with --certify; they certify this threshold for a risk of 0.05 at 90 % with "
        "a chance of 80 % where, as seen, 50.0 % of the groups are answered and 2.0 % of the answers are "
        "wrong; threshold 0.8 was chosen on sheets left out of the fit; chosen on the other folds, 50.0 % of "
        "a fold's sheets are answered, and 2.0 % of these answers are wrong (95 % interval 0.0 to 10.0 %)"
    )
    none = HeadCalibration(1.0, 0.8, 0.0, unknown, 0.0, float("nan"), None)
    assert none.estimate(0.05).endswith("chosen on the other folds, none of a fold's sheets is answered")


def test_unfamiliar_sheets_of_the_sample_are_no_answers(make_bundle: Make, make_data: Make) -> None:
    """All sheets are answered confidently, the unfamiliar ones wrongly: they are never answered."""
    sample = folders.read_folders(
        (make_data(SAMPLE, "SAMPLE"),), open_bundle(make_bundle()).card.input, AdaptOptions(), {}
    )
    count = len(sample.ids)
    labels = np.zeros(count, dtype=np.int64)
    far = np.arange(count) % 3 == 0
    logits = np.where(far[:, None], [-8.0, 8.0], [8.0, -8.0]).astype(np.float32)
    embedding = np.where(far[:, None], 100.0, 0.0).repeat(2, axis=1).astype(np.float32)
    outputs = Outputs(logits, np.zeros((count, 2, 1, 1), np.float32), embedding, None)
    space = FeatureStatistics(np.zeros((1, 2), np.float32), np.eye(2, dtype=np.float32))
    familiarity = HeadFamiliarity(space, Familiarity(limit=3.0, kept=0.95))
    truth = SheetLabels(tuple((0,) for _ in range(count)), labels)
    found = module.certify_sample(outputs, truth, sample, 1.0, familiarity, risk=0.1, delta=0.1, seed=0)
    assert found.threshold is not None
    assert found.coverage == pytest.approx((~far).mean())
    assert found.sheet_risk == 0
