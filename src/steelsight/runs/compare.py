"""Several runs on the sheets none of them has seen: who is better, and whether that is more than luck.

Cross-validations are compared by their out-of-fold answers, each by a model that never saw it.
"""

from __future__ import annotations

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
from steelsight.evaluation.intervals.bootstrap import IndexMetric, PairedDifference, paired_bootstrap
from steelsight.evaluation.intervals.paired import McNemar, mcnemar
from steelsight.evaluation.measures import measure
from steelsight.files import replace_file, write_json
from steelsight.models.checkpoint import load_checkpoint
from steelsight.plain import plain
from steelsight.reports.document import Document
from steelsight.runs.out_of_fold import OutOfFold, read_out_of_fold
from steelsight.runs.seen_sheets import SeenSheets, refuse_other_classes
from steelsight.streams import stream
from steelsight.training.conclude import environment
from steelsight.training.dataset import SheetData, open_sheets
from steelsight.training.predict import predict_logits
from steelsight.training.records import read_splits
from steelsight.training.report.scores import probabilities_of
from steelsight.types import Interval, Labels, Probabilities

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
    *,
    part: str = "unseen",
    noise_sigma: float = 0.0,
    shares: Sequence[float] | None = None,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    out: Path | None = None,
) -> list[RunComparison]:
    """Judge two runs or more on the same sheets.

    shares  of the classes, to which the sheets are weighted; None = as they are
    part    unseen, test, validation or train: the sheets of DATA that are in it for every run
    out     where compare.html and compare.json go; None = nowhere
    raises  BadInput for fewer than two runs, other tasks, multilabel runs; BadData where classes differ or
            no sheet is left; BadCheckpoint
    """
    if len(runs) < 2:
        raise BadInput(f"compare: expected at least two runs, got {len(runs)}")
    answers: list[Probabilities] = []
    common: list[set[int]] = []
    opened: list[SheetData] = []
    for run in runs:
        model, card = load_checkpoint(run)
        if card.task == "multilabel" or (opened and card.task != opened[0].task):
            wanted = opened[0].task if opened else "binary or multiclass"
            raise BadInput(f"{run}: expected a {wanted} run like the others, got {card.task}")
        sheets = open_sheets(data, card.task, card.input, groups=groups, allow_bad=allow_bad)
        refuse_other_classes(sheets, card, data)
        common.append(set(SeenSheets(read_splits(run), sheets).choose(part, run).tolist()))
        draws = torch.Generator().manual_seed(seed)
        logits = predict_logits(model, sheets.images, noise_sigma=noise_sigma, generator=draws)
        answers.append(probabilities_of(logits, card.task))
        opened.append(sheets)
    first = opened[0]
    kept = sorted(set.intersection(*common))
    rows = np.array([i for i in kept if first.keys[i] >= 0], dtype=np.int64)
    if not rows.size:
        raise BadData(
            f"{data}: no sheet is {part} for all {len(runs)} runs; bring sheets none of them has seen"
        )
    groups_of = [first.groups[i] for i in rows.tolist()]
    bout = _CommonAnswers(
        tuple(run.name for run in runs),
        tuple(each[rows] for each in answers),
        first.keys[rows],
        groups_of if any(groups_of) else None,
        first.labelled.class_names,
        weights=None if shares is None else weights_to(shares, first.keys[rows], first.labelled.class_names),
    )
    found = _compare(bout, seed)
    if out is not None:
        noise = f" at X + {noise_sigma:g}Z" if noise_sigma else ""
        told = {"data": first.name, "data_hash": first.data_hash, "split": part, "noise_sigma": noise_sigma}
        told["shares"] = None if shares is None else list(shares)
        shifted = "" if shares is None else ", weighted to shares of " + ", ".join(f"{s:.3g}" for s in shares)
        title = f"{rows.size} {part} sheets of {first.name}{noise}{shifted}"
        _write(out, found, title, told | {"sheets": rows.size}, seed)
    return found


