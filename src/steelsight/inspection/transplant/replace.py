"""One model with the weights of another, part by part: what still works, and beside it what should not.

The receiver keeps everything that is no weight: its classes, pooling, patches. It is never changed, nor is a
donor: a mixed model is a way through the parts of both, and ways that begin alike are walked together.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from steelsight.errors import BadInput
from steelsight.evaluation.intervals.bootstrap import Groups
from steelsight.evaluation.probabilities import check_labels
from steelsight.evaluation.verdict_scores import VerdictScores, score_verdicts
from steelsight.inspection.transplant.parts import Chain, Part, chain_of, enter, fit_parts, leave, list_parts
from steelsight.models.capture import at_rest
from steelsight.models.classifier import SheetClassifier
from steelsight.models.inputs import to_input
from steelsight.types import GrayBatch

__all__ = [
    "DIRECTIONS",
    "Direction",
    "Step",
    "TransplantScores",
    "answer_ways",
    "graft",
    "plan_steps",
    "transplant",
]

Direction = Literal["input", "output", "alone"]
Way = tuple[int, ...]  # for each part, whose it is: 0 the receiver's, 1 the first donor's, ...

DIRECTIONS: dict[Direction, str] = {
    "input": "from the input",
    "output": "from the output",
    "alone": "each part alone",
}
BATCH = 32


@dataclass(frozen=True)
class Step:
    """One mixed model."""

    donor: str  # its name; "" for the receiver as it is
    direction: Direction
    position: int  # of the part it took last; -1 = none yet
    taken: tuple[int, ...]  # positions of all parts that are the donor's
    row: int  # in the scores
    changed: int = 0  # verdicts other than the receiver's own


@dataclass(frozen=True)
class TransplantScores:
    """Every mixed model's scores on the same sheets."""

    parts: tuple[Part, ...]
    taken: Mapping[str, tuple[int, ...]]  # by donor: positions of the parts that fit
    left_out: Mapping[str, Mapping[str, str]]  # by donor: the other parts, with the reason
    steps: tuple[Step, ...]
    scores: VerdictScores  # row 0 is the receiver as it is
    sheets: int
    majority: float  # accuracy of always naming the most frequent class

    @property
    def donors(self) -> tuple[str, ...]:
        """Their names, as given."""
        return tuple(self.taken)

    def curve(self, donor: str, direction: Direction) -> list[Step]:
        """One donor's steps in order; all but `alone` begin with the receiver as it is."""
        return [step for step in self.steps if step.donor == donor and step.direction == direction]

    def after_features(self, donor: str) -> Step | None:
        """The step from the input at which every feature part is the donor's; None where one does not fit."""
        features = [i for i, part in enumerate(self.parts) if part.area == "features"]
        if not set(features) <= set(self.taken[donor]):
            return None
        return next(step for step in self.curve(donor, "input") if step.position == features[-1])

    def after_all(self, donor: str) -> Step:
        """The step at which every part that fits is the donor's."""
        return self.curve(donor, "input")[-1]


def transplant(
    receiver: SheetClassifier,
    donors: Mapping[str, SheetClassifier],
    images: GrayBatch,
    labels: Int[np.ndarray, " m"],
    *,
    rng: np.random.Generator,
    groups: Groups | None = None,
    weights: Float[np.ndarray, " n"] | None = None,
    resamples: int = 1000,
    batch: int = BATCH,
) -> TransplantScores:
    """Put each donor's parts into the receiver, from the input, from the output, and each alone.

    images   (n, h, w) uint8
    labels   (n,) the receiver's class index
    weights  (n,) what each sheet counts; None = alike
    returns  scores with intervals by group; all steps of all donors share their resamples
    raises   BadInput for no donor, no sheets, labels the receiver does not have, or as `fit_parts`
    """
    if not donors:
        raise BadInput("transplant: expected at least one donor, got none")
    if len(images) != labels.size or not labels.size:
        raise BadInput(f"transplant: expected one label a sheet, got {labels.size} for {len(images)} sheets")
    fittings = {name: fit_parts(receiver, donor) for name, donor in donors.items()}
    parts = list_parts(receiver)
    classes = len(receiver.state_dict()[parts[-1].keys[0]])  # outputs of the last layer
    check_labels(labels, classes)
    steps, ways = _number(
        {name: plan_steps(name, fitting.taken) for name, fitting in fittings.items()}, len(parts)
    )
    mixed = [graft(receiver, donor, fittings[name].taken) for name, donor in donors.items()]
    logits = answer_ways([receiver, *mixed], ways, images, batch=batch)
    verdicts = logits.argmax(2)
    changed = (verdicts != verdicts[0]).sum(1).tolist()
    counts = np.bincount(labels, weights=weights, minlength=classes)
    return TransplantScores(
        parts,
        {name: fitting.taken for name, fitting in fittings.items()},
        {name: fitting.left_out for name, fitting in fittings.items()},
        tuple(
            Step(each.donor, each.direction, each.position, each.taken, each.row, changed[each.row])
            for each in steps
        ),
        score_verdicts(
            labels, verdicts, classes, rng=rng, groups=groups, weights=weights, resamples=resamples
        ),
        labels.size,
        float(counts.max() / counts.sum()),
    )


