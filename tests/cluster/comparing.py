"""Compares trainings by Ray with trainings in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from steelsight.models.checkpoint import load_checkpoint
from steelsight.training.loop.progress import NoProgress
from steelsight.training.records import read_logits

NO_FIGURES = {"seconds", "images_per_second", "fingerprint", "resumed_after", "created", "run"}


class Lines(NoProgress):
    """Keeps the lines, and how many trainings were told to be done."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[tuple[int, int]] = []

    def note(self, line: str) -> None:
        self.lines.append(line)

    def trained(self, done: int, of: int) -> None:
        self.done.append((done, of))


def figures(values: Any) -> Any:
    """Figures without times and what depends on the folder."""
    if isinstance(values, dict):
        return {name: figures(value) for name, value in values.items() if name not in NO_FIGURES}
    return [figures(value) for value in values] if isinstance(values, list) else values


def assert_same_runs(one: Path, other: Path) -> None:
    """All RUN folders below two folders have equal weights, predictions and figures."""
    found = sorted(path.parent.relative_to(one) for path in one.rglob("model.safetensors"))
    assert found == sorted(path.parent.relative_to(other) for path in other.rglob("model.safetensors"))
    assert found
    for name in found:
        cards = [load_checkpoint(folder / name)[1] for folder in (one, other)]
        assert cards[0].weights_sha256 == cards[1].weights_sha256
        assert np.array_equal(read_logits(one / name), read_logits(other / name), equal_nan=True)
        metrics = [json.loads((folder / name / "metrics.json").read_text()) for folder in (one, other)]
        assert figures(metrics[0]) == figures(metrics[1])
