"""Calibrates a finished run: temperature and threshold for "I don't know", written into its card.

The temperature is fitted on one set of sheets, the threshold certified on another; neither trained the model.
Sheets that certify are calibration sheets from then on: evaluate the threshold on other sheets.

A threshold is valid at its own temperature only. Where none can be certified and the card holds an earlier
one, both stay as they were. Where no threshold is written and the fitted temperature has a larger log loss
than 1 on the certifying sheets, the card gets temperature 1; a certificate needs one that was fixed before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadCheckpoint, BadData, BadInput
from steelsight.evaluation.abstention.calibration import (
    brier,
    expected_calibration_error,
    fit_temperature,
    is_worse_than_one,
    log_loss,
)
from steelsight.evaluation.abstention.cost import CostChoice, cheapest_threshold
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, Certificate, certify
from steelsight.evaluation.abstention.thresholds import answered, card_threshold
from steelsight.evaluation.answers import multi_type_right
from steelsight.evaluation.intervals.bootstrap import group_index, share_interval
from steelsight.files import add_files, keep_earlier, replace_file, write_json
from steelsight.groups import group_keys
from steelsight.models.card import Card
from steelsight.models.checkpoint import save_checkpoint
from steelsight.plain import plain
from steelsight.reading import parse_json, read_regular
from steelsight.runs.abstention.calibration_page import CertifiedOutputs, draw_page
from steelsight.runs.abstention.confidence import soften
from steelsight.runs.abstention.options import CalibrationOptions
from steelsight.runs.opening.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.settings import result_settings
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.conclude import describe_data, environment
from steelsight.training.dataset import SheetData
from steelsight.training.predict import predict_logits
from steelsight.training.report.model_card import CARD_README, model_card
from steelsight.training.run import load_run

__all__ = ["PAGE", "CalibrationReport", "calibrate_run"]

PAGE, NUMBERS = "calibration.html", "calibration.json"
CERTIFICATE, COST, EARLIER = "certificate", "cost", "earlier calibration"

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class CalibrationReport:
    """The result of a calibration; the card of the run holds temperature and threshold."""

    folder: Path
    certificate: Certificate
    cost: CostChoice | None
    numbers: dict[str, Any]  # calibration.json


def calibrate_run(
    run: Path,
    data: Path,
    options: CalibrationOptions = CalibrationOptions(),
    data_options: DataOptions = AUTOMATIC,
) -> CalibrationReport:
    """Fit, certify, and write card.json, README.md, calibration.json and calibration.html of the run.

    raises  BadInput for a multilabel run, or numbers outside their range; BadData where no sheet is left;
            BadCheckpoint
    """
    finished = load_run(run)  # an unfinished run is refused before its card changes
    refuse_multilabel(run, finished.card)
    if options.prices is not None and finished.card.clean is None:
        raise BadInput(
            f"{run}: expected a model with a defect-free class for the prices of escapes and overkill, got "
            f"{', '.join(finished.card.class_names)}; leave the prices out"
        )
    opened = open_run(run, data, data_options, allow_patches=True)
    rng = stream(options.seed, "calibrate")
    fitting, chosen, source = _two_sets(opened, options.split, rng)
    logits = predict_logits(opened.model, opened.data.images)
    temperature = fit_temperature(logits[fitting], opened.data.labelled.labels[fitting])
    outputs = _outputs_on(opened.data, chosen, logits[chosen], temperature)
    certificate, cost = _thresholds(outputs, temperature, options, rng, opened.card.clean)
    labels = np.asarray(opened.data.labelled.labels)[chosen]
    worse = is_worse_than_one(temperature, logits[chosen][labels >= 0], labels[labels >= 0])
    written, by = _choose(
        opened.card, temperature, certificate, cost if options.by == COST else None, worse=worse
    )
    numbers: dict[str, Any] = {
        "run": run.name,
        "split": options.split,
        "temperature_from": source,
        "notes": opened.notes(options.split),
        "seed": options.seed,
        "data": describe_data(opened.data, _part_names(opened.data, fitting, chosen, options.split)),
        "sheets": {"temperature": int(fitting.size), "certificate": int(chosen.size)},
        "groups": {
            "temperature": _count_groups(opened.data, fitting),
            "certificate": _count_groups(opened.data, chosen),
        },
        "temperature": temperature,
        "quality": _quality(outputs, opened.data, chosen, temperature),
        "certificate": {**asdict(certificate), "statement": certificate.statement},
        "coverage": _coverage(written, outputs, rng),
        "cost": None
        if cost is None
        else {**asdict(cost), "prices": asdict(options.prices) if options.prices else None},
        "threshold": written.threshold,
        "threshold_by": by,
        "card_temperature": written.temperature,
        "promise": _promise(run, by, certificate),
        "environment": environment(),
    }
    settings = result_settings(
        "calibrate", options, data_options, cards=[opened.card], data_hash=opened.data.data_hash
    )
    numbers |= keep_earlier(run, NUMBERS, settings, [PAGE])
    card = save_checkpoint(run, opened.model, written)
    replace_file(run / CARD_README, model_card(card, finished.metrics, plain(numbers)))
    page = draw_page(run.name, outputs, certificate, numbers, seed=options.seed)
    page.save_page(run / PAGE)
    add_files(numbers, page.figure_files())
    write_json(run / NUMBERS, plain(numbers))
    return CalibrationReport(run, certificate, cost, numbers)


def _count_groups(data: SheetData, rows: Positions) -> int:
    """The groups of some sheets; a sheet without one is its own."""
    return len(set(group_keys([data.groups[i] for i in rows.tolist()])))


def _outputs_on(
    data: SheetData, rows: Positions, logits: Float[np.ndarray, "n c"], temperature: float
) -> CertifiedOutputs:
    """The model's outputs on the certifying sheets.

    rows    (n,) positions of the sheets
    logits  (n, c) of these sheets
    """
    verdicts = soften(logits, temperature).argmax(axis=1)
    answers = [data.labelled.alternatives[i] for i in rows.tolist()]
    units = group_keys([data.groups[i] for i in rows.tolist()])
    right = multi_type_right(verdicts, answers)
    return CertifiedOutputs(logits, verdicts, right, answers, units, data.labelled.class_names)


def _thresholds(
    outputs: CertifiedOutputs,
    temperature: float,
    options: CalibrationOptions,
    rng: np.random.Generator,
    clean: int | None,
) -> tuple[Certificate, CostChoice | None]:
    """The certificate, and the cheapest threshold where prices are given."""
    confidence = np.minimum(soften(outputs.logits, temperature).max(axis=1), 1.0)
    certificate = certify(
        outputs.right,
        confidence,
        THRESHOLDS,
        risk=options.risk,
        delta=options.delta,
        rng=rng,
        groups=outputs.units,
    )
    if options.prices is None:
        return certificate, None
    cost = cheapest_threshold(
        np.array([answer != (clean,) for answer in outputs.answers]),
        outputs.verdicts != clean,
        confidence,
        options.prices,
        rng=rng,
        groups=outputs.units,
        prevalence=options.prevalence,
    )
    return certificate, cost


def _two_sets(run: OpenRun, part: str, rng: np.random.Generator) -> tuple[Positions, Positions, str]:
    """The sheets for the temperature, those for the certificate, and the source of the first."""
    data, candidates = run.data, run.choose(part)
    single = np.asarray(data.labelled.labels) >= 0
    validation = run.positions("validation")
    validation = validation[single[validation]] if validation.size else validation
    if part != "validation" and validation.size:
        return validation, candidates, "the run's validation sheets"
    group = group_index([data.groups[i] for i in candidates.tolist()], candidates.size)
    half = rng.permutation(int(group.max()) + 1) % 2 == 0
    fitting, rest = candidates[half[group]], candidates[~half[group]]
    fitting = fitting[single[fitting]]
    if not fitting.size or not rest.size:
        raise BadData(
            f"{data.name}: expected at least two groups of {part} sheets, one to fit and one to certify, "
            f"got {int(group.max()) + 1}; bring more sheets"
        )
    return fitting, rest, "half of the groups"


def _choose(
    card: Card, temperature: float, certificate: Certificate, cost: CostChoice | None, *, worse: bool
) -> tuple[Card, str | None]:
    """The card with its temperature and threshold, and the source of the threshold; None without one.

    cost   None = the certificate decides
    worse  whether 1 is better than the fitted temperature on the certifying sheets
    """
    if cost is not None:
        return card.model_copy(
            update={"temperature": temperature, "threshold": card_threshold(cost.threshold)}
        ), COST
    if certificate.threshold is None and card.threshold is not None:
        return card, EARLIER
    kept = 1.0 if worse and certificate.threshold is None else temperature
    certified = card.model_copy(update={"temperature": kept, "threshold": certificate.threshold})
    return certified, None if certificate.threshold is None else CERTIFICATE


def _coverage(card: Card, outputs: CertifiedOutputs, rng: np.random.Generator) -> dict[str, Any] | None:
    """The share of the certifying sheets above the card's threshold; None without threshold."""
    if card.threshold is None:
        return None
    confidence = soften(outputs.logits, card.temperature or 1.0).max(axis=1)
    given = answered(confidence, card.threshold)
    return asdict(share_interval(given, np.ones(given.size, dtype=bool), outputs.units, rng=rng))


