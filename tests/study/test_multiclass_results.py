"""The multi-class half: its sheets, its models, a test folder of its own, what its confidence is worth."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from steelsight.errors import BadData
from steelsight.evaluation.abstention.guarantee import DELTA, RISKS, THRESHOLDS
from steelsight.study.chapters.multiclass import compare_halves
from steelsight.study.data import open_study_data, several_types
from steelsight.study.multiclass_results import MulticlassResults
from steelsight.study.multiclass_train import SLIDE_TITLES
from steelsight.study.options import TECHNIQUES, slide_recipe, technique_recipe
from steelsight.training.recipe_files import SLIDE_MODELS


def _tables(report):
    blocks = [block for chapter in report.document.chapters for block in chapter.blocks]
    return {block.id: block for block in blocks if block.kind == "table"}


def test_the_six_rows_stand_beside_the_studys(tiny_report):
    table = _tables(tiny_report)["multiclass-results"]
    assert [row[0].value for row in table.rows] == list(SLIDE_TITLES.values())
    assert tuple(SLIDE_TITLES) == SLIDE_MODELS
    second = tiny_report.second
    assert isinstance(second, MulticlassResults)
    printed = {row[0].value: row[2].note for row in table.rows}
    assert printed["Aug. Red. Squeeze"] == "study 0.904"
    for key, row in zip(SLIDE_TITLES, table.rows, strict=True):
        assert row[1].value == second.found.results[key].noisy_report.accuracy
    assert "from a random start" in second.found.results["vgg16"].remark


def test_every_technique_is_compared_or_says_why_not(tiny_report):
    found = tiny_report.second.found
    asked = {key for key, technique in TECHNIQUES.items() if technique.study}
    assert set(found.techniques) | set(found.left_out) == asked
    assert found.techniques["flips"] is found.results["aug_reduced_squeeze"]
    assert "expected images of at least 17x17" in found.left_out["patches"]
    assert len(_tables(tiny_report)["techniques"].rows) == len(found.techniques)
    copied = found.techniques["flips"].balance
    assert sum(copied["after"]) == sum(copied["before"]) + sum(copied["copied"])
    assert "copied" not in found.techniques["none"].balance


def test_both_halves_are_tested_on_the_same_sheets(tiny_report):
    binary, second = tiny_report.findings, tiny_report.second.found
    assert set(second.split.test) <= set(binary.split.test)
    assert set(second.split.train) <= set(binary.split.train)
    compared = compare_halves(second, binary)
    assert compared is not None
    (first, other), test = compared.accuracies, compared.test
    assert compared.ahead.difference.estimate == pytest.approx(first - other)
    chosen = second.chosen.clean.argmax(1) > 0
    assert other == pytest.approx(((second.labels > 0) == chosen).mean())
    assert (first - other) * second.labels.size == pytest.approx(test.first_only - test.second_only)


def test_the_scrutiny_keeps_its_halves_apart(tiny_report):
    looked = tiny_report.second.scrutiny
    assert looked is not None
    assert [proof.certificate.risk for proof in looked.proofs] == list(RISKS)
    for proof in looked.proofs:
        assert proof.certificate.delta == DELTA
        assert {step.threshold for step in proof.certificate.tested} <= set(THRESHOLDS)
        assert proof.answered < looked.right.size
    assert looked.sweep[0].coverage == 1
    assert looked.sweep[0].accuracy == pytest.approx(looked.right.mean())
    assert {row.name for row in looked.scores} == {"perfect", *looked.columns}
    assert looked.scores[0].aurc <= min(row.aurc for row in looked.scores) + 1e-12
    assert set(looked.kinds) == {
        "black frame",
        "overexposed frame",
        "screen of text",
        "checker pattern",
        "woven cloth",
        "static",
    }


def test_data_of_one_type_have_no_second_half(tiny_data, tiny_options, tmp_path):
    for name in ("free", "crack"):
        shutil.copytree(tiny_data / name, tmp_path / "data" / name)
    material = open_study_data(tmp_path / "data", tiny_options)
    assert several_types(material) == "the data have one defect type, so there is nothing to tell apart"


def test_a_type_with_one_sheet_is_said_to_be_missing(tiny_data, tiny_options, tmp_path):
    for name in ("free", "crack"):
        shutil.copytree(tiny_data / name, tmp_path / "data" / name)
    (tmp_path / "data" / "patch").mkdir()
    shutil.copy(tiny_data / "patch" / "p000.jpg", tmp_path / "data" / "patch")
    reason = several_types(open_study_data(tmp_path / "data", tiny_options))
    assert isinstance(reason, str)
    assert "expected sheets of 'patch' in the " in reason


def test_another_folder_tests_and_is_weighted_to_the_shares_of_the_first(tiny_data, tiny_options, tmp_path):
    other = tmp_path / "other"
    for name, count in (("free", 3), ("crack", 6), ("patch", 6)):
        (other / name).mkdir(parents=True)
        rng = np.random.default_rng(count)
        from PIL import Image

        for number in range(count):
            gray = rng.integers(90, 200, (48, 96), dtype=np.uint8)
            Image.fromarray(gray).save(other / name / f"o{number}.png")
    options = replace(tiny_options, test=other)
    material = open_study_data(tiny_data, options)
    assert material.split.test.tolist() == list(range(60, 75))
    assert material.split.train.size + material.split.validation.size == 60
    kinds = np.array([item.types for item in material.data.items], dtype=object)
    assert material.weights is not None
    for types, share in (((), 0.4), ((1,), 0.4), ((2,), 0.2)):
        chosen = np.array([kind == types for kind in kinds[material.split.test]])
        assert material.weights[chosen].sum() / material.weights.sum() == pytest.approx(share)
    second = several_types(material)
    assert not isinstance(second, str)
    assert second.weights is not None
    for recipe in (slide_recipe("aug_cnn", options), technique_recipe("weighted", options)):
        assert recipe.split.train == pytest.approx(0.75)
        assert recipe.split.test == 0


def test_a_test_folder_with_sheets_of_the_first_is_refused(tiny_data, tiny_options, tmp_path):
    shutil.copytree(tiny_data, tmp_path / "same")
    with pytest.raises(BadData, match="60 of its sheets are in DATA as well, pixel for pixel"):
        open_study_data(tiny_data, replace(tiny_options, test=tmp_path / "same"))
    (tmp_path / "same" / "patch").rename(tmp_path / "same" / "dent")
    with pytest.raises(BadData, match="expected the defect types of DATA, crack, patch, got crack, dent"):
        open_study_data(tiny_data, replace(tiny_options, test=tmp_path / "same"))
