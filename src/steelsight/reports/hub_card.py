"""The head of a README for the Hugging Face hub: licence, tags, and measured figures as a model index.

Format: https://github.com/huggingface/hub-docs/blob/main/modelcard.md. Values are JSON, which YAML reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from steelsight.errors import BadRecipe

__all__ = ["HUB_METRICS", "UNKNOWN_LICENSE", "check_license", "hub_head", "hub_metrics"]

UNKNOWN_LICENSE: Final = "unknown"  # the hub's word where nobody has said what may be done with the model
LIBRARY: Final = "steelsight"
PIPELINE: Final = "image-classification"
TAGS: Final = ("steel", "surface-inspection", "explainable-ai")
DATASET_TYPE: Final = "images"  # the hub wants the id of a data set; those of a mill are not on it
# Our names of figures: the hub's id of the metric, its title, and the arguments it is computed with.
HUB_METRICS: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "accuracy": ("accuracy", "accuracy", {}),
    "balanced_accuracy": ("balanced_accuracy", "balanced accuracy", {}),
    "f1_weighted": ("f1", "F1, weighted", {"average": "weighted"}),
    "f1_macro": ("f1", "F1, macro", {"average": "macro"}),
    "auc": ("roc_auc", "AUC", {}),
    "mean_auc": ("roc_auc", "mean AUC of the types", {}),
    "defect_auc": ("roc_auc", "AUC, any defect against defect-free", {}),
}
_LICENSE: Final = re.compile(r"[a-z0-9][a-z0-9.+-]{0,63}")
_ASTRAL: Final = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})")


def check_license(identifier: str) -> None:
    """Raise BadRecipe for what cannot be an identifier of a licence, such as a sentence."""
    if not _LICENSE.fullmatch(identifier):
        raise BadRecipe(
            f"--license: expected an identifier of the hub such as apache-2.0, mit or {UNKNOWN_LICENSE}, got "
            f"{identifier!r:.80}; see https://huggingface.co/docs/hub/repositories-licenses"
        )


def hub_metrics(figures: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """The figures as metrics of a model index, in the order of HUB_METRICS, without those that have no value.

    figures  value by name; other names than those of HUB_METRICS are left out
    """
    found: list[dict[str, Any]] = []
    for key, (kind, name, arguments) in HUB_METRICS.items():
        value = figures.get(key)
        if value is not None and value == value:
            entry: dict[str, Any] = {"type": kind, "name": name, "value": round(float(value), 4)}
            found.append(entry | ({"args": arguments} if arguments else {}))
    return found


def hub_head(
    name: str,
    *,
    tags: Sequence[str] = (),
    license_id: str = UNKNOWN_LICENSE,
    data_name: str = "",
    data_hash: str = "",
    figures: Mapping[str, float | None] | None = None,
) -> str:
    """The YAML head of a README, with its two lines `---`.

    name        of the model, in its index
    tags        beside those that every model has
    license_id  identifier of a licence as the hub lists them
    data_name   the sheets that the figures were measured on; data_hash is their revision
    figures     see `hub_metrics`; none = no model index, which the hub accepts only with figures
    """
    metrics = hub_metrics(figures or {})
    facts: dict[str, Any] = {
        "license": license_id,
        "library_name": LIBRARY,
        "pipeline_tag": PIPELINE,
        "tags": list(dict.fromkeys((*TAGS, *tags))),
    }
    if metrics:
        dataset = {"type": DATASET_TYPE, "name": data_name or DATASET_TYPE}
        if data_hash:
            dataset["revision"] = data_hash
        result = {"task": {"type": PIPELINE}, "dataset": dataset, "metrics": metrics}
        facts["metrics"] = list(dict.fromkeys(each["type"] for each in metrics))
        facts["model-index"] = [{"name": name, "results": [result]}]
    return "\n".join(["---", *(f"{key}: {_yaml(value)}" for key, value in facts.items()), "---"])


def _yaml(value: object) -> str:
    """A value as JSON; characters beyond 16 bits as YAML escapes them, not as JSON does, in two halves."""
    return _ASTRAL.sub(_joined, json.dumps(value))


def _joined(halves: re.Match[str]) -> str:
    high, low = (int(half, 16) for half in halves.groups())
    return f"\\U{0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00:08x}"
