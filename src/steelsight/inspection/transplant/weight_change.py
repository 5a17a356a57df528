"""Weight changes by part: between two models, from their starts, and the cosine of both updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from steelsight.inspection.transplant.parts import Part, fit_parts, list_parts
from steelsight.models.classifier import SheetClassifier

__all__ = ["PartChange", "compare_weights", "relative_change", "update_cosine"]

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class PartChange:
    """One part's weights in two models and in what they started from; None where shapes or starts differ."""

    part: str
    apart: float | None  # receiver from donor, relative to the donor
    receiver_moved: float | None  # from its own start, relative to the start
    donor_moved: float | None
    one_start: bool  # both trainings began at the same numbers
    cosine: float | None  # of the two moves; needs one start


def compare_weights(
    receiver: SheetClassifier,
    donor: SheetClassifier,
    receiver_start: SheetClassifier | None,
    donor_start: SheetClassifier | None,
) -> tuple[PartChange, ...]:
    """Each part's relative changes; weights and biases count, running statistics do not.

    starts  what the models were before training; None where that is not to be had
    raises  BadInput as `fit_parts`
    """
    fitting = fit_parts(receiver, donor)
    ours, theirs = receiver.state_dict(), donor.state_dict()
    began, other_began = (
        None if start is None else start.state_dict() for start in (receiver_start, donor_start)
    )
    found = []
    for position, part in enumerate(list_parts(receiver)):
        fits = position in fitting.taken
        one = (
            fits and began is not None and other_began is not None and _equal(began, other_began, part.learnt)
        )
        found.append(
            PartChange(
                part.name,
                relative_change(ours, theirs, part) if fits else None,
                None if began is None else relative_change(ours, began, part),
                None if other_began is None else relative_change(theirs, other_began, part),
                one,
                update_cosine(ours, theirs, began, part) if one and began is not None else None,
            )
        )
    return tuple(found)


def relative_change(state: State, origin: State, part: Part) -> float | None:
    """||w - w0|| / ||w0|| over all weights of a part; None where w0 is all zeros and w is not.

    >>> one = Part("conv 1", "features", ("a",), ("a",))
    >>> relative_change({"a": torch.tensor([3.0, 5.0])}, {"a": torch.tensor([3.0, 4.0])}, one)
    0.2
    """
    w, origin_w = _vector(state, part.learnt), _vector(origin, part.learnt)
    moved, size = float((w - origin_w).norm()), float(origin_w.norm())
    if not size:
        return None if moved else 0.0
    return moved / size


def update_cosine(first: State, second: State, start: State, part: Part) -> float | None:
    """Cosine between two moves from one start, -1..1; None where either did not move.

    Independent updates have a cosine near 0, as there are many weights.
    """
    origin = _vector(start, part.learnt)
    a, b = _vector(first, part.learnt) - origin, _vector(second, part.learnt) - origin
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size else None


def _vector(state: State, keys: Sequence[str]) -> Float64[Tensor, " w"]:
    return torch.cat([state[key].detach().double().flatten().cpu() for key in keys])


def _equal(first: State, second: State, keys: Sequence[str]) -> bool:
    return all(torch.equal(first[key].cpu(), second[key].cpu()) for key in keys)
