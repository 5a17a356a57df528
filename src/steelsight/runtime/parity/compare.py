"""Measure how far an exported graph differs from its model, against bounds set beforehand.

float32 must agree to rounding, in both engines. bf16 and INT8 may differ within bounds: in probability, in
verdict, in balanced accuracy, and in the maps that explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float64, Int, UInt8

from steelsight.errors import BadInput
from steelsight.evaluation.abstention.thresholds import present_types
from steelsight.evaluation.confusion import balanced_accuracy, confusion
from steelsight.evaluation.intervals.bootstrap import paired_bootstrap
from steelsight.evaluation.probabilities import sigmoid, softmax
from steelsight.runtime.bundle.card import Precision
from steelsight.runtime.engine.engine import Outputs
from steelsight.types import Interval, Task

__all__ = [
    "AGREEMENT",
    "COSINE",
    "EXACT",
    "FEWEST",
    "LOSS",
    "NEAR",
    "Parity",
    "ParitySetup",
    "compare",
    "draw_edge_sheets",
    "failures",
    "map_cosines",
    "parity_entry",
    "probabilities",
]

EXACT: Final = 1e-4  # float32: largest difference of any probability
NEAR: Final = 0.03  # bf16, INT8: 99th percentile of the differences
AGREEMENT: Final = 0.995  # share of equal verdicts
FEWEST: Final = 2000  # sheets that bf16 and INT8 must be compared on
LOSS: Final = 0.005  # upper 95 % bound of the loss of balanced accuracy
COSINE: Final = 0.98  # 5th percentile of the cosines of the maps, and of the place head's evidence
RESAMPLES: Final = 1000


@dataclass(frozen=True)
class ParitySetup:
    """What is compared: the task and temperature of the card, and the engine that gave the other outputs."""

    task: Task
    temperature: float  # divides the logits, above 0
    engine: str  # name, version and precision, for reports
    precision: Precision


@dataclass(frozen=True)
class Parity:
    """How one engine and precision differ from the model."""

    engine: str
    precision: Precision
    sheets: int
    largest: float  # difference of any probability
    p99: float
    agreement: float
    loss: Interval | None  # balanced accuracy of the source minus its own, paired; None without labels
    cosine_p5: float  # of the maps, or of the place head's evidence where that is lower

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the card."""
        return asdict(self)


def compare(
    source: Outputs,
    other: Outputs,
    setup: ParitySetup,
    *,
    labels: Int[np.ndarray, " m"] | None = None,
    groups: Sequence[str] | None = None,
    rng: np.random.Generator,
) -> Parity:
    """Measure how far a graph's outputs lie from those of the model, on the same sheets.

    source  of the model
    other   of the graph
    labels  (m,) classes of the first m sheets, for the balanced accuracy; None = it is left out
    groups  of those m sheets, resampled whole
    raises  BadInput for no sheets, or different ones
    """
    task = setup.task
    before, after = (probabilities(each, task, setup.temperature) for each in (source, other))
    if before.shape != after.shape or not len(before):
        raise BadInput(f"parity: expected answers to the same sheets, got {before.shape} and {after.shape}")
    apart = np.abs(before - after)
    same = (
        (before.argmax(1) == after.argmax(1))
        if task != "multilabel"
        else (present_types(before) == present_types(after)).all(1)
    )
    loss = None
    if labels is not None and labels.size and task != "multilabel":
        loss = _loss(before, after, labels, groups, rng)
    return Parity(
        setup.engine,
        setup.precision,
        len(before),
        float(apart.max()),
        float(np.quantile(apart.max(1), 0.99)),
        float(same.mean()),
        loss,
        _least_cosine(source, other),
    )


def _least_cosine(source: Outputs, other: Outputs) -> float:
    """5th percentile of the cosines of the maps, or of the place head's evidence where that is lower.

    Evidence that is 0 everywhere in both, as that of the defect-free class, is left out.
    """
    lowest = float(np.quantile(map_cosines(source.maps, other.maps), 0.05))
    if source.places is None or other.places is None:
        return lowest
    some = (source.places != 0).any(axis=(2, 3)) | (other.places != 0).any(axis=(2, 3))
    if not some.any():
        return lowest
    cosines = map_cosines(source.places[some][:, None], other.places[some][:, None])
    return min(lowest, float(np.quantile(cosines, 0.05)))


