"""Scores of mixed models, in which parts of a receiver are replaced by parts of a donor.

The receiver keeps everything that is not a weight: classes, pooling, patches. Neither model is changed: a
mixed model is a composition of parts of both, and compositions with the same first parts share their
computation.
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
    "composition_logits",
    "plan_steps",
    "replace_parts",
    "transplant",
]

Direction = Literal["input", "output", "alone"]
Composition = tuple[int, ...]  # source of each part: 0 = the receiver, 1 = the first donor, ...

DIRECTIONS: dict[Direction, str] = {
    "input": "from the input",
    "output": "from the output",
    "alone": "each part alone",
}
BATCH = 32


@dataclass(frozen=True)
class Step:
    """One mixed model."""

    donor: str  # its name; "" for the unchanged receiver
    direction: Direction
    position: int  # of the part replaced last; -1 = none
    taken: tuple[int, ...]  # positions of all replaced parts
    row: int  # in the scores
    changed: int = 0  # verdicts that differ from the unchanged receiver's


@dataclass(frozen=True)
class TransplantScores:
    """Every mixed model's scores on the same sheets."""

    parts: tuple[Part, ...]
    taken: Mapping[str, tuple[int, ...]]  # by donor: positions of the parts that fit
    left_out: Mapping[str, Mapping[str, str]]  # by donor: the other parts, with the reason
    steps: tuple[Step, ...]
    scores: VerdictScores  # row 0 is the unchanged receiver
    sheets: int
    majority: float  # accuracy of predicting the most frequent class

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
) -> TransplantScores:
    """Replace the receiver's parts by each donor's: from the input, from the output, and each part alone.

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
    steps, compositions = _number(
        {name: plan_steps(name, fitting.taken) for name, fitting in fittings.items()}, len(parts)
    )
    mixed = [replace_parts(receiver, donor, fittings[name].taken) for name, donor in donors.items()]
    logits = composition_logits([receiver, *mixed], compositions, images)
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


def replace_parts(
    receiver: SheetClassifier, donor: SheetClassifier, positions: Iterable[int]
) -> SheetClassifier:
    """A copy of the receiver in which the parts at these positions have the donor's numbers.

    raises  BadInput as `fit_parts`, and for a position whose part does not fit
    """
    fitting, parts = fit_parts(receiver, donor), list_parts(receiver)
    state, inputs = receiver.state_dict(), donor.state_dict()
    for position in positions:
        if position not in fitting.taken:
            known = f"0 to {len(parts) - 1}" + "".join(
                f", without {name} ({reason})" for name, reason in fitting.left_out.items()
            )
            raise BadInput(f"transplant: expected positions of parts that fit, {known}; got {position}")
        state |= {key: inputs[key] for key in parts[position].keys}
    mixed = copy.deepcopy(receiver)
    mixed.load_state_dict(state)
    return mixed


def plan_steps(donor: str, taken: Sequence[int]) -> list[Step]:
    """The steps of all directions, without row numbers.

    taken  positions of the parts that fit, ascending
    """
    whole = tuple(taken)
    steps = [Step(donor, direction, -1, (), 0) for direction in ("input", "output")]
    for count in range(1, len(whole) + 1):
        steps.append(Step(donor, "input", whole[count - 1], whole[:count], 0))
        steps.append(Step(donor, "output", whole[-count], whole[-count:], 0))
    return steps + [Step(donor, "alone", position, (position,), 0) for position in whole]


def _number(plans: Mapping[str, Sequence[Step]], parts: int) -> tuple[list[Step], list[Composition]]:
    """Steps with their rows, and the composition of each row; steps of the same model share a row."""
    rows: dict[Composition, int] = {(0,) * parts: 0}
    steps = []
    for number, plan in enumerate(plans.values(), start=1):
        for each in plan:
            composition = tuple(number if position in each.taken else 0 for position in range(parts))
            row = rows.setdefault(composition, len(rows))
            steps.append(Step(each.donor, each.direction, each.position, each.taken, row))
    return steps, list(rows)


def composition_logits(
    models: Sequence[SheetClassifier],
    compositions: Sequence[Composition],
    images: GrayBatch,
    *,
    batch: int = BATCH,
) -> Float32[np.ndarray, "v n c"]:
    """Logits of mixed models, each a composition of parts of models of one architecture.

    The values equal those of `predict` on the mixed model bit for bit: the same layers on the same batches.
    First parts that several compositions share are computed once.

    models   the first prepares the input and the logits
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
            _walk(chains, list(enumerate(compositions)), 0, enter(first, to_input(gray)), found)
            rows.append(
                np.stack([leave(first, found[row]).float().cpu().numpy() for row in range(len(compositions))])
            )
    return np.concatenate(rows, axis=1)


def _walk(
    chains: Sequence[Chain],
    compositions: Sequence[tuple[int, Composition]],
    depth: int,
    inputs: Tensor,
    found: dict[int, Tensor],
) -> None:
    """Run compositions that agree so far, depth first: at most one activation for each part is in memory."""
    if depth == len(chains[0]):
        found |= dict.fromkeys([row for row, _ in compositions], inputs)
        return
    for source in sorted({composition[depth] for _, composition in compositions}):
        branch = [(row, composition) for row, composition in compositions if composition[depth] == source]
        _walk(chains, branch, depth + 1, chains[source][depth](inputs), found)
