"""The multi-class models: sheets, trainings, a separate test folder, evaluation of confidence."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from steelsight.errors import BadData
from steelsight.evaluation.abstention.guarantee import DELTA, RISKS, THRESHOLDS
from steelsight.study.data import multiclass_data, open_study_data
from steelsight.study.measures.differences import compare_with_binary
from steelsight.study.multiclass import MulticlassResults
from steelsight.study.recipes import TECHNIQUES, slide_recipe, technique_recipe
from steelsight.study.train_multiclass import SLIDE_TITLES
from steelsight.training.recipe_files import SLIDE_MODELS


def _tables(report):
    blocks = [block for chapter in report.document.chapters for block in chapter.blocks]
    return {block.id: block for block in blocks if block.kind == "table"}


def test_the_table_has_six_models_beside_the_studys_figures(tiny_report):
    table = _tables(tiny_report)["multiclass-results"]
    assert [row[0].value for row in table.rows] == list(SLIDE_TITLES.values())
    assert tuple(SLIDE_TITLES) == SLIDE_MODELS
    multiclass = tiny_report.multiclass
    assert isinstance(multiclass, MulticlassResults)
    published = {row[0].value: row[2].note for row in table.rows}
    assert published["Aug. Red. Squeeze"] == "study 0.904"
    for key, row in zip(SLIDE_TITLES, table.rows, strict=True):
        assert row[1].value == multiclass.study.results[key].noisy_report.accuracy
    assert "from a random start" in multiclass.study.results["vgg16"].remark


def test_every_technique_is_compared_or_left_out_with_a_reason(tiny_report):
    study = tiny_report.multiclass.study
    requested = {key for key, technique in TECHNIQUES.items() if technique.study}
    assert set(study.techniques) | set(study.left_out) == requested
    assert study.techniques["flips"] is study.results["aug_reduced_squeeze"]
    assert "expected images of at least 17x17" in study.left_out["patches"]
    assert len(_tables(tiny_report)["techniques"].rows) == len(study.techniques)
    copied = study.techniques["flips"].balance
    assert sum(copied["after"]) == sum(copied["before"]) + sum(copied["copied"])
    assert "copied" not in study.techniques["none"].balance


def test_binary_and_multiclass_models_share_test_sheets(tiny_report):
    binary, study = tiny_report.binary, tiny_report.multiclass.study
    assert set(study.split.test) <= set(binary.split.test)
    assert set(study.split.train) <= set(binary.split.train)
    compared = compare_with_binary(study, binary)
    assert compared is not None
    (first, other), test = compared.accuracies, compared.test
    assert compared.difference.difference.estimate == pytest.approx(first - other)
    chosen = study.chosen.clean.argmax(1) > 0
    assert other == pytest.approx(((study.labels > 0) == chosen).mean())
    assert (first - other) * study.labels.size == pytest.approx(test.first_only - test.second_only)


def test_certificates_are_checked_on_other_sheets(tiny_report):
    evaluation = tiny_report.multiclass.confidence
    assert evaluation is not None
    assert [check.certificate.risk for check in evaluation.certificates] == list(RISKS)
    for check in evaluation.certificates:
        assert check.certificate.delta == DELTA
        assert {step.threshold for step in check.certificate.tested} <= set(THRESHOLDS)
        assert check.answered < evaluation.right.size
    assert evaluation.sweep[0].coverage == 1
    assert evaluation.sweep[0].accuracy == pytest.approx(evaluation.right.mean())
    assert {row.name for row in evaluation.scores} == {"perfect", *evaluation.columns}
    assert evaluation.scores[0].aurc <= min(row.aurc for row in evaluation.scores) + 1e-12
    assert set(evaluation.kinds) == {
        "black frame",
        "overexposed frame",
        "screen of text",
        "checker pattern",
        "woven cloth",
        "static",
    }


def test_data_of_one_type_have_no_multiclass_models(tiny_data, tiny_options, tmp_path):
    for name in ("free", "crack"):
        shutil.copytree(tiny_data / name, tmp_path / "data" / name)
    study_data = open_study_data(tmp_path / "data", tiny_options)
    assert multiclass_data(study_data) == (
        "the data have one defect type, and a multi-class model needs at least two"
    )


def test_a_type_with_one_sheet_is_reported_as_missing(tiny_data, tiny_options, tmp_path):
    for name in ("free", "crack"):
        shutil.copytree(tiny_data / name, tmp_path / "data" / name)
    (tmp_path / "data" / "patch").mkdir()
    shutil.copy(tiny_data / "patch" / "p000.jpg", tmp_path / "data" / "patch")
    reason = multiclass_data(open_study_data(tmp_path / "data", tiny_options))
    assert isinstance(reason, str)
    assert "expected sheets of 'patch' in the " in reason


def test_a_test_folder_is_weighted_to_the_class_shares_of_data(tiny_data, tiny_options, tmp_path):
    other = tmp_path / "other"
    for name, count in (("free", 3), ("crack", 6), ("patch", 6)):
        (other / name).mkdir(parents=True)
        rng = np.random.default_rng(count)
        from PIL import Image

        for number in range(count):
            gray = rng.integers(90, 200, (48, 96), dtype=np.uint8)
            Image.fromarray(gray).save(other / name / f"o{number}.png")
    options = replace(tiny_options, test=other)
    study_data = open_study_data(tiny_data, options)
    assert study_data.split.test.tolist() == list(range(60, 75))
    assert study_data.split.train.size + study_data.split.validation.size == 60
    kinds = np.array([item.types for item in study_data.data.items], dtype=object)
    assert study_data.weights is not None
    for types, share in (((), 0.4), ((1,), 0.4), ((2,), 0.2)):
        chosen = np.array([kind == types for kind in kinds[study_data.split.test]])
        assert study_data.weights[chosen].sum() / study_data.weights.sum() == pytest.approx(share)
    labelled = multiclass_data(study_data)
    assert not isinstance(labelled, str)
    assert labelled.weights is not None
    for recipe in (slide_recipe("aug_cnn", options), technique_recipe("weighted", options)):
        assert recipe.split.train == pytest.approx(0.75)
        assert recipe.split.test == 0


def test_a_test_folder_with_sheets_of_data_is_refused(tiny_data, tiny_options, tmp_path):
    shutil.copytree(tiny_data, tmp_path / "same")
    with pytest.raises(BadData, match="60 of its sheets are in DATA as well, pixel for pixel"):
        open_study_data(tiny_data, replace(tiny_options, test=tmp_path / "same"))
    (tmp_path / "same" / "patch").rename(tmp_path / "same" / "dent")
    with pytest.raises(BadData, match="expected the defect types of DATA, crack, patch, got crack, dent"):
        open_study_data(tiny_data, replace(tiny_options, test=tmp_path / "same"))