def compare_folds(folders: Sequence[Path], *, seed: int = 0, out: Path | None = None) -> list[RunComparison]:
    """Judge two cross-validations or more by their out-of-fold answers, all repeats of a sheet together.

    folders  as `train --folds` wrote them, of the same sheets, groups and repeats
    returns  McNemar's test counts the first repeat alone, whose sheets come once
    raises   BadInput for fewer than two, a multilabel one, or where sheets, classes or repeats differ
    """
    if len(folders) < 2:
        raise BadInput(f"compare: expected at least two cross-validations, got {len(folders)}")
    several = [read_out_of_fold(folder) for folder in folders]
    first = several[0]
    for folder, other in zip(folders[1:], several[1:], strict=True):
        _refuse_other_sheets(folder, first, folders[0], other)
    bout = _CommonAnswers(
        tuple(folder.name for folder in folders),
        tuple(probabilities_of(each.logits, "multiclass") for each in several),
        first.labels,
        first.groups,
        first.class_names,
        once=first.repeat == 0,
    )
    found = _compare(bout, seed)
    if out is not None:
        repeats = int(first.repeat.max()) + 1
        sheets = int((first.repeat == 0).sum())
        times = f", {repeats} times" * (repeats > 1)
        told = {"data": first.data, "data_hash": first.data_hash, "split": "out of fold", "repeats": repeats}
        title = f"{sheets} sheets of {first.data}, each judged out of its fold{times}"
        _write(out, found, title, told | {"sheets": sheets}, seed)
    return found


def weights_to(
    shares: Sequence[float], labels: Labels, class_names: Sequence[str]
) -> Float[np.ndarray, " n"]:
    """What each sheet counts so that the classes have these shares; the mean is 1.

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
            "train both with the same --groups and --repeats"
        )


@dataclass(frozen=True)
class _CommonAnswers:
    """Answers of several models to the same rows."""

    names: tuple[str, ...]
    answers: tuple[Probabilities, ...]
    labels: Labels
    units: Sequence[str] | None
    class_names: tuple[str, ...]
    once: Bool[np.ndarray, " r"] | None = None  # rows McNemar's test counts; None = all
    weights: Float[np.ndarray, " r"] | None = None  # of the rows, for all but McNemar's test; None = alike


def _compare(bout: _CommonAnswers, seed: int) -> list[RunComparison]:
    labels, units, answers, names = bout.labels, bout.units, bout.answers, bout.names
    once = np.ones(labels.size, dtype=bool) if bout.once is None else bout.once
    weights = np.ones(labels.size) if bout.weights is None else bout.weights
    first = _scores(labels, answers[0], weights)
    found = []
    for number, (name, mine) in enumerate(zip(names, answers, strict=True)):
        report = classification_report(
            labels,
            mine,
            bout.class_names,
            groups=units,
            rng=stream(seed, "compare-metrics"),
            weights=bout.weights,
        )
        paired, scores = {}, _scores(labels, mine, weights)
        for metric in METRICS if number else ():
            paired[metric] = paired_bootstrap(
                scores[metric],
                first[metric],
                labels.size,
                units,
                rng=stream(seed, "compare-paired"),
                resamples=RESAMPLES,
            )
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


def _write(out: Path, found: Sequence[RunComparison], title: str, told: dict[str, Any], seed: int) -> None:
    page = Document("Runs compared", subtitle=title)
    page.chapter("Figures")
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
            [each.name, *(paired.difference for paired in each.against_first.values()), *_alone(each)]
            for each in found[1:]
        ],
        id="differences",
        caption="Differences on the same sheets",
        note="A bracket that leaves out 0 decides. Right alone: sheets that the run has right and "
        f"{found[0].name} wrong, then the other way round. McNemar's test takes sheets as independent; where "
        "groups of them are not, go by the brackets.",
    )
    page.footer({"data": f"{told['data']} ({told['data_hash']})", "seed": seed, **environment()})
    replace_file(out / "compare.html", page.render().encode())
    numbers = told | {"seed": seed, "runs": [asdict(each) for each in found], "environment": environment()}
    write_json(out / "compare.json", plain(numbers))


def _alone(found: RunComparison) -> tuple[str | None, str | None]:
    test = found.mcnemar
    return (
        (None, None) if test is None else (f"{test.second_only} / {test.first_only}", f"{test.p_value:.2g}")
    )
