"""Compares runs on sheets that none of them was trained on: metrics, paired differences, McNemar's test.

Cross-validations are compared by their out-of-fold predictions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.classification import classification_report
from steelsight.evaluation.intervals.bootstrap import (
    IndexMetric,
    PairedDifference,
    group_index,
    paired_bootstrap,
)
from steelsight.evaluation.intervals.bounds import SAME_EVERYWHERE, bounded_pair
from steelsight.evaluation.intervals.paired import McNemar, mcnemar
from steelsight.evaluation.measures import measure
from steelsight.files import keep_earlier, write_json
from steelsight.models.card import Card
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.runs.out_of_fold import OutOfFold, read_out_of_fold
from steelsight.runs.settings import result_settings
from steelsight.sheets.grouping.groups import join_groups
from steelsight.sheets.options import AUTOMATIC, DataOptions
from steelsight.streams import stream
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData
from steelsight.training.predict import predict_logits
from steelsight.training.report.scores import probabilities_of
from steelsight.types import Interval, Labels, Probabilities, Task

__all__ = ["METRICS", "RunComparison", "compare_folds", "compare_runs", "weights_to"]

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_weighted": "F1, weighted",
    "auc": "AUC",
}
RESAMPLES = 300  # each ranks all sheets for every class


@dataclass(frozen=True)
class RunComparison:
    """One run on the common sheets, and against the first."""

    name: str
    metrics: dict[str, Interval]
    against_first: dict[str, PairedDifference]  # empty for the first
    mcnemar: McNemar | None  # the first run's answers first; None for the first


def compare_runs(
    runs: Sequence[Path],
    data: Path,
    options: DataOptions = AUTOMATIC,
    *,
    part: str = "unseen",
    noise_sigma: float = 0.0,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    out: Path | None = None,
) -> list[RunComparison]:
    """Compare two runs or more on the same sheets.

    shares  class shares to which the sheets are weighted; None = unweighted
    part    unseen, test, validation or train: the sheets of DATA that are in this part of every run
    out     folder for compare.html and compare.json; None = nothing is written
    raises  BadInput for fewer than two runs, other tasks, multilabel runs; BadData where classes differ or
            no sheet is left; BadCheckpoint
    """
    if len(runs) < 2:
        raise BadInput(f"compare: expected at least two runs, got {len(runs)}")
    predicted: list[_RunAnswers] = []
    for run in runs:
        first = predicted[0].data if predicted else None
        check = partial(_refuse_other_task, run, None if first is None else first.task)
        opened = open_run(run, data, options, allow_patches=True, check=check, sheets=first)
        predicted.append(_predict(opened, part, noise_sigma, seed))
    sheets = predicted[0].data
    common = sorted(set.intersection(*(each.chosen for each in predicted)))
    rows = np.array([i for i in common if sheets.keys[i] >= 0], dtype=np.int64)
    if not rows.size:
        raise BadData(
            f"{data}: no sheet is {part} for all {len(runs)} runs; bring sheets none of them has seen"
        )
    joined = join_groups(*(each.data.groups for each in predicted))  # runs may have different rules
    groups_of = [joined[i] for i in rows.tolist()]
    labels, names = sheets.keys[rows], sheets.labelled.class_names
    compared = _compare(
        _CommonAnswers(
            tuple(run.name for run in runs),
            tuple(each.probabilities[rows] for each in predicted),
            labels,
            groups_of if any(groups_of) else None,
            names,
            weights=None if shares is None else weights_to(shares, labels, names),
        ),
        seed,
    )
    if out is not None:
        title = f"{rows.size} {part} sheets of {sheets.name}" + _conditions(noise_sigma, shares)
        facts = {
            "data": sheets.name,
            "data_hash": sheets.data_hash,
            "split": part,
            "noise_sigma": noise_sigma,
            "shares": None if shares is None else list(shares),
            "sheets": rows.size,
            "groups": "; ".join(dict.fromkeys(each.data.grouping for each in predicted)),
            "reading": "; ".join(dict.fromkeys(each.data.reading for each in predicted)),
            "notes": [
                f"{run.name}: {note}"
                for run, each in zip(runs, predicted, strict=True)
                for note in each.notes
            ],
        }
        _write(out, compared, title, facts, seed, models=[each.weights_sha256 for each in predicted])
    return compared


def _conditions(noise_sigma: float, shares: Sequence[float] | None) -> str:
    """Noise and class shares of a comparison, for its title."""
    noise = f" at X + {noise_sigma:g}Z" if noise_sigma else ""
    listed = ", ".join(f"{share:.3g}" for share in shares or ())
    return noise + (f", weighted to shares of {listed}" if shares is not None else "")


@dataclass(frozen=True)
class _RunAnswers:
    """Probabilities of one run for all sheets of DATA, and the sheets that are in the part."""

    data: SheetData
    weights_sha256: str | None
    probabilities: Probabilities
    chosen: set[int]
    notes: list[str]  # on the part: what the run has seen of it


def _predict(run: OpenRun, part: str, noise_sigma: float, seed: int) -> _RunAnswers:
    chosen = set(run.choose(part).tolist())
    draws = torch.Generator().manual_seed(seed)
    logits = predict_logits(run.model, run.data.images, noise_sigma=noise_sigma, generator=draws)
    return _RunAnswers(
        run.data,
        run.card.weights_sha256,
        probabilities_of(logits, run.card.task),
        chosen,
        run.seen.notes(part),
    )


def compare_folds(folders: Sequence[Path], *, seed: int = 0, out: Path | None = None) -> list[RunComparison]:
    """Compare two cross-validations or more by out-of-fold predictions, all repeats of a sheet together.

    folders  as `train --folds` wrote them, of the same sheets, groups and repeats
    returns  McNemar's test uses the first repeat alone, in which every sheet occurs once
    raises   BadInput for fewer than two, a multilabel one, or where sheets, classes or repeats differ
    """
    if len(folders) < 2:
        raise BadInput(f"compare: expected at least two cross-validations, got {len(folders)}")
    several = [read_out_of_fold(folder) for folder in folders]
    first = several[0]
    for folder, other in zip(folders[1:], several[1:], strict=True):
        _refuse_other_sheets(folder, first, folders[0], other)
    rows = _CommonAnswers(
        tuple(folder.name for folder in folders),
        tuple(probabilities_of(each.logits, "multiclass") for each in several),
        first.labels,
        first.groups,
        first.class_names,
        once=first.repeat == 0,
    )
    found = _compare(rows, seed)
    if out is not None:
        repeats = int(first.repeat.max()) + 1
        sheets = int((first.repeat == 0).sum())
        times = f", {repeats} times" * (repeats > 1)
        facts = {"data": first.data, "data_hash": first.data_hash, "split": "out of fold", "repeats": repeats}
        title = f"{sheets} sheets of {first.data}, out-of-fold predictions{times}"
        models = [hashlib.sha256(each.logits.tobytes()).hexdigest() for each in several]
        _write(out, found, title, facts | {"sheets": sheets}, seed, models=models)
    return found


def weights_to(
    shares: Sequence[float], labels: Labels, class_names: Sequence[str]
) -> Float[np.ndarray, " n"]:
    """Sheet weights with which the classes have these shares, (n,); the mean is 1.

    raises  BadInput unless there is one share of at least 0 a class, not all 0, and sheets of each class that
            has one
    """
    wanted, counts = np.array(shares, dtype=float), np.bincount(labels, minlength=len(class_names))
    if (
        wanted.size != len(class_names)
        or not np.isfinite(wanted).all()
        or wanted.min() < 0
        or not wanted.any()
    ):
        raise BadInput(
            f"shares: expected {len(class_names)} of at least 0, of {', '.join(class_names)}; "
            f"got {list(shares)}"
        )
    if (counts[wanted > 0] == 0).any():
        missing = class_names[int(np.flatnonzero((wanted > 0) & (counts == 0))[0])]
        raise BadInput(f"shares: expected sheets of {missing} to weigh, found none; set its share to 0")
    each = np.divide(wanted / wanted.sum(), counts, out=np.zeros(wanted.size), where=counts > 0)
    weights: Float[np.ndarray, " n"] = each[labels] * labels.size
    return weights


def _refuse_other_task(run: Path, task: Task | None, card: Card) -> None:
    """Raise BadInput for a multilabel run, or one of another task than the first run's."""
    if card.task == "multilabel" or (task is not None and card.task != task):
        wanted = task or "binary or multiclass"
        raise BadInput(f"{run}: expected a {wanted} run like the others, got {card.task}")