def _promise(run: Path, by: str | None, certificate: Certificate) -> str | None:
    """The statement on the card's threshold; an earlier threshold keeps its statement."""
    if by == EARLIER:
        return _earlier_promise(run / NUMBERS) or "its certificate is not on record"
    if by == COST:
        return "chosen for the least cost of escapes, overkill and review; its risk is not certified"
    return certificate.statement if by == CERTIFICATE else None


def _earlier_promise(path: Path) -> str:
    """The statement of an earlier calibration.json; "" without one."""
    if not path.exists():
        return ""
    try:
        return str(parse_json(read_regular(path)).get("promise") or "")
    except (OSError, ValueError, AttributeError) as error:
        raise BadCheckpoint(
            f"{path}: expected the numbers of an earlier calibration, got {error!s:.80}; remove the file"
        ) from error


def _part_names(data: SheetData, fitting: Positions, chosen: Positions, part: str) -> list[str]:
    parts = ["left out"] * len(data.items)
    for i in chosen.tolist():
        parts[i] = f"{part}, certified"
    for i in fitting.tolist():
        parts[i] = "temperature"
    return parts


def _quality(
    outputs: CertifiedOutputs, data: SheetData, chosen: Positions, temperature: float
) -> dict[str, Any]:
    """Calibration error, Brier score and log loss before and after; the last two on sheets of one type."""
    labels = np.asarray(data.labelled.labels)[chosen]
    single = labels >= 0
    quality: dict[str, Any] = {}
    for name, soft in (
        ("before", soften(outputs.logits, 1.0)),
        ("after", soften(outputs.logits, temperature)),
    ):
        quality[name] = {
            "calibration_error": expected_calibration_error(np.minimum(soft.max(1), 1.0), outputs.right),
            "brier": brier(soft[single], labels[single]) if single.any() else None,
            "log_loss": log_loss(soft[single], labels[single]) if single.any() else None,
        }
    return quality
