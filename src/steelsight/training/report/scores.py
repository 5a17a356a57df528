"""Metrics from logits: reports with intervals, predicted classes by name, sheets of several types."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.abstention.report import confidence_report
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.classification import auc_interval, classification_report
from steelsight.evaluation.probabilities import softmax
from steelsight.plain import plain
from steelsight.streams import stream
from steelsight.training.dataset import SheetData
from steelsight.training.report.places import report_places
from steelsight.types import Logits, Probabilities, Task

__all__ = ["HEADLINES", "answers_in_words", "probabilities_of", "repeat_data", "report_apart", "report_part"]

RESAMPLES = 1000
HEADLINES = {  # the metrics of a summary, with their titles
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "F1, weighted",
    "f1_macro": "F1, macro",
    "auc": "AUC",
    "defect_auc": "AUC, any defect against defect-free",  # multi-class only
}

Positions = Int[np.ndarray, " p"]


def probabilities_of(logits: Logits, task: Task) -> Probabilities:
    """Probabilities of logits, (n, c): softmax over classes, or for multilabel a sigmoid for each type."""
    wide = logits.astype(np.float64)
    if task != "multilabel":
        return softmax(wide)
    return 1 / (1 + np.exp(-np.clip(wide, -700, 700)))


def answers_in_words(logits: Logits, data: SheetData) -> list[str]:
    """The predicted class of each sheet by name; a multilabel sheet's types are joined by "+"."""
    names = data.labelled.class_names
    if data.task == "multilabel":
        return ["+".join(np.array(names)[row > 0]) for row in logits]
    return [names[answer] for answer in logits.argmax(1)]


def report_part(
    data: SheetData, logits: Logits, positions: Positions, *, seed: int, resamples: int = RESAMPLES
) -> dict[str, Any] | None:
    """Report on some sheets, intervals by group; None without sheets.

    logits  of all the data's sheets
    returns the JSON of evaluation's ClassificationReport; for multilabel one such report a type under
            "types", with the mean AUC and the share of sheets right in every type; beside it "confidence",
            and "places": recall by a defect's area and place, null without masks or a defect-free class
    """
    if positions.size == 0:
        return None
    probabilities = probabilities_of(logits[positions], data.task)
    labels = data.labelled.labels[positions]
    groups = [data.groups[i] for i in positions.tolist()]
    if data.task == "multilabel":
        return _report_types(data, labels, probabilities, groups, seed, resamples)
    answers = [data.labelled.alternatives[i] for i in positions.tolist()]
    several = any(len(answer) > 1 for answer in answers) and not all(len(answer) > 1 for answer in answers)
    units = groups if any(groups) else None
    report: dict[str, Any] = classification_report(
        labels,
        probabilities,
        data.labelled.class_names,
        groups=units,
        rng=stream(seed, "report-intervals"),
        resamples=resamples,
        alternatives=answers if several else None,
    ).as_dict()
    report["confidence"] = confidence_report(
        probabilities,
        answers,
        rng=stream(seed, "report-confidence"),
        groups=units,
        resamples=min(resamples, 200),  # every resample sorts all sheets
    )
    if data.labelled.clean is None:
        report["places"] = None  # no verdict says that a defect was found
        return report
    report["places"] = report_places(
        [data.items[i] for i in positions.tolist()],
        probabilities.argmax(axis=1) != data.labelled.clean,
        rng=stream(seed, "report-areas"),
        groups=units,
        resamples=min(resamples, 200),
    )
    if data.task == "multiclass":
        defect = np.array(data.labelled.defective)[positions]
        none = probabilities[:, data.labelled.clean]
        report["defect_auc"] = _defect_auc(defect, none, units, seed, resamples)
    return report


def _defect_auc(
    defect: Bool[np.ndarray, " m"],
    clean: Float[np.ndarray, " m"],
    groups: list[str] | None,
    seed: int,
    resamples: int,
) -> dict[str, float | None]:
    """AUC of 1 - p(defect-free) for any defect against none: a multi-class model used as a binary one."""
    interval = auc_interval(
        defect, 1 - clean, groups, rng=stream(seed, "report-intervals"), resamples=resamples
    )
    result: dict[str, float | None] = plain(interval)
    return result


def repeat_data(data: SheetData, repeats: int) -> SheetData:
    """The same sheets several times over, one for each repeat of a cross-validation.

    A sheet without a group becomes a group, so that its predictions stay together. Pixels are left out.
    """
    labelled = data.labelled
    return replace(
        data,
        items=tuple(replace(item, group=item.group or item.id) for item in data.items) * repeats,
        images=data.images[:0],
        labelled=replace(
            labelled,
            labels=np.concatenate([labelled.labels] * repeats),
            alternatives=labelled.alternatives * repeats,
        ),
    )


def _report_types(
    data: SheetData,
    flags: Float[np.ndarray, "m k"],
    probabilities: Probabilities,
    groups: list[str],
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    types = {}
    for column, name in enumerate(data.labelled.class_names):
        yes = probabilities[:, column]
        types[name] = classification_report(
            flags[:, column].astype(np.int64),
            np.stack([1 - yes, yes], axis=1),
            (f"no {name}", name),
            groups=groups if any(groups) else None,
            rng=stream(seed, "report-intervals"),
            resamples=resamples,
        ).as_dict()
    areas = [report["auc"]["estimate"] for report in types.values() if report["auc"]["estimate"] is not None]
    return {
        "sheets": len(flags),
        "all_types_right": float(((probabilities > 0.5) == (flags > 0.5)).all(axis=1).mean()),
        "mean_auc": float(np.mean(areas)) if areas else None,
        "types": types,
    }


def report_apart(
    data: SheetData, logits: Logits, positions: Positions, trained: Int[np.ndarray, " q"]
) -> dict[str, Any]:
    """Sheets of several types, dropped from training: how often the prediction is one of their types.

    Sheets that share a group with a training sheet are left out.
    """
    seen = {data.groups[i] for i in trained.tolist()} - {""}
    unseen = np.array([i for i in positions.tolist() if data.groups[i] not in seen], dtype=np.int64)
    answers = [data.labelled.alternatives[i] for i in unseen.tolist()]
    right = int(multi_type_right(logits[unseen].argmax(1), answers).sum()) if unseen.size else 0
    return {"sheets": unseen.size, "right": right, "beside_training_groups": positions.size - unseen.size}