def _refuse_other_sheets(folder: Path, first: OutOfFold, first_folder: Path, other: OutOfFold) -> None:
    if first.class_names != other.class_names:
        raise BadInput(
            f"{folder}: expected the classes of {first_folder}, {', '.join(first.class_names)}, "
            f"got {', '.join(other.class_names)}"
        )
    same = first.ids == other.ids and np.array_equal(first.repeat, other.repeat)
    if not same or first.groups != other.groups or not np.array_equal(first.labels, other.labels):
        raise BadInput(
            f"{folder}: expected the sheets, groups and repeats of {first_folder}, got others; "
            "train both by `steelsight train --folds K --repeats N --groups RULE` with the same values"
        )


@dataclass(frozen=True)
class _CommonAnswers:
    """Predictions of several models for the same sheets."""

    names: tuple[str, ...]
    answers: tuple[Probabilities, ...]
    labels: Labels
    units: Sequence[str] | None
    class_names: tuple[str, ...]
    once: Bool[np.ndarray, " r"] | None = None  # rows McNemar's test counts; None = all
    weights: Float[np.ndarray, " r"] | None = None  # of the rows, for all but McNemar's test; None = alike


def _compare(rows: _CommonAnswers, seed: int) -> list[RunComparison]:
    labels, units, answers, names = rows.labels, rows.units, rows.answers, rows.names
    once = np.ones(labels.size, dtype=bool) if rows.once is None else rows.once
    weights = np.ones(labels.size) if rows.weights is None else rows.weights
    first = _scores(labels, answers[0], weights)
    groups = int(group_index(units, labels.size).max()) + 1
    found = []
    for number, (name, mine) in enumerate(zip(names, answers, strict=True)):
        report = classification_report(
            labels,
            mine,
            rows.class_names,
            groups=units,
            rng=stream(seed, "compare-metrics"),
            weights=rows.weights,
        )
        paired, scores = {}, _scores(labels, mine, weights)
        for metric in METRICS if number else ():
            drawn = paired_bootstrap(
                scores[metric],
                first[metric],
                labels.size,
                units,
                rng=stream(seed, "compare-paired"),
                resamples=RESAMPLES,
            )
            paired[metric] = bounded_pair(drawn, groups)
        right = [(each.argmax(axis=1) == labels)[once] for each in (answers[0], mine)]
        found.append(
            RunComparison(
                name,
                {metric: getattr(report, metric) for metric in METRICS},
                paired,
                mcnemar(right[0], right[1]) if number else None,
            )
        )
    return found


