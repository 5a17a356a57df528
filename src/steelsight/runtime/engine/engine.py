"""Runs a bundle's graph and turns its outputs into labels and states.

OpenVINO is the default engine; ONNX Runtime, where it is installed, is a second one to compare with. Batches
have one size and the last is filled up with black sheets, so that the outputs of a sheet do not depend on the
other sheets of its batch. The threshold on confidence is applied in `evaluation.abstention.thresholds`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from steelsight.errors import BadBundle, BadInput
from steelsight.evaluation.abstention.label_sets import label_sets
from steelsight.evaluation.abstention.thresholds import answered, present_confidence, present_types
from steelsight.evaluation.probabilities import sigmoid, softmax
from steelsight.runtime.bundle.card import BundleCard, Precision
from steelsight.runtime.bundle.open import Bundle, FeatureStatistics
from steelsight.runtime.engine.backends import Pass, Run, prepare_onnxruntime, prepare_openvino
from steelsight.runtime.familiarity import feature_distance
from steelsight.types import GrayBatch, Reason, State

__all__ = [
    "ENGINES",
    "Decisions",
    "Engine",
    "EngineName",
    "Outputs",
    "decide",
    "open_engine",
]

EngineName = Literal["openvino", "onnxruntime"]
ENGINES: Final[tuple[EngineName, ...]] = ("openvino", "onnxruntime")
BATCH: Final = 8


@dataclass(frozen=True, eq=False)
class Outputs:
    """The graph's outputs for some sheets."""

    logits: Float32[np.ndarray, "n c"]
    maps: Float32[np.ndarray, "n c gh gw"]  # signed Grad-CAM of every class on the last grid
    embedding: Float32[np.ndarray, "n k"]
    places: Float32[np.ndarray, "n c ph pw"] | None = None  # of the place head, where the bundle has one

    @property
    def where(self) -> Float32[np.ndarray, "n c h w"]:
        """Evidence of where each class is: that of the place head, or else the maps."""
        return self.maps if self.places is None else self.places

    def where_of(self, row: int, classes: Sequence[int]) -> list[Float32[np.ndarray, "h w"]]:
        """What the regions of a sheet are found in, for some classes.

        A class without evidence of the place head anywhere has its map, so that no region is lost.
        """
        if self.places is None:
            return [self.maps[row, kind] for kind in classes]
        return [
            self.places[row, kind] if self.places[row, kind].max() > 0 else self.maps[row, kind]
            for kind in classes
        ]

    def only(self, rows: slice | Int[np.ndarray, " m"]) -> Outputs:
        """The outputs for some of the sheets."""
        places = None if self.places is None else self.places[rows]
        return Outputs(self.logits[rows], self.maps[rows], self.embedding[rows], places)


@dataclass(frozen=True, eq=False)
class Decisions:
    """Label, confidence and state of each sheet."""

    probabilities: Float64[np.ndarray, "n c"]
    labels: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]  # indices of the types named in the label; empty for defect-free
    confidence: Float64[np.ndarray, " n"]  # probability of the label
    distance: Float64[np.ndarray, " n"]  # from the training sheets; NaN without statistics of them
    states: tuple[State, ...]
    reasons: tuple[Reason, ...]
    # Indices of the classes that each sheet may be; empty for an unfamiliar sheet, and without thresholds.
    sets: tuple[tuple[int, ...], ...]


class Engine:
    """A compiled graph. Several threads may use it; calls run one at a time.

    batch    sheets a pass
    threads  processor threads; 0 = the engine's own choice
    """

    def __init__(
        self, name: EngineName, card: BundleCard, run: Callable[[int], Run], batch: int, about: str
    ) -> None:
        self.name = name
        self.card = card
        self.batch = batch
        self.about = about  # name, version and precision, for reports
        self._compile = run
        self._passes: dict[int, Run] = {}
        self._lock = threading.Lock()

    def __call__(self, images: np.ndarray) -> Outputs:
        """Run the graph.

        images  (n, h, w) gray uint8 of the card's input size, any n
        raises  BadInput for other arrays; BadBundle for outputs of other shapes than the card's
        """
        size = (self.card.input.height, self.card.input.width)
        if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != size:
            raise BadInput(
                f"engine: expected gray uint8 of shape (n, {size[0]}, {size[1]}), got "
                f"{images.dtype} of shape {images.shape}; read images with sheets.pixels"
            )
        shapes = self.card.output_shapes
        outputs = [np.empty((len(images), *shape), dtype=np.float32) for shape in shapes.values()]
        with self._lock:
            for start in range(0, len(images), self.batch):
                rows = images[start : start + self.batch]
                size_of_pass = 1 if len(rows) == 1 else self.batch
                parts = self._pass(size_of_pass)(_filled(rows, size_of_pass))
                for name, whole, part in zip(shapes, outputs, parts, strict=True):
                    if part.shape[1:] != whole.shape[1:]:
                        raise BadBundle(
                            f"{self.card.graph_file}: {name}: expected {list(whole.shape[1:])} a sheet as "
                            f"in the card, got {list(part.shape[1:])}; export it again"
                        )
                    whole[start : start + len(rows)] = part[: len(rows)]
        return Outputs(*outputs)

    def _pass(self, size: int) -> Run:
        if size not in self._passes:
            self._passes[size] = self._compile(size)
        return self._passes[size]


