"""Control networks of the same structure without the task's training, and the names of all networks."""

from __future__ import annotations

from typing import Final

import torch

from steelsight.errors import BadInput, BadRecipe, MissingWeights
from steelsight.models.catalog import ModelSpec, SheetClassifier, build_model

__all__ = [
    "CONTROLS",
    "IMAGENET",
    "NETS",
    "RANDOM",
    "SHUFFLED",
    "TRAINED",
    "build_controls",
    "choose_controls",
]

TRAINED: Final = "trained"
SHUFFLED: Final = "shuffled"
RANDOM: Final = "random"
IMAGENET: Final = "imagenet"

NETS: dict[str, str] = {
    TRAINED: "trained on this task",
    IMAGENET: "ImageNet, not fine-tuned",
    RANDOM: "random weights",
    SHUFFLED: "trained, permuted labels",
}
CONTROLS = (IMAGENET, RANDOM, SHUFFLED)


def choose_controls(names: str | None) -> tuple[str, ...]:
    """Parse names joined by commas; None = all. Raises BadInput for a name that does not exist."""
    if names is None:
        return CONTROLS
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in CONTROLS]
    if unknown:
        raise BadInput(f"controls: expected some of {', '.join(CONTROLS)}, got {', '.join(unknown)}")
    return tuple(name for name in CONTROLS if name in chosen)


def build_controls(
    spec: ModelSpec, wanted: tuple[str, ...], *, seed: int
) -> tuple[dict[str, SheetClassifier], dict[str, str]]:
    """Build the control networks; also return why others cannot be built, by name.

    seed  draws all weights of the random network, and the head of the ImageNet one
    """
    nets: dict[str, SheetClassifier] = {}
    missing: dict[str, str] = {}
    for name in wanted:
        if name == SHUFFLED:
            continue  # the trained network itself, probed with other labels
        start = "imagenet" if name == IMAGENET else "none"
        generator = torch.Generator().manual_seed(seed)
        try:
            nets[name] = build_model(spec.model_copy(update={"pretrained": start}), generator=generator)
        except (BadRecipe, MissingWeights) as error:
            missing[name] = str(error)
    return nets, missing
