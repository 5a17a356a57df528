"""Temperature, threshold and familiarity anew, on the answers of the engine and precision that will run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float32

from steelsight.deploy.export_data import ExportData
from steelsight.errors import BadInput
from steelsight.evaluation.abstention.calibration import fit_temperature
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, certify
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.evaluation.probabilities import softmax
from steelsight.runtime.bundle.open import FeatureStatistics
from steelsight.runtime.engine.engine import Engine, Outputs
from steelsight.types import Task

__all__ = ["KEPT", "BundleCalibration", "calibrate"]

KEPT = 0.99  # of the calibration sheets lie within the limit of familiarity


@dataclass(frozen=True, eq=False)
class BundleCalibration:
    """What goes into the card."""

    temperature: float
    threshold: float | None
    statement: str
    statistics: FeatureStatistics
    limit: float
    outputs: Outputs  # of the sheets that calibrated, for what is usual
    images: np.ndarray


def calibrate(
    engine: Engine, material: ExportData, task: Task, *, risk: float, delta: float, rng: np.random.Generator
) -> BundleCalibration:
    """Ask the engine about training, validation and unseen sheets.

    The temperature comes from validation sheets, the threshold is certified on unseen ones; where one of the
    two parts is missing, the other's groups are halved. Multilabel answers get neither.
    """
    fitting, proving = _two_sets(material, rng)
    told = engine(material.images(fitting))
    trained = engine(material.images(material.train)).embedding
    space = fit_feature_space(trained.astype(np.float64), material.labels(material.train))
    whitening: Float32[np.ndarray, "k k"] = np.linalg.cholesky(space.precision).astype(np.float32)
    statistics = FeatureStatistics(space.means.astype(np.float32), whitening)
    distance = space.distance(told.embedding.astype(np.float64))
    limit = float(np.quantile(distance, KEPT))
    if not limit > 0:
        raise BadInput("familiarity: calibration sheets are all alike; bring other sheets")
    finish = partial(
        BundleCalibration, statistics=statistics, limit=limit, outputs=told, images=material.images(fitting)
    )
    if task == "multilabel":
        return finish(temperature=1.0, threshold=None, statement="multilabel answers carry no certificate")
    temperature = fit_temperature(told.logits, material.labels(fitting))
    logits = engine(material.images(proving)).logits.astype(np.float64)
    confidence = np.minimum(softmax(logits / temperature).max(axis=1), 1.0)
    right = logits.argmax(axis=1) == material.labels(proving)
    proof = certify(
        right, confidence, THRESHOLDS, risk=risk, delta=delta, rng=rng, groups=material.groups(proving)
    )
    return finish(temperature=temperature, threshold=proof.threshold, statement=proof.statement)


def _two_sets(material: ExportData, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if material.validation.size and material.unseen.size:
        return material.validation, material.unseen
    rows = material.validation if material.validation.size else material.unseen
    names, group = np.unique(material.groups(rows), return_inverse=True)
    half = rng.permutation(names.size) % 2 == 0
    if names.size < 2:
        raise BadInput(
            "calibration: expected at least two groups of sheets the run did not learn from, got one"
        )
    return rows[half[group]], rows[~half[group]]