def graft(receiver: SheetClassifier, donor: SheetClassifier, positions: Iterable[int]) -> SheetClassifier:
    """A copy of the receiver in which the parts at these positions have the donor's numbers.

    raises  BadInput as `fit_parts`, and for a position whose part does not fit
    """
    fitting, parts = fit_parts(receiver, donor), list_parts(receiver)
    state, came = receiver.state_dict(), donor.state_dict()
    for position in positions:
        if position not in fitting.taken:
            known = f"0 to {len(parts) - 1}" + "".join(
                f", without {name} ({reason})" for name, reason in fitting.left_out.items()
            )
            raise BadInput(f"transplant: expected positions of parts that fit, {known}; got {position}")
        state |= {key: came[key] for key in parts[position].keys}
    mixed = copy.deepcopy(receiver)
    mixed.load_state_dict(state)
    return mixed


def plan_steps(donor: str, taken: Sequence[int]) -> list[Step]:
    """The steps of all directions, not yet numbered.

    taken  positions of the parts that fit, ascending
    """
    whole = tuple(taken)
    steps = [Step(donor, direction, -1, (), 0) for direction in ("input", "output")]
    for count in range(1, len(whole) + 1):
        steps.append(Step(donor, "input", whole[count - 1], whole[:count], 0))
        steps.append(Step(donor, "output", whole[-count], whole[-count:], 0))
    return steps + [Step(donor, "alone", position, (position,), 0) for position in whole]


def _number(plans: Mapping[str, Sequence[Step]], parts: int) -> tuple[list[Step], list[Way]]:
    """Steps with their rows, and the way of each row; steps that are the same model share one."""
    rows: dict[Way, int] = {(0,) * parts: 0}
    steps = []
    for number, plan in enumerate(plans.values(), start=1):
        for each in plan:
            way = tuple(number if position in each.taken else 0 for position in range(parts))
            row = rows.setdefault(way, len(rows))
            steps.append(Step(each.donor, each.direction, each.position, each.taken, row))
    return steps, list(rows)


def answer_ways(
    models: Sequence[SheetClassifier], ways: Sequence[Way], images: GrayBatch, *, batch: int = BATCH
) -> Float32[np.ndarray, "v n c"]:
    """Logits of mixed models, each a way through the parts of models of one architecture.

    The numbers are those `predict` gives of the mixed model itself, bit for bit: the same layers on the same
    batches. What several ways have in common from the input on is computed once.

    models   the first says what enters and what leaves
    images   (n, h, w) uint8
    """
    chains = [chain_of(model) for model in models]
    first = models[0]
    device = next(first.parameters()).device
    rows = []
    with ExitStack() as rest, torch.inference_mode():
        for model in models:
            rest.enter_context(at_rest(model))
        for start in range(0, len(images), batch):
            gray = torch.from_numpy(np.array(images[start : start + batch])).to(device)
            found: dict[int, Tensor] = {}
            _walk(chains, list(enumerate(ways)), 0, enter(first, to_input(gray)), found)
            rows.append(
                np.stack([leave(first, found[row]).float().cpu().numpy() for row in range(len(ways))])
            )
    return np.concatenate(rows, axis=1)


def _walk(
    chains: Sequence[Chain],
    ways: Sequence[tuple[int, Way]],
    depth: int,
    came: Tensor,
    found: dict[int, Tensor],
) -> None:
    """Follow ways that agree so far, depth first: no more than one activation a part is held."""
    if depth == len(chains[0]):
        found |= dict.fromkeys([row for row, _ in ways], came)
        return
    for source in sorted({way[depth] for _, way in ways}):
        branch = [(row, way) for row, way in ways if way[depth] == source]
        _walk(chains, branch, depth + 1, chains[source][depth](came), found)
