"""The head of a README is the YAML that the Hugging Face hub reads."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadRecipe
from steelsight.reports.hub_card import HUB_METRICS, check_license, hub_head, hub_metrics

FIGURES = {"accuracy": 0.91234567, "f1_weighted": 0.5, "auc": None, "defect_auc": float("nan"), "aurc": 0.1}


def facts(head: str) -> dict[str, Any]:
    """What the hub reads between the two lines."""
    assert head.startswith("---\n")
    assert head.endswith("\n---")
    found: dict[str, Any] = yaml.safe_load(head[4:-4])
    return found


def test_figures_are_metrics_by_the_names_of_the_hub() -> None:
    assert hub_metrics(FIGURES) == [
        {"type": "accuracy", "name": "accuracy", "value": 0.9123},
        {"type": "f1", "name": "F1, weighted", "value": 0.5, "args": {"average": "weighted"}},
    ]
    assert [each["name"] for each in hub_metrics(dict.fromkeys(HUB_METRICS, 1.0))] == [
        title for _, title, _ in HUB_METRICS.values()
    ]


def test_the_head_has_licence_tags_metrics_and_a_model_index() -> None:
    head = hub_head("net on mill", tags=("onnx", "steel"), data_name="mill", data_hash="ab", figures=FIGURES)
    found = facts(head)
    assert found["license"] == "unknown"
    assert found["library_name"] == "steelsight"
    assert found["pipeline_tag"] == "image-classification"
    assert found["tags"] == ["steel", "surface-inspection", "explainable-ai", "onnx"]
    assert found["metrics"] == ["accuracy", "f1"]
    [index] = found["model-index"]
    [result] = index["results"]
    assert index["name"] == "net on mill"
    assert result["task"] == {"type": "image-classification"}
    assert result["dataset"] == {"type": "images", "name": "mill", "revision": "ab"}
    assert result["metrics"] == hub_metrics(FIGURES)


def test_without_figures_there_is_no_model_index() -> None:
    found = facts(hub_head("net", license_id="apache-2.0", figures={"auc": None}))
    assert set(found) == {"license", "library_name", "pipeline_tag", "tags"}
    assert found["license"] == "apache-2.0"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_is_read_back(name: str) -> None:
    found = facts(hub_head(name, data_name=name, figures={"accuracy": 1.0}))
    assert found["model-index"][0]["name"] == name
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == (name or "images")


def test_the_library_of_the_hub_reads_it() -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    card = hub.ModelCard(hub_head("net on mill", data_name="mill", figures=FIGURES) + "\n\n# net\n")
    assert card.data.model_name == "net on mill"
    assert [(each.metric_type, each.metric_value) for each in card.data.eval_results] == [
        ("accuracy", 0.9123),
        ("f1", 0.5),
    ]
    assert card.data.eval_results[1].metric_args == {"average": "weighted"}
    again = hub.ModelCard(str(card)).data.to_dict()
    assert again == card.data.to_dict()


@pytest.mark.parametrize("identifier", ["", "Apache 2.0", "mit\n", "-", "a" * 65])
def test_a_licence_is_an_identifier(identifier: str) -> None:
    with pytest.raises(BadRecipe, match=r"--license: expected an identifier of the hub such as apache-2\.0"):
        check_license(identifier)