def _scores(
    labels: Labels, probabilities: Float[np.ndarray, "n c"], weights: Float[np.ndarray, " n"]
) -> dict[str, IndexMetric]:
    """One function a metric; all metrics of a resample are computed once, because they are drawn alike."""

    @cache
    def measured(drawn: bytes) -> dict[str, float]:
        rows = np.frombuffer(drawn, dtype=np.int64)
        found = measure(labels[rows], probabilities[rows], weights[None, rows])
        return {metric: float(found[metric][0]) for metric in METRICS}

    def score(metric: str, rows: Int[np.ndarray, " r"]) -> float:
        return measured(rows.tobytes())[metric]

    return {metric: partial(score, metric) for metric in METRICS}


def _write(
    out: Path,
    found: Sequence[RunComparison],
    title: str,
    facts: dict[str, Any],
    seed: int,
    *,
    models: Sequence[str | None],
) -> None:
    """Write page and numbers.

    models  checksum of each run's weights, or of a cross-validation's predictions
    """
    page = Document("Runs compared", subtitle=title)
    page.chapter("Figures")
    for note in facts.get("notes", []):
        page.notice(note)
    page.table(
        ["run", *METRICS.values()],
        [[each.name, *each.metrics.values()] for each in found],
        id="figures",
        caption="Each run by itself, 95 % intervals by group",
    )
    page.chapter(f"Against {found[0].name}")
    page.table(
        ["run", *METRICS.values(), "right alone", "McNemar p"],
        [
            [each.name, *(paired.difference for paired in each.against_first.values()), *_right_alone(each)]
            for each in found[1:]
        ],
        id="differences",
        caption="Differences on the same sheets",
        note="An interval without 0 is a significant difference. Right alone: sheets that the run has right "
        f"and {found[0].name} wrong, then the reverse. McNemar's test assumes independent sheets; where "
        f"sheets are grouped, use the intervals. {SAME_EVERYWHERE}",
    )
    groups = facts.get("groups", "those of the cross-validations")
    page.footer(
        {
            "data": f"{facts['data']} ({facts['data_hash']})",
            "groups": groups,
            "read as": facts.get("reading", "as in the cross-validations"),
            "seed": seed,
            **environment(),
        }
    )
    settings = result_settings("compare", seed=seed, models=models, **facts)
    facts = facts | keep_earlier(out, "compare.json", settings, ["compare.html"])
    page.save_page(out / "compare.html")
    numbers = facts | {"seed": seed, "runs": [asdict(each) for each in found], "environment": environment()}
    write_json(out / "compare.json", plain(numbers))


def _right_alone(found: RunComparison) -> tuple[str | None, str | None]:
    test = found.mcnemar
    return (
        (None, None) if test is None else (f"{test.second_only} / {test.first_only}", f"{test.p_value:.2g}")
    )
