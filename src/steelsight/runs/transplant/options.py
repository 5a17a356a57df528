"""Options of a transplant. Free of torch, so that the command line reads them fast."""

from __future__ import annotations

from dataclasses import dataclass

from steelsight.errors import BadInput
from steelsight.options import check_options, option

__all__ = ["TransplantOptions"]

SPLITS = ("unseen", "test")


@dataclass(frozen=True)
class TransplantOptions:
    """Which controls stand beside the donor, and on which sheets all models are evaluated."""

    controls: tuple[str, ...] | None = option(
        None,
        help="Control donors, joined by commas: imagenet or start (never trained), random, seed:RUN (same "
        "task, another seed), shuffled:RUN (trained with labels.shuffle_seed). Default: the start and "
        "random.",
        joined=True,
    )
    split: str = option(
        "unseen", help="Sheets of the receiver: unseen or test; those a donor has seen are left out."
    )
    limit: int = option(2000, help="Maximum number of sheets, drawn at random.", min=4)
    resamples: int = option(1000, help="Resamples of the bootstrap.", min=1)
    seed: int = option(0, help="Seed of the drawn sheets, the random weights and the bootstrap.", min=0)

    def __post_init__(self) -> None:
        check_options(self)
        if self.split not in SPLITS:
            raise BadInput(
                f"--split: expected unseen or test, got {self.split!r}; scores are optimistic on sheets "
                "that a model was trained on"
            )
