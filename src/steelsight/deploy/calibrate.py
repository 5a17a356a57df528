"""Calibrate temperature, threshold and familiarity on outputs of the engine and precision that will run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from jaxtyping import Float32

from steelsight.deploy.export_data import ExportData
from steelsight.errors import BadInput
from steelsight.evaluation.abstention.calibration import fit_temperature, is_worse_than_one
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, certify
from steelsight.evaluation.abstention.scores import fit_feature_space
from steelsight.evaluation.probabilities import softmax
from steelsight.runtime.bundle.card import CertificationSheets, Familiarity, LabelSets
from steelsight.runtime.bundle.open import FeatureStatistics
from steelsight.runtime.certification import certification_sheets, fit_label_sets
from steelsight.runtime.engine.engine import Engine, Outputs
from steelsight.runtime.familiarity import familiarity_limit, feature_distance, scaled
from steelsight.types import GrayBatch, Task

__all__ = ["BundleCalibration", "calibrate"]

KEPT: Final = 0.99  # share of sheets like the calibration sheets within the limit of familiarity
SCALE: Final = "cube root"  # of the features
SOME: Final = 256  # training sheets at a time


@dataclass(frozen=True, eq=False)
class BundleCalibration:
    """The calibrated values of a card, and the outputs they came from."""

    temperature: float
    threshold: float | None
    statement: str
    statistics: FeatureStatistics
    familiarity: Familiarity
    outputs: Outputs  # of the sheets that set the temperature and the limit
    images: GrayBatch  # those sheets
    groups: int  # independent groups of those sheets
    label_sets: LabelSets | None = None  # of the certification sheets; None for a multilabel task
    certification: CertificationSheets | None = None  # their summary; None for a multilabel task


def calibrate(
    engine: Engine, sheets: ExportData, task: Task, *, risk: float, delta: float, rng: np.random.Generator
) -> BundleCalibration:
    """Run the engine on training, validation and unseen sheets.

    Validation sheets set the temperature and the limit of familiarity, and the threshold is certified on
    unseen ones, of which those that are not familiar are never answered; where one of the two parts is
    missing, the groups of the other are halved. A multilabel task gets temperature 1 and no threshold; so
    does one without a certificate where the fitted temperature has a larger log loss than 1 on the certifying
    sheets. Label sets come from the familiar ones of these; that choice between two temperatures is the one
    thing that their thresholds share with them.

    risk, delta  see `guarantee.certify`, each above 0 and below 1
    raises       BadInput for calibration sheets without spread, or of one group
    """
    fitting, certifying = _split(sheets, rng)
    outputs = engine(sheets.images(fitting))
    trained = _embeddings(engine, sheets)
    space = fit_feature_space(scaled(trained, SCALE), sheets.labels(sheets.train))
    whitening: Float32[np.ndarray, "k k"] = np.linalg.cholesky(space.precision).astype(np.float32)
    statistics = FeatureStatistics(space.means.astype(np.float32), whitening, SCALE)
    limit, kept = familiarity_limit(feature_distance(outputs.embedding, statistics), KEPT)
    finish = partial(
        BundleCalibration,
        statistics=statistics,
        familiarity=Familiarity(limit=limit, kept=kept, scale=SCALE),
        outputs=outputs,
        images=sheets.images(fitting),
        groups=len(set(sheets.groups(fitting))),
    )
    if task == "multilabel":
        return finish(temperature=1.0, threshold=None, statement="multilabel answers carry no certificate")
    temperature = fit_temperature(outputs.logits, sheets.labels(fitting))
    certified = engine(sheets.images(certifying))
    logits, labels = certified.logits.astype(np.float64), sheets.labels(certifying)
    away = feature_distance(certified.embedding, statistics)
    familiar = ~(away > limit)
    confidence = np.minimum(softmax(logits / temperature).max(axis=1), 1.0)
    right = logits.argmax(axis=1) == labels
    groups = sheets.groups(certifying)
    certificate = certify(
        right, confidence, THRESHOLDS, risk=risk, delta=delta, rng=rng, groups=groups, familiar=familiar
    )
    known = labels >= 0
    if certificate.threshold is None and is_worse_than_one(temperature, logits[known], labels[known]):
        temperature = 1.0
    probabilities = softmax(logits / temperature)
    usable = known & familiar
    return finish(
        temperature=temperature,
        threshold=certificate.threshold,
        statement=certificate.statement,
        label_sets=fit_label_sets(probabilities, labels, usable, rng=rng, groups=groups),
        certification=certification_sheets(probabilities.max(axis=1), away, rng=rng, groups=groups),
    )


def _embeddings(engine: Engine, sheets: ExportData) -> Float32[np.ndarray, "n k"]:
    """Embeddings of the training sheets; maps and places, which are large, are not kept."""
    parts = [
        engine(sheets.images(sheets.train[start : start + SOME])).embedding
        for start in range(0, sheets.train.size, SOME)
    ]
    return np.concatenate(parts)


def _split(sheets: ExportData, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sheets for temperature and limit, and sheets for the certificate."""
    if sheets.validation.size and sheets.unseen.size:
        return sheets.validation, sheets.unseen
    rows = sheets.validation if sheets.validation.size else sheets.unseen
    names, group = np.unique(sheets.groups(rows), return_inverse=True)
    half = rng.permutation(names.size) % 2 == 0
    if names.size < 2:
        raise BadInput(
            "calibration: expected at least two groups of sheets the run did not learn from, got one"
        )
    return rows[half[group]], rows[~half[group]]
