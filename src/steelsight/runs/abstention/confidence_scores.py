"""Evaluates the confidence scores of a run on unseen sheets, and the thresholds they could certify.

For a run, temperature, feature space and combined score are fitted on its training and validation sheets. For
a cross-validation, which has no validation sheets, those of one fold are fitted on the out-of-fold
predictions of the other folds of the same repeat, whose groups are different (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.combine import fit_combiner
from steelsight.evaluation.abstention.guarantee import DELTA, RISKS, THRESHOLDS, Certificate, certify
from steelsight.evaluation.abstention.scores import FeatureSpace, fit_feature_space
from steelsight.evaluation.abstention.selective import risk_coverage
from steelsight.files import keep_earlier, write_json
from steelsight.groups import group_keys
from steelsight.models.card import Card
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_risk_coverage
from steelsight.runs.abstention.confidence import (
    PERFECT,
    SCORE_TITLES,
    SOFTMAX,
    Columns,
    Confidence,
    ScoreRow,
    compare_scores,
    fit_confidence,
    unbounded,
)
from steelsight.runs.abstention.score_table import add_score_table, describe_areas
from steelsight.runs.opening.open import OpenRun, open_run, refuse_multilabel
from steelsight.runs.opening.validation import refuse_without_validation
from steelsight.runs.out_of_fold import is_cross_validation, read_out_of_fold
from steelsight.runs.settings import result_settings
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData
from steelsight.training.predict import ModelOutputs, predict_views

__all__ = ["ScoredSheets", "compare_confidence_scores", "cross_fit"]

RESAMPLES = 300  # each sorts every score
PAGE, NUMBERS = "confidence.html", "confidence.json"


@dataclass(frozen=True)
class ScoredSheets:
    """Every score on the same sheets, and the thresholds that two of the scores could certify."""

    scores: tuple[ScoreRow, ...]
    certificates: dict[str, tuple[Certificate, ...]]  # by score, one a risk of RISKS
    right: Bool[np.ndarray, " n"]
    columns: Columns
    how: str  # the sheets that scores were fitted on
    data: str
    grouping: str  # the rule of the groups and its source
    reading: str  # how DATA was read, see SheetData.reading
    groups: int  # of these sheets; a sheet without one is its own
    notes: tuple[str, ...] = ()  # what the run has seen of these sheets


@dataclass(frozen=True)
class _Evaluated:
    """Scores of the evaluated sheets, and what a reader must know of these sheets."""

    columns: Columns
    right: Bool[np.ndarray, " n"]
    units: list[str] | None  # the group of each sheet; None = none has one
    name: str
    grouping: str
    reading: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoldOutputs:
    """Outputs of one model on its out-of-fold sheets, and the feature space of its training sheets."""

    repeat: int
    outputs: ModelOutputs
    labels: Int[np.ndarray, " n"]
    space: FeatureSpace


def compare_confidence_scores(
    run: Path,
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    part: str = "test",
    on: Path | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    out: Path | None = None,
) -> ScoredSheets:
    """Evaluate the scores of a run or a cross-validation and write confidence.html and confidence.json.

    part    test or unseen; for a cross-validation always all sheets, out of fold
    on      another DATA folder whose unseen sheets are used; None = those of `data`
    options  how DATA is opened; groups are for intervals, a cross-validation keeps its own
    out     default RUN
    raises  BadInput for multilabel; BadData where classes differ or no sheet is left; BadCheckpoint
    """
    if is_cross_validation(run):
        if on is not None:
            raise BadInput(f"{run}: a cross-validation is evaluated on its own sheets; leave --on out")
        folds, names, sheets = _open_folds(run, data, options)
        grouping = "those of the cross-validation"
        found = _Evaluated(*cross_fit(folds), names, sheets.name, grouping, sheets.reading)
        how = "the out-of-fold predictions of the other folds"
    else:
        found = _open_one(run, data, on, part, options)
        how = "the run's validation sheets"
    columns, right, units = found.columns, found.right, found.units
    rng = stream(seed, "confidence-scores")
    scores = compare_scores(columns, right, rng=rng, groups=units, resamples=resamples)
    certificates = {
        name: tuple(
            certify(right, columns[name], THRESHOLDS, risk=risk, delta=DELTA, rng=rng, groups=units)
            for risk in RISKS
        )
        for name in (SOFTMAX, "trust")
        if name in columns
    }
    scored = ScoredSheets(
        tuple(scores),
        certificates,
        right,
        columns,
        how,
        found.name,
        found.grouping,
        found.reading,
        len(set(group_keys(units))) if units else int(right.size),
        found.notes,
    )
    settings = result_settings(
        "confidence", options, run=str(run), data=str(data), part=part, on=on, seed=seed, resamples=resamples
    )
    _write(out or run, scored, seed, settings)
    return scored


def cross_fit(folds: Sequence[FoldOutputs]) -> tuple[Columns, Bool[np.ndarray, " n"]]:
    """Scores of the predictions of all folds in order, and whether they are right; no fold is scored by a fit
    on itself.

    raises  BadInput where a repeat has one fold alone
    """
    parts = []
    for fold in folds:
        others = [other for other in folds if other is not fold and other.repeat == fold.repeat]
        if not others:
            raise BadInput(f"cross-fitting: expected at least two folds of repeat {fold.repeat}, got one")
        logits = np.concatenate([each.outputs.logits for each in others])
        truths = np.concatenate([each.labels for each in others])
        temperature = fit_temperature(logits, truths)
        known = [
            unbounded(Confidence(temperature, each.space, None).columns(each.outputs)) for each in others
        ]
        joined = {name: np.concatenate([each[name] for each in known]) for name in known[0]}
        trust = fit_combiner(joined, logits.argmax(1) == truths)
        parts.append(Confidence(temperature, fold.space, trust).columns(fold.outputs))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    right = np.concatenate([each.outputs.logits.argmax(1) == each.labels for each in folds])
    return columns, right


def _open_folds(
    run: Path, data: Path, options: DataOptions
) -> tuple[list[FoldOutputs], list[str], SheetData]:
    out_of_fold = read_out_of_fold(run)
    group_of = dict(zip(out_of_fold.ids, out_of_fold.groups, strict=True))
    folds, units = [], []
    sheets: SheetData | None = None
    keys = sorted(set(zip(out_of_fold.repeat.tolist(), out_of_fold.fold.tolist(), strict=True)))
    for repeat, number in keys:
        folder = run / f"fold-{repeat}-{number}"
        fold = open_run(folder, data, replace(options, groups=None), allow_patches=True, sheets=sheets)
        _refuse_unknown_sheets(fold, data)
        model, sheets = fold.model, fold.data
        labels = np.asarray(sheets.labelled.labels)
        train, test = (fold.positions(name) for name in ("train", "test"))
        features = predict_views(model, np.asarray(sheets.images[train])).features.astype(np.float64)
        outputs = predict_views(model, np.asarray(sheets.images[test]))
        folds.append(FoldOutputs(repeat, outputs, labels[test], fit_feature_space(features, labels[train])))
        units += [group_of[sheets.ids[i]] for i in test.tolist()]
    if sheets is None:
        raise BadData(
            f"{run}: expected out-of-fold predictions, found none; run the same `train --folds` again"
        )
    return folds, units, sheets


def _refuse_unknown_sheets(fold: OpenRun, data: Path) -> None:
    if "" in fold.parts:
        raise BadData(
            f"{data}: sheet {fold.data.ids[fold.parts.index('')]} is unknown to {fold.folder}; "
            "give the folder the cross-validation was trained on"
        )


def _refuse_card(run: Path, card: Card) -> None:
    refuse_multilabel(run, card)
    refuse_without_validation(run, card, "to fit the temperature and the combined score on")


def _open_one(run: Path, data: Path, on: Path | None, part: str, options: DataOptions) -> _Evaluated:
    if part not in ("test", "unseen"):
        raise BadInput(f"--split: expected test or unseen, got {part!r}")
    check = partial(_refuse_card, run)
    own = open_run(run, data, options, allow_patches=True, check=check)
    other = own if on is None else open_run(run, on, options, allow_patches=True)
    chosen = {
        "train": (own.data, own.positions("train")),
        "validation": (own.data, own.positions("validation")),
        "evaluated": (other.data, other.choose(part if on is None else "unseen")),
    }
    parts = {
        name: (sheets, rows[np.asarray(sheets.labelled.labels)[rows] >= 0])
        for name, (sheets, rows) in chosen.items()
    }
    counts = {name: rows.size for name, (_, rows) in parts.items()}
    if not all(counts.values()):
        raise BadData(
            f"{data}: expected training, validation and {part} sheets of {run.name}, got {counts['train']}, "
            f"{counts['validation']} and {counts['evaluated']}; give the folder it was trained on"
        )
    outputs = {
        name: predict_views(own.model, np.asarray(sheets.images[rows]))
        for name, (sheets, rows) in parts.items()
    }
    truth = {name: np.asarray(sheets.labelled.labels)[rows] for name, (sheets, rows) in parts.items()}
    confidence = fit_confidence(outputs["train"], truth["train"], outputs["validation"], truth["validation"])
    sheets, rows = parts["evaluated"]
    groups_of = [sheets.groups[i] for i in rows.tolist()]
    right = outputs["evaluated"].logits.argmax(1) == truth["evaluated"]
    units = groups_of if any(groups_of) else None
    notes = tuple(other.seen.notes(part if on is None else "unseen"))
    columns = confidence.columns(outputs["evaluated"])
    return _Evaluated(columns, right, units, sheets.name, sheets.grouping, sheets.reading, notes)


def _write(out: Path, scored: ScoredSheets, seed: int, settings: Mapping[str, Any]) -> None:
    page = Document(
        "Confidence scores compared", subtitle=f"{scored.right.size} predictions on {scored.data}"
    )
    page.chapter("Scores")
    page.text(f"Fitted on {scored.how}.")
    for note in scored.notes:
        page.notice(note)
    page.facts({"groups": scored.groups, "rule of the groups": scored.grouping})
    curves = {}
    for name in (PERFECT, SOFTMAX, "trust"):
        if name in scored.columns or name == PERFECT:
            score = scored.columns.get(name, scored.right.astype(np.float64))
            curve = risk_coverage(scored.right, score)
            curves[SCORE_TITLES[name]] = (curve.coverage, curve.risk)
    page.figure(
        draw_risk_coverage(curves),
        id="risk-coverage",
        alt=describe_areas(scored.scores),
    )
    add_score_table(page, scored.scores, id="scores", which=f"{scored.right.size} predictions")
    page.chapter("Certifiable thresholds")
    page.table(
        ["score", "risk allowed", "with these sheets for calibration"],
        [
            [SCORE_TITLES[name], f"{found.risk:.0%}", found.statement]
            for name, several in scored.certificates.items()
            for found in several
        ],
        id="certificates",
        caption=f"Exact binomial bounds at {1 - DELTA:.0%}, one sheet a group",
    )
    page.footer(
        {
            "data": scored.data,
            "groups": scored.grouping,
            "read as": scored.reading,
            "seed": seed,
            **environment(),
        }
    )
    kept = keep_earlier(out, NUMBERS, settings, [PAGE, *page.figure_files()])
    page.save_page(out / PAGE)
    write_json(out / NUMBERS, plain(_numbers(scored, seed) | kept))


def _numbers(scored: ScoredSheets, seed: int) -> dict[str, Any]:
    return {
        "data": scored.data,
        "reading": scored.reading,
        "answers": int(scored.right.size),
        "accuracy": float(scored.right.mean()),
        "fitted_on": scored.how,
        "groups": {"rule": scored.grouping, "count": scored.groups},
        "notes": list(scored.notes),
        "seed": seed,
        "scores": [asdict(row) for row in scored.scores],
        "certificates": {
            name: [{**asdict(each), "statement": each.statement} for each in several]
            for name, several in scored.certificates.items()
        },
        "environment": environment(),
    }
