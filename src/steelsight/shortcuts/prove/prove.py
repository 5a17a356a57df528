"""Proof of one shortcut of a network or of a function that predicts logits."""

from __future__ import annotations

from functools import partial

import numpy as np

from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.counterfactual import Predict
from steelsight.counterfactuals.proof import ShortcutProof, prove_nuisance
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.models.classifier import SheetClassifier
from steelsight.training.predict import predict_logits
from steelsight.types import GrayBatch

__all__ = ["cache_predictions", "prove"]

DEFAULT = ProofSettings()


def cache_predictions(model: SheetClassifier, images: GrayBatch) -> Predict:
    """Make a predictor that keeps the logits of these sheets.

    images  (n, h, w) uint8; the cache applies to this array object, not to an equal one
    """
    logits = predict_logits(model, images)
    return lambda batch: logits if batch is images else predict_logits(model, batch)


def prove(
    model: SheetClassifier | Predict,
    sheets: ProofSheets,
    nuisance: Nuisance,
    settings: ProofSettings = DEFAULT,
    *,
    rng: np.random.Generator,
) -> ShortcutProof:
    """Test one nuisance on sheets the model was not trained on, as `counterfactuals.proof` does.

    model   a network, or a function from gray sheets (n, h, w) to logits (n, c)
    raises  BadInput where neither of the tests can be done, or for a single class
    """
    predict = partial(predict_logits, model) if isinstance(model, SheetClassifier) else model
    return prove_nuisance(predict, sheets, nuisance, settings, rng=rng)
