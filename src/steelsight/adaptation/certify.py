"""A certificate and label sets from sheets that were drawn at random and never fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from steelsight.adaptation.calibrate import HeadFamiliarity
from steelsight.adaptation.sheets import LabelledSheets, SheetLabels
from steelsight.errors import BadData, SharedBackground
from steelsight.evaluation.abstention.guarantee import THRESHOLDS, Certificate, certify
from steelsight.evaluation.probabilities import softmax
from steelsight.groups import group_keys
from steelsight.runtime.bundle.card import BundleCard
from steelsight.runtime.certification import certification_sheets, fit_label_sets
from steelsight.runtime.engine.engine import Outputs
from steelsight.runtime.familiarity import feature_distance
from steelsight.sheets.grouping.duplicates import duplicate_groups
from steelsight.streams import stream

__all__ = ["certify_sample", "refuse_fitted", "sample_facts"]


def refuse_fitted(sample: LabelledSheets, fitted: LabelledSheets, folder: Path) -> tuple[str, ...]:
    """Raise BadData where a sheet of the sample was fitted on: it, a near-duplicate, or one of its group.

    Of groups, the names that tables give are compared: those that a rule numbers anew in each folder are not.

    returns  what could not be looked for, in words
    """
    known = frozenset[str]().union(*fitted.named)
    met = {row for row, names in enumerate(sample.named) if names & known}
    equal = {image.tobytes() for image in fitted.images}
    met |= {row for row, image in enumerate(sample.images) if image.tobytes() in equal}
    near, notes = _near(sample, fitted)
    met |= near
    joined = {sample.groups[row] for row in met} - {""}
    met |= {row for row, group in enumerate(sample.groups) if group in joined}
    if met:
        first = sample.ids[min(met)]
        raise BadData(
            f"{folder}: {len(met)} of {len(sample.ids)} sheets were fitted on, or are of a group or the same "
            f"piece of steel as one that was, such as {first}; a certificate needs sheets that were never "
            "fitted on: draw others, or leave these out of DATA"
        )
    return notes


def certify_sample(
    outputs: Outputs,
    labels: SheetLabels,
    sample: LabelledSheets,
    temperature: float,
    familiarity: HeadFamiliarity,
    *,
    risk: float,
    delta: float,
    seed: int,
) -> Certificate:
    """Test the thresholds on the sample; a sheet of several types is right at any of them.

    outputs      of the finished graph, in the engine and precision that will run
    familiarity  set by other sheets; a sheet that is not familiar is never answered
    """
    logits = outputs.logits.astype(np.float64)
    confidence = np.minimum(softmax(logits, temperature=temperature).max(axis=1), 1.0)
    return certify(
        labels.right(logits.argmax(axis=1)),
        confidence,
        THRESHOLDS,
        risk=risk,
        delta=delta,
        rng=stream(seed, "adapt-certificate"),
        groups=group_keys(sample.groups),
        familiar=_near_enough(_distance(outputs, familiarity), familiarity),
    )


def _distance(outputs: Outputs, familiarity: HeadFamiliarity) -> Float[np.ndarray, " n"]:
    return feature_distance(outputs.embedding, familiarity.statistics)


def _near_enough(away: Float[np.ndarray, " n"], familiarity: HeadFamiliarity) -> Bool[np.ndarray, " n"]:
    """Not further than the limit; a distance that is no number counts as near, as in a scan."""
    return ~(away > familiarity.facts.limit)


def sample_facts(
    outputs: Outputs,
    card: BundleCard,
    familiarity: HeadFamiliarity,
    sample: tuple[LabelledSheets, SheetLabels],
    seed: int,
) -> dict[str, Any]:
    """Label sets and order statistics of the sample, for the card.

    outputs  as `certify_sample`
    card     with the temperature
    """
    sheets, labels = sample
    rng, groups = stream(seed, "adapt-label-sets"), group_keys(sheets.groups)
    probabilities = softmax(outputs.logits, temperature=card.temperature)
    away = _distance(outputs, familiarity)
    usable = labels.single & _near_enough(away, familiarity)
    sets = fit_label_sets(probabilities, labels.labels, usable, rng=rng, groups=groups)
    kept = certification_sheets(probabilities.max(axis=1), away, rng=rng, groups=groups)
    return {"label_sets": sets.model_dump(), "certification": kept.model_dump()}


def _near(sample: LabelledSheets, fitted: LabelledSheets) -> tuple[set[int], tuple[str, ...]]:
    """Sheets of the sample that show the steel of a fitted one; a note where that is not known."""
    try:
        groups = duplicate_groups(np.concatenate([fitted.images, sample.images]))
    except SharedBackground as error:
        return set(), (f"near-duplicates of fitted sheets were not looked for: {error}",)
    known = set(groups[: len(fitted.ids)]) - {""}
    return {row for row, group in enumerate(groups[len(fitted.ids) :]) if group in known}, ()
