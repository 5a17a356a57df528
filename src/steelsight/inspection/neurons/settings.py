"""Settings of the ascent: the plain form, the study's second form, and optional regularisers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from steelsight.errors import BadRecipe

__all__ = ["GROWN", "GROWN_SHEET", "PLAIN", "PLAIN_SHEET", "Ascent", "Neuron"]

LARGEST = 1024  # largest side of an image, px


@dataclass(frozen=True)
class Neuron:
    """One channel of a layer, averaged over its places or at one place."""

    layer: str
    channel: int
    place: tuple[int, int] | None = None  # row, column on the layer's grid; None = the mean over all

    @property
    def name(self) -> str:
        """The name used on the command line, LAYER:CHANNEL[@ROW,COLUMN]."""
        at = "" if self.place is None else f"@{self.place[0]},{self.place[1]}"
        return f"{self.layer}:{self.channel}{at}"


@dataclass(frozen=True)
class Ascent:
    """An optimisation; the default is the plain form."""

    steps: int = 256
    rate: float = 0.2  # root mean square of the first step, in normalised units; the last is a tenth of it
    contrast: float | None = (
        2.5  # bound on the image's root mean square; no gray sheet has more; None = unbounded
    )
    clip: bool = False  # keep every pixel between black and white
    colour: bool = False  # three channels that may differ, which no gray sheet has
    noise: float = 0.1  # of the start, around mid-gray
    start: tuple[int, int] | None = None  # height and width of the start; None = the final size
    grow: float = 1.0  # factor of each enlargement
    every: int = 50  # steps between enlargements
    kernels: tuple[int, ...] = ()  # of the blur at each enlargement; of several the next field selects one
    kept: float = 0.5  # share of the best kernel's response; the largest kernel that reaches it is used
    jitter: int = 0  # largest random shift of the image at each step, px
    variation: float = 0.0  # weight of total variation against the neuron's own gradient
    fourier: float = 0.0  # 1 = ascent over Fourier coefficients scaled by 1/f
    precision: str = "fp32"  # bf16: faster where the processor has it
    chunk: int = 8  # images at a time: small enough for the processor's cache

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("every", 1), ("chunk", 1), ("jitter", 0)):
            if getattr(self, name) < least:
                raise BadRecipe(f"{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("rate", "kept"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise BadRecipe(f"{name}: expected a number above 0, got {getattr(self, name)}")
        for name in ("noise", "variation", "fourier"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise BadRecipe(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if self.contrast is not None and not self.contrast > 0:
            raise BadRecipe(f"contrast: expected above 0, or none, got {self.contrast}")
        if not 1 <= self.grow <= 4:
            raise BadRecipe(f"grow: expected a factor from 1 to 4, got {self.grow}")
        if any(side < 1 for side in self.kernels):
            raise BadRecipe(f"kernels: expected sides of at least 1, got {list(self.kernels)}")
        if self.precision not in ("fp32", "bf16"):
            raise BadRecipe(f"precision: expected fp32 or bf16, got {self.precision!r}")
        if self.start is not None and max(self.sizes(self.start)[-1]) > LARGEST:
            raise BadRecipe(
                f"grow: the image would end {max(self.sizes(self.start)[-1])} pixels large, more than "
                f"{LARGEST}; take fewer steps, or a smaller factor"
            )

    def sizes(self, size: tuple[int, int]) -> list[tuple[int, int]]:
        """Height and width from the start to the end; 64x64 by 1.4: 64, 90, 125, 176, 246."""
        first = self.start or size
        rounds = (self.steps - 1) // self.every if self.grow > 1 else 0
        factors = [self.grow**number for number in range(rounds + 1)]
        return [(round(first[0] * factor), round(first[1] * factor)) for factor in factors]


PLAIN = Ascent()  # the image is bounded by its contrast alone
# The study's second form: 64x64, every 50 steps 1.4 times larger and blurred, kernel 3 to 10 "by the neuron".
GROWN = Ascent(steps=250, start=(64, 64), grow=1.4, every=50, kernels=(3, 5, 7, 10))
# The same as sheets a camera could take.
PLAIN_SHEET, GROWN_SHEET = (replace(form, clip=True) for form in (PLAIN, GROWN))
