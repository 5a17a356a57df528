"""The README of a bundle as the Hugging Face hub reads it: figures of the run, a licence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from steelsight.deploy.export import export_run
from steelsight.deploy.options import ExportOptions
from steelsight.deploy.run_figures import figures_of_run
from steelsight.errors import BadCheckpoint, BadRecipe
from steelsight.reports.hub_card import HUB_METRICS
from steelsight.runtime.bundle.open import open_bundle
from steelsight.runtime.bundle.readme import bundle_readme

Trained = tuple[Path, Path]


@pytest.fixture(scope="module")
def bundle(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, exported with a licence."""
    run, data = trained
    out = tmp_path_factory.mktemp("hub") / "bundle"
    export_run(run, data, out, ExportOptions(precision=("f32",), license="cc-by-4.0", probes=2))
    return out


def test_the_readme_has_the_figures_of_the_run(trained: Trained, bundle: Path) -> None:
    run, data = trained
    opened = open_bundle(bundle)
    assert opened.notes == ()
    text = opened.files["README.md"].decode()
    front = yaml.safe_load(text.split("---\n", 2)[1])
    assert front["license"] == "cc-by-4.0"
    assert front["library_name"] == "steelsight"
    assert front["pipeline_tag"] == "image-classification"
    assert {"onnx", "openvino", "squeezenet_reduced"} <= set(front["tags"])
    [index] = front["model-index"]
    [result] = index["results"]
    test = json.loads((run / "metrics.json").read_text())["test"]
    assert result["dataset"] == {
        "type": "images",
        "name": data.name,
        "revision": opened.card.source["data_hash"],
    }
    listed = {each["name"]: each["value"] for each in result["metrics"]}
    for key in ("accuracy", "balanced_accuracy", "f1_macro", "defect_auc"):
        title = HUB_METRICS[key][1]
        assert listed[title] == round(test[key]["estimate"], 4)
        assert f"| {title} | {test[key]['estimate']:.3f} [" in text
    assert f"on the {test['sheets']} test sheets of the run in {test['groups']} groups" in text
    assert opened.card.source["license"] == "cc-by-4.0"


def test_the_library_of_the_hub_reads_the_readme(bundle: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    data = hub.ModelCard.load(bundle / "README.md").data
    assert (data.license, data.pipeline_tag) == ("cc-by-4.0", "image-classification")
    assert data.metrics == ["accuracy", "balanced_accuracy", "f1", "roc_auc"]
    assert len(data.eval_results) == 6


def test_figures_of_another_head_are_not_stated(bundle: Path) -> None:
    card = open_bundle(bundle).card
    interval = {"estimate": 0.75, "low": 0.5, "high": 0.9}
    entry = {
        "by_class": {"none": 3, "bar": 4},
        "several_types": 0,
        "data": [{"name": "ours"}],
        "sheets": 7,
        "groups": 7,
        "penalty": 0.1,
        "from_model_id": "a" * 32,
        "new_classes": [],
        "dropped_classes": [],
        "renamed": [],
        "cross_validated": {"balanced_accuracy": dict.fromkeys(("own", "new", "gain"), interval)},
        "maps": "Maps",
    }
    text = bundle_readme(card.model_copy(update={"source": {**card.source, "adapted": [entry]}}))
    front = yaml.safe_load(text.split("---\n", 2)[1])
    [result] = front["model-index"][0]["results"]
    assert result["dataset"] == {"type": "images", "name": "ours"}
    assert [(each["type"], each["value"]) for each in result["metrics"]] == [("balanced_accuracy", 0.75)]
    assert "test sheets of the run" not in text


def test_a_run_without_test_sheets_states_no_figures(trained: Trained, tmp_path: Path) -> None:
    assert figures_of_run(tmp_path) == {}
    shutil.copy(trained[0] / "metrics.json", tmp_path)
    assert set(figures_of_run(tmp_path)["tested"]["figures"]) == set(HUB_METRICS) - {"mean_auc"}
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps({**metrics, "test": None}))
    assert figures_of_run(tmp_path) == {}
    types = {"a": {"sheets": 5, "groups": 4}, "b": {"sheets": 5, "groups": 4}}
    test = {"types": types, "mean_auc": 0.75}
    (tmp_path / "metrics.json").write_text(json.dumps({**metrics, "test": test}))
    figures = {"mean_auc": {"estimate": 0.75, "low": None, "high": None}}
    assert figures_of_run(tmp_path) == {"tested": {"sheets": 5, "groups": 4, "figures": figures}}
    (tmp_path / "metrics.json").write_text("[]")
    with pytest.raises(BadCheckpoint, match="expected the figures of the run, got"):
        figures_of_run(tmp_path)


def test_the_temperature_of_run_and_bundle_is_compared(bundle: Path) -> None:
    card = open_bundle(bundle).card
    source = {**card.source, "temperature": 1.25, "temperature_from": "of the run, fitted by calibrate"}
    same = bundle_readme(card.model_copy(update={"source": source, "temperature": 1.25}))
    assert "on the run uses the same (of the run, fitted by calibrate)." in same
    assert "differ from those of this bundle" not in same
    other = bundle_readme(card.model_copy(update={"source": source, "temperature": 1.5}))
    assert "on the run uses 1.25 (of the run, fitted by calibrate), so its probabilities differ" in other


def test_a_sentence_is_no_licence() -> None:
    with pytest.raises(BadRecipe, match="--license: expected an identifier"):
        ExportOptions(license="all rights reserved")
