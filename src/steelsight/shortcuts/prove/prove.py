"""Whether a network takes a harmless thing for a sign of a class: a test, a counterfactual, a verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import group_index
from steelsight.evaluation.intervals.two_groups import TwoGroups, compare_groups
from steelsight.models.classifier import SheetClassifier
from steelsight.plain import plain
from steelsight.shortcuts.margins import class_margin, class_probability
from steelsight.shortcuts.nuisances.nuisance import Nuisance
from steelsight.shortcuts.pasting.counterfactual import (
    DOSES,
    PasteEffect,
    PasteLogits,
    Predict,
    find_paste_targets,
    paste_everywhere,
)
from steelsight.shortcuts.pasting.reverse import RemovalEffect, measure_removal
from steelsight.shortcuts.pasting.stamps import gather_stamps, refuse_material
from steelsight.shortcuts.prove.decision import Verdict, rule
from steelsight.shortcuts.sheets import ProofSheets
from steelsight.training.predict import predict_logits
from steelsight.types import GrayBatch, Logits

__all__ = ["GroupScores", "ShortcutProof", "asked_once", "prove", "suspect_of"]

TYPE_2 = 2  # the class the study found to be read off sheet ends


@dataclass(frozen=True)
class GroupScores:
    """The defect-free sheets of both groups, one score a group of sheets that belong together."""

    margin_without: Float[np.ndarray, " n"]
    margin_with: Float[np.ndarray, " m"]
    probability_without: Float[np.ndarray, " n"]
    probability_with: Float[np.ndarray, " m"]


@dataclass(frozen=True)
class ShortcutProof:
    """What was found about one nuisance."""

    nuisance: str  # stain, end, or the name of a list
    source: str  # who said which sheets have it
    suspect: str  # the class it is suspected to speak for
    verdict: Verdict
    because: str  # the rule that gave it, in words with numbers
    on_margins: TwoGroups | None  # None: a group is empty, see notes
    on_probabilities: TwoGroups | None
    pasted: PasteEffect | None  # None: nothing could be pasted, see notes
    reverse: RemovalEffect | None
    notes: tuple[str, ...]
    scores: GroupScores | None = None  # for pictures, as below; not in `as_dict`
    answers: PasteLogits | None = None

    def as_dict(self) -> dict[str, Any]:
        """Every number as JSON, without pictures."""
        told = {
            name: getattr(self, name)
            for name in ("nuisance", "source", "suspect", "verdict", "because", "notes")
        }
        parts = {
            name: None if getattr(self, name) is None else asdict(getattr(self, name))
            for name in ("on_margins", "on_probabilities", "pasted", "reverse")
        }
        found: dict[str, Any] = plain({**told, **parts})
        return found


def suspect_of(sheets: ProofSheets, nuisance: Nuisance, asked: str | None = None) -> int:
    """The class a nuisance is suspected to speak for.

    asked   its name; None = "none" for stains and lists, as the study found; for sheet ends type 2, or
            "defect" in a binary task
    raises  BadInput for a class the model does not have
    """
    names = sheets.class_names
    if asked is not None:
        if asked not in names:
            raise BadInput(f"--suspect: expected one of {', '.join(names)}, got {asked!r}")
        return names.index(asked)
    return min(TYPE_2, len(names) - 1) if nuisance.kind == "end" else 0


def asked_once(model: SheetClassifier, images: GrayBatch) -> Predict:
    """The network as a function that remembers what it says of these sheets: of this array, not its like."""
    logits = predict_logits(model, images)
    return lambda asked: logits if asked is images else predict_logits(model, asked)


def prove(
    model: SheetClassifier | Predict,
    sheets: ProofSheets,
    nuisance: Nuisance,
    *,
    rng: np.random.Generator,
    suspect: str | None = None,
    limit: int = 500,
    material: str = "auto",
    each: int | None = None,
    doses: tuple[tuple[float, float], ...] = DOSES,
    take_away: bool = True,
) -> ShortcutProof:
    """Test one nuisance on sheets the model did not learn from.

    model     a network, or a function from gray sheets (n, h, w) to logits (n, c)
    sheets    from `sheets.proof_sheets`, or made of arrays
    nuisance  which of them have it: `nuisance.open_nuisance(sheets, "stain" | "end" | FILE)`
    suspect   the class it is suspected to speak for; None: see `suspect_of`
    limit     at most so many sheets are pasted on
    material  what is pasted: see `stamps.gather_stamps`
    each      at most so many sheets in each group of the test, drawn at random; the study took 50
    doses     shares of area and brightness that are pasted besides the whole
    take_away whether stains are taken off the sheets that have one, too
    raises    BadInput where neither the test nor the counterfactual can be done, or for a single class
    """
    predict = partial(predict_logits, model) if isinstance(model, SheetClassifier) else model
    refuse_material(material)
    index = suspect_of(sheets, nuisance, suspect)
    logits = np.asarray(predict(sheets.images), dtype=np.float64)
    if logits.shape[1] < 2:
        raise BadInput(f"prove: expected a model of at least two classes, got {logits.shape[1]}")
    notes = [nuisance.note] if nuisance.note else []
    scores, why_no_test = _score_groups(sheets, nuisance, logits, index, each, rng)
    if why_no_test:
        notes.append(why_no_test)
    tests: tuple[TwoGroups | None, TwoGroups | None] = (None, None)
    if scores is not None:
        tests = (
            compare_groups(scores.margin_without, scores.margin_with, rng=rng),
            compare_groups(scores.probability_without, scores.probability_with, rng=rng),
        )
    pasted, answers, reverse = None, None, None
    try:
        pasted, answers = _paste(sheets, nuisance, predict, index, logits, limit, material, doses, rng)
    except BadInput as error:
        if scores is None:
            raise BadInput(f"{error}; and no test: {why_no_test}") from error
        notes.append(f"nothing was pasted: {error}")
    if nuisance.kind == "stain" and take_away:
        reverse = measure_removal(sheets, nuisance, predict, index, logits, limit=limit, rng=rng)
    ruling = rule(tests[0], pasted)
    return ShortcutProof(
        nuisance=nuisance.name,
        source=nuisance.source,
        suspect=sheets.class_names[index],
        verdict=ruling.verdict,
        because=ruling.because,
        on_margins=tests[0],
        on_probabilities=tests[1],
        pasted=pasted,
        reverse=reverse,
        notes=tuple(notes),
        scores=scores,
        answers=answers,
    )


def _paste(
    sheets: ProofSheets,
    nuisance: Nuisance,
    predict: Predict,
    suspect: int,
    logits: Logits,
    limit: int,
    material: str,
    doses: tuple[tuple[float, float], ...],
    rng: np.random.Generator,
) -> tuple[PasteEffect, PasteLogits]:
    book = gather_stamps(sheets, nuisance, rng, material=material)
    receivers = find_paste_targets(sheets, nuisance, logits, suspect, clean_only=suspect != 0)
    return paste_everywhere(
        sheets, nuisance, receivers, predict, book, suspect, logits, limit=limit, rng=rng, doses=doses
    )


def _score_groups(
    sheets: ProofSheets,
    nuisance: Nuisance,
    logits: Logits,
    suspect: int,
    each: int | None,
    rng: np.random.Generator,
) -> tuple[GroupScores | None, str]:
    """Margins and probabilities of defect-free sheets without and with; or why a group is missing."""
    clean = (sheets.labels == 0) & nuisance.listed
    rows = [np.flatnonzero(clean & ~nuisance.present), np.flatnonzero(clean & nuisance.present)]
    if not rows[0].size or not rows[1].size:
        return None, (
            f"{sheets.name}: expected defect-free sheets without and with {nuisance.name}, got "
            f"{rows[0].size} and {rows[1].size}"
        )
    if each is not None:
        rows = [np.sort(rng.permutation(part)[:each]) for part in rows]
    margin, probability = class_margin(logits, suspect), class_probability(logits, suspect)
    found = [
        _one_a_group(values.astype(np.float64), sheets.groups, part)
        for values in (margin, probability)
        for part in rows
    ]
    return GroupScores(*found), ""


def _one_a_group(
    values: Float[np.ndarray, " n"], groups: tuple[str, ...], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " u"]:
    """The mean score of each group of sheets that belong together: those are what is independent."""
    number = group_index([groups[i] for i in rows.tolist()], rows.size)
    means: Float[np.ndarray, " u"] = np.bincount(number, values[rows]) / np.bincount(number)
    return means
