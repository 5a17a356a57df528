"""The figures in the README of a bundle, and its YAML head for the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelsight.reports.hub_card import HUB_METRICS, UNKNOWN_LICENSE, hub_head
from steelsight.runtime.bundle.card import BundleCard

__all__ = ["adaptations_of", "figure_lines", "hub_lines", "interval_words"]


def hub_lines(card: BundleCard) -> list[str]:
    """The YAML head as the Hugging Face hub reads it, with the figures of the head that answers."""
    source, entries = card.source, adaptations_of(card)
    data_name, data_hash = str(source.get("data", "")), str(source.get("data_hash", ""))
    figures = {key: interval["estimate"] for key, interval in _tested(card).get("figures", {}).items()}
    if entries:
        scores = entries[-1]["cross_validated"]
        figures = {
            key: scores[key]["new"]["estimate"]
            for key in ("balanced_accuracy", "defect_auc")
            if scores.get(key)
        }
        data_name = ", ".join(folder["name"] for folder in entries[-1]["data"])
        data_hash = ""
    head = hub_head(
        f"{card.model} on {data_name}",
        tags=("onnx", "openvino", card.model),
        license_id=str(source.get("license") or UNKNOWN_LICENSE),
        data_name=data_name,
        data_hash=data_hash,
        figures=figures,
    )
    return head.splitlines()


def figure_lines(card: BundleCard) -> list[str]:
    """Figures of the run on its test sheets; none for a head that was fitted afterwards."""
    tested = _tested(card)
    if adaptations_of(card) or not tested:
        return []
    rows = [f"| {HUB_METRICS[key][1]} | {interval_words(each)} |" for key, each in tested["figures"].items()]
    return [
        "## Figures",
        "",
        f"Of the trained model, without a threshold, on the {tested['sheets']} test sheets of the run in "
        f"{tested['groups']} groups; 95 % intervals by group.",
        "",
        "| figure | value |",
        "|---|---|",
        *rows,
        "",
    ]


def _tested(card: BundleCard) -> dict[str, Any]:
    """What the export kept of the run's figures, see `deploy.run_figures`; {} = nothing."""
    tested = card.source.get("tested")
    return tested if isinstance(tested, dict) else {}


def adaptations_of(card: BundleCard) -> list[dict[str, Any]]:
    """The adaptations that led to this bundle, the first one first; see `steelsight adapt`."""
    entries = card.source.get("adapted")
    return [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []


def interval_words(each: Mapping[str, Any]) -> str:
    """An estimate with its interval, where it has one."""
    if each["low"] is None or each["low"] != each["low"]:
        return f"{each['estimate']:.3f}"
    return f"{each['estimate']:.3f} [{each['low']:.3f}, {each['high']:.3f}]"