def open_engine(
    bundle: Bundle,
    engine: str = "openvino",
    *,
    threads: int = 0,
    batch: int = BATCH,
    precision: Precision | None = None,
) -> Engine:
    """Compile a bundle's graph.

    engine     a name in ENGINES
    threads    processor threads; 0 = the engine's own choice
    batch      sheets of one pass, at least 1
    precision  None = the card's; others are for parity checks and benchmarks
    raises     BadInput for an engine that does not exist or is not installed; BadBundle where the engine
               refuses the graph
    """
    if engine not in ENGINES:
        raise BadInput(f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if batch < 1 or threads < 0:
        raise BadInput(
            f"engine: expected batch of at least 1 and threads of at least 0, got {batch}, {threads}"
        )
    card = bundle.card if precision is None else bundle.card.model_copy(update={"precision": precision})
    if card.graph_file not in bundle.files:
        raise BadInput(f"{bundle.folder}: expected {card.graph_file} for {card.precision}, found none")
    graph = bundle.checked_graph(card.graph_file)
    if engine == "openvino":
        run, version = prepare_openvino(graph, card, threads)
        return Engine("openvino", card, run, batch, f"OpenVINO {version} {card.precision}")
    run, version = prepare_onnxruntime(graph, card, threads)
    return Engine("onnxruntime", card, run, batch, f"ONNX Runtime {version} {card.precision}")


def decide(outputs: Outputs, card: BundleCard, statistics: FeatureStatistics | None) -> Decisions:
    """Apply the card's temperature, threshold, limit of familiarity and thresholds of the label sets.

    In a multilabel task every type from the threshold on is present, the label is that of defect-free sheets
    where there is none, the confidence is that of the least certain part, and no sheet is doubtful.

    statistics  of the training sheets; None = distances are NaN, and every sheet is familiar
    raises      BadInput for outputs with NaN or infinity
    """
    logits = outputs.logits.astype(np.float64)
    if not np.isfinite(logits).all() or not np.isfinite(outputs.embedding).all():
        raise BadInput("engine: the graph answered NaN or infinity; verify the bundle on this machine")
    scaled = logits / card.temperature
    distance = feature_distance(outputs.embedding, statistics)
    limit = np.inf if card.familiarity is None else card.familiarity.limit
    familiar = ~(distance > limit)  # NaN is familiar
    if card.task == "multilabel":
        return _decide_types(sigmoid(scaled), card, distance, familiar)
    probabilities = softmax(scaled)
    best = probabilities.argmax(axis=1).tolist()
    confidence = np.minimum(probabilities.max(axis=1), 1.0)
    states, reasons = _states(familiar, answered(confidence, card.threshold), card.threshold)
    return Decisions(
        probabilities,
        tuple(card.class_names[index] for index in best),
        tuple(() if index == card.clean else (index,) for index in best),
        confidence,
        distance,
        states,
        reasons,
        _sets(probabilities, card, familiar),
    )


def _sets(
    probabilities: Float64[np.ndarray, "n c"], card: BundleCard, familiar: Bool[np.ndarray, " n"]
) -> tuple[tuple[int, ...], ...]:
    """The label sets; what they promise is said of familiar sheets alone."""
    if card.label_sets is None:
        return ((),) * len(probabilities)
    named = label_sets(probabilities, card.label_sets.least) & familiar[:, None]
    return tuple(tuple(np.flatnonzero(row).tolist()) for row in named)


def _decide_types(
    probabilities: Float64[np.ndarray, "n c"],
    card: BundleCard,
    distance: Float64[np.ndarray, " n"],
    familiar: Bool[np.ndarray, " n"],
) -> Decisions:
    present = present_types(probabilities, card.threshold)
    classes = tuple(tuple(np.flatnonzero(row).tolist()) for row in present)
    labels = tuple(" + ".join(card.class_names[index] for index in row) or card.no_defect for row in classes)
    confidence = present_confidence(probabilities, present)
    states, reasons = _states(familiar, np.ones_like(familiar), None)
    return Decisions(
        probabilities, labels, classes, confidence, distance, states, reasons, ((),) * len(labels)
    )


def _states(
    familiar: Bool[np.ndarray, " n"], confident: Bool[np.ndarray, " n"], threshold: float | None
) -> tuple[tuple[State, ...], tuple[Reason, ...]]:
    """State and reason of each sheet; an unfamiliar one is never decided."""
    decided = Reason.NO_THRESHOLD if threshold is None else Reason.CONFIDENT
    pairs = [
        (State.DECIDED, decided) if sure else (State.DOUBTFUL, Reason.LOW_CONFIDENCE)
        for sure in confident.tolist()
    ]
    for row in np.flatnonzero(~familiar).tolist():
        pairs[row] = (State.UNKNOWN_INPUT, Reason.UNFAMILIAR)
    return tuple(state for state, _ in pairs), tuple(reason for _, reason in pairs)


def _filled(rows: GrayBatch, size: int) -> Pass:
    """A whole pass: filled up with black sheets."""
    if len(rows) == size:
        return np.ascontiguousarray(rows)
    whole = np.zeros((size, *rows.shape[1:]), dtype=np.uint8)
    whole[: len(rows)] = rows
    return whole
