"""The whole study on tiny sheets: done items are present, runs are reused, bad input stops early."""

import html
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from steelsight.errors import BadCheckpoint, BadData, BadInput, BadRecipe
from steelsight.study.claims.binary import OF_THE_DATA
from steelsight.study.contents import load_contents
from steelsight.study.data import open_study_data
from steelsight.study.options import StudyOptions
from steelsight.study.recipes import recipe_for
from steelsight.study.run import run_study
from steelsight.training.run import train_data

OF_STRIPS = {"type-2-example", "type-2-false-positives"}  # tiny sheets have other types
# A stain is pasted on defective sheets that are classified correctly; one epoch may leave none.
DEPENDS_ON_THE_MODEL = {"stain-pasted", "multiclass-stain-pasted"}


def _blocks(report):
    return [block for chapter in report.document.chapters for block in chapter.blocks]


@pytest.mark.parametrize(
    "item", [i for i in load_contents() if i.status == "done" and i.kind != "claim"], ids=lambda item: item.id
)
def test_every_done_table_and_figure_is_in_the_report(item, tiny_report):
    kinds = {block.id: block.kind for block in _blocks(tiny_report) if block.kind in ("table", "figure")}
    if item.id in OF_STRIPS | DEPENDS_ON_THE_MODEL and item.id in tiny_report.omitted:
        assert item.id not in kinds
        assert tiny_report.omitted[item.id] in html.unescape(tiny_report.path.read_text())
    else:
        assert kinds.get(item.id) == item.kind
    assert set(tiny_report.omitted) <= OF_STRIPS | DEPENDS_ON_THE_MODEL
    assert set(tiny_report.omitted) >= OF_STRIPS


def test_every_item_of_the_slides_has_a_row(tiny_report):
    tables = {block.id: block for block in _blocks(tiny_report) if block.kind == "table"}
    items = load_contents()
    assert len(tables["contents-table"].rows) == sum(item.kind != "claim" for item in items)
    assert len(tables["claims-table"].rows) == sum(item.kind == "claim" for item in items)
    assert tiny_report.document.chapters[-1].id == "claims"


def test_the_table_has_our_figures_and_the_studys(tiny_report):
    table = next(block for block in _blocks(tiny_report) if getattr(block, "id", "") == "binary-results")
    names = [row[0].value for row in table.rows]
    assert names == ["Ad-hoc CNN", "VGG16-BN", "SqueezeNet v1.1", "Reduced SqueezeNet"]
    published = {row[0].value: row[2].value for row in table.rows}
    assert published["VGG16-BN"] == 0.941
    for result, row in zip(("adhoc", "vgg16_bn"), table.rows, strict=False):
        assert row[1].value == tiny_report.binary.results[result].noisy_report.accuracy
        assert row[7].value > 0


def test_html_and_json_are_written_and_the_folder_name_is_escaped(tiny_report):
    page = tiny_report.path.read_text()
    assert "tiny &lt;b&gt;mill" in page
    assert "<b>mill" not in page
    companion = json.loads(tiny_report.path.with_suffix(".json").read_text())
    assert companion["study"]["models"]["adhoc"]["the_study"]["auc"] == 0.951
    assert companion["study"]["data_hash"] == companion["provenance"]["Data hash"]
    assert len(companion["study"]["claims"]) == sum(item.kind == "claim" for item in load_contents())


def test_a_vgg_trained_on_a_subset_is_remarked_everywhere(tiny_report):
    remark = tiny_report.binary.results["vgg16_bn"].remark
    assert "trained on 6 of 36 sheets for at most 1 epoch from a random start" in remark
    assert remark[1:] in tiny_report.path.read_text()
    verdicts = {item.id: verdict for item, verdict in tiny_report.verdicts}
    assert verdicts["vgg-most-accurate"].answer == "undecided here"


def test_all_models_get_the_same_sheets_and_the_same_noise(tiny_report):
    results = tiny_report.binary.results.values()
    assert {result.clean.shape for result in results} == {(12, 2)}
    assert all((result.clean != result.noisy).any() for result in results)


