"""When a finished run should say "I don't know": temperature and threshold, written into its card.

The temperature is fitted on one set of sheets, the threshold certified on another; neither trained the model.
Sheets that certify are calibration sheets from then on: figures of this threshold belong on others.

A threshold means nothing at another temperature. So where none can be certified and the card holds one from
before, both stay as they were.
"""

from __future__ import annotations

import json
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
)
from steelsight.evaluation.abstention.cost import CostChoice, Prices, cheapest_threshold
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, Certificate, certify
from steelsight.evaluation.abstention.thresholds import answered, card_threshold
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.intervals.bootstrap import group_index, share_interval
from steelsight.files import replace_file, write_json
from steelsight.groups import group_keys
from steelsight.models.card import Card
from steelsight.models.checkpoint import load_checkpoint, save_checkpoint
from steelsight.plain import plain
from steelsight.runs.abstention.calibration_page import CertifiedOutputs, draw_page
from steelsight.runs.abstention.confidence import soften
from steelsight.runs.seen_sheets import SeenSheets, refuse_other_classes
from steelsight.streams import stream
from steelsight.training.conclude import describe_data, environment
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.training.predict import predict_logits
from steelsight.training.records import read_splits
from steelsight.training.report.model_card import CARD_README, model_card
from steelsight.training.run import load_run

__all__ = ["PAGE", "CalibrationReport", "calibrate_run"]

PARTS = ("unseen", "test", "validation")
PAGE, NUMBERS = "calibration.html", "calibration.json"
CERTIFICATE, COST, EARLIER = "certificate", "cost", "earlier calibration"

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class CalibrationReport:
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
) -> CalibrationReport:
    """Fit, certify, and write card.json, README.md, calibration.json and calibration.html of the run.

    part        unseen, test or validation: the sheets of DATA that certify
    risk        share of wrong answers that may be among those given
    delta       chance that the promise is broken by bad luck in these sheets
    prices      of an escape, an overkill and a review, for the cheapest threshold
    prevalence  share of defective sheets on the line, for the cost; None = that of these sheets
    by_cost     write the cheapest threshold into the card instead of the certified one
    seed        of halves and of each group's sheet; to try seeds until one certifies breaks delta
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
    rng = stream(seed, "calibrate")
    memory = SeenSheets(read_splits(run), sheets)
    warm, chosen, how = _two_sets(memory, sheets, part, run, rng)
    logits = predict_logits(model, sheets.images)
    temperature = fit_temperature(logits[warm], sheets.labelled.labels[warm])
    probabilities = soften(logits[chosen], temperature)
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    verdicts = probabilities.argmax(axis=1)
    answers = [sheets.labelled.alternatives[i] for i in chosen.tolist()]
    right = multi_type_right(verdicts, answers)
    names = [sheets.groups[i] for i in chosen.tolist()]
    units = group_keys(names)
    certificate = certify(right, confidence, THRESHOLDS, risk=risk, delta=delta, rng=rng, groups=units)
    cost = None
    if prices is not None:
        defective = np.array([answer != (0,) for answer in answers])
        cost = cheapest_threshold(
            defective, verdicts != 0, confidence, prices, rng=rng, groups=units, prevalence=prevalence
        )
    written, by = _choose(card, temperature, certificate, cost if by_cost else None)
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
        "coverage": _coverage(written, logits[chosen], units, rng),
        "cost": None if cost is None else {**asdict(cost), "prices": asdict(prices) if prices else None},
        "threshold": written.threshold,
        "threshold_by": by,
        "card_temperature": written.temperature,
        "promise": _promise(run, by, certificate),
        "environment": environment(),
    }
    card = save_checkpoint(run, model, written)
    replace_file(run / CARD_README, model_card(card, metrics, plain(numbers)).encode())
    told = CertifiedOutputs(logits[chosen], verdicts, right, answers, units, sheets.labelled.class_names)
    replace_file(run / PAGE, draw_page(run.name, told, certificate, numbers, seed=seed).encode())
    write_json(run / NUMBERS, plain(numbers))
    return CalibrationReport(run, certificate, cost, numbers)


def _two_sets(
    memory: SeenSheets, data: SheetData, part: str, run: Path, rng: np.random.Generator
) -> tuple[Positions, Positions, str]:
    """The sheets for the temperature, those for the certificate, and how they were told apart."""
    judged = memory.choose(part, run)
    single = np.asarray(data.labelled.labels) >= 0
    validation = np.array([i for i, own in enumerate(memory.part) if own == "validation"], dtype=np.int64)
    validation = validation[single[validation]] if validation.size else validation
    if part != "validation" and validation.size:
        return validation, judged, "the run's validation sheets"
    group = group_index([data.groups[i] for i in judged.tolist()], judged.size)
    half = rng.permutation(int(group.max()) + 1) % 2 == 0
    warm, rest = judged[half[group]], judged[~half[group]]
    warm = warm[single[warm]]
    if not warm.size or not rest.size:
        raise BadData(
            f"{data.name}: expected at least two groups of {part} sheets, one to fit and one to certify, "
            f"got {int(group.max()) + 1}; bring more sheets"
        )
    return warm, rest, "half of the groups"


def _choose(
    card: Card, temperature: float, certificate: Certificate, cost: CostChoice | None
) -> tuple[Card, str | None]:
    """The card with its temperature and threshold, and what chose the threshold; None where there is none.

    cost  None = the certificate decides
    """
    if cost is not None:
        return card.model_copy(
            update={"temperature": temperature, "threshold": card_threshold(cost.threshold)}
        ), COST
    if certificate.threshold is None and card.threshold is not None:
        return card, EARLIER
    found = card.model_copy(update={"temperature": temperature, "threshold": certificate.threshold})
    return found, None if certificate.threshold is None else CERTIFICATE


def _coverage(
    card: Card, logits: Float[np.ndarray, "n c"], units: list[str], rng: np.random.Generator
) -> dict[str, Any] | None:
    """The share of the certifying sheets that the card's threshold answers; None where it always answers."""
    if card.threshold is None:
        return None
    confidence = soften(logits, card.temperature or 1.0).max(axis=1)
    told = answered(confidence, card.threshold)
    return asdict(share_interval(told, np.ones(told.size, dtype=bool), units, rng=rng))


def _promise(run: Path, by: str | None, certificate: Certificate) -> str | None:
    """What the card's threshold is worth, in words; an earlier one keeps the words it had."""
    if by == EARLIER:
        known = json.loads((run / NUMBERS).read_text(encoding="utf-8")) if (run / NUMBERS).exists() else {}
        return known.get("promise") or "what was promised of it is not on record"
    if by == COST:
        return "chosen for the least cost of escapes, overkill and review; how often it errs is not certified"
    return certificate.statement if by == CERTIFICATE else None


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