def failures(parity: Parity, *, fewest: int = FEWEST) -> list[str]:
    """The bounds that are broken, in words; none = the graph may be used.

    fewest  sheets that bf16 and INT8 must have been compared on
    """
    broken = []
    if parity.precision == "f32":
        if not parity.largest <= EXACT:
            broken.append(f"a probability differs by {parity.largest:.2g}, allowed {EXACT:g}")
        if parity.agreement < 1:
            broken.append(f"{1 - parity.agreement:.2%} of the verdicts differ, none may")
        if not parity.cosine_p5 >= COSINE:
            broken.append(f"5th percentile of the maps' cosines {parity.cosine_p5:.4f}, needed {COSINE:g}")
        return broken
    if parity.sheets < fewest:
        broken.append(f"compared on {parity.sheets} sheets, needed {fewest}")
    if not parity.p99 <= NEAR:
        broken.append(f"99th percentile of the differences {parity.p99:.3f}, allowed {NEAR:g}")
    if not parity.agreement >= AGREEMENT:
        broken.append(f"{parity.agreement:.2%} of the verdicts agree, needed {AGREEMENT:.1%}")
    if parity.loss is not None and not parity.loss.high <= LOSS:
        broken.append(f"balanced accuracy may fall by {parity.loss.high:.4f}, allowed {LOSS:g}")
    if not parity.cosine_p5 >= COSINE:
        broken.append(f"5th percentile of the maps' cosines {parity.cosine_p5:.4f}, needed {COSINE:g}")
    return broken


def parity_entry(
    parities: Sequence[Parity], broken: Sequence[str], *, ms_a_sheet: float | None = None
) -> dict[str, Any]:
    """What a card records of one precision.

    parities    one an engine
    broken      bounds that are broken, in words
    ms_a_sheet  time on one core; None = not measured
    """
    return {
        "passed": not broken,
        "broken": list(broken),
        "ms_a_sheet": ms_a_sheet,
        "engines": [parity.as_dict() for parity in parities],
    }


def probabilities(outputs: Outputs, task: Task, temperature: float) -> Float64[np.ndarray, "n c"]:
    """Probabilities as `engine.decide` computes them, before any threshold."""
    scaled = outputs.logits.astype(np.float64) / temperature
    exact: Float64[np.ndarray, "n c"] = sigmoid(scaled) if task == "multilabel" else softmax(scaled)
    return exact


def map_cosines(first: np.ndarray, second: np.ndarray) -> Float64[np.ndarray, " m"]:
    """Cosine of each sheet's and class's map with its counterpart: 1 for two zero maps, 0 for one alone.

    first, second  (n, c, gh, gw)
    returns        (n c,)
    """
    one, other = (
        each.reshape(-1, each.shape[2] * each.shape[3]).astype(np.float64) for each in (first, second)
    )
    lengths = np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)
    product = lengths[0] * lengths[1]
    cosine = np.divide((one * other).sum(1), product, out=np.zeros(len(one)), where=product > 0)
    both_zero: Float64[np.ndarray, " m"] = np.where((lengths[0] == 0) & (lengths[1] == 0), 1.0, cosine)
    return both_zero


def draw_edge_sheets(height: int, width: int) -> UInt8[np.ndarray, "n h w"]:
    """Sheets that show errors at borders and in flat areas: black, white, gray, edges, checkers, noise."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    half = np.where(columns < width // 2, 0, 200)
    drawn = [
        np.zeros((height, width)),
        np.full((height, width), 255),
        np.full((height, width), 124),
        half,
        half[:, ::-1],
        np.where(rows < height // 2, 0, 180),
        255 * ((rows // 4 + columns // 4) % 2),
        255 * ((rows + columns) % 2),
        columns * 255 / max(1, width - 1),
        rows * 255 / max(1, height - 1),
        255 * ((rows == 0) | (rows == height - 1) | (columns == 0) | (columns == width - 1)),
        rng.integers(0, 256, (height, width)),
        np.clip(rng.normal(110, 20, (height, width)), 0, 255),
    ]
    return np.stack([np.rint(sheet).astype(np.uint8) for sheet in drawn])


def _loss(
    before: Float64[np.ndarray, "n c"],
    after: Float64[np.ndarray, "n c"],
    labels: Int[np.ndarray, " m"],
    groups: Sequence[str] | None,
    rng: np.random.Generator,
) -> Interval:
    classes = before.shape[1]
    answers = [each[: labels.size].argmax(1) for each in (before, after)]

    def score(which: int, rows: Int[np.ndarray, " r"]) -> float:
        matrix = confusion(labels[rows], answers[which][rows], classes)
        return float(balanced_accuracy(matrix[None].astype(np.float64))[0])

    if (answers[0] == answers[1]).all():
        return Interval(0.0, 0.0, 0.0)  # every resample agrees
    return paired_bootstrap(
        lambda rows: score(0, rows),
        lambda rows: score(1, rows),
        labels.size,
        groups,
        rng=rng,
        resamples=RESAMPLES,
    ).difference
