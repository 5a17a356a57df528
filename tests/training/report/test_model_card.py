"""The model card says what metrics.json says, in a form Hugging Face reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from steelsight.models.card import Card
from steelsight.training.recipe import Recipe
from steelsight.training.report.model_card import model_card
from steelsight.training.report.scores import HEADLINES
from steelsight.training.run import RunResult, train_run

Folder = Callable[..., Path]
Small = Callable[..., Recipe]


def _front(text: str) -> dict[str, Any]:
    _, front, body = text.split("---\n", 2)
    assert body.strip().startswith("# ")
    found: dict[str, Any] = yaml.safe_load(front)
    return found


@pytest.fixture(params=["binary", "multiclass", "multilabel"])
def run(
    request: pytest.FixtureRequest, folder: Folder, small: Small, train_once: Any, tmp_path: Path
) -> RunResult:
    recipe = small(f"task={request.param}", "max_epochs=1", "split.method=random")
    done: RunResult = train_once(train_run, folder(), recipe=recipe, out=tmp_path / "run")
    return done


def test_every_run_has_a_model_card_with_its_metrics(run: RunResult) -> None:
    text = (run.folder / "README.md").read_text()
    assert text == model_card(run.card, run.metrics)
    front = _front(text)
    results = front["model-index"][0]["results"][0]
    listed = {entry["name"]: entry["value"] for entry in results["metrics"]}
    test = run.metrics["test"]
    assert front["license"] == "unknown"
    if "types" in test:
        mean = test["mean_auc"]
        assert listed.get("mean AUC of the types") == (None if mean is None else round(mean, 4))
        assert all(name in text for name in test["types"])
        return
    for key in ("accuracy", "balanced_accuracy", "f1_weighted"):
        assert listed[HEADLINES[key]] == round(test[key]["estimate"], 4)
        assert f"{test[key]['estimate']:.3f}" in text
    assert all(entry["name"] in text for entry in test["classes"])
    assert run.card.data_hash in text
    assert "answered at 99 % selective accuracy" in text
    assert "it always answers" in text


def test_undefined_values_are_dashes_and_the_threshold_is_stated(run: RunResult) -> None:
    if run.card.task == "multilabel":
        return
    metrics = {**run.metrics}
    nothing = {"estimate": None, "low": None, "high": None, "level": 0.95}
    metrics["test"] = {**run.metrics["test"], "auc": nothing, "accuracy": nothing}
    card = run.card.model_copy(update={"threshold": 0.9, "temperature": 1.5})
    text = model_card(card, metrics)
    assert "| AUC | – |" in text
    assert "accuracy" not in {e["type"] for e in _metrics(text)}
    assert 'below a confidence of 0.9 it says "I don\'t know"' in text
    assert "temperature 1.500" in text
    assert 'says "I don\'t know" of every sheet' in model_card(
        card.model_copy(update={"threshold": 1.0}), metrics
    )


def test_the_threshold_is_stated_without_test_sheets_too(run: RunResult) -> None:
    metrics = {**run.metrics, "test": None, "test_noisy": None, "operating_point": None}
    assert "## Doubt" not in model_card(run.card, metrics)
    card = run.card.model_copy(update={"threshold": 0.75})
    calibration = {
        "split": "unseen",
        "data": {"name": "mill_2"},
        "coverage": {"estimate": 0.5, "low": None, "high": None},
        "threshold_by": "certificate",
        "promise": "with 90 % confidence at most 0.01 of the answers are wrong",
        "certificate": {"threshold": 0.75},
    }
    text = model_card(card, metrics, calibration)
    assert "below a confidence of 0.75" in text
    assert "so it answers 0.500 of the unseen sheets of mill\\_2" in text
    assert "threshold by certificate: with 90 % confidence at most 0.01" in text
    assert "sought" not in text


def test_a_run_without_test_sheets_says_so(run: RunResult) -> None:
    text = model_card(run.card, {**run.metrics, "test": None, "test_noisy": None})
    assert "There are no test sheets." in text
    assert _metrics(text) == []


def test_classes_without_training_sheets_are_known_failures(run: RunResult) -> None:
    text = model_card(run.card, {**run.metrics, "notes": ["class a_b: no training sheet"]})
    assert "* class a\\_b: no training sheet" in text.split("## Known failures")[1]
    older = {key: value for key, value in run.metrics.items() if key != "notes"}
    assert model_card(run.card, older) == model_card(run.card, {**run.metrics, "notes": []})


def test_one_class_has_no_confusion(run: RunResult) -> None:
    if run.card.task != "multiclass":
        return
    card = run.card.model_copy(update={"class_names": ("none",)})
    text = model_card(card, {**run.metrics, "test": {**run.metrics["test"], "confusion": [[5]]}})
    assert "most frequent confusion" not in text


def test_odd_names_do_not_break_the_tables(run: RunResult) -> None:
    if run.card.task != "multiclass":
        return
    names = ("none", "a|b", "*c*")
    test = run.metrics["test"]
    classes = [{**entry, "name": name} for entry, name in zip(test["classes"], names, strict=True)]
    card: Card = run.card.model_copy(update={"class_names": names, "data_name": "mill <1>"})
    text = model_card(card, {**run.metrics, "test": {**test, "classes": classes}})
    rows = [line for line in text.splitlines() if line.startswith("| a")]
    assert any("a\\|b" in row for row in rows)
    assert "mill \\<1\\>" in text
    assert _front(text)["model-index"][0]["name"].endswith("mill <1>")


def _metrics(text: str) -> list[dict[str, Any]]:
    index = _front(text).get("model-index")
    found: list[dict[str, Any]] = [] if index is None else index[0]["results"][0]["metrics"]
    return found
