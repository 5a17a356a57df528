"""Proof of one shortcut: a two-group test, a counterfactual test with a control, and a verdict by rule."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from steelsight.counterfactuals.decision import Verdict, decide_verdict
from steelsight.counterfactuals.margins import class_margin, class_probability
from steelsight.counterfactuals.nuisances.nuisance import Nuisance
from steelsight.counterfactuals.options import ProofSettings
from steelsight.counterfactuals.pasting.counterfactual import (
    ModelUnderTest,
    PasteEffect,
    PasteLogits,
    Predict,
    find_paste_targets,
    paste_everywhere,
)
from steelsight.counterfactuals.pasting.removal import RemovalEffect, measure_removal
from steelsight.counterfactuals.pasting.stamps import gather_stamps, refuse_material
from steelsight.counterfactuals.sheets import ProofSheets
from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import group_index
from steelsight.evaluation.intervals.two_groups import TwoGroups, compare_groups
from steelsight.plain import plain

__all__ = ["GroupScores", "ShortcutProof", "prove_nuisance", "suspected_class_index"]

TYPE_2 = 2  # the class that the study found to be recognised by sheet ends
DEFAULT = ProofSettings()


@dataclass(frozen=True)
class GroupScores:
    """Scores of the defect-free sheets of both groups, one per group of related sheets."""

    margin_without: Float[np.ndarray, " n"]
    margin_with: Float[np.ndarray, " m"]
    probability_without: Float[np.ndarray, " n"]
    probability_with: Float[np.ndarray, " m"]
    sheets_without: int  # sheets in these groups
    sheets_with: int

    @property
    def units(self) -> str:
        """What a score belongs to: "groups" where some hold several sheets, otherwise "sheets"."""
        scores = self.margin_without.size + self.margin_with.size
        return "groups" if scores < self.sheets_without + self.sheets_with else "sheets"


@dataclass(frozen=True)
class ShortcutProof:
    """The result of a proof of one nuisance."""

    nuisance: str  # stain, end, or the name of a list
    source: str  # of which sheets have it: truth, detector or list
    suspected_class: str  # the class it is suspected to indicate
    verdict: Verdict
    because: str  # the rule that gave it, in words with numbers
    on_margins: TwoGroups | None  # None: a group is empty, see notes
    on_probabilities: TwoGroups | None
    pasted: PasteEffect | None  # None: nothing could be pasted, see notes
    removal: RemovalEffect | None  # None: no stain could be removed
    notes: tuple[str, ...]
    scores: GroupScores | None = None  # for figures; not in `as_dict`, nor are the outputs
    outputs: PasteLogits | None = None

    def as_dict(self) -> dict[str, Any]:
        """Collect every number as JSON values, without pictures."""
        parts = {
            "on_margins": self.on_margins,
            "on_probabilities": self.on_probabilities,
            "pasted": self.pasted,
            "reverse": self.removal,
        }
        values: dict[str, Any] = plain(
            {
                "nuisance": self.nuisance,
                "source": self.source,
                "suspect": self.suspected_class,
                "verdict": self.verdict,
                "because": self.because,
                "sheets_without": None if self.scores is None else self.scores.sheets_without,
                "sheets_with": None if self.scores is None else self.scores.sheets_with,
                "notes": self.notes,
                **{key: None if part is None else asdict(part) for key, part in parts.items()},
            }
        )
        return values


def suspected_class_index(sheets: ProofSheets, nuisance: Nuisance, name: str | None = None) -> int:
    """Look up the class a nuisance is suspected to indicate.

    name    of the class; None = the defect-free one for stains and lists, as the study found; for sheet ends
            type 2, or "defect" in a binary task
    raises  BadInput for a class the model does not have, or where it has no defect-free one to start from
    """
    names = sheets.class_names
    if name is not None:
        if name not in names:
            raise BadInput(f"--suspect: expected one of {', '.join(names)}, got {name!r}")
        return names.index(name)
    if nuisance.kind == "end":
        return min(TYPE_2 if sheets.clean is not None else TYPE_2 - 1, len(names) - 1)
    if sheets.clean is None:
        raise BadInput(
            f"{sheets.name}: the model has no defect-free class, which {nuisance.name} is suspected to "
            f"indicate; name another with --suspect: {', '.join(names)}"
        )
    return sheets.clean


def prove_nuisance(
    predict: Predict,
    sheets: ProofSheets,
    nuisance: Nuisance,
    settings: ProofSettings = DEFAULT,
    *,
    rng: np.random.Generator,
) -> ShortcutProof:
    """Test one nuisance on sheets the model was not trained on.

    predict   a function from gray sheets (n, h, w) to logits (n, c)
    sheets    from `sheets.gather_sheets`, or made of arrays
    nuisance  which of them have it: `nuisance.open_nuisance(sheets, "stain" | "end" | FILE)`
    raises    BadInput where neither of the tests can be done, or for a single class
    """
    refuse_material(settings.material)
    target = suspected_class_index(sheets, nuisance, settings.suspected_class)
    logits = np.asarray(predict(sheets.images), dtype=np.float64)
    if logits.shape[1] < 2:
        raise BadInput(f"prove: expected a model of at least two classes, got {logits.shape[1]}")
    tested = ModelUnderTest(predict, logits, target)
    notes = [nuisance.note] if nuisance.note else []
    scores, why_no_test = _score_groups(sheets, nuisance, tested, settings.per_group, rng)
    if why_no_test:
        notes.append(why_no_test)
    on_margins, on_probabilities = _compare_scores(scores, rng)
    pasted, outputs = None, None
    try:
        pasted, outputs = _paste(sheets, nuisance, tested, settings, rng)
    except BadInput as error:
        if scores is None:
            raise BadInput(f"{error}; and no test: {why_no_test}") from error
        notes.append(f"nothing was pasted: {error}")
    removal = None
    if nuisance.kind == "stain" and settings.remove:
        removal = measure_removal(sheets, nuisance, tested, limit=settings.limit, rng=rng)
    units = "sheets" if scores is None else scores.units
    decision = decide_verdict(on_margins, pasted, occurs=bool(nuisance.present.any()), units=units)
    return ShortcutProof(
        nuisance=nuisance.name,
        source=nuisance.source,
        suspected_class=sheets.class_names[target],
        verdict=decision.verdict,
        because=decision.because,
        on_margins=on_margins,
        on_probabilities=on_probabilities,
        pasted=pasted,
        removal=removal,
        notes=tuple(notes),
        scores=scores,
        outputs=outputs,
    )


def _compare_scores(
    scores: GroupScores | None, rng: np.random.Generator
) -> tuple[TwoGroups | None, TwoGroups | None]:
    """The two-group test on margins, and on probabilities."""
    if scores is None:
        return None, None
    return (
        compare_groups(scores.margin_without, scores.margin_with, rng=rng),
        compare_groups(scores.probability_without, scores.probability_with, rng=rng),
    )


def _paste(
    sheets: ProofSheets,
    nuisance: Nuisance,
    model: ModelUnderTest,
    settings: ProofSettings,
    rng: np.random.Generator,
) -> tuple[PasteEffect, PasteLogits]:
    book = gather_stamps(sheets, nuisance, rng, material=settings.material)
    targets = find_paste_targets(sheets, nuisance, model, clean_only=sheets.clean not in {None, model.target})
    return paste_everywhere(
        sheets, nuisance, targets, model, book, limit=settings.limit, rng=rng, doses=settings.doses
    )


def _score_groups(
    sheets: ProofSheets,
    nuisance: Nuisance,
    model: ModelUnderTest,
    per_group: int | None,
    rng: np.random.Generator,
) -> tuple[GroupScores | None, str]:
    """Margins and probabilities of defect-free sheets without and with; or the reason if a group is empty."""
    clean = sheets.defect_free & nuisance.listed
    rows = [np.flatnonzero(clean & ~nuisance.present), np.flatnonzero(clean & nuisance.present)]
    if sheets.clean is None:
        return None, f"{sheets.name}: no defect-free sheets to compare without and with {nuisance.name}"
    if not rows[0].size or not rows[1].size:
        return None, (
            f"{sheets.name}: expected defect-free sheets without and with {nuisance.name}, got "
            f"{rows[0].size} and {rows[1].size}"
        )
    if per_group is not None:
        rows = [np.sort(rng.permutation(side)[:per_group]) for side in rows]
    margin = class_margin(model.logits, model.target)
    probability = class_probability(model.logits, model.target)
    means = [
        _group_means(values.astype(np.float64), sheets.groups, side)
        for values in (margin, probability)
        for side in rows
    ]
    return GroupScores(means[0], means[1], means[2], means[3], rows[0].size, rows[1].size), ""


def _group_means(
    values: Float[np.ndarray, " n"], groups: tuple[str, ...], rows: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " u"]:
    """The mean score of each group of related sheets, because groups are the independent units."""
    number = group_index([groups[i] for i in rows.tolist()], rows.size)
    means: Float[np.ndarray, " u"] = np.bincount(number, values[rows]) / np.bincount(number)
    return means
