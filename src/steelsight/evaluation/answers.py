"""Sheets with several right classes: which they are, and which verdicts on them are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from steelsight.errors import BadInput
from steelsight.types import Labels

__all__ = ["Alternatives", "multi_type_right", "right_verdicts", "single_answer"]

Alternatives = Sequence[tuple[int, ...]]


def multi_type_right(verdicts: Labels, alternatives: Alternatives) -> Bool[np.ndarray, " n"]:
    """Which verdicts are among the right classes of their sheet.

    verdicts      (n,) class index
    alternatives  (n) right classes of each sheet
    raises        BadInput for lists of different length

    >>> multi_type_right(np.array([2, 1]), [(1, 3), (1, 3)]).tolist()
    [False, True]
    """
    if verdicts.size != len(alternatives):
        raise BadInput(f"alternatives: expected {verdicts.size}, one a verdict, got {len(alternatives)}")
    return np.array([v in set(a) for v, a in zip(verdicts.tolist(), alternatives, strict=True)], dtype=bool)


def single_answer(labels: Labels, alternatives: Alternatives | None) -> Bool[np.ndarray, " n"]:
    """Which sheets have one right class; None = all.

    raises  BadInput for lists of different length, and where every sheet has several
    """
    if alternatives is None:
        return np.ones(labels.size, dtype=bool)
    if len(alternatives) != labels.size:
        raise BadInput(f"alternatives: expected {labels.size}, one a label, got {len(alternatives)}")
    single = np.array([len(answers) < 2 for answers in alternatives], dtype=bool)
    if labels.size and not single.any():
        raise BadInput(
            f"labels: expected sheets with one type, got {labels.size} sheets that all have several"
        )
    return single


def right_verdicts(
    labels: Labels, verdicts: Labels, alternatives: Alternatives | None
) -> Bool[np.ndarray, " n"]:
    """Which verdicts are right: equal to the label, or to any of several right classes.

    raises  BadInput as `single_answer`
    """
    if alternatives is None:
        equal: Bool[np.ndarray, " n"] = verdicts == labels
        return equal
    single = single_answer(labels, alternatives)
    any_of = multi_type_right(verdicts, alternatives)
    right: Bool[np.ndarray, " n"] = (single & (verdicts == labels)) | (~single & any_of)
    return right
