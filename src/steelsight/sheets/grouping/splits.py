"""Who learns and who tests: random, stratified and group-safe splits, and whether a given split leaks.

Positions with a negative label (dropped sheets) are in no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from steelsight.errors import BadRecipe
from steelsight.groups import group_keys
from steelsight.sheets.grouping.duplicates import duplicate_groups
from steelsight.sheets.grouping.groups import frame_groups
from steelsight.types import Labels

__all__ = [
    "Split",
    "duplicate_groups",
    "find_leaks",
    "frame_groups",
    "group_folds",
    "group_split",
    "random_split",
]

Positions = Int[np.ndarray, "_"]  # parts differ in length
Shares = Float[np.ndarray, "parts"]
Fractions = tuple[float, float, float]


@dataclass(frozen=True)
class Split:
    """Positions of the sheets of each part, ascending."""

    train: Positions
    validation: Positions
    test: Positions


def random_split(
    labels: Labels,
    fractions: Fractions = (0.6, 0.2, 0.2),
    *,
    rng: np.random.Generator,
    stratify: bool = False,
) -> Split:
    """Split sheets one by one, as the study did; sheets that belong together may part.

    labels    (n,) class index; with `stratify` every part gets every class by its share, to within one sheet
    fractions of train, validation, test
    """
    _check_fractions(fractions)
    usable = rng.permutation(np.flatnonzero(labels >= 0))
    if not stratify:
        bounds = np.round(np.cumsum(fractions[:2]) * usable.size).astype(int)
        return _as_split(np.split(usable, bounds))
    usable = usable[np.argsort(labels[usable], kind="stable")]
    parts = _deal(usable.size, np.array(fractions))
    return _as_split([usable[parts == part] for part in range(3)])


def group_split(
    labels: Labels, groups: Sequence[str], fractions: Fractions = (0.6, 0.2, 0.2), *, rng: np.random.Generator
) -> Split:
    """Split whole groups so that every part comes close to its share of every class.

    groups  one name a sheet; "" is a group of its own
    """
    _check_fractions(fractions)
    usable = np.flatnonzero(labels >= 0)
    parts = _assign(labels[usable], [groups[i] for i in usable.tolist()], np.array(fractions), rng)
    return _as_split([usable[parts == part] for part in range(3)])


def group_folds(
    labels: Labels, groups: Sequence[str], folds: int, *, rng: np.random.Generator
) -> list[tuple[Positions, Positions]]:
    """Cross-validation by whole groups: (train, test) positions of each fold; every sheet is tested once."""
    names = {group for group, label in zip(groups, labels.tolist(), strict=True) if group and label >= 0}
    alone = sum(not group and label >= 0 for group, label in zip(groups, labels.tolist(), strict=True))
    if not 2 <= folds <= len(names) + alone:
        raise BadRecipe(f"expected 2 to {len(names) + alone} folds for as many groups, got {folds}")
    usable = np.flatnonzero(labels >= 0)
    parts = _assign(labels[usable], [groups[i] for i in usable.tolist()], np.full(folds, 1 / folds), rng)
    return [(usable[parts != fold], usable[parts == fold]) for fold in range(folds)]


def find_leaks(split: Split, groups: Sequence[str]) -> list[str]:
    """One line for each group found in more than one part, and for each sheet listed twice."""
    members: dict[str, Counter[str]] = defaultdict(Counter)
    seen: Counter[int] = Counter()
    for name, positions in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        for position in positions.tolist():
            seen[position] += 1
            if groups[position]:
                members[groups[position]][name] += 1
    leaks = [f"position {position}: listed {count} times" for position, count in seen.items() if count > 1]
    for group, parts in sorted(members.items()):
        if len(parts) > 1:
            spread = ", ".join(f"{count} in {part}" for part, count in parts.items())
            leaks.append(f"group {group}: {spread}")
    return leaks


def _check_fractions(fractions: Fractions) -> None:
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise BadRecipe(f"expected shares of train, validation and test that sum to 1, got {fractions}")


def _as_split(parts: Sequence[Positions]) -> Split:
    return Split(*(np.sort(part) for part in parts))


def _deal(count: int, shares: Shares) -> Positions:
    """A part for each of `count` sheets in a row, so that every stretch of the row is dealt by the shares."""
    due = np.outer(np.arange(1, count + 1), shares)
    dealt = np.zeros(shares.size)
    parts = np.empty(count, dtype=np.int64)
    for position in range(count):
        parts[position] = np.argmax(due[position] - dealt)
        dealt[parts[position]] += 1
    return parts


def _assign(labels: Labels, groups: Sequence[str], shares: Shares, rng: np.random.Generator) -> Positions:
    """A part for each sheet, whole groups at a time, the largest first, each to where it is missed most.

    A part's fill of a class is its count over its due. Each step raises sum(share * fill²), over classes and
    the total, by as little as possible; the sum is least when all fills are 1.
    """
    keys = group_keys(groups)
    order = {name: row for row, name in enumerate(dict.fromkeys(keys))}
    group_of = np.array([order[key] for key in keys], dtype=np.int64)
    counts = np.zeros((len(order), int(labels.max(initial=0)) + 2))
    np.add.at(counts, (group_of, labels), 1)
    counts[:, -1] = counts.sum(axis=1)
    due = np.outer(shares, np.maximum(counts.sum(axis=0), 1))
    due = np.maximum(due, 1e-9)  # a part with share 0 stays empty
    fill = np.zeros_like(due)
    parts_of_groups = np.zeros(len(order), dtype=np.int64)
    for group in _largest_first(counts, rng):
        added = counts[group] / due
        cost = (shares[:, None] * added * (2 * fill + added)).sum(axis=1)
        part = int(np.argmin(np.where(shares > 0, cost, np.inf) * (1 + 1e-9 * rng.random(shares.size))))
        fill[part] += added[part]
        parts_of_groups[group] = part
    return parts_of_groups[group_of]


def _largest_first(counts: Float[np.ndarray, "g c"], rng: np.random.Generator) -> list[int]:
    shuffled = rng.permutation(counts.shape[0])
    weight = (counts / np.maximum(counts.sum(axis=0), 1)).sum(axis=1)  # a group is large within its classes
    ordered: list[int] = shuffled[np.argsort(-weight[shuffled], kind="stable")].tolist()
    return ordered
