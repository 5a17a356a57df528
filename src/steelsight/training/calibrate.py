"""When a finished run should say "I don't know": temperature and threshold, written into its card.

The temperature is fitted on one set of sheets, the threshold certified on another; neither trained the model.
Sheets that certify are calibration sheets from then on: figures of this threshold belong on others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.abstention.calibration import (
    brier,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    reliability,
)
from steelsight.evaluation.abstention.cost import CostChoice, Prices, cheapest_threshold
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, Certificate, certify
from steelsight.evaluation.abstention.selective import risk_coverage, sweep_thresholds
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.bootstrap import group_index, share_interval
from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.reports.cells import plain
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_reliability, draw_risk_coverage, draw_threshold_sweep
from steelsight.training.atomic import write_file, write_json
from steelsight.training.conclude import describe_data, environment
from steelsight.training.confidence import soften
from steelsight.training.lesson import SheetData, open_sheets
from steelsight.training.memory import Memory, refuse_other_classes
from steelsight.training.model_card import CARD_README, model_card
from steelsight.training.predict import predict_logits
from steelsight.training.records import read_splits
from steelsight.training.run import load_run

__all__ = ["PAGE", "Calibrated", "calibrate_run"]

PARTS = ("unseen", "test", "validation")
PAGE, NUMBERS = "calibration.html", "calibration.json"

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class Calibrated:
    """What was found; the card of the run holds temperature and threshold."""

    folder: Path
    certificate: Certificate
    cost: CostChoice | None
    numbers: dict[str, Any]  # calibration.json


def calibrate_run(
    run: Path,
    data: Path,
    *,
    part: str = "unseen",
    risk: float = 0.01,
    delta: float = 0.1,
    prices: Prices | None = None,
    prevalence: float | None = None,
    by_cost: bool = False,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
) -> Calibrated:
    """Fit, certify, and write card.json, README.md, calibration.json and calibration.html of the run.

    part        unseen, test or validation: the sheets of DATA that certify
    risk        share of wrong answers that may be among those given
    delta       chance that the promise is broken by bad luck in these sheets
    prices      of an escape, an overkill and a review, for the cheapest threshold
    prevalence  share of defective sheets on the line, for the cost; None = that of these sheets
    by_cost     write the cheapest threshold into the card instead of the certified one
    raises      BadInput for a multilabel run, another part, or numbers outside their range; BadData where no
                sheet is left; BadCheckpoint
    """
    if part not in PARTS:
        raise BadInput(f"--split: expected one of {', '.join(PARTS)}, got {part!r}")
    if by_cost and prices is None:
        raise BadInput("--by cost: expected the prices of an escape, an overkill and a review, got none")
    model, card = load_checkpoint(run)
    metrics = load_run(run).metrics  # an unfinished run is refused before its card changes
    if card.task == "multilabel":
        raise BadInput(
            f"{run}: expected a binary or multiclass run, got multilabel: its answers are several, "
            "so no one confidence stands for a sheet"
        )
    sheets = open_sheets(data, card.task, card.input, groups=groups, allow_bad=allow_bad)
    refuse_other_classes(sheets, card, data)
    rng = np.random.default_rng([seed, 13])
    memory = Memory(read_splits(run), sheets)
    warm, chosen, how = _two_sets(memory, sheets, part, run, rng)
    logits = predict_logits(model, sheets.images)
    temperature = fit_temperature(logits[warm], sheets.labelled.labels[warm])
    probabilities = soften(logits[chosen], temperature)
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    verdicts = probabilities.argmax(axis=1)
    answers = [sheets.labelled.alternatives[i] for i in chosen.tolist()]
    right = multi_type_right(verdicts, answers)
    names = [sheets.groups[i] for i in chosen.tolist()]
    units = [name or f"\0{i}" for i, name in enumerate(names)]
    certificate = certify(right, confidence, THRESHOLDS, risk=risk, delta=delta, rng=rng, groups=units)
    answered = confidence >= (np.inf if certificate.threshold is None else certificate.threshold)
    share = share_interval(answered, np.ones(answered.size, dtype=bool), units, rng=rng)
    cost = None
    if prices is not None:
        defective = np.array([answer != (0,) for answer in answers])
        cost = cheapest_threshold(
            defective, verdicts != 0, confidence, prices, rng=rng, groups=units, prevalence=prevalence
        )
    threshold = certificate.threshold
    if by_cost and cost is not None:
        threshold = min(1.0, cost.threshold)  # infinity: everything is reviewed
    numbers = {
        "run": run.name,
        "split": part,
        "temperature_from": how,
        "notes": memory.notes(part),
        "seed": seed,
        "data": describe_data(sheets, _told(sheets, warm, chosen, part)),
        "sheets": {"temperature": int(warm.size), "certificate": int(chosen.size)},
        "temperature": temperature,
        "quality": _quality(logits[chosen], sheets, chosen, right, temperature),
        "certificate": {**asdict(certificate), "statement": certificate.statement},
        "coverage": asdict(share),
        "cost": None if cost is None else {**asdict(cost), "prices": asdict(prices) if prices else None},
        "threshold": threshold,
        "threshold_by": "cost" if by_cost else "certificate",
        "environment": environment(),
    }
    card = save_checkpoint(
        run, model, card.model_copy(update={"temperature": temperature, "threshold": threshold})
    )
    write_file(run / CARD_README, model_card(card, metrics).encode())
    _write_page(run, sheets, chosen, logits[chosen], temperature, right, certificate, numbers)
    write_json(run / NUMBERS, plain(numbers))
    return Calibrated(run, certificate, cost, numbers)


def _two_sets(
    memory: Memory, data: SheetData, part: str, run: Path, rng: np.random.Generator
) -> tuple[Positions, Positions, str]:
    """The sheets for the temperature, those for the certificate, and how they were told apart."""
    judged = memory.choose(part, run)
    single = np.asarray(data.labelled.labels) >= 0
    validation = np.array([i for i, own in enumerate(memory.part) if own == "validation"], dtype=np.int64)
    validation = validation[single[validation]] if validation.size else validation
    if part != "validation" and validation.size:
        return validation, judged, "the run's validation sheets"
    group = group_index([data.groups[i] or f"\0{i}" for i in judged.tolist()], judged.size)
    half = rng.permutation(int(group.max()) + 1) % 2 == 0
    warm, rest = judged[half[group]], judged[~half[group]]
    warm = warm[single[warm]]
    if not warm.size or not rest.size:
        raise BadData(
            f"{data.name}: expected at least two groups of {part} sheets, one to fit and one to certify, "
            f"got {int(group.max()) + 1}; bring more sheets"
        )
    return warm, rest, "half of the groups"


def _told(data: SheetData, warm: Positions, chosen: Positions, part: str) -> list[str]:
    parts = ["left out"] * len(data.items)
    for i in chosen.tolist():
        parts[i] = f"{part}, certified"
    for i in warm.tolist():
        parts[i] = "temperature"
    return parts


def _quality(
    logits: Float[np.ndarray, "n c"],
    data: SheetData,
    chosen: Positions,
    right: Bool[np.ndarray, " n"],
    temperature: float,
) -> dict[str, Any]:
    """Calibration error, Brier score and log loss before and after; the last two of sheets of one type."""
    labels = np.asarray(data.labelled.labels)[chosen]
    single = labels >= 0
    found: dict[str, Any] = {}
    for name, soft in (("before", soften(logits, 1.0)), ("after", soften(logits, temperature))):
        found[name] = {
            "calibration_error": expected_calibration_error(np.minimum(soft.max(1), 1.0), right),
            "brier": brier(soft[single], labels[single]) if single.any() else None,
            "log_loss": log_loss(soft[single], labels[single]) if single.any() else None,
        }
    return found


def _write_page(
    run: Path,
    data: SheetData,
    chosen: Positions,
    logits: Float[np.ndarray, "n c"],
    temperature: float,
    right: Bool[np.ndarray, " n"],
    certificate: Certificate,
    numbers: dict[str, Any],
) -> None:
    page = Document('When to say "I don\'t know"', subtitle=f"{run.name} on {data.name}")
    page.chapter("The threshold")
    page.text(f"{certificate.statement[0].upper()}{certificate.statement[1:]}.")
    for note in numbers["notes"]:
        page.notice(f"{note[0].upper()}{note[1:]}.")
    page.facts(
        {
            "sheets that fitted the temperature": int(numbers["sheets"]["temperature"]),
            "sheets that certified": int(numbers["sheets"]["certificate"]),
            "temperature": temperature,
            "threshold in the card": numbers["threshold"],
            "chosen by": numbers["threshold_by"],
        }
    )
    page.table(
        ["threshold", "groups answered", "wrong", "risk is at most", ""],
        [
            [step.threshold, step.answered, step.wrong, step.bound, "passed" if step.passed else "failed"]
            for step in certificate.tested
        ],
        id="tested",
        caption=f"Tested from the strictest, at {1 - certificate.delta:.0%}, until the first that fails",
    )
    if numbers["cost"] is not None:
        cost = numbers["cost"]
        page.facts(
            {
                "cheapest threshold": min(1.0, cost["threshold"]),
                "cost a sheet": cost["cost_a_sheet"]["estimate"],
                "without review": cost["cost_without_review"],
                "all reviewed": cost["cost_all_review"],
            }
        )
        page.text("The cheapest threshold is read off the sheets it was chosen on, so its cost flatters.")
    before, after = (soften(logits, each) for each in (1.0, temperature))
    tops = [np.minimum(each.max(1), 1.0) for each in (before, after)]
    quality = numbers["quality"]
    page.figure(
        draw_reliability(
            reliability(tops[0], right),
            reliability(tops[1], right),
            errors=(quality["before"]["calibration_error"], quality["after"]["calibration_error"]),
        ),
        id="reliability",
        alt="Share of right verdicts over confidence, before and after temperature scaling.",
    )
    curve = risk_coverage(right, tops[1])
    page.figure(
        draw_risk_coverage({"largest probability": (curve.coverage, curve.risk)}),
        id="risk-coverage",
        alt="Share of wrong answers over the share of sheets answered.",
    )
    # A sheet of several types is right if the verdict is any of them: that one is then its label.
    labels = np.where(right, after.argmax(1), np.asarray(data.labelled.labels)[chosen])
    single = labels >= 0
    rows = sweep_thresholds(
        labels[single],
        after.argmax(1)[single],
        tops[1][single],
        THRESHOLDS,
        classes=len(data.labelled.class_names),
    )
    page.figure(
        draw_threshold_sweep(rows),
        id="sweep",
        alt="Accuracy, balanced accuracy and share classified over the threshold.",
    )
    page.footer({"data": f"{data.name} ({data.data_hash})", "seed": numbers["seed"], **environment()})
    write_file(run / PAGE, page.render().encode())
