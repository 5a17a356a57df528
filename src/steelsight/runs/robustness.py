"""Robustness of a run to noise and corruptions of a line camera: curves over the level of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.evaluation.probabilities import softmax
from steelsight.evaluation.robustness.corruptions import CORRUPTIONS
from steelsight.evaluation.robustness.noise import STUDY_SIGMA
from steelsight.evaluation.robustness.sweeps import SweepPoint, sweep_corruption, sweep_study_noise
from steelsight.files import keep_earlier
from steelsight.models.catalog import SheetClassifier
from steelsight.reports.document import Document
from steelsight.reports.figures import draw_sweep
from steelsight.runs.opening.open import OpenRun, open_run
from steelsight.runs.options import RobustnessOptions
from steelsight.runs.settings import result_settings
from steelsight.streams import stream
from steelsight.training.predict import predict_logits
from steelsight.types import GrayBatch, Labels, Probabilities

__all__ = ["DISTURBANCES", "STUDY_NOISE", "RobustnessReport", "measure_robustness", "sweep_disturbances"]

PAGE = "report.html"

STUDY_NOISE = "study_noise"
DISTURBANCES: dict[str, tuple[str, str]] = {  # title, unit of the level
    STUDY_NOISE: ("The study's noise", "σ, normalised units"),
    **{kind: (each.title, each.unit) for kind, each in CORRUPTIONS.items()},
}


@dataclass(frozen=True)
class RobustnessReport:
    """Curves that were written to a folder."""

    folder: Path
    lines: tuple[str, ...]  # one sentence a disturbance
    numbers: dict[str, Any]  # of report.json

    @property
    def page(self) -> Path:
        """The report."""
        return self.folder / PAGE


def measure_robustness(
    run: Path,
    data: Path,
    options: RobustnessOptions,
    *,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> RobustnessReport:
    """Sweep every disturbance over sheets of one part of a run; write page, numbers and figures.

    out     folder to write; None = RUN/robustness-SPLIT
    raises  BadInput for a multilabel run; BadData where the part holds no sheet of one class
    """
    opened = open_run(run, data, options)
    if opened.card.task == "multilabel":
        raise BadInput(f"{run}: expected a binary or multiclass model, got multilabel")
    split, seed = options.split, options.seed
    rows = [i for i in opened.positions(split).tolist() if opened.data.keys[i] >= 0]
    if not rows:
        raise BadData(f"{data}: expected {split} sheets of the run with one answer, found none")
    drawn = stream(seed, "robustness-sheets").permutation(np.array(rows, dtype=np.int64))
    chosen = np.sort(drawn[: options.limit])
    page = Document("What noise and the camera do", subtitle=f"{run.name} on {data.resolve().name}, {split}")
    page.chapter("Curves", lead=f"{chosen.size} sheets; level 0 is the sheets as they are.")
    curves: dict[str, Any] = {}
    lines = []
    for done, (kind, (title, unit)) in enumerate(DISTURBANCES.items(), 1):
        points = _sweep_rows(opened, chosen, kind, seed)
        curves[kind] = {"unit": unit, "points": [asdict(point) for point in points]}
        lines.append(_describe(title, points))
        marked = STUDY_SIGMA if "noise" in kind else None
        figure = draw_sweep({run.name: points}, title=title, unit=unit, marked=marked)
        page.figure(figure, id=kind, alt=lines[-1], caption=lines[-1])
        progress(done, len(DISTURBANCES))
    folder = out if out is not None else run / f"robustness-{split}"
    read_as = {"groups": opened.data.grouping, "reading": opened.data.reading}
    page.footer({"data": f"{opened.data.name} ({opened.data.data_hash})", **read_as, "seed": seed})
    numbers = {
        "run": str(run),
        "split": split,
        "sheets": int(chosen.size),
        **read_as,
        "seed": seed,
        "curves": curves,
    }
    settings = result_settings("robustness", options, cards=[opened.card], data_hash=opened.data.data_hash)
    numbers |= keep_earlier(folder, "report.json", settings, [PAGE])
    page.save(folder / PAGE, **numbers)
    return RobustnessReport(folder, tuple(lines), numbers)


def sweep_disturbances(
    model: SheetClassifier,
    images: GrayBatch,
    labels: Labels,
    kinds: Sequence[str],
    *,
    seed: int,
    groups: Groups | None = None,
    resamples: int = 200,
) -> dict[str, tuple[SweepPoint, ...]]:
    """A curve each of the disturbances asked for; all levels and models see the same random numbers.

    labels  (n,) class index
    raises  BadInput for a disturbance that does not exist, or no sheets
    """
    found = {}
    for kind in kinds:
        if kind == STUDY_NOISE:
            found[kind] = sweep_study_noise(
                _noisy(model, images, seed), labels, rng_seed=seed, groups=groups, resamples=resamples
            )
        else:
            found[kind] = sweep_corruption(
                _plain(model), images, labels, kind, rng_seed=seed, groups=groups, resamples=resamples
            )
    return found


def _plain(model: SheetClassifier) -> Callable[[GrayBatch], Probabilities]:
    return lambda images: softmax(predict_logits(model, images).astype(np.float64))


def _noisy(model: SheetClassifier, images: GrayBatch, seed: int) -> Callable[[float], Probabilities]:
    def ask(sigma: float) -> Probabilities:
        noise = torch.Generator().manual_seed(seed)  # anew: all levels are the same Z
        logits = predict_logits(model, images, noise_sigma=sigma, generator=noise)
        return softmax(logits.astype(np.float64))

    return ask


def _sweep_rows(run: OpenRun, rows: Int[np.ndarray, " m"], kind: str, seed: int) -> tuple[SweepPoint, ...]:
    names = [run.groups[i] for i in rows.tolist()]
    images, labels = np.asarray(run.data.images[rows]), run.data.keys[rows]
    groups = names if any(names) else None
    return sweep_disturbances(run.model, images, labels, (kind,), seed=seed, groups=groups)[kind]


def _describe(title: str, points: Sequence[SweepPoint]) -> str:
    first, *others = points
    levels = ", ".join(f"{point.balanced_accuracy:.2f} at {point.level:g}" for point in others)
    return f"{title}: balanced accuracy {first.balanced_accuracy:.2f} → {levels}"
