"""The sheets that probes are fitted on and judged on: two parts of a run, subsampled where there are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadData, BadInput
from steelsight.groups import group_keys
from steelsight.sheets.grouping.splits import group_folds
from steelsight.types import GrayBatch, Labels

__all__ = [
    "Folds",
    "Positions",
    "ProbeParts",
    "ProbeSheets",
    "choose_sheets",
    "make_folds",
    "permutation_by_groups",
]

Positions = Int[np.ndarray, "_"]
Folds = tuple[tuple[Positions, Positions], ...]  # (fitted, held out), positions among the fitted sheets

FOLDS = 3  # of the cross-validation that chooses a penalty


@dataclass(frozen=True)
class ProbeSheets:
    """Sheets with their classes: first the fitting sheets, then the judging sheets."""

    images: GrayBatch
    labels: Labels
    groups: tuple[str, ...]  # "" = a group of its own
    fitted: int  # number of fitting sheets, which come first
    class_names: tuple[str, ...]
    weights: Float[np.ndarray, " m"] | None = None  # one a judging sheet; None = equal
    notes: tuple[str, ...] = ()  # what a reader of the figures must know
    clean: int | None = 0  # the defect-free class; None = there is none

    @property
    def fit_labels(self) -> Labels:
        """Classes of the fitting sheets."""
        return self.labels[: self.fitted]

    @property
    def judge_labels(self) -> Labels:
        """Classes of the judging sheets."""
        return self.labels[self.fitted :]

    @property
    def judge_groups(self) -> tuple[str, ...] | None:
        """Groups of the judging sheets; None where no sheet has one."""
        names = self.groups[self.fitted :]
        return names if any(names) else None


@dataclass(frozen=True)
class ProbeParts:
    """Positions of the fitting and of the judging sheets."""

    fit: Positions
    judge: Positions
    weights: Float[np.ndarray, " j"] | None = None  # of the judging sheets; None = equal


def choose_sheets(
    images: GrayBatch,
    labels: Labels,
    groups: Sequence[str],
    class_names: tuple[str, ...],
    parts: ProbeParts,
    *,
    limit: int,
    rng: np.random.Generator,
) -> ProbeSheets:
    """Subsample the two parts to `limit` sheets together, with the same share and at least one of each class.

    labels   (n,) class index, -1 = left out
    raises   BadData where the parts share sheets, one is empty, the fitting sheets are fewer than the classes
             or all of one class; BadInput for a limit below the number of classes
    """
    fit, judge, weights = parts.fit, parts.judge, parts.weights
    if np.intersect1d(fit, judge).size:
        raise BadData(
            "probes: expected two parts without a common sheet, got parts that share some; a probe is "
            "fitted on one part and judged on another"
        )
    if limit < 2 * len(class_names):
        raise BadInput(
            f"sheets: expected at least two a class, {2 * len(class_names)}, got {limit}; raise the limit"
        )
    kept_judge = np.flatnonzero(labels[judge] >= 0)
    fit = fit[labels[fit] >= 0]
    _check(labels[fit], kept_judge.size, class_names)
    share = limit / (fit.size + kept_judge.size)
    fit = fit[_thin(labels[fit], share, rng)]
    kept_judge = kept_judge[_thin(labels[judge[kept_judge]], share, rng)]
    rows = np.concatenate([fit, judge[kept_judge]])
    chosen = tuple(groups[i] for i in rows.tolist())
    return ProbeSheets(
        np.asarray(images[rows]),
        labels[rows].astype(np.int64),
        chosen,
        int(fit.size),
        class_names,
        None if weights is None else weights[kept_judge],
        tuple(_notes(labels[rows], chosen, int(fit.size), class_names)),
    )


def make_folds(labels: Labels, groups: Sequence[str], *, rng: np.random.Generator) -> Folds:
    """Three folds by whole groups, or as many as there are groups; raises BadData for a single group."""
    count = len({group for group in groups if group}) + sum(not group for group in groups)
    if count < 2:
        raise BadData(
            "probes: the fitting sheets are all of one group, so no penalty can be chosen on others; "
            "bring sheets of another"
        )
    return tuple(group_folds(labels, groups, min(FOLDS, count), rng=rng))


def permutation_by_groups(groups: Sequence[str], *, rng: np.random.Generator) -> Positions:
    """A permutation of labels by whole groups, to be used as `labels[order]`.

    Every class keeps its count, and labels that agree within a group mostly still do, since whole groups are
    permuted, each with a random order inside; where each sheet is its own group this is a plain permutation.
    """
    members: dict[str, list[int]] = {}
    for row, key in enumerate(group_keys(groups)):
        members.setdefault(key, []).append(row)
    blocks = list(members.values())
    givers, takers = (
        np.concatenate([rng.permutation(blocks[number]) for number in rng.permutation(len(blocks)).tolist()])
        for _ in range(2)
    )
    order = np.empty(len(groups), dtype=np.int64)
    order[takers] = givers
    return order


def _check(labels: Labels, judging: int, class_names: tuple[str, ...]) -> None:
    if labels.size < len(class_names):
        raise BadData(
            f"probes: expected at least one fitting sheet a class, {len(class_names)}, got {labels.size}; "
            "bring more sheets, or fit on another part"
        )
    present = np.unique(labels)
    if present.size < 2:
        raise BadData(
            f"probes: the fitting sheets are all of one class, {class_names[int(present[0])]}, so there is "
            "nothing to separate; bring sheets of another"
        )
    if not judging:
        raise BadData("probes: expected sheets to judge on, got none; choose another part")


def _thin(labels: Labels, share: float, rng: np.random.Generator) -> Positions:
    if share >= 1:
        return np.arange(labels.size)
    shuffled = rng.permutation(labels.size)
    kept = []
    for kind in np.unique(labels):
        rows = shuffled[labels[shuffled] == kind]
        kept.append(rows[: max(1, int(share * rows.size))])
    return np.sort(np.concatenate(kept))


def _notes(labels: Labels, groups: tuple[str, ...], fitted: int, class_names: tuple[str, ...]) -> list[str]:
    notes = []
    counts = np.bincount(labels[:fitted], minlength=len(class_names)).tolist()
    missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
    if missing:
        notes.append(f"no fitting sheet is of {', '.join(missing)}: probes never predict it")
    leaks = (set(groups[:fitted]) & set(groups[fitted:])) - {""}
    if leaks:
        notes.append(
            f"{len(leaks)} groups have sheets in both parts: figures are optimistic; split the run by groups"
        )
    return notes
