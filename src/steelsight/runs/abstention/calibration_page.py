"""calibration.html: the certified threshold, the thresholds tested, and the calibration of the confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.evaluation.abstention.calibration import reliability
from steelsight.evaluation.abstention.guarantee import (
    THRESHOLDS,
    Certificate,
    TestedThreshold,
    answers_needed,
)
from steelsight.evaluation.abstention.selective import risk_coverage
from steelsight.evaluation.abstention.threshold_sweep import describe_classes, sweep_thresholds
from steelsight.evaluation.intervals.bootstrap import Resampling
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_reliability, draw_risk_coverage, draw_threshold_sweep
from steelsight.runs.abstention.confidence import soften
from steelsight.streams import stream
from steelsight.training.conclude import environment

__all__ = ["CertifiedOutputs", "draw_page", "temperature_outcome"]


@dataclass(frozen=True, eq=False)
class CertifiedOutputs:
    """Outputs of the model on the certifying sheets, and whether they are right."""

    logits: Float[np.ndarray, "n c"]
    verdicts: Int[np.ndarray, " n"]
    right: Bool[np.ndarray, " n"]
    answers: Sequence[tuple[int, ...]]  # right answers of each sheet
    units: Sequence[str]  # the group of each
    class_names: tuple[str, ...]


def draw_page(
    run: str, outputs: CertifiedOutputs, certificate: Certificate, numbers: Mapping[str, Any], *, seed: int
) -> Document:
    """The page.

    numbers  calibration.json, intervals as dictionaries
    seed     of the intervals in the sweep
    """
    data = numbers["data"]
    page = Document('When to say "I don\'t know"', subtitle=f"{run} on {data['name']}")
    page.chapter("The threshold")
    page.text(_sentence(certificate.statement))
    page.text(_sentence(temperature_outcome(numbers)))
    if certificate.threshold is None and numbers["threshold"] is not None:
        page.notice(
            f"The card has a threshold of {numbers['threshold']:g} by {numbers['threshold_by']}, at a "
            f"temperature of {numbers['card_temperature'] or 1:.3g}: {numbers['promise']}."
        )
    for note in numbers["notes"]:
        page.notice(_sentence(note))
    page.facts(
        {
            "sheets that fitted the temperature": int(numbers["sheets"]["temperature"]),
            "sheets that certified": int(numbers["sheets"]["certificate"]),
            "groups that certified": int(numbers["groups"]["certificate"]),
            "rule of the groups": data["groups"],
            "fitted temperature": numbers["temperature"],
            "temperature in the card": numbers["card_temperature"],
            "threshold in the card": numbers["threshold"],
            "chosen by": numbers["threshold_by"],
        }
    )
    page.table(
        ["threshold", "groups answered", "wrong", "risk is at most", ""],
        [
            [f"{step.threshold:g}", step.answered, step.wrong, step.bound, _outcome(step, certificate)]
            for step in certificate.tested
        ],
        id="tested",
        caption=f"Tested from the strictest, at {1 - certificate.delta:.0%}, until the first that fails",
        note="A threshold is skipped where it answers too few groups to pass even if all were right.",
    )
    if numbers["cost"] is not None:
        _write_cost(page, numbers["cost"])
    _write_confidence(page, outputs, numbers, seed)
    page.footer(
        {
            "data": f"{data['name']} ({data['hash']})",
            "groups": data["groups"],
            "read as": data["reading"],
            "seed": seed,
            **environment(),
        }
    )
    return page


def temperature_outcome(numbers: Mapping[str, Any]) -> str:
    """Which temperature was fitted, whether it is better than 1 on other sheets, and which the card has.

    numbers  calibration.json
    """
    quality, sheets = numbers["quality"], numbers["sheets"]
    changes = [
        f"{title} {quality['before'][key]:.3f} at 1 → {quality['after'][key]:.3f}"
        for key, title in (("calibration_error", "calibration error"), ("log_loss", "log loss"))
        if quality["before"][key] is not None
    ]
    fitted = (
        f"temperature {numbers['temperature']:.2f}, fitted on {sheets['temperature']} sheets; on the "
        f"{sheets['certificate']} others {', '.join(changes)}"
    )
    before, after = (quality[key]["log_loss"] for key in ("before", "after"))
    if before is None or after <= before:
        return fitted
    if numbers["threshold"] is None:
        return f"{fitted}: worse there, so the card has temperature {numbers['card_temperature']:g}"
    return f"{fitted}: worse there; bring more sheets to fit it"


def _outcome(step: TestedThreshold, certificate: Certificate) -> str:
    if step.passed:
        return "passed"
    few = step.answered < answers_needed(certificate.risk, certificate.delta)
    return "too few" if few else "failed"


def _write_cost(page: Document, cost: Mapping[str, Any]) -> None:
    page.facts(
        {
            "cheapest threshold": cost["threshold"]
            if math.isfinite(cost["threshold"])
            else "review everything",
            "cost a sheet": cost["cost_a_sheet"]["estimate"],
            "without review": cost["cost_without_review"],
            "all reviewed": cost["cost_all_review"],
        }
    )
    page.text(
        "The cheapest threshold is evaluated on the sheets it was chosen on, so its cost is optimistic."
    )


def _write_confidence(
    page: Document, outputs: CertifiedOutputs, numbers: Mapping[str, Any], seed: int
) -> None:
    quality = numbers["quality"]
    before, after = (
        np.minimum(soften(outputs.logits, each).max(1), 1.0) for each in (1.0, numbers["temperature"])
    )
    page.figure(
        draw_reliability(
            reliability(before, outputs.right),
            reliability(after, outputs.right),
            errors=(quality["before"]["calibration_error"], quality["after"]["calibration_error"]),
        ),
        id="reliability",
        alt="Share of right verdicts over confidence, before and after temperature scaling.",
    )
    curve = risk_coverage(outputs.right, after)
    page.figure(
        draw_risk_coverage({"largest probability": (curve.coverage, curve.risk)}),
        id="risk-coverage",
        alt="Share of wrong answers over the share of sheets answered.",
    )
    # A sheet of several types counts as right for any of them; that type is then its label.
    first = np.array([answer[0] for answer in outputs.answers], dtype=np.int64)
    rows = sweep_thresholds(
        np.where(outputs.right, outputs.verdicts, first),
        outputs.verdicts,
        after,
        THRESHOLDS,
        classes=len(outputs.class_names),
        resampling=Resampling(stream(seed, "calibrate-page"), outputs.units),
    )
    page.figure(
        draw_threshold_sweep(rows),
        id="sweep",
        alt="Accuracy, balanced accuracy and share classified over the threshold.",
        caption=describe_classes(rows),
    )
    page.table(
        ["threshold", "share classified", "accuracy", "balanced accuracy", "classes answered"],
        [
            [
                f"{row.threshold:g}",
                row.coverage_bounds,
                row.accuracy_bounds,
                row.balanced_bounds,
                row.classes_answered,
            ]
            for row in rows
        ],
        id="sweep-table",
        caption="The same in numbers, with 95 % intervals by group",
    )


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
