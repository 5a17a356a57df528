"""What a model's confidence is worth on sheets it never saw, by every score, and what could be promised.

One run fits temperature, feature space and combined score on its training and validation sheets. A
cross-validation keeps no validation sheets: what is fitted for one fold comes from the out-of-fold answers of
the other folds of the same repeat, whose groups are others by construction (cross-fitting).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
from steelsight.files import replace_file, write_json
from steelsight.models.checkpoint import load_checkpoint
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
from steelsight.runs.out_of_fold import is_cross_validation, read_out_of_fold
from steelsight.runs.seen_sheets import SeenSheets, refuse_other_classes
from steelsight.streams import stream
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.training.predict import ModelOutputs, predict_views
from steelsight.training.records import pixel_hashes, positions_of, read_splits

__all__ = ["ScoredSheets", "compare_confidence_scores", "cross_fit"]

RESAMPLES = 300  # each sorts every score
PAGE, NUMBERS = "confidence.html", "confidence.json"

Positions = Int[np.ndarray, "_"]


@dataclass(frozen=True)
class ScoredSheets:
    """Every score on the same sheets, and the thresholds that each of two of them could certify."""

    scores: tuple[ScoreRow, ...]
    certificates: dict[str, tuple[Certificate, ...]]  # by score, one a risk of RISKS
    right: Bool[np.ndarray, " n"]
    columns: Columns
    how: str  # where what is fitted came from
    data: str


@dataclass(frozen=True)
class FoldOutputs:
    """What one model says of its own out-of-fold sheets, and where its training sheets lie."""

    repeat: int
    told: ModelOutputs
    labels: Int[np.ndarray, " n"]
    space: FeatureSpace


def compare_confidence_scores(
    run: Path,
    data: Path,
    *,
    part: str = "test",
    on: Path | None = None,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    resamples: int = RESAMPLES,
    out: Path | None = None,
) -> ScoredSheets:
    """Judge a run, or a cross-validation, and write confidence.html and confidence.json.

    part    test, or unseen by the run; a cross-validation always judges every sheet out of its fold
    on      another DATA folder whose unseen sheets judge; None = those of `data`
    groups  rule that keeps sheets together, for intervals; a cross-validation keeps its own
    out     default RUN
    raises  BadInput for multilabel; BadData where classes differ or no sheet is left; BadCheckpoint
    """
    units: list[str] | None
    if is_cross_validation(run):
        if on is not None:
            raise BadInput(f"{run}: a cross-validation judges its own sheets; leave --on out")
        folds, units, name = _open_folds(run, data, allow_bad=allow_bad)
        columns, right = cross_fit(folds)
        how = "the out-of-fold answers of the other folds"
    else:
        columns, right, units, name = _open_one(run, data, on, part, groups, allow_bad)
        how = "the run's validation sheets"
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
    judged = ScoredSheets(tuple(scores), certificates, right, columns, how, name)
    _write(out or run, judged, seed)
    return judged


def cross_fit(folds: Sequence[FoldOutputs]) -> tuple[Columns, Bool[np.ndarray, " n"]]:
    """Scores and rightness of all folds' answers in their order, nothing fitted on the fold it is told of.

    raises  BadInput where a repeat has one fold alone
    """
    parts = []
    for mine in folds:
        others = [each for each in folds if each is not mine and each.repeat == mine.repeat]
        if not others:
            raise BadInput(f"cross-fitting: expected at least two folds of repeat {mine.repeat}, got one")
        logits = np.concatenate([each.told.logits for each in others])
        truths = np.concatenate([each.labels for each in others])
        temperature = fit_temperature(logits, truths)
        known = [unbounded(Confidence(temperature, each.space, None).columns(each.told)) for each in others]
        joined = {name: np.concatenate([each[name] for each in known]) for name in known[0]}
        trust = fit_combiner(joined, logits.argmax(1) == truths)
        parts.append(Confidence(temperature, mine.space, trust).columns(mine.told))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    right = np.concatenate([each.told.logits.argmax(1) == each.labels for each in folds])
    return columns, right


def _open_folds(run: Path, data: Path, *, allow_bad: int) -> tuple[list[FoldOutputs], list[str], str]:
    outside = read_out_of_fold(run)
    group_of = dict(zip(outside.ids, outside.groups, strict=True))
    folds, units = [], []
    sheets: SheetData | None = None
    keys = sorted(set(zip(outside.repeat.tolist(), outside.fold.tolist(), strict=True)))
    for repeat, number in keys:
        folder = run / f"fold-{repeat}-{number}"
        model, card = load_checkpoint(folder)
        if sheets is None:
            sheets = open_sheets(data, card.task, card.input, allow_bad=allow_bad)
            refuse_other_classes(sheets, card, data)
        parts = _parts(folder, sheets, data)
        labels = np.asarray(sheets.labelled.labels)
        train, test = (positions_of(parts, name) for name in ("train", "test"))
        features = predict_views(model, np.asarray(sheets.images[train])).features.astype(np.float64)
        told = predict_views(model, np.asarray(sheets.images[test]))
        folds.append(FoldOutputs(repeat, told, labels[test], fit_feature_space(features, labels[train])))
        units += [group_of[sheets.ids[i]] for i in test.tolist()]
    if sheets is None:
        raise BadData(f"{run}: expected out-of-fold answers, found none; run the same `train --folds` again")
    return folds, units, sheets.name


def _parts(folder: Path, sheets: SheetData, data: Path) -> list[str]:
    """The part each sheet was in, recognised by name and pixels; raises BadData where one is unknown."""
    rows = {(row.id, row.pixels): row.split for row in read_splits(folder)}
    parts = [rows.get(key) for key in zip(sheets.ids, pixel_hashes(sheets.images), strict=True)]
    if None in parts:
        raise BadData(
            f"{data}: sheet {sheets.ids[parts.index(None)]} is unknown to {folder}; "
            "give the folder the cross-validation was trained on"
        )
    return [part or "" for part in parts]


def _open_one(
    run: Path, data: Path, on: Path | None, part: str, groups: str | None, allow_bad: int
) -> tuple[Columns, Bool[np.ndarray, " n"], list[str] | None, str]:
    if part not in ("test", "unseen"):
        raise BadInput(f"--split: expected test or unseen, got {part!r}")
    model, card = load_checkpoint(run)
    if card.task == "multilabel":
        raise BadInput(f"{run}: expected a binary or multiclass run, got multilabel")
    parts: dict[str, tuple[SheetData, Positions]] = {}
    for folder, names in ((data, ("train", "validation")), (on or data, (part if on is None else "unseen",))):
        sheets = open_sheets(folder, card.task, card.input, groups=groups, allow_bad=allow_bad)
        refuse_other_classes(sheets, card, folder)
        memory = SeenSheets(read_splits(run), sheets)
        for name in names:
            known = name in ("train", "validation")
            rows = positions_of(memory.part, name) if known else memory.choose(name, run)
            single = np.asarray(sheets.labelled.labels)[rows] >= 0
            parts[name if known else "judged"] = (sheets, rows[single])
    counts = {name: rows.size for name, (_, rows) in parts.items()}
    if not all(counts.values()):
        raise BadData(
            f"{data}: expected training, validation and {part} sheets of {run.name}, got {counts['train']}, "
            f"{counts['validation']} and {counts['judged']}; give the folder it was trained on"
        )
    told = {
        name: predict_views(model, np.asarray(sheets.images[rows])) for name, (sheets, rows) in parts.items()
    }
    truth = {name: np.asarray(sheets.labelled.labels)[rows] for name, (sheets, rows) in parts.items()}
    confidence = fit_confidence(told["train"], truth["train"], told["validation"], truth["validation"])
    sheets, rows = parts["judged"]
    groups_of = [sheets.groups[i] for i in rows.tolist()]
    right = told["judged"].logits.argmax(1) == truth["judged"]
    units = groups_of if any(groups_of) else None
    return confidence.columns(told["judged"]), right, units, sheets.name


def _write(out: Path, judged: ScoredSheets, seed: int) -> None:
    page = Document("What confidence is worth", subtitle=f"{judged.right.size} answers on {judged.data}")
    page.chapter("Scores")
    page.text(f"What had to be fitted was fitted on {judged.how}.")
    curves = {}
    for name in (PERFECT, SOFTMAX, "trust"):
        if name in judged.columns or name == PERFECT:
            score = judged.columns.get(name, judged.right.astype(np.float64))
            curve = risk_coverage(judged.right, score)
            curves[SCORE_TITLES[name]] = (curve.coverage, curve.risk)
    page.figure(
        draw_risk_coverage(curves),
        id="risk-coverage",
        alt=describe_areas(judged.scores),
    )
    add_score_table(page, judged.scores, id="scores", which=f"{judged.right.size} answers")
    page.chapter("What could be promised")
    page.table(
        ["score", "risk allowed", "with these sheets as calibration"],
        [
            [SCORE_TITLES[name], f"{found.risk:.0%}", found.statement]
            for name, several in judged.certificates.items()
            for found in several
        ],
        id="certificates",
        caption=f"Exact binomial bounds at {1 - DELTA:.0%}, one sheet a group",
    )
    page.footer({"data": judged.data, "seed": seed, **environment()})
    replace_file(out / PAGE, page.render().encode())
    write_json(out / NUMBERS, plain(_numbers(judged, seed)))


def _numbers(judged: ScoredSheets, seed: int) -> dict[str, Any]:
    return {
        "data": judged.data,
        "answers": int(judged.right.size),
        "accuracy": float(judged.right.mean()),
        "fitted_on": judged.how,
        "seed": seed,
        "scores": [asdict(row) for row in judged.scores],
        "certificates": {
            name: [{**asdict(each), "statement": each.statement} for each in several]
            for name, several in judged.certificates.items()
        },
        "environment": environment(),
    }