def test_finished_runs_are_reused(tiny_data, tiny_options, tiny_report, tmp_path):
    options = replace(tiny_options, models=("adhoc", "vgg16_bn"), vgg="skip", techniques="none")
    shutil.copytree(tiny_report.path.parent / "runs", tmp_path / "runs")
    trained = []

    def train(*args, **options):
        trained.append(train_data(*args, **options))
        return trained[-1]

    second = run_study(tiny_data, tmp_path, options, train=train)
    assert [run.fresh for run in trained] == [False, False]  # binary and Aug. CNN
    assert (tiny_report.binary.results["adhoc"].noisy == second.binary.results["adhoc"].noisy).all()
    with pytest.raises(BadCheckpoint, match="holds a finished training with another recipe"):
        run_study(tiny_data, tmp_path, replace(options, epochs=2), train=train)

    assert set(second.binary.results) == {"adhoc"}
    assert "VGG16-BN was not trained." in second.path.read_text()
    assert second.binary.skipped["squeezenet"] == "not requested"
    assert second.binary.costs["vgg16_bn"].timing.median_ms > 0


def test_a_quick_run_uses_few_sheets_keeps_groups_and_decides_no_claim(tiny_data, tiny_options, tmp_path):
    options = replace(
        tiny_options,
        models=("adhoc",),
        quick=True,
        sheets=40,
        epochs=None,
        groups="frames:5",
        fresh=True,
        multiclass=False,
    )
    report = run_study(tiny_data, tmp_path, options)
    assert len(report.binary.data.items) == 40
    assert report.binary.results["adhoc"].training["epochs"] == 2
    assert report.multiclass == "not requested"
    decided = {item.id for item, verdict in report.verdicts if verdict.answer != "undecided here"}
    assert decided <= OF_THE_DATA
    assert report.binary.leaks == 0
    assert "Split by sheet." not in report.path.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"models": ("resnet",)}, "--models: expected some of adhoc, .*, got resnet"),
        ({"models": ()}, "--models: expected some of .*, got none"),
        ({"epochs": 0}, "--epochs: expected at least 1, got 0"),
        ({"vgg_sheets": -1}, "--vgg-sheets: expected at least 1, got -1"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(BadRecipe, match=message):
        StudyOptions(**options)


def test_a_study_without_a_model_to_train_is_refused(tiny_data, tmp_path):
    with pytest.raises(BadInput, match="expected at least one model to train"):
        run_study(tiny_data, tmp_path, StudyOptions(models=("vgg16_bn",)))


def test_data_of_one_class_are_refused_before_training(tmp_path):
    folder = tmp_path / "data" / "free"
    folder.mkdir(parents=True)
    for number in range(10):
        Image.fromarray(np.full((48, 64), number, dtype=np.uint8)).save(folder / f"{number}.png")

    def train(*args, **options):
        pytest.fail("training began")

    with pytest.raises(BadData, match="expected sheets of 'defect' in the train part, got none"):
        run_study(tmp_path / "data", tmp_path / "out", StudyOptions(models=("adhoc",)), train=train)


@pytest.mark.usefixtures("without_measurements")
def test_a_split_is_stratified_where_a_rare_class_would_be_missing(tiny_data, tiny_options, tmp_path):
    for path in sorted((tiny_data / "free").iterdir())[:5] + sorted((tiny_data / "crack").iterdir()):
        (tmp_path / "data" / path.parent.name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path.parent.name / path.name).write_bytes(path.read_bytes())
    for seed in range(20):
        options = replace(tiny_options, seed=seed, stratify=False)
        study_data = open_study_data(tmp_path / "data", options)
        assert (study_data.data.labelled.labels[study_data.split.test] == 0).sum() >= 1
        if study_data.options.stratify:
            break
    else:
        pytest.fail("no seed of twenty leaves a class of five out of the test part")
    report = run_study(tmp_path / "data", tmp_path / "out", replace(options, models=("adhoc",)))
    assert "Stratified split." in report.path.read_text()
    assert (
        json.loads((tmp_path / "out/runs/adhoc/recipe.json").read_text())["split"]["method"] == "stratified"
    )


def test_an_unwritable_folder_is_refused_before_training(tiny_data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="the report cannot be written there"):
        run_study(tiny_data, tmp_path / "file" / "out", StudyOptions(models=("adhoc",)))


def test_recipes_are_those_of_the_study():
    recipe = recipe_for("squeezenet_reduced", StudyOptions())
    assert (recipe.noise.sigma, recipe.noise.double, recipe.stop.max_epochs) == (0.15, True, 60)
    assert recipe.split.method == "random"
    assert recipe_for("adhoc", StudyOptions(groups="frames")).split.method == "groups"
    subset = recipe_for("vgg16_bn", StudyOptions(vgg="subset", vgg_epochs=2, epochs=9))
    assert (subset.stop.max_epochs, subset.model.pretrained) == (2, "none")
    assert recipe_for("adhoc", StudyOptions(epochs=9)).stop.max_epochs == 9
