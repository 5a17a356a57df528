"""How good a finished run is on its own test part or any other DATA folder, never on what it learnt.

A sheet is recognised by its bytes at model size, under whatever name and in whatever folder it lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from steelsight.errors import BadData, BadInput
from steelsight.models.checkpoint import Card, load_checkpoint
from steelsight.training.atomic import write_json
from steelsight.training.conclude import describe_data, environment
from steelsight.training.lesson import SheetData, open_sheets
from steelsight.training.pages import write_evaluation_page
from steelsight.training.predict import predict_logits
from steelsight.training.records import (
    APART,
    METRICS_FILE,
    PREDICTIONS_FILE,
    SplitRow,
    pixel_hashes,
    read_splits,
    write_predictions,
)
from steelsight.training.scores import answers_in_words, probabilities_of, report_apart, report_part

__all__ = ["EVALUATED", "Evaluation", "evaluate_run"]

EVALUATED = ("unseen", "test", "validation", "train", "all")

Positions = Int[np.ndarray, " p"]


@dataclass(frozen=True)
class Evaluation:
    """What was found, and where it is written."""

    folder: Path
    metrics: dict[str, Any]


def evaluate_run(
    run: Path,
    data: Path,
    *,
    part: str = "unseen",
    noise_sigma: float = 0.0,
    groups: str | None = None,
    allow_bad: int = 0,
    seed: int = 0,
    out: Path | None = None,
) -> Evaluation:
    """Judge a run on a DATA folder.

    part         unseen: whatever the run neither trained on nor chose its best epoch by, nor shares a group
                 with; test, validation, train: that part of the run's own split; all: refused where the run
                 trained on any of it
    noise_sigma  judge on X + sigma Z, see predict_logits
    groups       rule that keeps sheets together: for intervals, and so that a trained sheet's group is seen
    out          default RUN/evaluations/NAME-PART
    raises       BadData where no sheet is left or seen ones would be judged; BadCheckpoint; BadInput
    """
    if part not in EVALUATED:
        raise BadInput(f"part: expected one of {', '.join(EVALUATED)}, got {part!r}")
    model, card = load_checkpoint(run)
    sheets = open_sheets(data, card.task, card.input, groups=groups, allow_bad=allow_bad)
    _refuse_other_classes(sheets, card, data)
    memory = _Memory(read_splits(run), sheets)
    chosen = memory.choose(part, run)
    folder = out or run / "evaluations" / (
        f"{sheets.name}-{part}" + (f"-noise{noise_sigma:g}" * (noise_sigma > 0))
    )
    generator = torch.Generator().manual_seed(seed)
    logits = predict_logits(model, sheets.images, noise_sigma=noise_sigma, generator=generator)
    single = chosen[sheets.keys[chosen] >= 0]
    several = chosen[sheets.keys[chosen] < 0]
    parts = [part if i in set(chosen.tolist()) else "left out" for i in range(len(sheets.items))]
    metrics = {
        "run": run.name,
        "part": part,
        "noise_sigma": noise_sigma,
        "seed": seed,
        "task": card.task,
        "class_names": list(card.class_names),
        "mask_supervised": card.mask_supervised,
        "data": describe_data(sheets, parts),
        "notes": memory.notes(part),
        "report": report_part(sheets, logits, single, seed=seed),
        "apart": report_apart(sheets, logits, several, memory.trained) if several.size else None,
        "environment": environment(),
    }
    probabilities = probabilities_of(logits, sheets.task)
    write_predictions(
        folder / PREDICTIONS_FILE, sheets, parts, answers_in_words(logits, sheets), probabilities, logits
    )
    write_evaluation_page(folder, metrics, sheets, logits, single)
    write_json(folder / METRICS_FILE, metrics)
    return Evaluation(folder, metrics)


class _Memory:
    """What a run knows of a folder's sheets."""

    def __init__(self, rows: list[SplitRow], data: SheetData) -> None:
        self.data = data
        parts: dict[str, set[str]] = {}
        own = {(row.id, row.pixels): row.split for row in rows}
        for row in rows:
            parts.setdefault(row.pixels, set()).add(row.split)
        hashes = pixel_hashes(data.images)
        # A test sheet with the same bytes as a training sheet is a training sheet, unless it is the very row.
        self.part = [own.get((item.id, pixels), "") for item, pixels in zip(data.items, hashes, strict=True)]
        self.known = [parts.get(pixels, set()) for pixels in hashes]
        self.trained = np.array([i for i, known in enumerate(self.known) if "train" in known], dtype=np.int64)
        learnt = [i for i, known in enumerate(self.known) if known & {"train", "validation"}]
        groups = {data.groups[i] for i in learnt} - {""}
        self.seen = set(learnt) | {i for i, group in enumerate(data.groups) if group in groups}

    def choose(self, part: str, run: Path) -> Positions:
        """The positions of a part; raises BadData where it is empty, or `all` holds training sheets."""
        count = len(self.data.items)
        if part == "unseen":
            chosen = [i for i in range(count) if i not in self.seen]
        elif part == "all":
            if self.trained.size:
                raise BadData(
                    f"{self.data.name}: {self.trained.size} of {count} sheets trained {run.name}, so figures "
                    "on them say nothing; evaluate --split unseen, or --split train if that is wanted"
                )
            chosen = list(range(count))
        else:
            chosen = [i for i in range(count) if self._in_part(i, part)]
        if not chosen:
            raise BadData(
                f"{self.data.name}: expected {part} sheets of {run.name}, found none among {count}; "
                f"{len(self.seen)} were seen in training; bring other sheets or choose another --split"
            )
        return np.array(chosen, dtype=np.int64)

    def _in_part(self, position: int, part: str) -> bool:
        own = self.part[position]
        if own:
            return own == part or (own == APART and part == "test")
        return self.known[position] == {part}

    def notes(self, part: str) -> list[str]:
        """What a reader of the figures must know."""
        if part == "unseen":
            return [f"{len(self.seen)} sheets seen in training were left out"] if self.seen else []
        if part in ("train", "validation"):
            return [f"the run learnt from its {part} sheets: its figures flatter"]
        pairs = zip(self.known, self.part, strict=True)
        twins = sum("train" in known and own == part for known, own in pairs)
        return [f"{twins} {part} sheets have a twin of the same pixels in training"] if twins else []


def _refuse_other_classes(sheets: SheetData, card: Card, data: Path) -> None:
    if sheets.labelled.class_names != card.class_names:
        raise BadData(
            f"{data}: expected the run's classes {', '.join(card.class_names)}, "
            f"got {', '.join(sheets.labelled.class_names)}; rename the folders, or train on this data"
        )
