"""The state of a training on disk, replaced atomically after every epoch: a kill loses one epoch at most.

The file is safetensors with a JSON header: weights, their average, the best so far, the optimiser's moments.
Order and noise need no state, since each epoch makes its generators from the seed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from steelsight.errors import BadCheckpoint
from steelsight.files import replace_file
from steelsight.models.checkpoint import hash_weights
from steelsight.reading import parse_json, read_regular

__all__ = ["EpochRow", "TrainingState", "load_state", "pack_moments", "save_state", "unpack_moments"]

FORMAT = "1"


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a learning curve."""

    epoch: int  # from 1
    train_loss: float
    validation_loss: float | None  # None without validation sheets, as the next two
    validation_accuracy: float | None
    validation_balanced_accuracy: float | None
    learning_rate: float  # of the epoch's last step
    seconds: float
    images_per_second: float  # of training, noisy copies not counted


@dataclass(frozen=True)
class TrainingState:
    """Everything that the next epoch needs."""

    fingerprint: str  # of recipe, data, split and seed; another training's state is refused
    history: tuple[EpochRow, ...]
    best_epoch: int
    weights: Mapping[str, Tensor]
    average: Mapping[str, Tensor]  # empty without averaging
    best: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]  # of the optimiser, see pack_moments
    cohorts: Mapping[str, Tensor] = field(default_factory=dict)  # their weights; empty without group DRO
    checked: bool = True  # False: read from a file of an older version, which has no checksum


PARTS = ("weights", "average", "best", "moments", "cohorts")


def save_state(path: Path, state: TrainingState) -> None:
    """Replace the last epoch's state; raises BadCheckpoint where the disk refuses; the old one stays."""
    tensors = {
        f"{part}/{name}": tensor.detach().cpu().contiguous().clone()
        for part in PARTS
        for name, tensor in getattr(state, part).items()
    }
    header = {
        "format": FORMAT,
        "fingerprint": state.fingerprint,
        "best_epoch": str(state.best_epoch),
        "history": json.dumps([asdict(row) for row in state.history]),
    }
    header["checksum"] = _checksum(tensors, header)
    replace_file(path, save(tensors, metadata=header))


def load_state(path: Path, fingerprint: str) -> TrainingState:
    """Read the state of an unfinished training; raises BadCheckpoint if damaged or another training's."""
    try:
        data = read_regular(path)
        tensors = load(data)
        header = parse_json(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        checked = _check(tensors, header)
        history = tuple(_row(row) for row in parse_json(header["history"]))
        best_epoch = int(header["best_epoch"])
        parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor
    except (OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BadCheckpoint(
            f"{path}: expected the state of an unfinished training, got {error}; start over with --fresh"
        ) from error
    if header.get("format") != FORMAT or header.get("fingerprint") != fingerprint:
        raise BadCheckpoint(
            f"{path}: an unfinished training with another recipe, seed, split or other data; "
            "repeat the command that began it, choose another --out, or start over with --fresh"
        )
    return TrainingState(
        fingerprint=fingerprint, history=history, best_epoch=best_epoch, checked=checked, **parts
    )


def _check(tensors: Mapping[str, Tensor], header: dict[str, str]) -> bool:
    """Compare the state with the checksum that is taken out of its header; False without one.

    raises  ValueError where they differ
    """
    checksum = header.pop("checksum", None)
    if checksum not in (None, _checksum(tensors, header)):
        raise ValueError("other content than its checksum has; it was altered or damaged")
    return checksum is not None


def _checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    """SHA-256 of all tensors and of the header's other entries."""
    facts = json.dumps(dict(header), sort_keys=True)
    return hashlib.sha256(f"{facts}\n{hash_weights(tensors)}".encode()).hexdigest()


def _row(values: dict[str, Any]) -> EpochRow:
    return EpochRow(**{each.name: values[each.name] for each in fields(EpochRow)})


def pack_moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's counters and moments by "parameter index.name"; hyperparameters come from the recipe."""
    states = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, state in states.items() for name, tensor in state.items()}


def unpack_moments(optimiser: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Put packed moments back, laid out like their parameters: the fused kernel walks both alike."""
    packed = optimiser.state_dict()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in moments.items():
        index, _, name = key.partition(".")
        like = parameters[int(index)]
        laid_out = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        states.setdefault(int(index), {})[name] = laid_out
    optimiser.load_state_dict({"state": states, "param_groups": packed["param_groups"]})
